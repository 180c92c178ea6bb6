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

// autocastState(device) -> the dtype that is cast to, '' where autocast is off.
napi_value autocastState(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    const at::DeviceType type = castingDevice(Arguments<1>(env, info).text(0));
    return fromText(env, autocastEnabled(type) ? dtypeName(autocastDtype(type)) : "");
  });
}

// beginAutocast(device, dtype): '' switches it off. What was cast of parameters is kept until the outermost one ends.
napi_value beginAutocast(napi_env env, napi_callback_info info) {
  return guarded(env, [&]() -> napi_value {
    Arguments<2> arguments(env, info);
    const at::DeviceType type = castingDevice(arguments.text(0));
    const std::string name = arguments.text(1);
    int64_t dtype = 0;
    if (!name.empty() && !dtypeValue(name, dtype)) throw CodedError("DTYPE", "there is no dtype '" + name + "'");
    setAutocast(type, !name.empty(), name.empty() ? autocastDtype(type) : static_cast<at::ScalarType>(dtype));
    at::autocast::increment_nesting();
    return nullptr;
  });
}

// endAutocast(device, dtype): back to what `autocastState` told before.
napi_value endAutocast(napi_env env, napi_callback_info info) {
  return guarded(env, [&]() -> napi_value {
    Arguments<2> arguments(env, info);
    const at::DeviceType type = castingDevice(arguments.text(0));
    const std::string name = arguments.text(1);
    if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
    int64_t dtype = 0;
    const bool enabled = !name.empty() && dtypeValue(name, dtype);
    setAutocast(type, enabled, enabled ? static_cast<at::ScalarType>(dtype) : autocastDtype(type));
    return nullptr;
  });
}

} // namespace

void defineAutocast(napi_env env, napi_value exports) {
  define(env, exports, "autocastState", autocastState);
  define(env, exports, "beginAutocast", beginAutocast);
  define(env, exports, "endAutocast", endAutocast);
}

} // namespace headrace
