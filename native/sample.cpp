// A picture looked up at places between its pixels: bilinear, or bicubic by Keys' convolution (IEEE Transactions on
// Acoustics, Speech and Signal Processing 29, 1981, equation 4). Beyond the borders the outermost pixels go on.
#include <torch/library.h>

#include <cmath>

#include "compat.h"
#include "planes.h"
#include "registry.h"
#include "taps.h"
#include "threads.h"

namespace headrace {

namespace {

struct Source {
  int64_t height, width, channels;
  int64_t row, pixel, channel; // how far apart the elements lie
};

struct Target {
  bool wants(int64_t p) const { return (!mask || mask[p]) && !std::isnan(map[2 * p]) && !std::isnan(map[2 * p + 1]); }

  const float* map;
  const uint8_t* mask; // null: everywhere
  int64_t width, pixel, channel;
};

inline void store(float value, float* place) { *place = value; }
inline void store(float value, uint8_t* place) {
  *place = static_cast<uint8_t>(std::min(std::max(value, 0.0f), 255.0f) + 0.5f);
}

// Where the channels of a pixel lie side by side, those of all taps of a row do, too, and make vectors.
template <typename T, int kTaps, int kChannels>
void sampleInterleaved(const T* picture, const Source& source, const Target& target, float a, int64_t firstRow,
                       int64_t endRow, T* out) {
  constexpr int kLine = kTaps * kChannels;
  for (int64_t p = firstRow * target.width; p < endRow * target.width; ++p) {
    if (!target.wants(p)) continue;
    const auto columns = tapsOf<kTaps>(target.map[2 * p] - 0.5f, source.width, source.pixel, a);
    const auto rows = tapsOf<kTaps>(target.map[2 * p + 1] - 0.5f, source.height, source.row, a);
    const bool inside = columns.offset[kTaps - 1] - columns.offset[0] == (kTaps - 1) * kChannels;
    float sums[kLine] = {};
    for (int j = 0; j < kTaps; ++j) {
      const T* row = picture + rows.offset[j];
      const T* line = row + columns.offset[0];
      T gathered[kLine];
      if (!inside) { // taps beyond a border repeat the outermost pixel
        for (int i = 0; i < kTaps; ++i) std::copy_n(row + columns.offset[i], kChannels, gathered + i * kChannels);
        line = gathered;
      }
      for (int k = 0; k < kLine; ++k) sums[k] += rows.weight[j] * static_cast<float>(line[k]);
    }
    for (int c = 0; c < kChannels; ++c) {
      float sum = 0;
      for (int i = 0; i < kTaps; ++i) sum += columns.weight[i] * sums[i * kChannels + c];
      store(sum, out + p * kChannels + c);
    }
  }
}

// Any number of channels, anywhere.
template <typename T, int kTaps>
void sampleStrided(const T* picture, const Source& source, const Target& target, float a, int64_t firstRow, int64_t endRow,
                   T* out) {
  for (int64_t p = firstRow * target.width; p < endRow * target.width; ++p) {
    if (!target.wants(p)) continue;
    const auto columns = tapsOf<kTaps>(target.map[2 * p] - 0.5f, source.width, source.pixel, a);
    const auto rows = tapsOf<kTaps>(target.map[2 * p + 1] - 0.5f, source.height, source.row, a);
    for (int64_t c = 0; c < source.channels; ++c) {
      const T* plane = picture + c * source.channel;
      float sum = 0;
      for (int i = 0; i < kTaps; ++i) {
        float column = 0;
        for (int j = 0; j < kTaps; ++j) {
          column += rows.weight[j] * static_cast<float>(plane[rows.offset[j] + columns.offset[i]]);
        }
        sum += columns.weight[i] * column;
      }
      store(sum, out + p * target.pixel + c * target.channel);
    }
  }
}

constexpr int64_t kSampleGrain = 1 << 18; // taps that are worth a thread

template <typename T, int kTaps>
void sampleAll(const at::Tensor& picture, const Source& source, const Target& target, float a, bool interleaved,
               int64_t height, const at::Tensor& out) {
  const T* from = picture.data_ptr<T>();
  T* to = out.data_ptr<T>();
  forEachBand(height, threadsFor(out.numel() * kTaps * kTaps, kSampleGrain), [&](int64_t first, int64_t end) {
    if (interleaved && source.channels == 3) sampleInterleaved<T, kTaps, 3>(from, source, target, a, first, end, to);
    else if (interleaved && source.channels == 4) sampleInterleaved<T, kTaps, 4>(from, source, target, a, first, end, to);
    else sampleStrided<T, kTaps>(from, source, target, a, first, end, to);
  });
}

// Looks `picture` up at the places of `map` [h, w, 2], x and y with (0, 0) the upper left corner of the first pixel, into
// `out`, save where `mask` is not set or a place is not a number. `sharpness` is Keys' a; without it, bilinear.
void sample(const at::Tensor& picture, const at::Tensor& map, const Optional<at::Tensor>& mask, bool channelsFirst,
            Optional<double> sharpness, const at::Tensor& out) {
  const bool bytes = picture.scalar_type() == at::kByte;
  TORCH_CHECK(isPlain(picture, bytes ? at::kByte : at::kFloat, 3),
              "expected a picture contiguous on the CPU, Byte or Float, of 3 dimensions");
  TORCH_CHECK(map.dim() == 3, "expected map [h, w, 2]");
  const int64_t height = map.size(0), width = map.size(1);
  checkPlain("map", map, at::kFloat, {height, width, 2});
  const auto at = [&](int first, int last) { return picture.size(channelsFirst ? first : last); };
  const int64_t channels = at(0, 2), rows = at(1, 0), columns = at(2, 1);
  const Source source{rows,
                      columns,
                      channels,
                      channelsFirst ? columns : columns * channels,
                      channelsFirst ? 1 : channels,
                      channelsFirst ? rows * columns : 1};
  const auto sizes = channelsFirst ? std::vector<int64_t>{channels, height, width}
                                   : std::vector<int64_t>{height, width, channels};
  checkPlain("into", out, picture.scalar_type(), sizes);
  if (mask) checkPlain("mask", *mask, at::kBool, {height, width});
  checkApart("into", out, {picture, map, mask ? *mask : at::Tensor()});
  if (out.numel() == 0) return;
  TORCH_CHECK(rows > 0 && columns > 0, "expected a picture of at least one pixel");

  const Target target{map.data_ptr<float>(), mask ? static_cast<const uint8_t*>(mask->data_ptr()) : nullptr, width,
                      channelsFirst ? 1 : channels, channelsFirst ? height * width : 1};
  const float a = static_cast<float>(sharpness.value_or(0));
  if (bytes && sharpness) sampleAll<uint8_t, 4>(picture, source, target, a, !channelsFirst, height, out);
  else if (bytes) sampleAll<uint8_t, 2>(picture, source, target, a, !channelsFirst, height, out);
  else if (sharpness) sampleAll<float, 4>(picture, source, target, a, !channelsFirst, height, out);
  else sampleAll<float, 2>(picture, source, target, a, !channelsFirst, height, out);
}

} // namespace

TORCH_LIBRARY_FRAGMENT(headrace, library) {
  if (isRegistered("sample")) return;
  library.def(
      "sample(Tensor picture, Tensor map, Tensor? mask, bool channels_first, float? sharpness, Tensor(a!) out) -> ()",
      sample);
}

} // namespace headrace
