// Automatic mixed precision of a thread, as torch.autocast has it: while it is on, libtorch's own autocast casts what comes
// into convolutions and matrix products to 16 bits, and what comes into ops that need more to float32.
#include "frame.h"

namespace headrace {

namespace {

at::DeviceType castingDevice(const std::string& name) {
  const c10::DeviceType type = c10::Device(name).type();
  if (type != at::kCPU && type != at::kCUDA) {
    throw CodedError("AUTOCAST", "expected autocast for the device cpu or cuda, got '" + name + "'");
  }
  return type;
}

// autocastOn(device)
napi_value autocastOn(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    return fromBoolean(env, autocastEnabled(castingDevice(Arguments<1>(env, info).text(0))));
  });
}

// autocastDtype(device) -> what is cast to where it is on.
napi_value autocastTo(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    return fromText(env, dtypeName(autocastDtype(castingDevice(Arguments<1>(env, info).text(0)))));
  });
}

// setAutocast(device, on, dtype) for this thread. Nothing that was cast is kept: what is kept of weights is shared by all threads
// in libtorch 2, and without a graph where it was cast without gradients.
napi_value setAutocastOf(napi_env env, napi_callback_info info) {
  return guarded(env, [&]() -> napi_value {
    Arguments<3> arguments(env, info);
    const std::string name = arguments.text(2);
    int64_t dtype = 0;
    if (!dtypeValue(name, dtype)) throw CodedError("DTYPE", "there is no dtype '" + name + "'");
    setAutocast(castingDevice(arguments.text(0)), arguments.boolean(1), static_cast<at::ScalarType>(dtype));
    at::autocast::set_autocast_cache_enabled(false);
    return nullptr;
  });
}

} // namespace

void defineAutocast(napi_env env, napi_value exports) {
  define(env, exports, "autocastOn", autocastOn);
  define(env, exports, "autocastDtype", autocastTo);
  define(env, exports, "setAutocast", setAutocastOf);
}

} // namespace headrace
