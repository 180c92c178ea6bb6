// Bounded blocking FIFOs between the threads of one process. An item is a text and tensors; tensors move by
// handle, so a hand-off costs the same whatever their size.
#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>

#include <c10/core/impl/VirtualGuardImpl.h>

#include "frame.h"

namespace headrace {

namespace {

using Clock = std::chrono::steady_clock;

struct Item {
  std::string text;
  std::vector<at::Tensor> tensors;
  std::vector<std::shared_ptr<c10::Event>> ready; // one per tensor that lies on an accelerator
};

// On an accelerator the producer's kernels may still run: the consumer's stream waits for this event, no thread does. The
// memory is the next tensor's only when the consumer's stream is through with it, too.
std::shared_ptr<c10::Event> recordReady(const at::Tensor& tensor) {
  if (!tensor.defined() || tensor.device().is_cpu() || tensor.device().is_meta()) return nullptr;
  c10::impl::VirtualGuardImpl guard(tensor.device().type());
  auto event = std::make_shared<c10::Event>(tensor.device().type());
  event->record(guard.getStream(tensor.device()));
  return event;
}

void awaitReady(const Item& item) {
  for (size_t i = 0; i < item.ready.size(); ++i) {
    if (!item.ready[i]) continue;
    const at::Tensor& tensor = item.tensors[i];
    c10::impl::VirtualGuardImpl guard(tensor.device().type());
    const c10::Stream stream = guard.getStream(tensor.device());
    item.ready[i]->block(stream);
    if (tensor.has_storage()) guard.recordDataPtrOnStream(tensor.storage().data_ptr(), stream);
  }
}

class Queue {
 public:
  explicit Queue(size_t capacity) : capacity_(capacity) {}

  void put(Item item, double timeoutMs) {
    std::unique_lock<std::mutex> lock(mutex_);
    const auto start = Clock::now();
    const bool room = waitFor(lock, notFull_, timeoutMs, [&] { return closed_ || items_.size() < capacity_; });
    putWaitNs_ += (Clock::now() - start).count();
    if (closed_) throw CodedError("QUEUE_CLOSED", reason_);
    if (!room) throw CodedError("QUEUE_TIMEOUT", "the queue stayed full for " + std::to_string(timeoutMs / 1000) + " s");
    items_.push_back(std::move(item));
    ++puts_;
    maxDepth_ = std::max(maxDepth_, items_.size());
    lock.unlock();
    notEmpty_.notify_one();
  }

  Item get(double timeoutMs) {
    std::unique_lock<std::mutex> lock(mutex_);
    const auto start = Clock::now();
    const bool filled = waitFor(lock, notEmpty_, timeoutMs, [&] { return aborted_ || closed_ || !items_.empty(); });
    getWaitNs_ += (Clock::now() - start).count();
    // What was put before an orderly close is still delivered.
    if (aborted_ || (closed_ && items_.empty())) throw CodedError("QUEUE_CLOSED", reason_);
    if (!filled) throw CodedError("QUEUE_TIMEOUT", "the queue stayed empty for " + std::to_string(timeoutMs / 1000) + " s");
    Item item = std::move(items_.front());
    items_.pop_front();
    ++gets_;
    lock.unlock();
    notFull_.notify_one();
    return item;
  }

  void close(const std::string& reason, bool abort) {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      if (!closed_) reason_ = reason;
      closed_ = true;
      aborted_ = aborted_ || abort;
      if (abort) items_.clear();
    }
    notFull_.notify_all();
    notEmpty_.notify_all();
  }

  napi_value describe(napi_env env) {
    std::lock_guard<std::mutex> lock(mutex_);
    napi_value result = nullptr;
    check(env, napi_create_object(env, &result));
    setField(env, result, "depth", fromNumber(env, static_cast<double>(items_.size())));
    setField(env, result, "maxDepth", fromNumber(env, static_cast<double>(maxDepth_)));
    setField(env, result, "capacity", fromNumber(env, static_cast<double>(capacity_)));
    setField(env, result, "puts", fromNumber(env, static_cast<double>(puts_)));
    setField(env, result, "gets", fromNumber(env, static_cast<double>(gets_)));
    setField(env, result, "putWaitMs", fromNumber(env, static_cast<double>(putWaitNs_) / 1e6));
    setField(env, result, "getWaitMs", fromNumber(env, static_cast<double>(getWaitNs_) / 1e6));
    setField(env, result, "waiting", fromNumber(env, static_cast<double>(waiting_)));
    setField(env, result, "closed", fromBoolean(env, closed_));
    return result;
  }

 private:
  // Counted in slices, so that however long the process was suspended (Ctrl-Z) counts as one slice: nobody was late then.
  template <typename Predicate>
  bool waitFor(std::unique_lock<std::mutex>& lock, std::condition_variable& condition, double timeoutMs,
               Predicate predicate) {
    constexpr double sliceMs = 250;
    ++waiting_;
    bool met = predicate();
    for (double leftMs = timeoutMs; !met && leftMs > 0; leftMs -= sliceMs) {
      const std::chrono::duration<double, std::milli> slice(std::min(leftMs, sliceMs));
      met = condition.wait_for(lock, slice, predicate);
    }
    --waiting_;
    return met;
  }

