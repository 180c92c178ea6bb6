// Film grain on the pixels of a portrait's frame that were made or looked up between pixels: what they lack of the photograph's.
#include <torch/library.h>

#include <cmath>
#include <vector>

#include "compat.h"
#include "planes.h"
#include "registry.h"
#include "threads.h"
#include "vectors.h"

namespace headrace {

namespace {

constexpr int64_t kFilmGrain = 1 << 14; // pixels that are worth a thread
constexpr float kDark = 16, kLit = 64; // of 255: in the dark there is less grain, for there is no room below black

// A number of mean 0 and variance 1, nearly normal, of its place alone: whoever asks, in which order, gets the same (splitmix64).
HEADRACE_INLINE float freshAt(uint64_t seed, uint64_t place) {
  uint64_t z = seed + (place + 1) * 0x9e3779b97f4a7c15ull;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  z ^= z >> 31;
  const uint64_t sum = (z & 0xffff) + ((z >> 16) & 0xffff) + ((z >> 32) & 0xffff) + (z >> 48);
  return (static_cast<float>(sum) - 2 * 65535.0f) * (1 / 37837.0f); // four uniform numbers: 65536 / sqrt(3) is their deviation
}

// The share of the variance of grain that bicubic weights leave at a place between two pixels.
HEADRACE_INLINE float keptAt(float place) {
  const float t = place - 0.5f - std::floor(place - 0.5f), u = 1 - t;
  // Keys' weights with a = -0.5.
  const float a = -0.5f * t * u * u, d = -0.5f * u * t * t;
  const float b = 1 - 2.5f * t * t + 1.5f * t * t * t, c = 1 - 2.5f * u * u + 1.5f * u * u * u;
  return a * a + b * b + c * c + d * d;
}

struct Picture {
  int64_t height, width;
  const float* places;
  const uint8_t* person; // RGBA
  const int32_t* mesh;
  int64_t firstDrawn; // triangles of what the photograph does not show

  HEADRACE_INLINE float personAt(float x, float y) const {
    const int64_t column = std::min(std::max<int64_t>(static_cast<int64_t>(std::floor(x)), 0), width - 1);
    const int64_t row = std::min(std::max<int64_t>(static_cast<int64_t>(std::floor(y)), 0), height - 1);
    return person[4 * (row * width + column) + 3] * (1 / 255.0f);
  }

