// Triangles to pixels: coverage, depth and barycentric coordinates, and what vertices have, spread over the pixels.
//
// Corners are rounded to 1/4096 of a pixel, and from there coverage is exact integer arithmetic: a pixel whose centre lies
// on an edge that two triangles share belongs to just one of them (the top-left rule, as in Direct3D 11.3's functional
// specification, section 3.4.2.1). Every pixel's numbers are computed from its triangle alone, so they are the same to the
// bit for any number of threads.
#include <torch/library.h>

#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "compat.h"
#include "planes.h"
#include "registry.h"
#include "threads.h"
#include "vectors.h"

namespace headrace {

HEADRACE_VECTORS bool areWithin(const int32_t* numbers, int64_t count, int32_t least, int32_t most) {
  int32_t outside = 0;
  for (int64_t i = 0; i < count; ++i) outside |= static_cast<int32_t>(numbers[i] < least) | static_cast<int32_t>(numbers[i] > most);
  return outside == 0;
}

namespace {

constexpr int32_t kUnit = 4096;           // of a pixel
constexpr int kUnitBits = 12;
constexpr double kFarthest = 131072;      // pixels: products of differences in kUnits then fit in 62 bits
constexpr int64_t kLargestSide = 32768;   // pixels

// What is worth a thread: triangles to prepare and to draw, numbers to interpolate, pixels to clear.
constexpr int64_t kPrepareGrain = 16384, kDrawGrain = 4096, kInterpolateGrain = 1 << 18, kClearGrain = 1 << 15;
constexpr int64_t kPiece = 1024; // triangles, or vertices, that one thread takes at a time

enum Cull : int64_t { kCullNone, kCullBack, kCullFront };

// A triangle that is ready to be drawn: its corners in an order in which its area is positive (clockwise on the screen).
struct Triangle {
  int32_t x[3], y[3];
  int32_t left, right, top, bottom; // pixels whose centres may be inside
  int32_t number;                   // among all triangles
  bool swapped;                     // the second and the third corner
};

constexpr int32_t kNothing = -1; // in a pixel

HEADRACE_INLINE int32_t unitsOf(float pixels) {
  const double units = static_cast<double>(pixels) * kUnit;
  return static_cast<int32_t>(units + (units < 0 ? -0.5 : 0.5));
}

// The centre of pixel k is (k + 1/2) kUnit.
int32_t firstCentre(int32_t from) { return (from + kUnit / 2 - 1) >> kUnitBits; }
int32_t lastCentre(int32_t to) { return (to - kUnit / 2) >> kUnitBits; }

struct Picture {
  int32_t height, width;
  float* depth;
  int32_t* triangle;
  float* barycentric;
};

// A vertex in the picture, in kUnits.
struct Place {
  int32_t x, y;
};
constexpr int32_t kUndrawable = std::numeric_limits<int32_t>::min(); // as x

HEADRACE_VECTORS void placesOf(const float* positions, int64_t first, int64_t end, Place* places) {
  for (int64_t i = first; i < end; ++i) {
    const float x = positions[3 * i], y = positions[3 * i + 1], z = positions[3 * i + 2];
    const bool drawable = (std::fabs(x) <= kFarthest) & (std::fabs(y) <= kFarthest) & (z - z == 0); // inf - inf is NaN
    places[i].x = drawable ? unitsOf(drawable ? x : 0.0f) : kUndrawable;
    places[i].y = unitsOf(drawable ? y : 0.0f);
  }
}

// False where there is nothing to draw.
bool prepare(const Place* places, const int32_t* corners, int32_t number, const Picture& picture, int64_t cull, Triangle& t) {
  for (int k = 0; k < 3; ++k) {
    const Place place = places[corners[k]];
    if (place.x == kUndrawable) return false;
    t.x[k] = place.x;
    t.y[k] = place.y;
  }
  const int64_t area = static_cast<int64_t>(t.x[1] - t.x[0]) * (t.y[2] - t.y[0]) -
                       static_cast<int64_t>(t.y[1] - t.y[0]) * (t.x[2] - t.x[0]);
  // y runs down: what runs anticlockwise for the eye, a front, has a negative area.
  if (area == 0 || (cull == kCullBack && area > 0) || (cull == kCullFront && area < 0)) return false;
  if ((t.swapped = area < 0)) {
    std::swap(t.x[1], t.x[2]);
    std::swap(t.y[1], t.y[2]);
  }
  const auto [left, right] = std::minmax({t.x[0], t.x[1], t.x[2]});
  const auto [top, bottom] = std::minmax({t.y[0], t.y[1], t.y[2]});
  t.left = std::max(firstCentre(left), 0);
  t.right = std::min(lastCentre(right), picture.width - 1);
  t.top = std::max(firstCentre(top), 0);
  t.bottom = std::min(lastCentre(bottom), picture.height - 1);
  t.number = number;
  return t.left <= t.right && t.top <= t.bottom;
}

// Twice the area of an edge with a point, which is the weight of the corner opposite: positive inside.
struct Edge {
  Edge(const Triangle& t, int from, int to, int32_t row) {
    const int64_t dx = t.x[to] - t.x[from], dy = t.y[to] - t.y[from];
    const int64_t x = static_cast<int64_t>(t.left) * kUnit + kUnit / 2, y = static_cast<int64_t>(row) * kUnit + kUnit / 2;
    // A point on the edge is inside where the edge is a top or a left one; otherwise it must be a little further in.
    owned = dy < 0 || (dy == 0 && dx > 0) ? 0 : 1;
    value = dx * (y - t.y[from]) - dy * (x - t.x[from]) - owned;
    toRight = -dy * kUnit;
    down = dx * kUnit;
  }
  double weight(int64_t v) const { return static_cast<double>(v + owned); }

