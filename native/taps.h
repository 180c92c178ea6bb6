// The pixels about a place of a picture, and what each counts there: bilinear, or bicubic by Keys' convolution (IEEE
// Transactions on Acoustics, Speech and Signal Processing 29, 1981, equation 4). Beyond the borders the outermost pixels go on.
#pragma once

#include <algorithm>
#include <cstdint>

#include "vectors.h"

namespace headrace {

template <int kTaps>
struct Taps {
  int64_t offset[kTaps];
  float weight[kTaps];
};

inline float nearCubic(float x, float a) { return ((a + 2) * x - (a + 3)) * x * x + 1; }
inline float farCubic(float x, float a) { return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a; }

// `place` is a coordinate that counts from the middle of the first pixel.
template <int kTaps>
HEADRACE_INLINE Taps<kTaps> tapsOf(float place, int64_t size, int64_t stride, float a) {
  // Further out all taps are on the outermost pixel anyway. From 0 on, the whole part is what a conversion leaves.
  const float at = std::min(std::max(place, -2.0f), static_cast<float>(size) + 1) + 2;
  const int64_t whole = static_cast<int32_t>(at);
  const float t = at - static_cast<float>(whole);
  Taps<kTaps> taps;
  for (int k = 0; k < kTaps; ++k) {
    const int64_t index = whole - 2 + k - (kTaps / 2 - 1);
    taps.offset[k] = std::min(std::max<int64_t>(index, 0), size - 1) * stride;
  }
  if constexpr (kTaps == 2) {
    taps.weight[0] = 1 - t;
    taps.weight[1] = t;
  } else {
    taps.weight[0] = farCubic(1 + t, a);
    taps.weight[1] = nearCubic(t, a);
    taps.weight[2] = nearCubic(1 - t, a);
    taps.weight[3] = farCubic(2 - t, a);
  }
  return taps;
}

} // namespace headrace
