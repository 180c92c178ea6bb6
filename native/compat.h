// The differences between the libtorch versions that one source supports (1.13 and 2.x), in one place.
#pragma once

#include <torch/csrc/api/include/torch/version.h>

#include <ATen/ATen.h>
#include <ATen/autocast_mode.h>
#include <ATen/core/grad_mode.h>
#include <c10/core/Event.h>

#include <optional>

#define HEADRACE_LIBTORCH (TORCH_VERSION_MAJOR * 100 + TORCH_VERSION_MINOR)

namespace headrace {

// c10::optional became an alias of std::optional in 2.x and is on its way out.
#if HEADRACE_LIBTORCH >= 202
template <typename T>
using Optional = std::optional<T>;
inline constexpr std::nullopt_t nullOpt = std::nullopt;
#else
template <typename T>
using Optional = c10::optional<T>;
inline const c10::nullopt_t nullOpt = c10::nullopt;
#endif

// Autocast is asked by the type of device from 2.4 on.
#if HEADRACE_LIBTORCH >= 204
inline bool autocastEnabled(at::DeviceType type) { return at::autocast::is_autocast_enabled(type); }
inline at::ScalarType autocastDtype(at::DeviceType type) { return at::autocast::get_autocast_dtype(type); }
inline void setAutocast(at::DeviceType type, bool enabled, at::ScalarType dtype) {
  at::autocast::set_autocast_enabled(type, enabled);
  at::autocast::set_autocast_dtype(type, dtype);
}
#else
inline bool autocastEnabled(at::DeviceType type) {
  return type == at::kCPU ? at::autocast::is_cpu_enabled() : at::autocast::is_enabled();
}
inline at::ScalarType autocastDtype(at::DeviceType type) {
  return type == at::kCPU ? at::autocast::get_autocast_cpu_dtype() : at::autocast::get_autocast_gpu_dtype();
}
inline void setAutocast(at::DeviceType type, bool enabled, at::ScalarType dtype) {
  if (type == at::kCPU) {
    at::autocast::set_cpu_enabled(enabled);
    at::autocast::set_autocast_cpu_dtype(dtype);
  } else {
    at::autocast::set_enabled(enabled);
    at::autocast::set_autocast_gpu_dtype(dtype);
  }
}
#endif

} // namespace headrace
