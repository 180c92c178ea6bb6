// The checks that the operators on pictures and meshes share.
#pragma once

#include <ATen/ATen.h>

#include <algorithm>
#include <initializer_list>
#include <limits>

namespace headrace {

inline bool isPlain(const at::Tensor& tensor, at::ScalarType type, int64_t dims) {
  return tensor.defined() && tensor.device().is_cpu() && tensor.layout() == at::kStrided &&
         tensor.scalar_type() == type && tensor.dim() == dims && tensor.is_contiguous() && !tensor.is_neg();
}

/// Loops read and write memory without asking further.
inline void checkPlain(const char* name, const at::Tensor& tensor, at::ScalarType type, at::IntArrayRef sizes) {
  TORCH_CHECK(isPlain(tensor, type, static_cast<int64_t>(sizes.size())) && tensor.sizes() == sizes, "expected ", name,
              " contiguous on the CPU, ", type, " ", sizes);
}

/// What is written may be no part of what is read at the same time.
inline void checkApart(const char* name, const at::Tensor& written, std::initializer_list<at::Tensor> others) {
  for (const at::Tensor& other : others) {
    TORCH_CHECK(!other.defined() || !written.is_alias_of(other), name,
                " shares its memory with another argument: clone() one of them");
  }
}

/// Whether all of so many numbers are in [least, most]. All of them, without stopping, is what a compiler makes vectors of.
bool areWithin(const int32_t* numbers, int64_t count, int32_t least, int32_t most);

/// Corners of triangles, each of which must be the number of a vertex: of all, or of those in [first, end).
inline const int32_t* checkTriangles(const at::Tensor& triangles, int64_t vertices, int64_t first = 0, int64_t end = -1) {
  TORCH_CHECK(isPlain(triangles, at::kInt, 2) && triangles.size(1) == 3,
              "expected triangles contiguous on the CPU, Int [T, 3]");
  const int32_t* corners = triangles.data_ptr<int32_t>();
  const int32_t *from = corners + 3 * first, *until = corners + 3 * (end < 0 ? triangles.size(0) : end);
  const int32_t last = static_cast<int32_t>(std::min<int64_t>(vertices, std::numeric_limits<int32_t>::max()) - 1);
  if (areWithin(from, until - from, 0, last)) return corners;
  const int32_t* wrong = std::find_if(from, until, [&](int32_t v) { return v < 0 || v > last; });
  TORCH_CHECK_INDEX(false, "triangle ", (wrong - corners) / 3, " names vertex ", *wrong, ", but there are ", vertices, ", from 0");
  return corners;
}

} // namespace headrace
