// Pixels of four bytes as words, and as vectors of four numbers.
#pragma once

#include <cstdint>
#include <cstring>

#include "vectors.h"

namespace headrace {

using PixelNumbers = float __attribute__((vector_size(16)));

inline uint32_t pixelAt(const uint8_t* bytes) {
  uint32_t word;
  std::memcpy(&word, bytes, 4);
  return word;
}

// Its channels, 0 to 255. Least significant bytes stand first in memory, as on all machines that libtorch is built for.
HEADRACE_INLINE PixelNumbers channelsOf(uint32_t word) {
  using Words = uint32_t __attribute__((vector_size(16)));
  using Whole = int32_t __attribute__((vector_size(16)));
  constexpr Words kShifts = {0, 8, 16, 24};
  const Words channels = ((Words{} + word) >> kShifts) & 255u;
  return __builtin_convertvector(reinterpret_cast<const Whole&>(channels), PixelNumbers);
}

} // namespace headrace
