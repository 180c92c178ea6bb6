// Tensor handles, scopes, and the ways bytes get in and out of a tensor.
#include <atomic>
#include <cstring>

#include "frame.h"

namespace headrace {

namespace {

std::atomic<int64_t> liveTensors{0};
constexpr uint32_t kSlotBits = 24;
constexpr double kSlotCount = 1 << kSlotBits;

} // namespace

int64_t liveTensorCount() { return liveTensors.load(); }

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
                     "this tensor was freed: its scope ended, dispose() was called, or it belongs to another thread; "
                     "return it from the scope or keep() it to use it longer");
  }
  return slots_[index].tensor;
}

void TensorTable::free(size_t index) {
  Slot& slot = slots_[index];
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

void TensorTable::beginScope() { scopes_.emplace_back(); }

void TensorTable::endScope(const double* survivors, size_t count) {
  if (scopes_.empty()) throw CodedError("SCOPE", "a scope ends that never began");
  const auto level = static_cast<uint32_t>(scopes_.size());
  const std::vector<uint32_t> owned = std::move(scopes_.back());
  scopes_.pop_back();
  for (size_t i = 0; i < count; ++i) {
    const size_t index = find(survivors[i]);
    if (index == SIZE_MAX || slots_[index].level != level) continue;
    slots_[index].level = level - 1;
    if (level > 1) scopes_.back().push_back(static_cast<uint32_t>(index));
  }
  // A slot freed and given out again within the scope stands here twice; the level and liveness decide.
  for (const uint32_t index : owned) {
    if (slots_[index].alive && slots_[index].level == level) free(index);
  }
}

namespace {

napi_value beginScope(napi_env env, napi_callback_info) {
  return guarded(env, [&]() -> napi_value {
    environment(env).tensors.beginScope();
    return nullptr;
  });
}

// endScope(count): the frame's first `count` pairs hold the handles that survive.
napi_value endScope(napi_env env, napi_callback_info info) {
  return guarded(env, [&]() -> napi_value {
    Environment& self = environment(env);
    const auto count = static_cast<size_t>(Arguments<1>(env, info).number(0));
    std::vector<double> survivors;
    for (size_t i = 0; i < count; ++i) survivors.push_back(Cursor(self.frame, i).value());
    self.tensors.endScope(survivors.data(), survivors.size());
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
  return guarded(env, [&] { return fromNumber(env, static_cast<double>(liveTensorCount())); });
}

napi_value liveTensorsOfThread(napi_env env, napi_callback_info) {
  return guarded(env, [&] { return fromNumber(env, static_cast<double>(environment(env).tensors.count())); });
}

// sizes(handle) -> ndim; the frame's values hold the sizes.
napi_value sizes(napi_env env, napi_callback_info info) {
  return guarded(env, [&]() -> napi_value {
    Environment& self = environment(env);
    const at::Tensor& tensor = self.tensors.get(Arguments<1>(env, info).number(0));
    Writer writer(self.frame);
    for (const int64_t size : tensor.sizes()) writer.put(kInt, static_cast<double>(size));
    return fromNumber(env, static_cast<double>(tensor.dim()));
  });
}

napi_value dtype(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    return fromText(env, dtypeName(environment(env).tensors.get(Arguments<1>(env, info).number(0)).scalar_type()));
  });
}

napi_value device(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    return fromText(env, environment(env).tensors.get(Arguments<1>(env, info).number(0)).device().str());
  });
}

napi_value item(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    const at::Scalar value = environment(env).tensors.get(Arguments<1>(env, info).number(0)).item();
    return fromNumber(env, value.isBoolean() ? value.to<bool>() : value.to<double>());
  });
}

struct Bytes {
  void* data;
  size_t length;
};

Bytes bytesOf(napi_env env, napi_value value) {
  napi_typedarray_type type;
  size_t length = 0;
  void* data = nullptr;
  check(env, napi_get_typedarray_info(env, value, &type, &length, &data, nullptr, nullptr));
  if (type != napi_uint8_array) throw CodedError("DATA", "bytes travel as a Uint8Array");
  return {data, length};
}

// fromBytes(bytes, dtype, ndim) -> handle; the frame's values hold the sizes. Copies.
napi_value fromBytes(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Environment& self = environment(env);
    Arguments<3> arguments(env, info);
    const Bytes bytes = bytesOf(env, arguments.values[0]);
    int64_t type = 0;
    const std::string name = arguments.text(1);
    if (!dtypeValue(name, type)) throw CodedError("DTYPE", "expected a dtype such as 'float32', got '" + name + "'");
    std::vector<int64_t> shape;
    for (int64_t i = 0; i < arguments.integer(2); ++i) {
      shape.push_back(static_cast<int64_t>(Cursor(self.frame, static_cast<size_t>(i)).value()));
    }
    at::Tensor tensor = at::empty(shape, at::TensorOptions().dtype(static_cast<at::ScalarType>(type)));
    if (tensor.nbytes() != bytes.length) {
      throw CodedError("DATA", "expected " + std::to_string(tensor.nbytes()) + " bytes for this shape and dtype, got " +
                                   std::to_string(bytes.length));
    }
    if (bytes.length) std::memcpy(tensor.data_ptr(), bytes.data, bytes.length);
    return fromNumber(env, self.tensors.add(std::move(tensor)));
  });
}

// byteLength(handle): what copyOut will write.
napi_value byteLength(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    const at::Tensor& tensor = environment(env).tensors.get(Arguments<1>(env, info).number(0));
    return fromNumber(env, static_cast<double>(tensor.numel()) * static_cast<double>(tensor.element_size()));
  });
}

// copyOut(handle, bytes): row-major elements into the array.
napi_value copyOut(napi_env env, napi_callback_info info) {
  return guarded(env, [&]() -> napi_value {
    Arguments<2> arguments(env, info);
    // Conjugation and negation may be pending on a view; its bytes are the plain ones.
    const at::Tensor tensor =
        environment(env).tensors.get(arguments.number(0)).detach().cpu().resolve_conj().resolve_neg().contiguous();
    const Bytes bytes = bytesOf(env, arguments.values[1]);
    const size_t expected = static_cast<size_t>(tensor.numel()) * tensor.element_size();
    if (bytes.length != expected) throw CodedError("DATA", "copyOut was given a buffer of the wrong size");
    if (expected) std::memcpy(bytes.data, tensor.data_ptr(), expected);
    return nullptr;
  });
}

} // namespace

void defineTensors(napi_env env, napi_value exports) {
  define(env, exports, "beginScope", beginScope);
  define(env, exports, "endScope", endScope);
  define(env, exports, "release", release);
  define(env, exports, "keep", keep);
  define(env, exports, "liveTensors", liveTensorsOfProcess);
  define(env, exports, "threadTensors", liveTensorsOfThread);
  define(env, exports, "sizes", sizes);
  define(env, exports, "dtype", dtype);
  define(env, exports, "device", device);
  define(env, exports, "item", item);
  define(env, exports, "fromBytes", fromBytes);
  define(env, exports, "byteLength", byteLength);
  define(env, exports, "copyOut", copyOut);
}

} // namespace headrace
