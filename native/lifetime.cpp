// Tensor handles and who frees them: scopes, and the collector where no scope does.
#include <atomic>
#include <unordered_set>

#include <ATen/CPUGeneratorImpl.h>

#include "frame.h"

namespace headrace {

namespace {

std::atomic<int64_t> liveTensors{0};
constexpr uint32_t kSlotBits = 24;
constexpr double kSlotCount = 1 << kSlotBits;

} // namespace

TensorTable::~TensorTable() {
  for (auto& slot : slots_) {
    if (slot.alive) liveTensors.fetch_sub(1);
  }
}

double TensorTable::add(at::Tensor tensor) {
  uint32_t index;
  if (free_.empty()) {
    index = static_cast<uint32_t>(slots_.size());
    if (index >= kSlotCount) throw CodedError("MEMORY", "more than 16 million tensors are alive on this thread");
    slots_.emplace_back();
  } else {
    index = free_.back();
    free_.pop_back();
  }
  Slot& slot = slots_[index];
  slot.tensor = std::move(tensor);
  slot.alive = true;
  slot.level = static_cast<uint32_t>(scopes_.size());
  if (!scopes_.empty()) scopes_.back().push_back(index);
  liveTensors.fetch_add(1, std::memory_order_relaxed);
  return slot.generation * kSlotCount + index;
}

size_t TensorTable::find(double handle) const {
  const auto bits = static_cast<uint64_t>(handle);
  const size_t index = bits & ((1u << kSlotBits) - 1);
  const auto generation = static_cast<uint32_t>(bits >> kSlotBits);
  if (index >= slots_.size() || !slots_[index].alive || slots_[index].generation != generation) return SIZE_MAX;
  return index;
}

const at::Tensor& TensorTable::get(double handle) const {
  const size_t index = find(handle);
  if (index == SIZE_MAX) {
    throw CodedError("FREED",
                     "this tensor was freed: its scope ended, dispose() was called, the loop over a loader went on to the next "
                     "batch, or it belongs to another thread; return it from the scope or keep() it to use it longer");
  }
  return slots_[index].tensor;
}

void TensorTable::free(size_t index) {
  Slot& slot = slots_[index];
  if (slot.watch) collector_.remove(slot.watch);
  slot.watch = 0;
  slot.tensor.reset();
  slot.alive = false;
  // 29 bits keep the handle an exact double.
  slot.generation = slot.generation >= (1u << 29) - 1 ? 1 : slot.generation + 1;
  free_.push_back(static_cast<uint32_t>(index));
  liveTensors.fetch_sub(1, std::memory_order_relaxed);
}

void TensorTable::release(double handle) {
  const size_t index = find(handle);
  if (index != SIZE_MAX) free(index);
}

void TensorTable::keep(double handle) {
  get(handle);
  slots_[find(handle)].level = 0;
}

namespace {

struct Memory {
  const void* storage = nullptr;
  int64_t bytes = 0;
};

// Views of one storage are one memory. Tensors on 'meta' have none.
Memory memoryOf(const at::Tensor& tensor) {
  if (!tensor.has_storage() || tensor.is_meta()) return {};
  return {tensor.storage().unsafeGetStorageImpl(), static_cast<int64_t>(tensor.storage().nbytes())};
}

} // namespace

void TensorTable::watch(napi_value object, double handle, Care care) {
  const size_t index = find(handle);
  if (index == SIZE_MAX) return;
  Slot& slot = slots_[index];
  if (slot.watch == 0) {
    const Memory memory = memoryOf(slot.tensor);
    slot.watch = collector_.add(object, Collector::Kind::Tensor, handle, care, memory.storage, memory.bytes);
  } else if (care == kKept) {
    collector_.setCare(slot.watch, care);
  }
}

void TensorTable::letGo(double handle, Care care) {
  const size_t index = find(handle);
  if (index != SIZE_MAX && slots_[index].watch && collector_.care(slots_[index].watch) == care) free(index);
}

void TensorTable::entrust(double handle, Care from, Care to) {
  const size_t index = find(handle);
  if (index == SIZE_MAX || !slots_[index].watch) return;
  if (collector_.care(slots_[index].watch) == from) collector_.setCare(slots_[index].watch, to);
}

void TensorTable::setData(double handle, const at::Tensor& other) {
  get(handle).set_data(other);
  const Slot& slot = slots_[find(handle)];
  const Memory memory = memoryOf(slot.tensor);
  if (slot.watch) collector_.setStorage(slot.watch, memory.storage, memory.bytes);
}

int64_t TensorTable::bytes() const {
  std::unordered_set<const void*> seen;
  int64_t total = 0;
  for (const Slot& slot : slots_) {
    if (!slot.alive) continue;
    const Memory memory = memoryOf(slot.tensor);
    if (memory.storage && seen.insert(memory.storage).second) total += memory.bytes;
  }
  return total;
}

void TensorTable::beginScope() { scopes_.emplace_back(); }

void TensorTable::endScope(std::vector<double>& survivors) {
  if (scopes_.empty()) throw CodedError("SCOPE", "a scope ends that never began");
  const auto level = static_cast<uint32_t>(scopes_.size());
  const std::vector<uint32_t> owned = std::move(scopes_.back());
  scopes_.pop_back();
  for (double& survivor : survivors) {
    const size_t index = find(survivor);
    if (index == SIZE_MAX || slots_[index].level != level) {
      survivor = 0;
      continue;
    }
    slots_[index].level = level - 1;
    if (level > 1) scopes_.back().push_back(static_cast<uint32_t>(index));
  }
  // A slot freed and given out again within the scope stands here twice; the level and liveness decide.
  for (const uint32_t index : owned) {
    if (slots_[index].alive && slots_[index].level == level) free(index);
  }
}

void Environment::freeDropped(bool asked) {
  release(collector.dropped());
  collector.settle(asked);
}

void Environment::release(const std::vector<Collector::Dropped>& owners) {
  for (const auto& [kind, id] : owners) {
    if (kind == Collector::Kind::Tensor) {
      tensors.release(id);
    } else {
      releaseGenerator(id);
    }
  }
}

bool Environment::tidy() {
  if (!collector.full()) return false;
  if (collector.hasCollected()) freeDropped(false);
  if (!collector.full()) return false;
  collector.collect();
  freeDropped(true);
  if (!collector.wouldWarn()) return false;
  // A collection that ends a marking under way keeps what was dropped since it began: only the next one is the whole truth.
  collector.collect();
  freeDropped(true);
  return collector.pilesUp();
}

void Environment::releaseGenerator(double id) {
  const auto found = generators.find(static_cast<uint32_t>(id));
  if (found == generators.end()) return;
  if (found->second.watch) collector.remove(found->second.watch);
  generators.erase(found);
}

namespace {

napi_value beginScope(napi_env env, napi_callback_info) {
  return guarded(env, [&]() -> napi_value {
    environment(env).tensors.beginScope();
    return nullptr;
  });
}

// endScope(count): the frame's first `count` pairs hold the handles that survive; those that others own become 0.
napi_value endScope(napi_env env, napi_callback_info info) {
  return guarded(env, [&]() -> napi_value {
    Environment& self = environment(env);
    const auto count = static_cast<size_t>(Arguments<1>(env, info).number(0));
    std::vector<double> survivors;
    for (size_t i = 0; i < count; ++i) survivors.push_back(Cursor(self.frame, i).value());
    self.tensors.endScope(survivors);
    Writer writer(self.frame);
    for (const double handle : survivors) writer.put(kTensor, handle);
    return nullptr;
  });
}

napi_value release(napi_env env, napi_callback_info info) {
  return guarded(env, [&]() -> napi_value {
    environment(env).tensors.release(Arguments<1>(env, info).number(0));
    return nullptr;
  });
}

napi_value keep(napi_env env, napi_callback_info info) {
  return guarded(env, [&]() -> napi_value {
    environment(env).tensors.keep(Arguments<1>(env, info).number(0));
    return nullptr;
  });
}

napi_value liveTensorsOfProcess(napi_env env, napi_callback_info) {
  return guarded(env, [&] { return fromNumber(env, static_cast<double>(liveTensors.load())); });
}

napi_value liveTensorsOfThread(napi_env env, napi_callback_info) {
  return guarded(env, [&] { return fromNumber(env, static_cast<double>(environment(env).tensors.count())); });
}

// watch(object, handle, care) -> whether so many tensors pile up that a warning is due.
napi_value watch(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Environment& self = environment(env);
    Arguments<3> arguments(env, info);
    self.tensors.watch(arguments.values[0], arguments.number(1), arguments.integer(2));
    return fromBoolean(env, self.tidy());
  });
}

