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

/// Corners of triangles, each of which must be the number of a vertex.
inline const int32_t* checkTriangles(const at::Tensor& triangles, int64_t vertices) {
  TORCH_CHECK(isPlain(triangles, at::kInt, 2) && triangles.size(1) == 3,
              "expected triangles contiguous on the CPU, Int [T, 3]");
  const int32_t* corners = triangles.data_ptr<int32_t>();
  const int64_t count = triangles.numel();
  const auto isWrong = [&](int32_t v) { return v < 0 || v >= vertices; };
  // All of them, without stopping, is what a compiler makes vectors of.
  const int32_t last = static_cast<int32_t>(std::min<int64_t>(vertices, std::numeric_limits<int32_t>::max()) - 1);
  int32_t signs = 0; // negative once a number or what it lacks to the last one was
  for (int64_t i = 0; i < count; ++i) signs |= corners[i] | (last - std::max(corners[i], 0));
  if (signs >= 0) return corners;
  const int32_t* wrong = std::find_if(corners, corners + count, isWrong);
  TORCH_CHECK_INDEX(false, "triangle ", (wrong - corners) / 3, " names vertex ", *wrong, ", but there are ", vertices, ", from 0");
  return corners;
}

} // namespace headrace