  const size_t capacity_;
  std::mutex mutex_;
  std::condition_variable notFull_;
  std::condition_variable notEmpty_;
  std::deque<Item> items_;
  bool closed_ = false;
  bool aborted_ = false;
  std::string reason_ = "the queue was closed";
  uint64_t puts_ = 0;
  uint64_t gets_ = 0;
  int64_t putWaitNs_ = 0;
  int64_t getWaitNs_ = 0;
  size_t maxDepth_ = 0;
  size_t waiting_ = 0;
};

std::mutex registryMutex;
std::unordered_map<uint32_t, std::shared_ptr<Queue>>& registry() {
  static auto* queues = new std::unordered_map<uint32_t, std::shared_ptr<Queue>>();
  return *queues;
}
uint32_t nextQueue = 1;

std::shared_ptr<Queue> find(double id) {
  std::lock_guard<std::mutex> lock(registryMutex);
  auto found = registry().find(static_cast<uint32_t>(id));
  if (found == registry().end()) throw CodedError("QUEUE_CLOSED", "there is no such queue: it was destroyed");
  return found->second;
}

napi_value queueCreate(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    const auto capacity = Arguments<1>(env, info).integer(0);
    std::lock_guard<std::mutex> lock(registryMutex);
    const uint32_t id = nextQueue++;
    registry().emplace(id, std::make_shared<Queue>(static_cast<size_t>(capacity)));
    return fromNumber(env, id);
  });
}

// queuePut(id, text, timeoutMs): the frame holds one list of tensors. Blocks this thread while the queue is full.
napi_value queuePut(napi_env env, napi_callback_info info) {
  return guarded(env, [&]() -> napi_value {
    Environment& self = environment(env);
    Arguments<3> arguments(env, info);
    Item item{arguments.text(1), readTensors(self, Cursor(self.frame, 0)), {}};
    for (const auto& tensor : item.tensors) {
      if (tensor.defined() && tensor.requires_grad()) {
        throw CodedError("QUEUE_GRAD", "a tensor that requires grad cannot pass a queue: detach() it first");
      }
      item.ready.push_back(recordReady(tensor));
    }
    find(arguments.number(0))->put(std::move(item), arguments.number(2));
    return nullptr;
  });
}

// queueGet(id, timeoutMs) -> text; the frame holds one list of tensors. Blocks this thread while the queue is empty.
napi_value queueGet(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Environment& self = environment(env);
    Arguments<2> arguments(env, info);
    Item item = find(arguments.number(0))->get(arguments.number(1));
    awaitReady(item);
    Writer writer(self.frame);
    writer.put(kList, static_cast<double>(item.tensors.size()));
    for (auto& tensor : item.tensors) putTensor(self, writer, std::move(tensor));
    return fromText(env, item.text);
  });
}

// queueClose(id, reason, abort): puts fail from now on; gets drain what is there, or fail at once where abort is true.
napi_value queueClose(napi_env env, napi_callback_info info) {
  return guarded(env, [&]() -> napi_value {
    Arguments<3> arguments(env, info);
    find(arguments.number(0))->close(arguments.text(1), arguments.boolean(2));
    return nullptr;
  });
}

// ownStream(device): what this thread does on a CUDA device goes to a stream of its own from now on. Threads whose tensors pass
// queues alone need no other order among them.
napi_value ownStream(napi_env env, napi_callback_info info) {
  return guarded(env, [&]() -> napi_value {
    const c10::Device device = readDevice(Arguments<1>(env, info).text(0));
    if (!device.is_cuda()) return nullptr;
    c10::impl::VirtualGuardImpl guard(device.type());
    guard.exchangeStream(guard.getStreamFromGlobalPool(device));
    return nullptr;
  });
}

napi_value queueStats(napi_env env, napi_callback_info info) {
  return guarded(env, [&] { return find(Arguments<1>(env, info).number(0))->describe(env); });
}

// queueDestroy(id): forgets the queue; threads that still wait on it are woken by an abort.
napi_value queueDestroy(napi_env env, napi_callback_info info) {
  return guarded(env, [&]() -> napi_value {
    const auto id = static_cast<uint32_t>(Arguments<1>(env, info).number(0));
    std::shared_ptr<Queue> queue;
    {
      std::lock_guard<std::mutex> lock(registryMutex);
      auto found = registry().find(id);
      if (found == registry().end()) return nullptr;
      queue = found->second;
      registry().erase(found);
    }
    queue->close("the queue was destroyed", true);
    return nullptr;
  });
}

// queueAbortAll(reason): the process ends. A thread that waits in here is not ended by Node before its wait is over.
napi_value queueAbortAll(napi_env env, napi_callback_info info) {
  return guarded(env, [&]() -> napi_value {
    const std::string reason = Arguments<1>(env, info).text(0);
    std::vector<std::shared_ptr<Queue>> all;
    {
      std::lock_guard<std::mutex> lock(registryMutex);
      for (const auto& entry : registry()) all.push_back(entry.second);
    }
    for (const auto& queue : all) queue->close(reason, true);
    return nullptr;
  });
}

} // namespace

void defineQueues(napi_env env, napi_value exports) {
  define(env, exports, "queueCreate", queueCreate);
  define(env, exports, "queuePut", queuePut);
  define(env, exports, "queueGet", queueGet);
  define(env, exports, "queueClose", queueClose);
  define(env, exports, "ownStream", ownStream);
  define(env, exports, "queueStats", queueStats);
  define(env, exports, "queueDestroy", queueDestroy);
  define(env, exports, "queueAbortAll", queueAbortAll);
}

} // namespace headrace
