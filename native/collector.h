// Frees natively what JavaScript has dropped. V8 sees a tensor as an object of a few bytes, and calls finalizers only between
// tasks of the event loop: a loop that never pauses would fill the memory. So a weak reference stands for each object that no
// scope owns. Asking these, after a collection, which objects are gone needs no turn of the event loop. V8 is told of the bytes
// behind them, and made to collect when they have grown much.
#pragma once

#include <node_api.h>

#include <chrono>
#include <cstdint>
#include <unordered_map>
#include <vector>

namespace headrace {

// Who frees an object that no synchronous scope owns: the collector, the collector though it was kept on purpose, or else the
// asynchronous scope of this number (if the collector does not before).
using Care = int64_t;
inline constexpr Care kCollector = 0;
inline constexpr Care kKept = 1;

class Collector {
 public:
  enum class Kind : uint8_t { Tensor, Generator };
  struct Dropped {
    Kind kind;
    double id;
  };
  struct Limits {
    int64_t collectBytes; // V8 is made to collect when so much was added
    int64_t warnBytes;    // more than this in the collector's care, and still in use, is worth a warning
    int64_t warnCount;
  };

  explicit Collector(napi_env env);

  // Ties `id` to the life of `object`. `storage` is the memory behind it, counted once for all that share it; null for none.
  // Returns the number, never 0, by which the other functions know it.
  uint32_t add(napi_value object, Kind kind, double id, Care care, const void* storage, int64_t bytes);
  void remove(uint32_t number);
  // The object has other memory now.
  void setStorage(uint32_t number, const void* storage, int64_t bytes);
  Care care(uint32_t number) const { return watched_[number].care; }
  void setCare(uint32_t number, Care care);

  // Whether V8 has collected since the objects were last asked for.
  bool hasCollected();
  // Whether so much was added since, freed again or not, that V8 must be made to collect.
  bool full() const {
    return bytes_ > bytesLimit_ || looseCount_ > looseCountLimit_ || looseBytes_ > looseBytesLimit_ ||
           (traffic_ > trafficLimit_ && rested());
  }
  void collect();
  // The objects that are gone, each to be removed; settle() ends that, and tells of a collection that was asked for.
  std::vector<Dropped> dropped();
  std::vector<Dropped> inCare(Care care) const;
  void settle(bool asked);
  // Whether the limits of a warning that was not given are passed.
  bool wouldWarn() const;
  // The same, once.
  bool pilesUp();

  int64_t looseCount() const { return looseCount_; }
  int64_t looseBytes() const { return looseBytes_; }
  void setLimits(const Limits& limits);

 private:
  struct Watched {
    napi_ref object = nullptr; // null where the place is free
    const void* storage = nullptr;
    double id = 0;
    Care care = kCollector;
    Kind kind = Kind::Tensor;
  };
  struct Storage {
    int64_t bytes = 0;
    uint32_t owners = 0;
    uint32_t loose = 0; // owners in the collector's care
  };
  void enter(Watched& entry, const void* storage, int64_t bytes);
  void leave(const Watched& entry);
  void countLoose(const Watched& entry, int sign);
  void report();
  bool rested() const;
  int64_t nextLimit(int64_t now, int64_t warn) const;

  napi_env env_;
  Limits limits_;
  std::vector<Watched> watched_;
  std::vector<uint32_t> free_;
  std::unordered_map<const void*, Storage> storages_;
  int64_t bytes_ = 0;
  int64_t reported_ = 0;
  int64_t bytesLimit_ = 0;
  // All bytes since the last collection. Small tensors that wait for the next one lie between large ones that are freed by
  // themselves, and the holes do not fit what comes after: memory grows, though little is in use.
  int64_t traffic_ = 0;
  int64_t trafficLimit_ = 0;
  std::chrono::steady_clock::time_point collected_{};
  std::chrono::steady_clock::duration took_{};
  int64_t looseCount_ = 0;
  int64_t looseBytes_ = 0;
  int64_t looseCountLimit_ = 0;
  int64_t looseBytesLimit_ = 0;
  bool warned_ = false;
  napi_ref sentinel_ = nullptr; // stands for an object that nothing refers to: once it is gone, V8 has collected
};

} // namespace headrace