  // The deviation, 0 to 1, of what the grain of a pixel lacks.
  HEADRACE_INLINE float lackAt(int64_t x, int64_t y) const {
    const int64_t p = y * width + x;
    if (mesh[p] >= firstDrawn) return 1;
    const float px = places[2 * p], py = places[2 * p + 1];
    if (std::fabs(px - (x + 0.5f)) < 1.0f / 256 && std::fabs(py - (y + 0.5f)) < 1.0f / 256) return 0;
    // What is drawn larger than it was photographed has coarser grain: pixels beside it are nearly the same ones.
    const int64_t right = x + 1 < width ? p + 1 : p - 1, below = y + 1 < height ? p + width : p - width;
    const float across = std::min(1.0f, std::fabs(places[2 * right] - px)), down = std::min(1.0f, std::fabs(places[2 * below + 1] - py));
    // The background is looked up nowhere: it is seen as it is, where the person is not before it.
    return personAt(px, py) * std::sqrt(std::max(0.0f, 1 - keptAt(px) * keptAt(py) * across * down));
  }
};

// White numbers of a row and one pixel beyond either end, for the three channels and what they share.
void freshRow(uint64_t seed, int64_t y, int64_t width, float* row) {
  for (int64_t i = 0; i < 4 * (width + 2); ++i) row[i] = freshAt(seed, (static_cast<uint64_t>(y + 1) << 32) + i);
}

struct Kind {
  float strength[3], beside, together;
};

// Adds to rows of the picture. `beside` is how much of each of its eight neighbours' white numbers a pixel has, by row and column.
void grainRows(const Picture& picture, const Kind& kind, uint64_t seed, int64_t firstRow, int64_t endRow, uint8_t* out) {
  const int64_t width = picture.width, line = 4 * (width + 2);
  std::vector<float> fresh(3 * line), even(line);
  for (int64_t k = -1; k < 1; ++k) freshRow(seed, firstRow + k, width, fresh.data() + ((firstRow + k + 3) % 3) * line);
  const float own = std::sqrt(1 - kind.together), common = std::sqrt(kind.together);
  for (int64_t y = firstRow; y < endRow; ++y) {
    freshRow(seed, y + 1, width, fresh.data() + ((y + 1 + 3) % 3) * line);
    const float *above = fresh.data() + ((y - 1 + 3) % 3) * line, *here = fresh.data() + ((y + 3) % 3) * line,
                *below = fresh.data() + ((y + 1 + 3) % 3) * line;
    for (int64_t i = 0; i < line; ++i) even[i] = here[i] + kind.beside * (above[i] + below[i]);
    for (int64_t x = 0; x < width; ++x) {
      const float lack = picture.lackAt(x, y);
      if (lack == 0) continue;
      const float* at = even.data() + 4 * (x + 1);
      float grain[4];
      for (int c = 0; c < 4; ++c) grain[c] = at[c] + kind.beside * (at[c - 4] + at[c + 4]);
      uint8_t* pixel = out + 3 * (y * width + x);
      for (int c = 0; c < 3; ++c) {
        const float value = pixel[c], room = std::min(1.0f, (std::min(value, 255 - value) + kDark) / kLit);
        const float added = value + kind.strength[c] * lack * room * (own * grain[c] + common * grain[3]);
        pixel[c] = static_cast<uint8_t>(std::min(std::max(added, 0.0f), 255.0f) + 0.5f);
      }
    }
  }
}

void addGrain(const at::Tensor& places, const at::Tensor& person, const at::Tensor& meshTriangle, int64_t firstDrawn,
              at::ArrayRef<double> strength, double beside, double together, int64_t seed, const at::Tensor& out) {
  TORCH_CHECK(out.dim() == 3 && out.size(0) > 1 && out.size(1) > 1, "expected into [H, W, 3]");
  const int64_t height = out.size(0), width = out.size(1);
  checkPlain("into", out, at::kByte, {height, width, 3});
  checkPlain("places", places, at::kFloat, {height, width, 2});
  checkPlain("person", person, at::kByte, {height, width, 4});
  checkApart("into", out, {person});
  checkPlain("triangle", meshTriangle, at::kInt, {height, width});
  TORCH_CHECK(strength.size() == 3, "expected the strength of three channels");
  TORCH_CHECK(beside >= 0 && beside <= 1 && together >= 0 && together <= 1, "expected beside and together from 0 to 1");
  const Picture picture{height, width, places.data_ptr<float>(), person.data_ptr<uint8_t>(), meshTriangle.data_ptr<int32_t>(),
                        firstDrawn};
  const Kind kind{{static_cast<float>(strength[0]), static_cast<float>(strength[1]), static_cast<float>(strength[2])},
                  static_cast<float>(beside), static_cast<float>(together)};
  uint8_t* result = out.data_ptr<uint8_t>();
  forEachBand(height, threadsFor(height * width, kFilmGrain), [&](int64_t first, int64_t end) {
    grainRows(picture, kind, static_cast<uint64_t>(seed), first, end, result);
  });
}

} // namespace

TORCH_LIBRARY_FRAGMENT(headrace, library) {
  if (isRegistered("add_grain")) return;
  library.def(
      "add_grain(Tensor places, Tensor person, Tensor mesh_triangle, int first_drawn, float[] strength, float beside, float together, "
      "int seed, Tensor(a!) out) -> ()",
      addGrain);
}

} // namespace headrace