napi_value watchGenerator(napi_env env, napi_callback_info info) {
  return guarded(env, [&]() -> napi_value {
    Environment& self = environment(env);
    Arguments<2> arguments(env, info);
    const auto found = self.generators.find(static_cast<uint32_t>(arguments.number(1)));
    if (found == self.generators.end() || found->second.watch) return nullptr;
    found->second.watch = self.collector.add(
        arguments.values[0], Collector::Kind::Generator, arguments.number(1), kKept,
        found->second.generator.unsafeGetGeneratorImpl(), sizeof(at::CPUGeneratorImpl));
    self.tidy();
    return nullptr;
  });
}

// letGo(handle, care): frees the tensor, if it is still in this care.
napi_value letGo(napi_env env, napi_callback_info info) {
  return guarded(env, [&]() -> napi_value {
    Arguments<2> arguments(env, info);
    environment(env).tensors.letGo(arguments.number(0), arguments.integer(1));
    return nullptr;
  });
}

// entrust(handle, from, to)
napi_value entrust(napi_env env, napi_callback_info info) {
  return guarded(env, [&]() -> napi_value {
    Arguments<3> arguments(env, info);
    environment(env).tensors.entrust(arguments.number(0), arguments.integer(1), arguments.integer(2));
    return nullptr;
  });
}

