#include "waits.h"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <list>

namespace headrace {

void Breaker::trip(const char* code, const std::string& text) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (code_) return;
  code_ = code;
  text_ = text;
}

bool Breaker::tripped() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return code_ != nullptr;
}

void Breaker::check() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (code_) throw CodedError(code_, text_);
}

namespace {

constexpr std::chrono::milliseconds kTick(25);
constexpr double kLongestTickMs = 250;

} // namespace

// The one thread that looks after all waits of the process. It is never destroyed: the process ends around it.
class Ticker {
 public:
  static Ticker& instance() {
    static auto* ticker = new Ticker();
    return *ticker;
  }

  void add(Wait* wait) {
    const std::lock_guard<std::mutex> lock(mutex_);
    waits_.push_back(wait);
  }

  void remove(Wait* wait) {
    const std::lock_guard<std::mutex> lock(mutex_);
    waits_.erase(std::find(waits_.begin(), waits_.end(), wait));
  }

  void addCall(std::function<bool(double)> call) {
    const std::lock_guard<std::mutex> lock(callsMutex_);
    calls_.push_back(std::move(call));
  }

  bool late(const Wait& wait) {
    const std::lock_guard<std::mutex> lock(mutex_);
    return wait.leftMs_ <= 0;
  }

 private:
  Ticker() {
    std::thread([this] { run(); }).detach();
  }

  void run() {
    auto last = std::chrono::steady_clock::now();
    for (;;) {
      std::this_thread::sleep_for(kTick);
      const auto now = std::chrono::steady_clock::now();
      const double passed = std::min(std::chrono::duration<double, std::milli>(now - last).count(), kLongestTickMs);
      last = now;
      {
        const std::lock_guard<std::mutex> lock(mutex_);
        for (Wait* wait : waits_) {
          wait->leftMs_ -= passed;
          const auto& breakers = wait->limits_.breakers;
          const bool broken = std::any_of(breakers.begin(), breakers.end(), [](auto* each) { return each->tripped(); });
          if (broken || wait->leftMs_ <= 0) wait->wake_();
        }
      }
      const std::lock_guard<std::mutex> lock(callsMutex_);
      calls_.remove_if([&](auto& call) { return !call(passed); });
    }
  }

  std::mutex mutex_;
  std::vector<Wait*> waits_;
  std::mutex callsMutex_;
  std::list<std::function<bool(double)>> calls_;
};

Wait::Wait(const Limits& limits, std::function<void()> wake)
    : limits_(limits), wake_(std::move(wake)), leftMs_(std::max(limits.timeoutMs, 0.001)) {
  Ticker::instance().add(this);
}

Wait::~Wait() { Ticker::instance().remove(this); }

bool Wait::late() const { return Ticker::instance().late(*this); }

void everyTick(std::function<bool(double)> call) { Ticker::instance().addCall(std::move(call)); }

std::string seconds(double ms) {
  char text[32];
  std::snprintf(text, sizeof text, "%g s", ms / 1000);
  return text;
}

bool withinTime(double timeoutMs, std::function<void()> body, const std::vector<const Breaker*>& breakers) {
  struct State {
    std::mutex mutex;
    std::condition_variable ended;
    bool done = false;
    std::exception_ptr error;
  };
  const auto state = std::make_shared<State>();
  std::thread([state, body = std::move(body)]() mutable {
    std::exception_ptr error;
    try {
      body();
    } catch (...) {
      error = std::current_exception();
    }
    body = nullptr;
    const std::lock_guard<std::mutex> lock(state->mutex);
    state->error = error;
    state->done = true;
    state->ended.notify_all();
  }).detach();
  std::unique_lock<std::mutex> lock(state->mutex);
  for (double left = timeoutMs; left > 0 && !state->done; left -= kLongestTickMs) {
    const std::chrono::duration<double, std::milli> slice(std::min(left, kLongestTickMs));
    state->ended.wait_for(lock, slice, [&] { return state->done; });
    for (const Breaker* breaker : breakers) breaker->check();
  }
  if (state->done && state->error) std::rethrow_exception(state->error);
  return state->done;
}

} // namespace headrace
