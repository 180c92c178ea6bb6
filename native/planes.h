// What the operators on pictures and meshes share: their checks, and rows spread over threads.
#pragma once

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <functional>
#include <initializer_list>
#include <memory>
#include <mutex>

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

/// Pieces of work, which several threads take one after the other.
class Pieces {
 public:
  Pieces(int64_t count, const std::function<void(int64_t)>& body) : count_(count), body_(body) {}

  /// Does what is left. A thread that comes too late finds nothing, and does not touch `body`, which may be gone.
  void work() {
    int64_t finished = 0;
    for (int64_t k = next_++; k < count_; k = next_++, ++finished) body_(k);
    if (finished == 0) return;
    const std::lock_guard<std::mutex> lock(mutex_);
    done_ += finished;
    if (done_ == count_) all_.notify_one();
  }

  void wait() {
    std::unique_lock<std::mutex> lock(mutex_);
    all_.wait(lock, [&] { return done_ == count_; });
  }

 private:
  const int64_t count_;
  const std::function<void(int64_t)>& body_;
  std::atomic<int64_t> next_{0};
  std::mutex mutex_;
  std::condition_variable all_;
  int64_t done_ = 0;
};

/// body(k), which may not throw, for each k in 0..count-1: on this thread and on those of libtorch's pool. at::parallel_for
/// is of one thread where a compiler has no OpenMP; and it waits for threads that have not even begun, for milliseconds on
/// a busy machine, where this one does their share.
inline void forEachPiece(int64_t count, int64_t threads, const std::function<void(int64_t)>& body) {
  if (count == 0) return;
  const auto pieces = std::make_shared<Pieces>(count, body);
  for (int64_t helper = 1; helper < std::min(count, threads); ++helper) at::launch([pieces] { pieces->work(); });
  pieces->work();
  pieces->wait();
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
