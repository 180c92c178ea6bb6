// Autograd: backward, grad, the flags of a tensor, and the thread's grad mode.
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/function.h>

#include <sstream>

#include "hooks.h"

namespace headrace {

namespace {

// backward(retainGraph, createGraph): the frame holds two lists, the tensors and their gradients.
napi_value backward(napi_env env, napi_callback_info info) {
  return guarded(env, [&]() -> napi_value {
    Environment& self = environment(env);
    Arguments<2> arguments(env, info);
    Cursor cursor(self.frame, 0);
    const auto tensors = readTensors(self, cursor);
    cursor.next();
    const auto gradients = readTensors(self, cursor);
    runBackward([&] { torch::autograd::backward(tensors, gradients, arguments.boolean(0), arguments.boolean(1)); });
    return nullptr;
  });
}

// grad(retainGraph, createGraph, allowUnused): the frame holds outputs, inputs, gradients; it returns a list.
napi_value grad(napi_env env, napi_callback_info info) {
  return guarded(env, [&]() -> napi_value {
    Environment& self = environment(env);
    Arguments<3> arguments(env, info);
    Cursor cursor(self.frame, 0);
    const auto outputs = readTensors(self, cursor);
    cursor.next();
    const auto inputs = readTensors(self, cursor);
    cursor.next();
    const auto gradients = readTensors(self, cursor);
    std::vector<at::Tensor> result;
    runBackward([&] {
      result = torch::autograd::grad(
          outputs, inputs, gradients, arguments.boolean(0), arguments.boolean(1), arguments.boolean(2));
    });
    Writer writer(self.frame);
    writer.put(kList, static_cast<double>(result.size()));
    for (auto& tensor : result) putTensor(self, writer, std::move(tensor));
    return nullptr;
  });
}

// gradsOf(): a list of tensors becomes the list of their gradients.
napi_value gradsOf(napi_env env, napi_callback_info) {
  return guarded(env, [&]() -> napi_value {
    Environment& self = environment(env);
    const auto tensors = readTensors(self, Cursor(self.frame, 0));
    Writer writer(self.frame);
    writer.put(kList, static_cast<double>(tensors.size()));
    for (const auto& tensor : tensors) putTensor(self, writer, tensor.grad());
    return nullptr;
  });
}

// clearGrads(): drops the gradients of a list of tensors.
napi_value clearGrads(napi_env env, napi_callback_info) {
  return guarded(env, [&]() -> napi_value {
    Environment& self = environment(env);
    for (const auto& tensor : readTensors(self, Cursor(self.frame, 0))) tensor.mutable_grad().reset();
    return nullptr;
  });
}

// setGrad(): the frame holds the tensor and its new gradient, or none.
napi_value setGrad(napi_env env, napi_callback_info) {
  return guarded(env, [&]() -> napi_value {
    Environment& self = environment(env);
    const at::Tensor& tensor = self.tensors.get(Cursor(self.frame, 0).value());
    const Cursor value(self.frame, 1);
    const at::Tensor gradient = value.tag() == kTensor ? self.tensors.get(value.value()) : at::Tensor();
    if (gradient.defined() && (gradient.sizes() != tensor.sizes() || gradient.dtype() != tensor.dtype() ||
                               gradient.device() != tensor.device())) {
      std::ostringstream text;
      text << "expected a gradient of the tensor's shape, dtype and device: " << describe(tensor) << ", got "
           << describe(gradient);
      throw CodedError("GRAD", text.str());
    }
    tensor.mutable_grad() = gradient;
    return nullptr;
  });
}

napi_value requiresGrad(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    return fromBoolean(env, environment(env).tensors.get(Arguments<1>(env, info).number(0)).requires_grad());
  });
}

napi_value setRequiresGrad(napi_env env, napi_callback_info info) {
  return guarded(env, [&]() -> napi_value {
    Arguments<2> arguments(env, info);
    const at::Tensor& tensor = environment(env).tensors.get(arguments.number(0));
    if (!tensor.is_leaf() && !arguments.boolean(1)) {
      throw CodedError("GRAD", "requiresGrad can be changed on leaves only: detach() gives a tensor without a graph");
    }
    tensor.set_requires_grad(arguments.boolean(1));
    return nullptr;
  });
}

napi_value isLeaf(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    return fromBoolean(env, environment(env).tensors.get(Arguments<1>(env, info).number(0)).is_leaf());
  });
}

// gradFn(handle) -> the name of the node that made the tensor, or ''.
napi_value gradFn(napi_env env, napi_callback_info info) {
  return guarded(env, [&] {
    const auto node = environment(env).tensors.get(Arguments<1>(env, info).number(0)).grad_fn();
    std::string name = node ? node->name() : "";
    // This package's own are 'torch::autograd::CppNode<headrace::Name>'.
    if (!name.empty() && name.back() == '>') name.pop_back();
    const size_t colon = name.rfind(':');
    return fromText(env, colon == std::string::npos ? name : name.substr(colon + 1));
  });
}

napi_value retainGrad(napi_env env, napi_callback_info info) {
  return guarded(env, [&]() -> napi_value {
    environment(env).tensors.get(Arguments<1>(env, info).number(0)).retain_grad();
    return nullptr;
  });
}

// setData(handle, other): the tensor takes over the other's storage, dtype and device, and keeps its identity.
napi_value setData(napi_env env, napi_callback_info info) {
  return guarded(env, [&]() -> napi_value {
    Environment& self = environment(env);
    Arguments<2> arguments(env, info);
    self.tensors.setData(arguments.number(0), self.tensors.get(arguments.number(1)));
    return nullptr;
  });
}

napi_value gradEnabled(napi_env env, napi_callback_info) {
  return guarded(env, [&] { return fromBoolean(env, at::GradMode::is_enabled()); });
}

napi_value setGradEnabled(napi_env env, napi_callback_info info) {
  return guarded(env, [&]() -> napi_value {
    at::GradMode::set_enabled(Arguments<1>(env, info).boolean(0));
    return nullptr;
  });
}

} // namespace

void defineAutograd(napi_env env, napi_value exports) {
  define(env, exports, "backward", backward);
  define(env, exports, "grad", grad);
  define(env, exports, "gradsOf", gradsOf);
  define(env, exports, "clearGrads", clearGrads);
  define(env, exports, "setGrad", setGrad);
  define(env, exports, "requiresGrad", requiresGrad);
  define(env, exports, "setRequiresGrad", setRequiresGrad);
  define(env, exports, "isLeaf", isLeaf);
  define(env, exports, "gradFn", gradFn);
  define(env, exports, "retainGrad", retainGrad);
  define(env, exports, "setData", setData);
  define(env, exports, "gradEnabled", gradEnabled);
  define(env, exports, "setGradEnabled", setGradEnabled);
}

} // namespace headrace
