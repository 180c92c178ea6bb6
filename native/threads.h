// Work of our own loops spread over libtorch's threads.
#pragma once

#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace headrace {

/// How many threads so much work is worth, at `grain` for each.
inline int64_t threadsFor(int64_t work, int64_t grain) {
  return std::min<int64_t>(at::get_num_threads(), work / grain + 1);
}

/// Pieces of work, which several threads take one after the other.
class Pieces {
 public:
  Pieces(int64_t count, const std::function<void(int64_t)>& body) : count_(count), body_(body) {}

  /// Does what is left. A thread that comes too late finds nothing, and does not touch `body`, which may be gone.
  void work() {
    int64_t finished = 0;
    for (int64_t k = next_++; k < count_; k = next_++, ++finished) body_(k);
    if (finished == 0) return;
    const std::lock_guard<std::mutex> lock(mutex_);
    done_ += finished;
    if (done_ == count_) all_.notify_one();
  }

  void wait() {
    std::unique_lock<std::mutex> lock(mutex_);
    all_.wait(lock, [&] { return done_ == count_; });
  }

 private:
  const int64_t count_;
  const std::function<void(int64_t)>& body_;
  std::atomic<int64_t> next_{0};
  std::mutex mutex_;
  std::condition_variable all_;
  int64_t done_ = 0;
};

/// Threads that have just done their share, and look out for more for a moment: a frame is drawn in a dozen steps of a tenth of a
/// millisecond, and waking a thread takes as long as its share of one.
class Standby {
 public:
  /// Gives work to a thread that looks out. False where none does.
  bool give(const std::shared_ptr<Pieces>& pieces) {
    Post* post;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (posts_.empty()) return false;
      post = posts_.back();
      posts_.pop_back();
    }
    post->pieces = pieces;
    post->given.store(true, std::memory_order_release);
    return true;
  }

  /// Null where there was no work for a while. The processor goes to whoever wants it in the meantime.
  std::shared_ptr<Pieces> lookOut() {
    using Clock = std::chrono::steady_clock;
    Post post;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      posts_.push_back(&post);
    }
    const auto end = Clock::now() + std::chrono::microseconds(200);
    while (!post.given.load(std::memory_order_acquire)) {
      if (Clock::now() > end && leave(&post)) return nullptr;
      std::this_thread::yield();
    }
    return std::move(post.pieces);
  }

 private:
  struct Post {
    std::atomic<bool> given{false};
    std::shared_ptr<Pieces> pieces;
  };

  /// False where work is on its way to it.
  bool leave(Post* post) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto found = std::find(posts_.begin(), posts_.end(), post);
    if (found == posts_.end()) return false;
    posts_.erase(found);
    return true;
  }

  std::mutex mutex_;
  std::vector<Post*> posts_;
};

inline Standby& standby() {
  static auto* shared = new Standby; // for ever: threads may look out while the process ends
  return *shared;
}

/// body(k), which may not throw, for each k in 0..count-1: on this thread and on those of libtorch's pool. at::parallel_for
/// is of one thread where a compiler has no OpenMP; and it waits for threads that have not even begun, for milliseconds on
/// a busy machine, where this one does their share.
inline void forEachPiece(int64_t count, int64_t threads, const std::function<void(int64_t)>& body) {
  if (count == 0) return;
  const auto pieces = std::make_shared<Pieces>(count, body);
  for (int64_t helper = 1; helper < std::min(count, threads); ++helper) {
    if (standby().give(pieces)) continue;
    at::launch([pieces] {
      for (std::shared_ptr<Pieces> own = pieces; own; own = standby().lookOut()) own->work();
    });
  }
  pieces->work();
  pieces->wait();
}

/// Rows that one thread takes at a time. What is written does not depend on it.
constexpr int64_t kBandRows = 16;

/// body(first row, end), on several threads.
template <typename Body>
void forEachBand(int64_t rows, int64_t threads, Body body) {
  forEachPiece((rows + kBandRows - 1) / kBandRows, threads, [&](int64_t band) {
    body(band * kBandRows, std::min(rows, (band + 1) * kBandRows));
  });
}

/// body(first, end) for the parts of 0..count-1, one for each thread that the work is worth, at `grain` for each.
template <typename Body>
void forEachRange(int64_t count, int64_t grain, Body body) {
  const int64_t threads = std::max<int64_t>(1, threadsFor(count, grain));
  const int64_t share = (count + threads - 1) / threads;
  forEachPiece(threads, threads, [&](int64_t k) {
    const int64_t first = k * share;
    if (first < count) body(first, std::min(count, first + share));
  });
}

} // namespace headrace
