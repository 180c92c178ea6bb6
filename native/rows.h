// How a channels-last map is cut for loops that run over it: a matrix of one row for each pixel and one column for each
// channel, in chunks of rows that do not depend on the number of threads.
#pragma once

#include <algorithm>
#include <vector>

#include "threads.h"

namespace headrace {

// Zeros that begin where cache lines do: a vector that straddles two of them costs twice.
class Tile {
 public:
  explicit Tile(int64_t width) : lines_((width + kLine - 1) / kLine) {}
  float* data() { return lines_.front().values; }
  const float* data() const { return lines_.front().values; }

 private:
  static constexpr int64_t kLine = 16;
  struct alignas(kLine * sizeof(float)) Line {
    float values[kLine] = {};
  };
  std::vector<Line> lines_;
};

struct Rows {
  explicit Rows(const at::Tensor& map)
      : channels(map.size(1)), count(map.numel() / channels), width(channels * std::max<int64_t>(1, 512 / channels)) {
    // A chunk of some 128 KB stays in the second cache between the two readings that the variance takes; many channels
    // take more, lest the sums of the chunks grow as large as the map.
    chunkRows = std::max<int64_t>(64, 32768 / channels);
    chunks = (count + chunkRows - 1) / chunkRows;
  }

  int64_t rowsOf(int64_t chunk) const { return std::min(chunkRows, count - chunk * chunkRows); }

  // body(chunk, offset of its first float, number of its floats), on several threads.
  template <typename Body>
  void forEachChunk(Body body) const {
    forEachPiece(chunks, threadsFor(chunks, 2),
                 [&](int64_t k) { body(k, k * chunkRows * channels, rowsOf(k) * channels); });
  }

  // What belongs to channels, repeated to the width of the loops.
  Tile repeat(const float* values) const {
    Tile result(width);
    for (int64_t j = 0; j < width; j += channels) std::copy_n(values, channels, result.data() + j);
    return result;
  }

  // The opposite: the columns of each channel added up.
  void fold(const Tile& sums, double* result) const {
    std::fill_n(result, channels, 0.0);
    for (int64_t j = 0; j < width; j += channels) {
      for (int64_t c = 0; c < channels; ++c) result[c] += sums.data()[j + c];
    }
  }

  int64_t channels;
  int64_t count;
  int64_t width;
  int64_t chunkRows;
  int64_t chunks;
};

} // namespace headrace
