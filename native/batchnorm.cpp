// Batch normalisation, a residual and ReLU in one operator, for training on the CPU in channels-last float32.
//
// libtorch reads and writes a whole map for each of these steps, and twice as often in backward; the arithmetic is next
// to nothing, so that the traffic is the cost. Here each direction takes two passes over the maps, and the ReLU's
// gradient is never a tensor of its own. Whatever the kernels below are not made for takes libtorch's own operators.
//
// A channels-last map is a matrix of one row for each pixel and one column for each channel. It is cut into chunks of
// rows, whose sums are added up in order: the result is the same, to the bit, for any number of threads. It is the same
// for any width of vectors too, as these run across the channels, and the build forbids fused multiply-adds.
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "compat.h"
#include "registry.h"
#include "rows.h"
#include "vectors.h"

namespace headrace {

namespace {

// ---- The loops: each takes `count` floats, which are whole rows. ----
//
// A row may be as short as 16 channels, too short for a loop of its own. Rows are therefore taken several at a time, as
// one of `width` floats; what belongs to a channel (its mean, say) is repeated to that width.

HEADRACE_VECTORS void addUp(const float* __restrict x, int64_t count, int64_t width, float* __restrict sum) {
  for (int64_t i = 0; i < count; i += width) {
    const int64_t n = std::min(width, count - i);
    const float* __restrict row = x + i;
    for (int64_t j = 0; j < n; ++j) sum[j] += row[j];
  }
}

HEADRACE_VECTORS void addSquares(const float* __restrict x, int64_t count, int64_t width, const float* __restrict mean,
                                 float* __restrict sum) {
  for (int64_t i = 0; i < count; i += width) {
    const int64_t n = std::min(width, count - i);
    const float* __restrict row = x + i;
    for (int64_t j = 0; j < n; ++j) sum[j] += (row[j] - mean[j]) * (row[j] - mean[j]);
  }
}

// Written so that what is not a number stays so, as in PyTorch.
inline float relu(float value) { return value <= 0 ? 0 : value; }
inline float reluGradient(float value, float gradient) { return value <= 0 ? 0 : gradient; }

HEADRACE_VECTORS void normalise(const float* __restrict x, int64_t count, int64_t width, const float* __restrict scale,
                                const float* __restrict shift, float* __restrict y) {
  for (int64_t i = 0; i < count; i += width) {
    const int64_t n = std::min(width, count - i);
    const float* __restrict row = x + i;
    float* __restrict out = y + i;
    for (int64_t j = 0; j < n; ++j) out[j] = relu(row[j] * scale[j] + shift[j]);
  }
}

HEADRACE_VECTORS void normaliseAndAdd(const float* __restrict x, const float* __restrict residual, int64_t count,
                                      int64_t width, const float* __restrict scale, const float* __restrict shift,
                                      float* __restrict y) {
  for (int64_t i = 0; i < count; i += width) {
    const int64_t n = std::min(width, count - i);
    const float* __restrict row = x + i;
    const float* __restrict other = residual + i;
    float* __restrict out = y + i;
    for (int64_t j = 0; j < n; ++j) out[j] = relu(row[j] * scale[j] + shift[j] + other[j]);
  }
}

// The sums that backward needs: of the gradient before the ReLU, and of it times x less its mean. Without a residual,
// where the ReLU cut is computed anew from x, which is cheaper than to read the output.
HEADRACE_VECTORS void addGradients(const float* __restrict dy, const float* __restrict x, int64_t count, int64_t width,
                                   const float* __restrict mean, const float* __restrict scale,
                                   const float* __restrict shift, float* __restrict sum, float* __restrict dot) {
  for (int64_t i = 0; i < count; i += width) {
    const int64_t n = std::min(width, count - i);
    const float* __restrict row = x + i;
    const float* __restrict gradient = dy + i;
    for (int64_t j = 0; j < n; ++j) {
      const float g = reluGradient(row[j] * scale[j] + shift[j], gradient[j]);
      sum[j] += g;
      dot[j] += g * (row[j] - mean[j]);
    }
  }
}

// With a residual, whose gradient is that before the ReLU, and is written on the way.
HEADRACE_VECTORS void addGradientsAndWrite(const float* __restrict dy, const float* __restrict y,
                                           const float* __restrict x, int64_t count, int64_t width,
                                           const float* __restrict mean, float* __restrict dresidual,
                                           float* __restrict sum, float* __restrict dot) {
  for (int64_t i = 0; i < count; i += width) {
    const int64_t n = std::min(width, count - i);
    const float* __restrict row = x + i;
    const float* __restrict out = y + i;
    const float* __restrict gradient = dy + i;
    float* __restrict written = dresidual + i;
    for (int64_t j = 0; j < n; ++j) {
      const float g = reluGradient(out[j], gradient[j]);
      written[j] = g;
      sum[j] += g;
      dot[j] += g * (row[j] - mean[j]);
    }
  }
}

// dx = scale (g - mean of g - (x - mean) slope), where slope = invstd² mean of g (x - mean).
HEADRACE_VECTORS void inputGradient(const float* __restrict g, const float* __restrict x, int64_t count, int64_t width,
                                    const float* __restrict mean, const float* __restrict scale,
                                    const float* __restrict gMean, const float* __restrict slope,
                                    float* __restrict dx) {
  for (int64_t i = 0; i < count; i += width) {
    const int64_t n = std::min(width, count - i);
    const float* __restrict row = x + i;
    const float* __restrict gradient = g + i;
    float* __restrict out = dx + i;
    for (int64_t j = 0; j < n; ++j) out[j] = scale[j] * (gradient[j] - gMean[j] - (row[j] - mean[j]) * slope[j]);
  }
}

HEADRACE_VECTORS void inputGradientOfRelu(const float* __restrict dy, const float* __restrict x, int64_t count,
                                          int64_t width, const float* __restrict mean, const float* __restrict scale,
                                          const float* __restrict shift, const float* __restrict gMean,
                                          const float* __restrict slope, float* __restrict dx) {
  for (int64_t i = 0; i < count; i += width) {
    const int64_t n = std::min(width, count - i);
    const float* __restrict row = x + i;
    const float* __restrict gradient = dy + i;
    float* __restrict out = dx + i;
    for (int64_t j = 0; j < n; ++j) {
      const float g = reluGradient(row[j] * scale[j] + shift[j], gradient[j]);
      out[j] = scale[j] * (g - gMean[j] - (row[j] - mean[j]) * slope[j]);
    }
  }
}

// ---- Forward. ----

// The rows of `constants` [4, channels], which is all that backward needs of the statistics.
enum Constant { kMean, kInvStd, kScale, kShift };

struct Moments {
  std::vector<double> mean;
  std::vector<double> squares; // sums of squares of the distances to the mean
};

// Each chunk by its own mean, and then together (Chan, Golub and LeVeque 1979): a mean far from zero costs no digits.
Moments momentsOf(const float* x, const Rows& rows) {
  const int64_t channels = rows.channels;
  std::vector<double> means(rows.chunks * channels), squares(rows.chunks * channels);
  rows.forEachChunk([&](int64_t k, int64_t first, int64_t count) {
    Tile sums(rows.width);
    addUp(x + first, count, rows.width, sums.data());
    double* mean = means.data() + k * channels;
    rows.fold(sums, mean);
    std::vector<float> rounded(channels);
    for (int64_t c = 0; c < channels; ++c) rounded[c] = static_cast<float>(mean[c] /= rows.rowsOf(k));
    Tile sumsOfSquares(rows.width);
    addSquares(x + first, count, rows.width, rows.repeat(rounded.data()).data(), sumsOfSquares.data());
    rows.fold(sumsOfSquares, squares.data() + k * channels);
  });
  Moments total{std::vector<double>(channels), std::vector<double>(channels)};
  for (int64_t k = 0; k < rows.chunks; ++k) {
    for (int64_t c = 0; c < channels; ++c) total.mean[c] += means[k * channels + c] * rows.rowsOf(k) / rows.count;
  }
  for (int64_t k = 0; k < rows.chunks; ++k) {
    for (int64_t c = 0; c < channels; ++c) {
      const double distance = means[k * channels + c] - total.mean[c];
      total.squares[c] += squares[k * channels + c] + distance * distance * rows.rowsOf(k);
    }
  }
  return total;
}

// The running variance is the unbiased one.
void updateRunning(const at::Tensor& running, const std::vector<double>& latest, double divisor, double momentum) {
  float* values = running.data_ptr<float>();
  for (size_t c = 0; c < latest.size(); ++c) {
    values[c] = static_cast<float>(momentum * latest[c] / divisor + (1 - momentum) * values[c]);
  }
  // Autograd must know, as another node may have saved it.
  torch::autograd::impl::bump_version(running);
}

at::Tensor constantsOf(const Moments& moments, const Rows& rows, const at::Tensor& weight, const at::Tensor& bias,
                       double eps) {
  const int64_t channels = rows.channels;
  at::Tensor result = at::empty({4, channels}, weight.options().requires_grad(false));
  float* values = result.data_ptr<float>();
  for (int64_t c = 0; c < channels; ++c) {
    const double invStd = 1 / std::sqrt(moments.squares[c] / rows.count + eps);
    const double scale = invStd * weight.data_ptr<float>()[c];
    values[kMean * channels + c] = static_cast<float>(moments.mean[c]);
    values[kInvStd * channels + c] = static_cast<float>(invStd);
    values[kScale * channels + c] = static_cast<float>(scale);
    values[kShift * channels + c] = static_cast<float>(bias.data_ptr<float>()[c] - moments.mean[c] * scale);
  }
  return result;
}

at::Tensor outputOf(const at::Tensor& input, const at::Tensor& residual, const at::Tensor& constants) {
  const Rows rows(input);
  const float* values = constants.data_ptr<float>();
  const auto scale = rows.repeat(values + kScale * rows.channels);
  const auto shift = rows.repeat(values + kShift * rows.channels);
  at::Tensor output = at::empty_like(input);
  const float* x = input.data_ptr<float>();
  const float* r = residual.defined() ? residual.data_ptr<float>() : nullptr;
  float* y = output.data_ptr<float>();
  rows.forEachChunk([&](int64_t, int64_t first, int64_t count) {
    if (r) normaliseAndAdd(x + first, r + first, count, rows.width, scale.data(), shift.data(), y + first);
    else normalise(x + first, count, rows.width, scale.data(), shift.data(), y + first);
  });
  return output;
}

// ---- Backward. ----

struct Gradients {
  at::Tensor input, residual, weight, bias;
};

// `output` is defined where there is a residual.
Gradients gradientsOf(const at::Tensor& dOutput, const at::Tensor& input, const at::Tensor& output,
                      const at::Tensor& constants) {
  const Rows rows(input);
  const int64_t channels = rows.channels;
  const float* values = constants.data_ptr<float>();
  const auto mean = rows.repeat(values + kMean * channels);
  const auto scale = rows.repeat(values + kScale * channels);
  const auto shift = rows.repeat(values + kShift * channels);
  const at::Tensor dOutputRows = dOutput.contiguous(at::MemoryFormat::ChannelsLast);
  const float* dy = dOutputRows.data_ptr<float>();
  const float* x = input.data_ptr<float>();
  const float* y = output.defined() ? output.data_ptr<float>() : nullptr;
  Gradients result{at::empty_like(input), y ? at::empty_like(input) : at::Tensor(),
                   at::empty({channels}, constants.options()), at::empty({channels}, constants.options())};
  float* g = y ? result.residual.data_ptr<float>() : nullptr;

  std::vector<double> sums(rows.chunks * channels), dots(rows.chunks * channels);
  rows.forEachChunk([&](int64_t k, int64_t first, int64_t count) {
    Tile sum(rows.width), dot(rows.width);
    if (y) {
      addGradientsAndWrite(dy + first, y + first, x + first, count, rows.width, mean.data(), g + first, sum.data(),
                           dot.data());
    } else {
      addGradients(dy + first, x + first, count, rows.width, mean.data(), scale.data(), shift.data(), sum.data(),
                   dot.data());
    }
    rows.fold(sum, sums.data() + k * channels);
    rows.fold(dot, dots.data() + k * channels);
  });

  std::vector<float> gMean(channels), slope(channels);
  for (int64_t c = 0; c < channels; ++c) {
    double sum = 0, dot = 0;
    for (int64_t k = 0; k < rows.chunks; ++k) {
      sum += sums[k * channels + c];
      dot += dots[k * channels + c];
    }
    const double invStd = values[kInvStd * channels + c];
    result.bias.data_ptr<float>()[c] = static_cast<float>(sum);
    result.weight.data_ptr<float>()[c] = static_cast<float>(dot * invStd);
    gMean[c] = static_cast<float>(sum / rows.count);
    slope[c] = static_cast<float>(dot * invStd * invStd / rows.count);
  }
  const auto gMeans = rows.repeat(gMean.data());
  const auto slopes = rows.repeat(slope.data());
  float* dx = result.input.data_ptr<float>();
  rows.forEachChunk([&](int64_t, int64_t first, int64_t count) {
    if (y) {
      inputGradient(g + first, x + first, count, rows.width, mean.data(), scale.data(), gMeans.data(), slopes.data(),
                    dx + first);
    } else {
      inputGradientOfRelu(dy + first, x + first, count, rows.width, mean.data(), scale.data(), shift.data(),
                          gMeans.data(), slopes.data(), dx + first);
    }
  });
  return result;
}

// The same from operators that have gradients themselves, for a gradient of gradients.
Gradients differentiableGradientsOf(const at::Tensor& dOutput, const at::Tensor& input, const at::Tensor& output,
                                    const at::Tensor& weight, const at::Tensor& constants) {
  // Only where it is positive counts: the ReLU's second derivative is zero.
  const at::Tensor reluOutput = output.defined() ? output.detach() : outputOf(input.detach(), {}, constants);
  const at::Tensor g = at::threshold_backward(dOutput, reluOutput, 0);
  auto [dInput, dWeight, dBias] =
      at::native_batch_norm_backward(g, input, weight, {}, {}, constants.select(0, kMean),
                                     constants.select(0, kInvStd), true, 0, {true, true, true});
  return {dInput, output.defined() ? g : at::Tensor(), dWeight, dBias};
}

// ---- The operator. ----

struct BatchNormRelu : torch::autograd::Function<BatchNormRelu> {
  using Context = torch::autograd::AutogradContext;
  using Tensors = torch::autograd::variable_list;

