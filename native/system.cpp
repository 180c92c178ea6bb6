// What this build is, the threads it uses, and the allocator settings that training wants.
#include <ATen/Parallel.h>
#include <ATen/Version.h>

#include <dlfcn.h>

#include <c10/core/impl/DeviceGuardImplInterface.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "blocks.h"
#include "frame.h"

namespace headrace {

int deviceCount(at::DeviceType type) {
  const auto* guard = c10::impl::device_guard_impl_registry[static_cast<size_t>(type)].load();
  return guard ? guard->deviceCount() : 0;
}

namespace {

// HEADRACE_MALLOC=system leaves the allocator alone.
bool tuneAllocator() {
  const char* choice = std::getenv("HEADRACE_MALLOC");
  return !(choice && std::string(choice) == "system") && keepBlocks();
}

bool allocatorTuned() {
  static const bool tuned = tuneAllocator();
  return tuned;
}

// Some virtual machines hide the cache sizes of an AMD processor.
bool cacheSizesHidden() {
#if defined(__x86_64__)
  unsigned int eax = 0, ebx = 0, ecx = 0, edx = 0;
  const unsigned int amd = 0x68747541;  // "Auth", of AuthenticAMD
  if (!__get_cpuid(0, &eax, &ebx, &ecx, &edx) || ebx != amd) return false;
  return __get_cpuid_count(0x8000001d, 0, &eax, &ebx, &ecx, &edx) && (eax & 0x1f) == 0;
#else
  return false;
#endif
}

// oneDNN 3 takes hidden caches for one byte each: its convolutions then divide by zero, or give wrong gradients.
// HEADRACE_ONEDNN=on keeps it all the same, HEADRACE_ONEDNN=off does without it anywhere.
void chooseOneDnn() {
  const char* choice = std::getenv("HEADRACE_ONEDNN");
  const bool wanted = choice ? std::string(choice) != "off" : HEADRACE_LIBTORCH < 200 || !cacheSizesHidden();
  if (!wanted) at::globalContext().setUserEnabledMkldnn(false);
}

// A class is in the libraries that are loaded if its type information is.
bool linked(const char* typeInfo) { return dlsym(RTLD_DEFAULT, typeInfo) != nullptr; }

// The processor whose kernels OpenBLAS has chosen: this machine's, or that of the variable OPENBLAS_CORETYPE.
napi_value blasKernels(napi_env env) {
  const auto name = reinterpret_cast<char* (*)()>(dlsym(RTLD_DEFAULT, "openblas_get_corename"));
  if (name) return fromText(env, name());
  napi_value none = nullptr;
  check(env, napi_get_null(env, &none));
  return none;
}

napi_value buildInfo(napi_env env, napi_callback_info) {
  return guarded(env, [&] {
    napi_value result = nullptr;
    check(env, napi_create_object(env, &result));
    setField(env, result, "libtorch", fromText(env, TORCH_VERSION));
    setField(env, result, "config", fromText(env, at::show_config()));
    setField(env, result, "parallel", fromText(env, at::get_parallel_info()));
    setField(env, result, "mkldnn", fromBoolean(env, at::hasMKLDNN() && at::globalContext().userEnabledMkldnn()));
    setField(env, result, "mkl", fromBoolean(env, at::hasMKL()));
    setField(env, result, "blasKernels", blasKernels(env));
    setField(env, result, "openmp", fromBoolean(env, at::hasOpenMP()));
    setField(env, result, "cudaDevices", fromNumber(env, deviceCount(at::kCUDA)));
    setField(env, result, "mpsDevices", fromNumber(env, deviceCount(at::DeviceType::MPS)));
    setField(env, result, "gloo", fromBoolean(env, linked("_ZTIN4c10d16ProcessGroupGlooE")));
    setField(env, result, "nccl", fromBoolean(env, linked("_ZTIN4c10d16ProcessGroupNCCLE")));
    setField(env, result, "allocatorTuned", fromBoolean(env, allocatorTuned()));
    setField(env, result, "threads", fromNumber(env, at::get_num_threads()));
    return result;
  });
}

napi_value memoryStats(napi_env env, napi_callback_info) {
  return guarded(env, [&] {
    const BlockStatistics found = blockStatistics();
    napi_value result = nullptr;
    check(env, napi_create_object(env, &result));
    setField(env, result, "allocated", fromNumber(env, static_cast<double>(found.used)));
    setField(env, result, "reserved", fromNumber(env, static_cast<double>(found.reserved)));
    setField(env, result, "peak", fromNumber(env, static_cast<double>(found.peak)));
    return result;
  });
}

napi_value emptyCache(napi_env env, napi_callback_info) {
  return guarded(env, [&]() -> napi_value {
    giveBackBlocks();
    return nullptr;
  });
}

napi_value getThreads(napi_env env, napi_callback_info) {
  return guarded(env, [&] { return fromNumber(env, at::get_num_threads()); });
}

napi_value setThreads(napi_env env, napi_callback_info info) {
  return guarded(env, [&]() -> napi_value {
    // libtorch gives a thread the process's latest number on its first parallel work; asking makes that happen before.
    at::get_num_threads();
    at::set_num_threads(static_cast<int>(Arguments<1>(env, info).integer(0)));
    return nullptr;
  });
}

} // namespace

void defineSystem(napi_env env, napi_value exports) {
  allocatorTuned();
  chooseOneDnn();
  define(env, exports, "buildInfo", buildInfo);
  define(env, exports, "memoryStats", memoryStats);
  define(env, exports, "emptyCache", emptyCache);
  define(env, exports, "getThreads", getThreads);
  define(env, exports, "setThreads", setThreads);
}

} // namespace headrace
