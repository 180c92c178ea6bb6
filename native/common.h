// What every file of the addon shares: the Node-API prologue, error translation and the per-thread environment.
#pragma once

#define NAPI_VERSION 8
#include <node_api.h>

#include <cstdint>
#include <exception>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <vector>

#include "collector.h"
#include "compat.h"

namespace headrace {

// A failure that carries a code for programs beside the text for people.
struct CodedError : std::runtime_error {
  CodedError(const char* errorCode, const std::string& message) : std::runtime_error(message), code(errorCode) {}
  const char* code;
};

// JavaScript threw in a callback: what it threw waits in the thread, on its way through libtorch back to JavaScript.
struct JavaScriptError : std::exception {
  const char* what() const noexcept override { return "a JavaScript callback threw"; }
};
void rethrowJavaScriptError(napi_env env);

inline void check(napi_env env, napi_status status) {
  if (status == napi_ok || status == napi_pending_exception) return;
  const napi_extended_error_info* info = nullptr;
  napi_get_last_error_info(env, &info);
  throw CodedError("NAPI", info && info->error_message ? info->error_message : "Node-API call failed");
}

// Tensors of one JavaScript thread, addressed by handles that survive neither free nor reuse:
// the low 24 bits are a slot, the rest counts how often the slot was given out.
class TensorTable {
 public:
  explicit TensorTable(Collector& collector) : collector_(collector) {}
  ~TensorTable();
  double add(at::Tensor tensor);
  const at::Tensor& get(double handle) const;
  void release(double handle);
  void keep(double handle);
  // Ties a tensor that no scope owns to its object's life. One that is tied already can only become a kept one.
  void watch(napi_value object, double handle, Care care);
  // Frees a tensor, if it is still in this care.
  void letGo(double handle, Care care);
  // From one care to another.
  void entrust(double handle, Care from, Care to);
  void setData(double handle, const at::Tensor& other);
  void beginScope();
  // Frees what the innermost scope owns, save `survivors`, which move to the scope around it. Of these, those that another
  // owns become 0.
  void endScope(std::vector<double>& survivors);
  size_t count() const { return slots_.size() - free_.size(); }
  // The memory behind the tensors, each storage once.
  int64_t bytes() const;

 private:
  struct Slot {
    at::Tensor tensor;
    uint32_t generation = 1;
    uint32_t level = 0;
    uint32_t watch = 0; // the collector's number for it, 0 for none
    bool alive = false;
  };
  size_t find(double handle) const;
  void free(size_t index);

  Collector& collector_;
  std::vector<Slot> slots_;
  std::vector<uint32_t> free_;
  std::vector<std::vector<uint32_t>> scopes_;
};

// Arguments and results of boxed calls travel in this array of (tag, value) pairs, shared with JavaScript,
// so that a call crosses the border once and converts nothing through Node-API.
struct Frame {
  double* cells = nullptr;
  size_t pairs = 0;
};

struct WatchedGenerator {
  at::Generator generator;
  uint32_t watch = 0;
};

struct Environment {
  explicit Environment(napi_env env) : collector(env), tensors(collector) {}

  // Frees what JavaScript has dropped, once that may be much. Returns whether so much is still in use that a warning is due.
  bool tidy();
  // `asked`: after a collection that V8 was made to do.
  void freeDropped(bool asked);
  void release(const std::vector<Collector::Dropped>& owners);
  void releaseGenerator(double id);

  Collector collector;
  TensorTable tensors;
  Frame frame;
  napi_ref frameRef = nullptr;
  std::unordered_map<uint32_t, WatchedGenerator> generators;
  uint32_t nextGenerator = 1;
};

Environment& environment(napi_env env);

// Runs `body` and turns any C++ exception into a JavaScript one; nothing may unwind into Node.
template <typename Body>
napi_value guarded(napi_env env, Body body) {
  try {
    return body();
  } catch (const JavaScriptError&) {
    rethrowJavaScriptError(env);
  } catch (const CodedError& error) {
    napi_throw_error(env, error.code, error.what());
  } catch (const c10::Error& error) {
    napi_throw_error(env, "TORCH", error.what_without_backtrace());
  } catch (const std::bad_alloc&) {
    napi_throw_error(env, "MEMORY", "out of memory");
  } catch (const std::exception& error) {
    napi_throw_error(env, "TORCH", error.what());
  }
  return nullptr;
}

// Reads up to N numeric arguments of a callback; missing ones are 0.
template <size_t N>
struct Arguments {
  Arguments(napi_env e, napi_callback_info info) : env(e) {
    size_t count = N;
    check(env, napi_get_cb_info(env, info, &count, values, nullptr, nullptr));
  }
  double number(size_t i) const {
    double result = 0;
    napi_get_value_double(env, values[i], &result);
    return result;
  }
  int64_t integer(size_t i) const { return static_cast<int64_t>(number(i)); }
  bool boolean(size_t i) const {
    bool result = false;
    napi_get_value_bool(env, values[i], &result);
    return result;
  }
  std::string text(size_t i) const;

  napi_env env;
  napi_value values[N];
};

std::string toText(napi_env env, napi_value value);
napi_value fromText(napi_env env, const std::string& text);
napi_value fromNumber(napi_env env, double value);
napi_value fromBoolean(napi_env env, bool value);
void setField(napi_env env, napi_value object, const char* name, napi_value value);

template <size_t N>
std::string Arguments<N>::text(size_t i) const {
  return toText(env, values[i]);
}

// How many of a kind this libtorch can use; the CPU is one.
int deviceCount(at::DeviceType type);

using Callback = napi_value (*)(napi_env, napi_callback_info);
void define(napi_env env, napi_value exports, const char* name, Callback callback);

// Each file adds its functions to the addon's exports.
void defineTensors(napi_env env, napi_value exports);
void defineLifetime(napi_env env, napi_value exports);
void defineDispatch(napi_env env, napi_value exports);
void defineAutograd(napi_env env, napi_value exports);
void defineAutocast(napi_env env, napi_value exports);
void defineHooks(napi_env env, napi_value exports);
void defineCustom(napi_env env, napi_value exports);
void defineQueues(napi_env env, napi_value exports);
void defineGenerators(napi_env env, napi_value exports);
void defineSystem(napi_env env, napi_value exports);

} // namespace headrace
