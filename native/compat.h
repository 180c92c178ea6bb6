// The differences between the libtorch versions that one source supports (1.13 and 2.x), in one place.
#pragma once

#include <torch/csrc/api/include/torch/version.h>

#include <ATen/ATen.h>
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

} // namespace headrace
