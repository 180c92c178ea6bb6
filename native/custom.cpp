// Functions of autograd whose forward and backward are JavaScript's.
#include <torch/csrc/autograd/custom_function.h>

#include "hooks.h"

namespace headrace {

namespace {

// What an application leaves for the graph. Outputs and saved tensors are given on to libtorch, which knows how to hold
// an output that its own node saves.
struct Applied : torch::CustomClassHolder {
  std::shared_ptr<TensorCallback> backward;
  std::vector<at::Tensor> outputs;
  std::vector<at::Tensor> saved;
  std::vector<at::Tensor> constant; // outputs without gradient
};

struct Custom : torch::autograd::Function<Custom> {
  using Context = torch::autograd::AutogradContext;
  using Tensors = torch::autograd::variable_list;

  static Tensors forward(Context* context, at::TensorList, c10::intrusive_ptr<Applied> applied) {
    Tensors outputs = std::move(applied->outputs);
    context->save_for_backward(std::move(applied->saved));
    context->mark_non_differentiable(applied->constant);
    applied->constant.clear();
    context->saved_data["applied"] = c10::IValue::make_capsule(std::move(applied));
    return outputs;
  }

  // The callback gets the outputs' gradients, then the saved tensors, and leaves a gradient for each input.
  static Tensors backward(Context* context, Tensors gradients) {
    for (auto& saved : context->get_saved_variables()) gradients.push_back(std::move(saved));
    const auto applied = context->saved_data["applied"].toCapsule();
    auto result = static_cast<Applied*>(applied.get())->backward->call(gradients);
    result.emplace_back(); // what was applied has no gradient
    return result;
  }
};

// applyFunction(backward): the frame holds inputs, outputs, saved tensors, and the outputs without gradient; it returns
// the outputs as parts of the graph.
napi_value applyFunction(napi_env env, napi_callback_info info) {
  return guarded(env, [&]() -> napi_value {
    Environment& self = environment(env);
    Arguments<1> arguments(env, info);
    Cursor cursor(self.frame, 0);
    const auto read = [&] {
      auto tensors = readTensors(self, cursor);
      cursor.next();
      return tensors;
    };
    const auto inputs = read();
    auto applied = c10::make_intrusive<Applied>();
    applied->outputs = read();
    applied->saved = read();
    applied->constant = readTensors(self, cursor);
    applied->backward =
        std::make_shared<TensorCallback>(env, arguments.values[0], TensorCallback::Ownership::Call);
    auto outputs = Custom::apply(at::TensorList(inputs), std::move(applied));
    Writer writer(self.frame);
    writer.put(kList, static_cast<double>(outputs.size()));
    for (auto& tensor : outputs) putTensor(self, writer, std::move(tensor));
    return nullptr;
  });
}

} // namespace

void defineCustom(napi_env env, napi_value exports) {
  define(env, exports, "applyFunction", applyFunction);
}

} // namespace headrace