  int64_t value; // at the row's first pixel; not negative where that is inside
  int64_t toRight, down, owned;
};

void draw(const Triangle& t, const float* positions, const int32_t* corners, int32_t id, int32_t firstRow, int32_t endRow,
          const Picture& picture) {
  const int32_t top = std::max(t.top, firstRow), bottom = std::min(t.bottom, endRow - 1);
  Edge a(t, 1, 2, top), b(t, 2, 0, top), c(t, 0, 1, top);
  // The weights add up to twice the area wherever the point lies.
  const double inverse = 1 / (a.weight(a.value) + b.weight(b.value) + c.weight(c.value));
  const double z[3] = {positions[3 * static_cast<int64_t>(corners[0]) + 2],
                       positions[3 * static_cast<int64_t>(corners[t.swapped ? 2 : 1]) + 2],
                       positions[3 * static_cast<int64_t>(corners[t.swapped ? 1 : 2]) + 2]};
  for (int32_t y = top; y <= bottom; ++y, a.value += a.down, b.value += b.down, c.value += c.down) {
    int64_t u = a.value, v = b.value, w = c.value;
    bool entered = false;
    const int64_t row = static_cast<int64_t>(y) * picture.width;
    for (int32_t x = t.left; x <= t.right; ++x, u += a.toRight, v += b.toRight, w += c.toRight) {
      if ((u | v | w) < 0) {
        if (entered) break; // a triangle has one run of pixels in a row
        continue;
      }
      entered = true;
      const double wa = a.weight(u) * inverse, wb = b.weight(v) * inverse, wc = c.weight(w) * inverse;
      const float depth = static_cast<float>(wa * z[0] + wb * z[1] + wc * z[2]);
      const int64_t pixel = row + x;
      if (!(depth > picture.depth[pixel])) continue;
      picture.depth[pixel] = depth;
      picture.triangle[pixel] = id;
      picture.barycentric[2 * pixel] = static_cast<float>(wa);
      picture.barycentric[2 * pixel + 1] = static_cast<float>(t.swapped ? wc : wb);
    }
  }
}

// Triangles that are to be drawn, in pieces of a list of kPiece each, of which the first ones are filled.
struct Prepared {
  std::vector<Triangle> list;
  std::vector<int64_t> filled; // of each piece

  template <typename Body>
  void forEach(Body body) const {
    for (size_t piece = 0; piece < filled.size(); ++piece) {
      for (int64_t k = 0; k < filled[piece]; ++k) body(static_cast<int64_t>(piece) * kPiece + k);
    }
  }
};

// The places in the list of the triangles that reach each band of rows, in their order.
struct Bands {
  Bands(const Prepared& prepared, int64_t rows) : first((rows + kBandRows - 1) / kBandRows + 1) {
    forEachBandOf(prepared, [&](int64_t band, int64_t) { ++first[band + 1]; });
    for (size_t band = 1; band < first.size(); ++band) first[band] += first[band - 1];
    members.resize(first.back());
    std::vector<int64_t> next(first.begin(), first.end() - 1);
    forEachBandOf(prepared, [&](int64_t band, int64_t i) { members[next[band]++] = static_cast<int32_t>(i); });
  }