  static at::Tensor forward(Context* context, const at::Tensor& input, const Optional<at::Tensor>& residual,
                            const at::Tensor& weight, const at::Tensor& /*bias*/, const at::Tensor& constants) {
    const at::Tensor output = outputOf(input, residual.value_or(at::Tensor()), constants);
    context->save_for_backward({input, weight, constants, residual ? output : at::Tensor()});
    return output;
  }

  static Tensors backward(Context* context, Tensors dOutput) {
    const Tensors saved = context->get_saved_variables();
    const at::Tensor &input = saved[0], &weight = saved[1], &constants = saved[2], &output = saved[3];
    const Gradients found = at::GradMode::is_enabled()
                                ? differentiableGradientsOf(dOutput[0], input, output, weight, constants)
                                : gradientsOf(dOutput[0], input, output, constants);
    return {found.input, found.residual, found.weight, found.bias, at::Tensor()};
  }
};

bool isRows(const at::Tensor& map) {
  return map.device().is_cpu() && map.scalar_type() == at::kFloat && map.layout() == at::kStrided && map.dim() == 4 &&
         map.numel() > 0 && map.is_contiguous(at::MemoryFormat::ChannelsLast);
}

bool isOnePerChannel(const at::Tensor& values, const at::Tensor& map) {
  return values.device().is_cpu() && values.scalar_type() == at::kFloat && values.layout() == at::kStrided &&
         values.dim() == 1 && values.size(0) == map.size(1) && values.is_contiguous();
}

using MaybeTensor = const Optional<at::Tensor>&;

// relu(batch_norm(input) + residual), which updates the running statistics when training.
at::Tensor batchNormRelu(const at::Tensor& input, MaybeTensor residual, MaybeTensor weight, MaybeTensor bias,
                         MaybeTensor runningMean, MaybeTensor runningVar, bool training, double momentum, double eps) {
  const auto perChannel = [&](MaybeTensor values) { return isOnePerChannel(*values, input); };
  const bool fits = isRows(input) && (!residual || (isRows(*residual) && residual->sizes() == input.sizes()));
  const bool fused = training && fits && weight && perChannel(weight) && bias && perChannel(bias) &&
                     (!runningMean || perChannel(runningMean)) && (!runningVar || perChannel(runningVar));
  if (!fused) {
    // Autograd does not need the output of a batch normalisation, so that it may be overwritten.
    at::Tensor y = at::batch_norm(input, weight, bias, runningMean, runningVar, training, momentum, eps, true);
    if (residual) y.add_(*residual);
    return y.relu_();
  }
  const Rows rows(input);
  const Moments moments = momentsOf(input.data_ptr<float>(), rows);
  if (runningMean) updateRunning(*runningMean, moments.mean, 1, momentum);
  if (runningVar) updateRunning(*runningVar, moments.squares, static_cast<double>(rows.count - 1), momentum);
  return BatchNormRelu::apply(input, residual, *weight, *bias, constantsOf(moments, rows, *weight, *bias, eps));
}

} // namespace

TORCH_LIBRARY_FRAGMENT(headrace, library) {
  if (isRegistered("batch_norm_relu")) return;
  library.def(
      "batch_norm_relu(Tensor input, Tensor? residual, Tensor? weight, Tensor? bias, Tensor(a!)? running_mean, "
      "Tensor(b!)? running_var, bool training, float momentum, float eps) -> Tensor",
      batchNormRelu);
}

} // namespace headrace
