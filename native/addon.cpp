// Entry point of the addon: one Environment for each JavaScript thread that loads it.
#include "common.h"
#include "group.h"

namespace headrace {

Environment& environment(napi_env env) {
  void* data = nullptr;
  check(env, napi_get_instance_data(env, &data));
  return *static_cast<Environment*>(data);
}

std::string toText(napi_env env, napi_value value) {
  size_t length = 0;
  check(env, napi_get_value_string_utf8(env, value, nullptr, 0, &length));
  std::string text(length, '\0');
  check(env, napi_get_value_string_utf8(env, value, text.data(), length + 1, &length));
  return text;
}

napi_value fromText(napi_env env, const std::string& text) {
  napi_value result = nullptr;
  check(env, napi_create_string_utf8(env, text.data(), text.size(), &result));
  return result;
}

napi_value fromNumber(napi_env env, double value) {
  napi_value result = nullptr;
  check(env, napi_create_double(env, value, &result));
  return result;
}

napi_value fromBoolean(napi_env env, bool value) {
  napi_value result = nullptr;
  check(env, napi_get_boolean(env, value, &result));
  return result;
}

void setField(napi_env env, napi_value object, const char* name, napi_value value) {
  check(env, napi_set_named_property(env, object, name, value));
}

void define(napi_env env, napi_value exports, const char* name, Callback callback) {
  napi_value function = nullptr;
  check(env, napi_create_function(env, name, NAPI_AUTO_LENGTH, callback, nullptr, &function));
  setField(env, exports, name, function);
}

namespace {

// attachFrame(cells: Float64Array): the array through which boxed calls pass their arguments and results.
napi_value attachFrame(napi_env env, napi_callback_info info) {
  return guarded(env, [&]() -> napi_value {
    Arguments<1> arguments(env, info);
    napi_typedarray_type type;
    size_t length = 0;
    void* data = nullptr;
    check(env, napi_get_typedarray_info(env, arguments.values[0], &type, &length, &data, nullptr, nullptr));
    if (type != napi_float64_array) throw CodedError("FRAME", "attachFrame expects a Float64Array");
    Environment& self = environment(env);
    if (self.frameRef) check(env, napi_delete_reference(env, self.frameRef));
    check(env, napi_create_reference(env, arguments.values[0], 1, &self.frameRef));
    self.frame = Frame{static_cast<double*>(data), length / 2};
    return nullptr;
  });
}

void destroyEnvironment(napi_env, void* data, void*) {
  delete static_cast<Environment*>(data);
}

} // namespace
} // namespace headrace

NAPI_MODULE_INIT() {
  using namespace headrace;
  return guarded(env, [&]() -> napi_value {
    check(env, napi_set_instance_data(env, new Environment(env), destroyEnvironment, nullptr));
    define(env, exports, "attachFrame", attachFrame);
    defineTensors(env, exports);
    defineLifetime(env, exports);
    defineDispatch(env, exports);
    defineAutograd(env, exports);
    defineAutocast(env, exports);
    defineHooks(env, exports);
    defineCustom(env, exports);
    defineQueues(env, exports);
    defineGenerators(env, exports);
    defineSystem(env, exports);
    defineStores(env, exports);
    defineGroups(env, exports);
    defineBorders(env, exports);
    defineBuckets(env, exports);
    return exports;
  });
}
