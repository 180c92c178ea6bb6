// Samples of light to a picture: what a film would make of so much light.
//
// Every pixel is computed on its own, in one order, so the bytes are the same for any number of threads.
#include <torch/library.h>

#include <vector>

#include "planes.h"
#include "registry.h"
#include "threads.h"
#include "vectors.h"

namespace headrace {

namespace {

constexpr int64_t kDevelopGrain = 1 << 13; // pixels that are worth a thread

// A hash of numbers that follow each other (Wellons' lowbias32), for grain.
inline uint32_t scatter(uint32_t x) {
  x = (x ^ (x >> 16)) * 0x7feb352dU;
  x = (x ^ (x >> 15)) * 0x846ca68bU;
  return x ^ (x >> 16);
}

// Nearly normal, mean 0, variance 1: the sum of four bytes.
inline float grainOf(uint32_t bits) {
  const uint32_t sum = (bits & 255) + ((bits >> 8) & 255) + ((bits >> 16) & 255) + (bits >> 24);
  return (static_cast<float>(sum) - 510) / 147.8f;
}

HEADRACE_VECTORS void meanOfRows(const float* const rows[4], const float* weights, int64_t count, float* __restrict out) {
  const float *a = rows[0], *b = rows[1], *c = rows[2], *d = rows[3];
  const float wa = weights[0], wb = weights[1], wc = weights[2], wd = weights[3];
  for (int64_t i = 0; i < count; ++i) out[i] = wa * a[i] + wb * b[i] + wc * c[i] + wd * d[i];
}

// Samples [2H, 2W, 4], four a pixel, before a background [H, W, 3], both linear, to bytes [H, W, 3] and to the share of
// each pixel that the samples cover [H, W]. A pixel is the mean of 4 x 4 samples, with the weights `taps` of one axis.
// `curve` [K] holds the bytes for light from 0 to `most`, not rounded; grain is `grain` of 255 at its middle.
void develop(const at::Tensor& samples, const at::Tensor& background, const at::Tensor& taps, const at::Tensor& gains,
             const at::Tensor& curve, double most, double grain, int64_t seed, const at::Tensor& picture,
             const at::Tensor& mask) {
  TORCH_CHECK(background.dim() == 3, "expected background [H, W, 3]");
  const int64_t height = background.size(0), width = background.size(1);
  checkPlain("background", background, at::kFloat, {height, width, 3});
  checkPlain("samples", samples, at::kFloat, {2 * height, 2 * width, 4});
  checkPlain("taps", taps, at::kFloat, {4});
  checkPlain("gains", gains, at::kFloat, {3});
  TORCH_CHECK(isPlain(curve, at::kFloat, 1) && curve.size(0) >= 2 && most > 0, "expected curve Float [K]");
  checkPlain("picture", picture, at::kByte, {height, width, 3});
  checkPlain("mask", mask, at::kByte, {height, width});
  const float *from = samples.data_ptr<float>(), *back = background.data_ptr<float>(), *w = taps.data_ptr<float>(),
              *gain = gains.data_ptr<float>(), *bytes = curve.data_ptr<float>();
  uint8_t *to = picture.data_ptr<uint8_t>(), *covered = mask.data_ptr<uint8_t>();
  const int64_t last = curve.size(0) - 1;
  const float scale = static_cast<float>(static_cast<double>(last) / most), coarse = static_cast<float>(grain);
  const uint32_t key = scatter(static_cast<uint32_t>(seed) ^ scatter(static_cast<uint32_t>(seed >> 32)));

  forEachBand(height, threadsFor(height * width, kDevelopGrain), [&](int64_t firstRow, int64_t endRow) {
    std::vector<float> line(8 * (width + 1)); // the rows' mean, with a sample beyond either border
    for (int64_t y = firstRow; y < endRow; ++y) {
      const float* rows[4];
      for (int64_t j = 0; j < 4; ++j) {
        rows[j] = from + 8 * width * std::min(std::max<int64_t>(2 * y - 1 + j, 0), 2 * height - 1);
      }
      meanOfRows(rows, w, 8 * width, line.data() + 4);
      std::copy_n(line.data() + 4, 4, line.data());
      std::copy_n(line.data() + 8 * width, 4, line.data() + 8 * width + 4);
      for (int64_t x = 0; x < width; ++x) {
        float sum[4] = {};
        for (int64_t i = 0; i < 4; ++i) {
          for (int k = 0; k < 4; ++k) sum[k] += w[i] * line[4 * (2 * x + i) + k];
        }
        const int64_t p = y * width + x;
        for (int k = 0; k < 3; ++k) {
          const float at = (sum[k] + (1 - sum[3]) * back[3 * p + k]) * gain[k] * scale;
          const float inside = std::min(std::max(at, 0.0f), static_cast<float>(last) - 0.001f);
          const int64_t whole = static_cast<int64_t>(inside);
          float value = bytes[whole] + (inside - static_cast<float>(whole)) * (bytes[whole + 1] - bytes[whole]);
          if (coarse > 0) value += coarse * grainOf(scatter(static_cast<uint32_t>(3 * p + k) ^ key));
          to[3 * p + k] = static_cast<uint8_t>(std::min(std::max(value, 0.0f), 255.0f) + 0.5f);
        }
        covered[p] = static_cast<uint8_t>(std::min(std::max(sum[3], 0.0f), 1.0f) * 255 + 0.5f);
      }
    }
  });
}

} // namespace

TORCH_LIBRARY_FRAGMENT(headrace, library) {
  if (isRegistered("develop")) return;
  library.def(
      "develop(Tensor samples, Tensor background, Tensor taps, Tensor gains, Tensor curve, float most, float grain, "
      "int seed, Tensor(a!) picture, Tensor(b!) mask) -> ()",
      develop);
}

} // namespace headrace
