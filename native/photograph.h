// What the loops of a portrait share: what a drawn mesh has in a pixel, and a photograph looked up between its pixels.
#pragma once

#include <cstring>

#include "pixels.h"
#include "planes.h"
#include "taps.h"

namespace headrace {

constexpr int64_t kAttributes = 7; // of each vertex of the face

// What a drawn mesh has in a pixel: its triangle's corners and their shares.
struct Drawn {
  const int32_t* triangle;
  const float* shares;
  const int32_t* corners;

  template <int kCount>
  HEADRACE_INLINE void at(int64_t pixel, const float* values, int64_t stride, float* out) const {
    const int32_t* corner = corners + 3 * static_cast<int64_t>(triangle[pixel]);
    const float *a = values + stride * corner[0], *b = values + stride * corner[1], *c = values + stride * corner[2];
    const float wa = shares[2 * pixel], wb = shares[2 * pixel + 1], wc = 1 - wa - wb;
    for (int k = 0; k < kCount; ++k) out[k] = wa * a[k] + wb * b[k] + wc * c[k];
  }
};

// Each pixel's triangle must be one that there is, or -1.
inline void checkDrawn(const at::Tensor& triangle, int64_t count) {
  const int32_t *drawn = triangle.data_ptr<int32_t>(), *end = drawn + triangle.numel();
  const int32_t last = static_cast<int32_t>(count - 1);
  if (areWithin(drawn, end - drawn, -1, last)) return;
  const int32_t* wrong = std::find_if(drawn, end, [&](int32_t t) { return t < -1 || t > last; });
  TORCH_CHECK_INDEX(false, "pixel ", wrong - drawn, " has triangle ", *wrong, ", but there are ", count, ", from 0");
}

constexpr float kSharpness = -0.5f; // Keys' a

// Beyond a border the picture goes back the way it came.
HEADRACE_INLINE float mirrored(float at, float size) {
  if (at < 0) at = -at;
  return at > size ? 2 * size - at : at;
}

template <int kChannels>
HEADRACE_INLINE void lookUp(const uint8_t* picture, int64_t height, int64_t width, float x, float y, float* out) {
  constexpr int kLine = 4 * kChannels;
  const auto columns = tapsOf<4>(mirrored(x, width) - 0.5f, width, kChannels, kSharpness);
  const auto rows = tapsOf<4>(mirrored(y, height) - 0.5f, height, width * kChannels, kSharpness);
  const bool inside = columns.offset[3] - columns.offset[0] == 3 * kChannels;
  float sums[kLine] = {};
  for (int j = 0; j < 4; ++j) {
    const uint8_t* row = picture + rows.offset[j];
    const uint8_t* line = row + columns.offset[0];
    uint8_t gathered[kLine];
    if (!inside) {
      for (int i = 0; i < 4; ++i) std::copy_n(row + columns.offset[i], kChannels, gathered + i * kChannels);
      line = gathered;
    }
    for (int k = 0; k < kLine; ++k) sums[k] += rows.weight[j] * static_cast<float>(line[k]);
  }
  for (int c = 0; c < kChannels; ++c) {
    float sum = 0;
    for (int i = 0; i < 4; ++i) sum += columns.weight[i] * sums[i * kChannels + c];
    out[c] = sum;
  }
}

// Four channels of bytes: a pixel is a word, and a vector of four numbers. The sums are those of lookUp<4>, in its order.
HEADRACE_INLINE void lookUpWords(const uint8_t* picture, int64_t height, int64_t width, float x, float y, float* out) {
  const auto columns = tapsOf<4>(mirrored(x, width) - 0.5f, width, 4, kSharpness);
  const auto rows = tapsOf<4>(mirrored(y, height) - 0.5f, height, width * 4, kSharpness);
  PixelNumbers total = {};
  for (int i = 0; i < 4; ++i) {
    PixelNumbers sum = {};
    for (int j = 0; j < 4; ++j) {
      sum += rows.weight[j] * channelsOf(pixelAt(picture + rows.offset[j] + columns.offset[i]));
    }
    total += columns.weight[i] * sum;
  }
  std::memcpy(out, &total, sizeof total);
}

} // namespace headrace