  template <typename Body>
  static void forEachBandOf(const Prepared& prepared, Body body) {
    prepared.forEach([&](int64_t i) {
      const Triangle& t = prepared.list[i];
      for (int64_t band = t.top / kBandRows; band <= t.bottom / kBandRows; ++band) body(band, i);
    });
  }

  std::vector<int64_t> first;
  std::vector<int32_t> members;
};

// Draws the triangles [first, end) over what the three buffers hold. Nearer is larger; of what is equally near the first
// stays. Returns how many there were to draw: neither culled nor without area nor outside.
int64_t rasterise(const at::Tensor& positions, const at::Tensor& triangles, int64_t first, int64_t end, int64_t firstId,
                  int64_t cull, const at::Tensor& depth, const at::Tensor& triangle, const at::Tensor& barycentric) {
  TORCH_CHECK(isPlain(positions, at::kFloat, 2) && positions.size(1) == 3,
              "expected positions contiguous on the CPU, Float [V, 3]");
  const int64_t count = triangles.dim() == 2 ? triangles.size(0) : 0, vertices = positions.size(0);
  TORCH_CHECK(0 <= first && first <= end && end <= count, "expected a part of the ", count, " triangles, got [", first,
              ", ", end, ")");
  const int32_t* corners = checkTriangles(triangles, vertices, first, end);
  TORCH_CHECK(0 <= firstId && firstId <= std::numeric_limits<int32_t>::max() - count, "firstId is out of range");
  TORCH_CHECK(depth.dim() == 2 && depth.size(0) <= kLargestSide && depth.size(1) <= kLargestSide,
              "expected a picture of at most ", kLargestSide, " by ", kLargestSide, " pixels");
  const int64_t height = depth.size(0), width = depth.size(1);
  checkPlain("depth", depth, at::kFloat, {height, width});
  checkPlain("triangle", triangle, at::kInt, {height, width});
  checkPlain("barycentric", barycentric, at::kFloat, {height, width, 2});
  checkApart("depth", depth, {positions, triangles, triangle, barycentric});
  checkApart("triangle", triangle, {positions, triangles, barycentric});
  checkApart("barycentric", barycentric, {positions, triangles});

  const Picture picture{static_cast<int32_t>(height), static_cast<int32_t>(width), depth.data_ptr<float>(),
                        triangle.data_ptr<int32_t>(), barycentric.data_ptr<float>()};
  const float* points = positions.data_ptr<float>();
  // Kept from call to call, by the thread that calls: a million bytes that are new each time cost more than drawing some meshes.
  static thread_local std::vector<Place> keptPlaces;
  static thread_local Prepared kept;
  std::vector<Place>& places = keptPlaces;
  Prepared& prepared = kept;
  const auto piecesOf = [](int64_t all) { return (all + kPiece - 1) / kPiece; };
  places.resize(vertices);
  forEachPiece(piecesOf(vertices), threadsFor(vertices, kPrepareGrain), [&](int64_t piece) {
    placesOf(points, piece * kPiece, std::min(vertices, (piece + 1) * kPiece), places.data());
  });
  prepared.list.resize(end - first);
  prepared.filled.resize(piecesOf(end - first));
  forEachPiece(piecesOf(end - first), threadsFor(end - first, kPrepareGrain), [&](int64_t piece) {
    Triangle *start = prepared.list.data() + piece * kPiece, *next = start;
    for (int64_t i = first + piece * kPiece; i < std::min(end, first + (piece + 1) * kPiece); ++i) {
      if (prepare(places.data(), corners + 3 * i, static_cast<int32_t>(i), picture, cull, *next)) ++next;
    }
    prepared.filled[piece] = next - start;
  });
  const Bands bands(prepared, height);
  const auto bandCount = static_cast<int64_t>(bands.first.size()) - 1;
  forEachPiece(bandCount, threadsFor(end - first + depth.numel() / 16, kDrawGrain), [&](int64_t band) {
    const int32_t firstRow = static_cast<int32_t>(band * kBandRows);
    for (int64_t k = bands.first[band]; k < bands.first[band + 1]; ++k) {
      const Triangle& t = prepared.list[bands.members[k]];
      draw(t, points, corners + 3 * static_cast<int64_t>(t.number), static_cast<int32_t>(firstId + t.number), firstRow,
           firstRow + static_cast<int32_t>(kBandRows), picture);
    }
  });
  return std::accumulate(prepared.filled.begin(), prepared.filled.end(), int64_t{0});
}

// What vertices have, in every pixel of this mesh; the others keep what `out` holds. With `weight`, which is 1 / w or
// 1 / distance of each vertex, straight in space, else straight on the screen.
void interpolate(const at::Tensor& attributes, const at::Tensor& triangles, const at::Tensor& triangle,
                 const at::Tensor& barycentric, const Optional<at::Tensor>& weight, int64_t firstId, const at::Tensor& out) {
  TORCH_CHECK(isPlain(attributes, at::kFloat, 2), "expected attributes contiguous on the CPU, Float [V, C]");
  const int64_t vertices = attributes.size(0), channels = attributes.size(1);
  const int32_t* corners = checkTriangles(triangles, vertices);
  const int64_t count = triangles.size(0);
  TORCH_CHECK(triangle.dim() == 2, "expected triangle [H, W]");
  const int64_t height = triangle.size(0), width = triangle.size(1);
  checkPlain("triangle", triangle, at::kInt, {height, width});
  checkPlain("barycentric", barycentric, at::kFloat, {height, width, 2});
  checkPlain("into", out, at::kFloat, {height, width, channels});
  if (weight) checkPlain("weight", *weight, at::kFloat, {vertices});
  checkApart("into", out, {attributes, triangles, triangle, barycentric, weight ? *weight : at::Tensor()});

  const float* values = attributes.data_ptr<float>();
  const float* weights = weight ? weight->data_ptr<float>() : nullptr;
  const int32_t* ids = triangle.data_ptr<int32_t>();
  const float* shares = barycentric.data_ptr<float>();
  float* result = out.data_ptr<float>();
  forEachBand(height, threadsFor(triangle.numel() * (channels + 4), kInterpolateGrain), [&](int64_t firstRow, int64_t endRow) {
    for (int64_t pixel = firstRow * width; pixel < endRow * width; ++pixel) {
      const int64_t t = ids[pixel] - firstId;
      if (t < 0 || t >= count) continue;
      const int64_t a = corners[3 * t], b = corners[3 * t + 1], c = corners[3 * t + 2];
      double wa = shares[2 * pixel], wb = shares[2 * pixel + 1], wc = 1 - wa - wb;
      if (weights) {
        wa *= weights[a], wb *= weights[b], wc *= weights[c];
        const double inverse = 1 / (wa + wb + wc);
        wa *= inverse, wb *= inverse, wc *= inverse;
      }
      const float *va = values + a * channels, *vb = values + b * channels, *vc = values + c * channels;
      for (int64_t k = 0; k < channels; ++k) {
        result[pixel * channels + k] = static_cast<float>(wa * va[k] + wb * vb[k] + wc * vc[k]);
      }
    }
  });
}

// A raster without triangles. Not by libtorch's own fills, which start OpenMP's threads, which wait for each other by
// spinning, for many milliseconds on a busy machine.
void clearRaster(const at::Tensor& depth, const at::Tensor& triangle, const at::Tensor& barycentric) {
  TORCH_CHECK(isPlain(depth, at::kFloat, 2), "expected depth contiguous on the CPU, Float [H, W]");
  const int64_t height = depth.size(0), width = depth.size(1);
  checkPlain("triangle", triangle, at::kInt, {height, width});
  checkPlain("barycentric", barycentric, at::kFloat, {height, width, 2});
  float *near = depth.data_ptr<float>(), *shares = barycentric.data_ptr<float>();
  int32_t* numbers = triangle.data_ptr<int32_t>();
  forEachBand(height, threadsFor(height * width, kClearGrain), [&](int64_t first, int64_t end) {
    const int64_t from = first * width, count = (end - first) * width;
    std::fill_n(near + from, count, -std::numeric_limits<float>::infinity());
    std::fill_n(numbers + from, count, kNothing);
    std::fill_n(shares + 2 * from, 2 * count, 0.0f);
  });
}

} // namespace

TORCH_LIBRARY_FRAGMENT(headrace, library) {
  if (isRegistered("rasterise")) return;
  library.def(
      "rasterise(Tensor positions, Tensor triangles, int first, int end, int first_id, int cull, Tensor(a!) depth, "
      "Tensor(b!) triangle, Tensor(c!) barycentric) -> int",
      rasterise);
  library.def(
      "interpolate(Tensor attributes, Tensor triangles, Tensor triangle, Tensor barycentric, Tensor? weight, "
      "int first_id, Tensor(a!) out) -> ()",
      interpolate);
  library.def("clear_raster(Tensor(a!) depth, Tensor(b!) triangle, Tensor(c!) barycentric) -> ()", clearRaster);
}

} // namespace headrace
