#include "collector.h"

#include <algorithm>
#include <cstdlib>

#include "common.h"

namespace headrace {

namespace {

using Clock = std::chrono::steady_clock;

// What the smallest tensor takes: its own fields, its storage's, a block of the allocator.
constexpr int64_t kOverhead = 512;
// V8 is told of changes in steps of this size: each costs a call.
constexpr int64_t kReportStep = 1 << 20;
// More than any limit of V8's. It collects at once, without waiting for a turn of the event loop, when told of so much.
constexpr int64_t kBeyondLimits = int64_t{1} << 44;

} // namespace

Collector::Collector(napi_env env) : env_(env), watched_(1) { setLimits({128 << 20, int64_t{1} << 30, 50'000}); }

void Collector::setLimits(const Limits& limits) {
  limits_ = limits;
  warned_ = false;
  settle(true);
}

uint32_t Collector::add(napi_value object, Kind kind, double id, Care care, const void* storage, int64_t bytes) {
  uint32_t number = static_cast<uint32_t>(watched_.size());
  if (free_.empty()) {
    watched_.emplace_back();
  } else {
    number = free_.back();
    free_.pop_back();
  }
  Watched& entry = watched_[number];
  entry.id = id;
  entry.kind = kind;
  entry.care = care;
  check(env_, napi_create_reference(env_, object, 0, &entry.object));
  bytes_ += kOverhead;
  enter(entry, storage, bytes);
  return number;
}

void Collector::remove(uint32_t number) {
  Watched& entry = watched_[number];
  leave(entry);
  bytes_ -= kOverhead;
  napi_delete_reference(env_, entry.object);
  entry.object = nullptr;
  free_.push_back(number);
}

void Collector::setStorage(uint32_t number, const void* storage, int64_t bytes) {
  leave(watched_[number]);
  enter(watched_[number], storage, bytes);
}

void Collector::enter(Watched& entry, const void* storage, int64_t bytes) {
  entry.storage = storage;
  if (storage) {
    Storage& shared = storages_[storage];
    if (shared.owners++ == 0) {
      shared.bytes = bytes;
      bytes_ += bytes;
      traffic_ += bytes;
    }
  }
  countLoose(entry, 1);
  report();
}

void Collector::leave(const Watched& entry) {
  countLoose(entry, -1);
  if (entry.storage) {
    const auto shared = storages_.find(entry.storage);
    if (--shared->second.owners == 0) {
      bytes_ -= shared->second.bytes;
      storages_.erase(shared);
    }
  }
  report();
}

void Collector::setCare(uint32_t number, Care care) {
  countLoose(watched_[number], -1);
  watched_[number].care = care;
  countLoose(watched_[number], 1);
}

void Collector::countLoose(const Watched& entry, int sign) {
  if (entry.care != kCollector) return;
  looseCount_ += sign;
  if (!entry.storage) return;
  Storage& shared = storages_[entry.storage];
  if (sign > 0 ? shared.loose++ == 0 : --shared.loose == 0) looseBytes_ += sign * shared.bytes;
}

void Collector::report() {
  const int64_t change = bytes_ - reported_;
  if (std::abs(change) < kReportStep) return;
  int64_t total = 0;
  napi_adjust_external_memory(env_, change, &total);
  reported_ = bytes_;
}

bool Collector::hasCollected() {
  napi_value object = nullptr;
  if (sentinel_) napi_get_reference_value(env_, sentinel_, &object);
  return object == nullptr;
}

void Collector::collect() {
  const auto start = Clock::now();
  int64_t total = 0;
  napi_adjust_external_memory(env_, kBeyondLimits, &total);
  napi_adjust_external_memory(env_, -kBeyondLimits, &total);
  collected_ = Clock::now();
  took_ = collected_ - start;
}

// Whether collecting for traffic alone costs less than a twentieth of the time. Where JavaScript's heap is large it takes long.
bool Collector::rested() const { return Clock::now() - collected_ > 20 * took_; }

std::vector<Collector::Dropped> Collector::dropped() {
  std::vector<Dropped> result;
  napi_handle_scope scope = nullptr;
  check(env_, napi_open_handle_scope(env_, &scope));
  for (const Watched& entry : watched_) {
    if (!entry.object) continue;
    napi_value object = nullptr;
    napi_get_reference_value(env_, entry.object, &object);
    if (!object) result.push_back({entry.kind, entry.id});
  }
  napi_close_handle_scope(env_, scope);
  return result;
}

std::vector<Collector::Dropped> Collector::inCare(Care care) const {
  std::vector<Dropped> result;
  for (const Watched& entry : watched_) {
    if (entry.object && entry.care == care) result.push_back({entry.kind, entry.id});
  }
  return result;
}

// When to see again whether so much is in use. Not at the next tensor, where it nearly is: each time costs a collection.
int64_t Collector::nextLimit(int64_t now, int64_t warn) const {
  return warned_ ? INT64_MAX : std::max(warn, now + warn / 2);
}

void Collector::settle(bool asked) {
  const int64_t limit = bytes_ + limits_.collectBytes;
  bytesLimit_ = asked ? limit : std::min(bytesLimit_, limit);
  if (asked) {
    looseCountLimit_ = nextLimit(looseCount_, limits_.warnCount);
    looseBytesLimit_ = nextLimit(looseBytes_, limits_.warnBytes);
    traffic_ = 0;
    trafficLimit_ = 2 * limits_.collectBytes;
  }
  if (sentinel_) napi_delete_reference(env_, sentinel_);
  sentinel_ = nullptr;
  napi_handle_scope scope = nullptr;
  napi_value object = nullptr;
  check(env_, napi_open_handle_scope(env_, &scope));
  check(env_, napi_create_object(env_, &object));
  check(env_, napi_create_reference(env_, object, 0, &sentinel_));
  napi_close_handle_scope(env_, scope);
}

bool Collector::wouldWarn() const {
  return !warned_ && (looseCount_ > limits_.warnCount || looseBytes_ > limits_.warnBytes);
}

bool Collector::pilesUp() {
  if (!wouldWarn()) return false;
  warned_ = true;
  looseCountLimit_ = looseBytesLimit_ = INT64_MAX;
  return true;
}

} // namespace headrace
