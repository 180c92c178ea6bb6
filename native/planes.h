// What the operators on pictures and meshes share: their checks, and rows spread over threads.
#pragma once

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>
#include <initializer_list>

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
  const int32_t* wrong = std::find_if(corners, corners + count, [&](int32_t v) { return v < 0 || v >= vertices; });
  TORCH_CHECK_INDEX(wrong == corners + count, "triangle ", (wrong - corners) / 3, " names vertex ", *wrong,
                    ", but there are ", vertices, ", from 0");
  return corners;
}

/// How many threads so much work is worth, at `grain` for each.
inline int64_t threadsFor(int64_t work, int64_t grain) {
  return std::min<int64_t>(at::get_num_threads(), work / grain + 1);
}

/// body(k) for each k in 0..count-1, on several threads. Each takes the next that is left, as some take far longer.
template <typename Body>
void forEachPiece(int64_t count, int64_t threads, Body body) {
  std::atomic<int64_t> next{0};
  at::parallel_for(0, std::min(count, threads), 1, [&](int64_t begin, int64_t end) {
    for (int64_t thread = begin; thread < end; ++thread) {
      for (int64_t k = next++; k < count; k = next++) body(k);
    }
  });
}

/// Rows that one thread takes at a time. What is written does not depend on it.
constexpr int64_t kBandRows = 16;

/// body(first row, end), on several threads.
template <typename Body>
void forEachBand(int64_t rows, int64_t threads, Body body) {
  forEachPiece((rows + kBandRows - 1) / kBandRows, threads, [&](int64_t band) {
    body(band * kBandRows, std::min(rows, (band + 1) * kBandRows));
  });
}

} // namespace headrace
