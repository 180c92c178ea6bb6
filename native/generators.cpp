// Seeded random-number generators, one object each; the process has no hidden one of ours.
#include "frame.h"

#include <ATen/CPUGeneratorImpl.h>

namespace headrace {

namespace {

at::Generator& generatorOf(napi_env env, double id) {
  auto& generators = environment(env).generators;
  auto found = generators.find(static_cast<uint32_t>(id));
  if (found == generators.end()) throw CodedError("FREED", "this generator was freed or belongs to another thread");
  return found->second.generator;
}

uint64_t seedOf(napi_env env, napi_value value) {
  uint64_t seed = 0;
  bool lossless = false;
  check(env, napi_get_value_bigint_uint64(env, value, &seed, &lossless));
  return seed;
}

// createGenerator(seed: bigint, device) -> id
napi_value createGenerator(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    Environment& self = environment(env);
    Arguments<2> arguments(env, info);
    const c10::Device device = readDevice(arguments.text(1));
    at::Generator generator = device.is_cpu() ? at::detail::createCPUGenerator()
                                              : at::globalContext().defaultGenerator(device).clone();
    generator.set_current_seed(seedOf(env, arguments.values[0]));
    const uint32_t id = self.nextGenerator++;
    self.generators.emplace(id, WatchedGenerator{std::move(generator)});
    return fromNumber(env, id);
  });
}

napi_value seedGenerator(napi_env env, napi_callback_info info) {
  return guarded(env, [&]() -> napi_value {
    Arguments<2> arguments(env, info);
    at::Generator& generator = generatorOf(env, arguments.number(0));
    std::lock_guard<std::mutex> lock(generator.mutex());
    generator.set_current_seed(seedOf(env, arguments.values[1]));
    return nullptr;
  });
}

napi_value generatorState(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    at::Generator& generator = generatorOf(env, Arguments<1>(env, info).number(0));
    return fromNumber(env, environment(env).tensors.add(generator.get_state()));
  });
}

napi_value setGeneratorState(napi_env env, napi_callback_info info) {
  return guarded(env, [&]() -> napi_value {
    Arguments<2> arguments(env, info);
    generatorOf(env, arguments.number(0)).set_state(environment(env).tensors.get(arguments.number(1)));
    return nullptr;
  });
}

napi_value releaseGenerator(napi_env env, napi_callback_info info) {
  return guarded(env, [&]() -> napi_value {
    environment(env).releaseGenerator(Arguments<1>(env, info).number(0));
    return nullptr;
  });
}

} // namespace

void defineGenerators(napi_env env, napi_value exports) {
  define(env, exports, "createGenerator", createGenerator);
  define(env, exports, "seedGenerator", seedGenerator);
  define(env, exports, "generatorState", generatorState);
  define(env, exports, "setGeneratorState", setGeneratorState);
  define(env, exports, "releaseGenerator", releaseGenerator);
}

} // namespace headrace
