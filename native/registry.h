// Operators of this addon's own in torch's registry, which is the process's.
#pragma once

#include <ATen/core/dispatch/Dispatcher.h>

#include <string>

namespace headrace {

/// Whether another copy of this addon in the process (a dependency may bring its own) has the operator registered: a second
/// registration ends the process, and the first serves all.
inline bool isRegistered(const char* name) {
  return c10::Dispatcher::singleton().findSchema({std::string("headrace::") + name, ""}).has_value();
}

} // namespace headrace
