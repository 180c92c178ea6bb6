// The exponential function in float32, for loops over numbers: standard functions are not made into vectors.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#include "vectors.h"

namespace headrace {

// eˣ as 2ⁿ (1 + rest), within about a unit in the last place: x is n ln 2 + r with |r| <= ln 2 / 2, and Taylor's polynomial
// gives eʳ - 1.
struct Exponential {
  float power, rest;
};

// For x from -87 to 88, where eˣ is a normal number.
HEADRACE_INLINE Exponential exponential(float x) {
  const float rounder = 12582912.0f; // 1.5 · 2²³: what is added to it becomes whole, in its lowest bits
  const float shifted = x * 1.44269504f + rounder;
  const float n = shifted - rounder;
  // ln 2 in two parts, of which the first is short enough that its product with n is exact.
  const float r = (x - n * 0.693359375f) - n * -2.12194440e-4f;
  const float tail = 1 / 6.0f + r * (1 / 24.0f + r * (1 / 120.0f + r * (1 / 720.0f + r * (1 / 5040.0f))));
  const float rest = r + r * r * (0.5f + r * tail);
  uint32_t bits;
  std::memcpy(&bits, &shifted, sizeof bits);
  bits = (bits + 127) << 23; // the exponent of 2ⁿ
  float power;
  std::memcpy(&power, &bits, sizeof power);
  return {power, rest};
}

// eˣ - 1; e⁸⁸ - 1 for greater x.
HEADRACE_INLINE float expm1Of(float x) {
  const Exponential e = exponential(x < -87.0f ? -87.0f : x > 88.0f ? 88.0f : x);
  return e.power * e.rest + (e.power - 1);
}
HEADRACE_INLINE double expm1Of(double x) { return std::expm1(x); }

// eˣ for x <= 0; 0 below -87, and for what is not a number.
HEADRACE_INLINE float expOfNegative(float x) {
  const Exponential e = exponential(x > -87.0f ? x : -87.0f);
  return x > -87.0f ? e.power * e.rest + e.power : 0;
}

} // namespace headrace
