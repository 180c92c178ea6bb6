// GELU, x Φ(x) with the normal distribution function Φ (Hendrycks and Gimpel 2016, section 2), for contiguous float32 on
// the CPU. The distribution and its density come from one exponential, in loops that are vectors. Whatever these are not
// made for takes libtorch's own operator.
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <cmath>

#include "compat.h"
#include "exponential.h"
#include "registry.h"
#include "threads.h"

namespace headrace {

namespace {

struct Normal {
  float distribution, density;
};

// Φ(-a) = e^(-a²/2) t P(t) with t = 1 / (1 + 0.35 a): P is the polynomial of degree 8 whose greatest relative error for
// a in 0..13.3 is least, 3.2e-8, but for a last digit that makes Φ(0) just 0.5; rounding makes the error 3.2e-7. Beyond,
// Φ(-a) is too small for float32. The same number for both signs of x keeps the digits of the tail, which 1 + erf loses.
// P is written so that its parts need not wait for each other.
HEADRACE_INLINE Normal normalOf(float x) {
  const float a = std::fabs(x);
  const float e = expOfNegative(-0.5f * a * a);
  const float t = 1 / (1 + 0.35f * a);
  const float t2 = t * t, t4 = t2 * t2;
  const float low = (0.13962166f + 0.13985756f * t) + t2 * (0.119863078f + 0.105392188f * t);
  const float high = (-0.0228435267f + 0.158796713f * t) + t2 * (-0.255391151f + 0.143818483f * t);
  const float tail = e * (t * (low + t4 * (high + t4 * -0.0291149914f)));
  return {x > 0 ? 1 - tail : tail, e * 0.398942280f};
}

HEADRACE_VECTORS void forwardEach(const float* __restrict x, int64_t count, float* __restrict y) {
  for (int64_t i = 0; i < count; ++i) y[i] = x[i] * normalOf(x[i]).distribution;
}

HEADRACE_VECTORS void backwardEach(const float* __restrict dy, const float* __restrict x, int64_t count,
                                   float* __restrict dx) {
  for (int64_t i = 0; i < count; ++i) {
    const Normal normal = normalOf(x[i]);
    dx[i] = dy[i] * (normal.distribution + x[i] * normal.density);
  }
}

constexpr int64_t kGeluGrain = 131072; // numbers that are worth a thread

bool fits(const at::Tensor& x) {
  return x.device().is_cpu() && x.scalar_type() == at::kFloat && x.layout() == at::kStrided && x.is_contiguous();
}

at::Tensor outputOf(const at::Tensor& input) {
  at::Tensor output = at::empty_like(input);
  const float* x = input.data_ptr<float>();
  float* y = output.data_ptr<float>();
  forEachRange(input.numel(), kGeluGrain,
               [&](int64_t begin, int64_t end) { forwardEach(x + begin, end - begin, y + begin); });
  return output;
}

at::Tensor gradientOf(const at::Tensor& dOutput, const at::Tensor& input) {
  const at::Tensor gradient = dOutput.contiguous();
  at::Tensor dInput = at::empty_like(input);
  const float* dy = gradient.data_ptr<float>();
  const float* x = input.data_ptr<float>();
  float* dx = dInput.data_ptr<float>();
  forEachRange(input.numel(), kGeluGrain,
               [&](int64_t begin, int64_t end) { backwardEach(dy + begin, x + begin, end - begin, dx + begin); });
  return dInput;
}

struct Gelu : torch::autograd::Function<Gelu> {
  using Context = torch::autograd::AutogradContext;
  using Tensors = torch::autograd::variable_list;

  static at::Tensor forward(Context* context, const at::Tensor& input) {
    context->save_for_backward({input});
    return outputOf(input);
  }

  static Tensors backward(Context* context, Tensors dOutput) {
    const at::Tensor input = context->get_saved_variables()[0];
    // libtorch's has a gradient itself, for a gradient of gradients.
    return {at::GradMode::is_enabled() ? at::gelu_backward(dOutput[0], input) : gradientOf(dOutput[0], input)};
  }
};

at::Tensor gelu(const at::Tensor& input) { return fits(input) ? Gelu::apply(input) : at::gelu(input); }

} // namespace

TORCH_LIBRARY_FRAGMENT(headrace, library) {
  if (!isRegistered("gelu")) library.def("gelu(Tensor self) -> Tensor", gelu);
}

} // namespace headrace
