// Calls from libtorch back into JavaScript: hooks on gradients.
#pragma once

#include <functional>
#include <memory>

#include "frame.h"

namespace headrace {

struct JavaScriptThread;

// A JavaScript function that takes a list of tensors through the frame and leaves a list there. May be dropped on any
// thread; called on another than its own, it runs on its own while that waits in runBackward.
class TensorCallback {
 public:
  // Who owns what a call gives to the function and what the function makes: whoever calls backward, or the call itself,
  // which frees it at its end, save what the function keeps.
  enum class Ownership { Caller, Call };

  TensorCallback(napi_env env, napi_value function, Ownership ownership = Ownership::Caller);
  ~TensorCallback();
  TensorCallback(const TensorCallback&) = delete;
  TensorCallback& operator=(const TensorCallback&) = delete;
  // Throws JavaScriptError where the function throws.
  std::vector<at::Tensor> call(const std::vector<at::Tensor>& tensors);

 private:
  std::vector<at::Tensor> callHere(const std::vector<at::Tensor>& tensors);

  std::shared_ptr<JavaScriptThread> thread_;
  napi_ref function_ = nullptr;
  const Ownership ownership_;
};

// Runs a backward pass. The gradients of a GPU are computed on libtorch's own threads: where there is one and this
// thread has callbacks, it waits for their calls and serves them.
void runBackward(const std::function<void()>& pass);

} // namespace headrace
