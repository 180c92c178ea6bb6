// What a tensor is, and the ways bytes get in and out of it.
#include <cstring>

#include "frame.h"

namespace headrace {

namespace {

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
    if (tensor.scalar_type() == at::kBool) {
      // Any byte but 0 is true to NumPy; kernels may take a bool for 0 or 1.
      auto* flags = static_cast<uint8_t*>(tensor.data_ptr());
      for (size_t i = 0; i < bytes.length; ++i) flags[i] = flags[i] != 0;
    }
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
  define(env, exports, "sizes", sizes);
  define(env, exports, "dtype", dtype);
  define(env, exports, "device", device);
  define(env, exports, "item", item);
  define(env, exports, "fromBytes", fromBytes);
  define(env, exports, "byteLength", byteLength);
  define(env, exports, "copyOut", copyOut);
}

} // namespace headrace