// endCare(care): frees what is in it.
napi_value endCare(napi_env env, napi_callback_info info) {
  return guarded(env, [&]() -> napi_value {
    Environment& self = environment(env);
    self.release(self.collector.inCare(Arguments<1>(env, info).integer(0)));
    return nullptr;
  });
}

// freeDropped(): between tasks of the event loop, when V8 has collected.
napi_value freeDropped(napi_env env, napi_callback_info) {
  return guarded(env, [&]() -> napi_value {
    environment(env).freeDropped(false);
    return nullptr;
  });
}

// setMemoryLimits(collectBytes, warnBytes, warnCount)
napi_value setMemoryLimits(napi_env env, napi_callback_info info) {
  return guarded(env, [&]() -> napi_value {
    Arguments<3> arguments(env, info);
    environment(env).collector.setLimits({arguments.integer(0), arguments.integer(1), arguments.integer(2)});
    return nullptr;
  });
}

// How many tensors are in the collector's care alone, and the memory behind them.
napi_value looseCount(napi_env env, napi_callback_info) {
  return guarded(env, [&] { return fromNumber(env, static_cast<double>(environment(env).collector.looseCount())); });
}

napi_value looseBytes(napi_env env, napi_callback_info) {
  return guarded(env, [&] { return fromNumber(env, static_cast<double>(environment(env).collector.looseBytes())); });
}

napi_value liveBytesOfThread(napi_env env, napi_callback_info) {
  return guarded(env, [&] { return fromNumber(env, static_cast<double>(environment(env).tensors.bytes())); });
}

} // namespace

void defineLifetime(napi_env env, napi_value exports) {
  define(env, exports, "beginScope", beginScope);
  define(env, exports, "endScope", endScope);
  define(env, exports, "release", release);
  define(env, exports, "keep", keep);
  define(env, exports, "watch", watch);
  define(env, exports, "watchGenerator", watchGenerator);
  define(env, exports, "letGo", letGo);
  define(env, exports, "entrust", entrust);
  define(env, exports, "endCare", endCare);
  define(env, exports, "freeDropped", freeDropped);
  define(env, exports, "setMemoryLimits", setMemoryLimits);
  define(env, exports, "looseCount", looseCount);
  define(env, exports, "looseBytes", looseBytes);
  define(env, exports, "liveTensors", liveTensorsOfProcess);
  define(env, exports, "threadTensors", liveTensorsOfThread);
  define(env, exports, "threadBytes", liveBytesOfThread);
}

} // namespace headrace
