// A frame of a photograph that moves: where each pixel's colour comes from (a grid of the picture, with the mesh of the
// face laid over it), the photograph looked up there, light, lids, eyes, and the background behind the person.
#include <torch/library.h>

#include <cmath>
#include <vector>

#include "compat.h"
#include "photograph.h"
#include "planes.h"
#include "registry.h"
#include "threads.h"

namespace headrace {

namespace {

constexpr float kStill = 1.0f / 256;        // of a pixel, or of brightness: what has moved or changed less stays as it is
constexpr int64_t kPortraitGrain = 1 << 14; // pixels that are worth a thread
constexpr int64_t kBlendPiece = 1 << 12;    // numbers that one thread takes at a time

// out = base + the sum of weight x shape. Each number is summed in one order, whoever does it.
HEADRACE_VECTORS void blendPiece(const float* base, const float* shapes, const float* weights, int64_t count, int64_t width,
                                 int64_t first, int64_t end, float* out) {
  std::copy(base + first, base + end, out + first);
  for (int64_t k = 0; k < count; ++k) {
    const float weight = weights[k];
    if (weight == 0) continue;
    const float* shape = shapes + k * width;
    for (int64_t i = first; i < end; ++i) out[i] += weight * shape[i];
  }
}

void blendShapes(const at::Tensor& base, const at::Tensor& shapes, const at::Tensor& weights, const at::Tensor& out) {
  TORCH_CHECK(isPlain(shapes, at::kFloat, 2), "expected shapes contiguous on the CPU, Float [K, N]");
  const int64_t count = shapes.size(0), width = shapes.size(1);
  checkPlain("base", base, at::kFloat, {width});
  checkPlain("weights", weights, at::kFloat, {count});
  checkPlain("into", out, at::kFloat, {width});
  checkApart("into", out, {base, shapes, weights});
  const float *from = base.data_ptr<float>(), *moves = shapes.data_ptr<float>(), *amounts = weights.data_ptr<float>();
  float* to = out.data_ptr<float>();
  forEachPiece((width + kBlendPiece - 1) / kBlendPiece, threadsFor(width * count, 1 << 18), [&](int64_t piece) {
    blendPiece(from, moves, amounts, count, width, piece * kBlendPiece, std::min(width, (piece + 1) * kBlendPiece), to);
  });
}

struct Pictures {
  int64_t height, width;
  const uint8_t *photo, *person, *background, *eyes, *lids; // person: RGBA, colours times alpha
};

// Of a vertex of the skin or an eye. Those of the mouth's inside have others in the same places: see mouth.cpp.
enum Attribute { kSourceX, kSourceY, kOver, kLight, kLidX, kLidY, kLid };

struct Scene {
  Pictures pictures;
  Drawn grid;
  const float* gridSources;
  Drawn mesh;
  const float* attributes;
  int64_t firstEye, firstInside; // triangles: skin, eyes, the mouth's inside
  float beyond;                  // pixels past the picture's borders over which the person, mirrored there, ends

  // How much of the person is left at a place of the photograph: further out a mirrored head would come into sight. Downwards
  // bodies go on.
  HEADRACE_INLINE float within(const float* place) const {
    const float x = std::max(-place[0], place[0] - static_cast<float>(pictures.width));
    return std::min(std::max(1 - std::max(x, -place[1]) / beyond, 0.0f), 1.0f);
  }
};

HEADRACE_INLINE void overlay(const Scene& scene, const float* has, float* colour) {
  float lid[3];
  lookUp<3>(scene.pictures.lids, scene.pictures.height, scene.pictures.width, has[kLidX], has[kLidY], lid);
  for (int c = 0; c < 3; ++c) colour[c] += has[kLid] * (lid[c] - colour[c]);
}

HEADRACE_VECTORS void composeRows(const Scene& scene, int64_t firstRow, int64_t endRow, float* places, uint8_t* out) {
  const Pictures& from = scene.pictures;
  for (int64_t y = firstRow; y < endRow; ++y) {
    for (int64_t x = 0; x < from.width; ++x) {
      const int64_t p = y * from.width + x;
      const float here[2] = {static_cast<float>(x) + 0.5f, static_cast<float>(y) + 0.5f};
      float place[2] = {here[0], here[1]};
      float has[kAttributes] = {};
      has[kLight] = 1;
      const int32_t t = scene.mesh.triangle[p];
      const bool isEye = t >= scene.firstEye && t < scene.firstInside, isFace = t >= 0 && t < scene.firstInside;
      if (isFace) scene.mesh.at<7>(p, scene.attributes, kAttributes, has);
      if (scene.grid.triangle[p] >= 0 && !(isFace && has[kOver] >= 1)) scene.grid.at<2>(p, scene.gridSources, 2, place);
      if (isFace) {
        place[0] += has[kOver] * (has[kSourceX] - place[0]);
        place[1] += has[kOver] * (has[kSourceY] - place[1]);
      }
      places[2 * p] = place[0];
      places[2 * p + 1] = place[1];
      const float light = 1 + (has[kLight] - 1) * has[kOver];
      uint8_t* result = out + 3 * p;
      if (std::fabs(place[0] - here[0]) < kStill && std::fabs(place[1] - here[1]) < kStill && has[kLid] < kStill &&
          std::fabs(light - 1) < kStill) {
        std::copy_n(from.photo + 3 * p, 3, result);
        continue;
      }
      float colour[4];
      if (isEye) {
        lookUp<3>(from.eyes, from.height, from.width, place[0], place[1], colour);
      } else {
        lookUpWords(from.person, from.height, from.width, place[0], place[1], colour);
        const float left = scene.within(place);
        const float behind = std::min(std::max(1 - left * colour[3] * (1 / 255.0f), 0.0f), 1.0f);
        for (int c = 0; c < 3; ++c) {
          colour[c] = colour[c] * (left * light) + behind * static_cast<float>(from.background[3 * p + c]);
        }
      }
      if (has[kLid] >= kStill) overlay(scene, has, colour);
      for (int c = 0; c < 3; ++c) {
        result[c] = static_cast<uint8_t>(std::min(std::max(colour[c], 0.0f), 255.0f) + 0.5f);
      }
    }
  }
}

constexpr float kTorn = 3; // pixels of the photograph that are left out from one pixel to the next: an edge

// Pixels on either side of an edge at which one part of the face or the picture hides another become means of those around
// them, for an edge runs through a pixel, not around it.
struct Softened {
  int64_t pixel;
  uint8_t colour[3];
};

// Whether each number of a row of places is torn from one beside, above or below it.
HEADRACE_VECTORS void markTorn(const float* row, int64_t line, uint8_t* torn) {
  for (int64_t i = 2; i < line - 2; ++i) {
    const float sideways = std::max(std::fabs(row[i] - row[i - 2]), std::fabs(row[i] - row[i + 2]));
    const float upright = std::max(std::fabs(row[i] - row[i - line]), std::fabs(row[i] - row[i + line]));
    torn[i] = std::max(sideways, upright) > kTorn;
  }
}

std::vector<Softened> softenRows(const Scene& scene, int64_t firstRow, int64_t endRow, const float* places,
                                 const uint8_t* picture) {
  const int64_t width = scene.pictures.width, height = scene.pictures.height, line = 2 * width;
  std::vector<Softened> softened;
  std::vector<uint8_t> torn(line);
  for (int64_t y = std::max<int64_t>(firstRow, 1); y < std::min(endRow, height - 1); ++y) {
    markTorn(places + y * line, line, torn.data());
    for (int64_t x = 1; x < width - 1; ++x) {
      if (!(torn[2 * x] | torn[2 * x + 1])) continue;
      const int64_t p = y * width + x;
      Softened pixel{p, {}};
      for (int c = 0; c < 3; ++c) {
        int sum = 8; // half of the weights
        for (int64_t j = -1; j <= 1; ++j) {
          for (int64_t i = -1; i <= 1; ++i) {
            sum += (i == 0 ? 2 : 1) * (j == 0 ? 2 : 1) * picture[3 * (p + j * width + i) + c];
          }
        }
        pixel.colour[c] = static_cast<uint8_t>(sum / 16);
      }
      softened.push_back(pixel);
    }
  }
  return softened;
}

void soften(const Scene& scene, const float* places, uint8_t* picture) {
  const int64_t height = scene.pictures.height, bands = (height + kBandRows - 1) / kBandRows;
  std::vector<std::vector<Softened>> found(bands);
  forEachPiece(bands, threadsFor(height * scene.pictures.width, 4 * kPortraitGrain), [&](int64_t band) {
    found[band] = softenRows(scene, band * kBandRows, std::min(height, (band + 1) * kBandRows), places, picture);
  });
  for (const auto& band : found) {
    for (const Softened& pixel : band) std::copy_n(pixel.colour, 3, picture + 3 * pixel.pixel);
  }
}

void composePortrait(const at::Tensor& photo, const at::Tensor& person, const at::Tensor& background, const at::Tensor& eyes,
                     const at::Tensor& lids, const at::Tensor& gridTriangle, const at::Tensor& gridShares,
                     const at::Tensor& gridTriangles, const at::Tensor& gridSources, const at::Tensor& meshTriangle,
                     const at::Tensor& meshShares, const at::Tensor& meshTriangles, const at::Tensor& attributes,
                     int64_t firstEye, int64_t firstInside, double beyond, const at::Tensor& places, const at::Tensor& out) {
  TORCH_CHECK(beyond > 0, "expected pixels beyond the borders, got ", beyond);
  TORCH_CHECK(out.dim() == 3, "expected into [H, W, 3]");
  const int64_t height = out.size(0), width = out.size(1);
  for (const auto& [name, picture] : {std::pair<const char*, const at::Tensor&>{"photo", photo},
                                      {"background", background}, {"eyes", eyes}, {"lids", lids}, {"into", out}}) {
    checkPlain(name, picture, at::kByte, {height, width, 3});
  }
  checkPlain("places", places, at::kFloat, {height, width, 2});
  checkPlain("person", person, at::kByte, {height, width, 4});
  for (const auto& [triangle, shares] : {std::pair<const at::Tensor&, const at::Tensor&>{gridTriangle, gridShares},
                                         {meshTriangle, meshShares}}) {
    checkPlain("triangle", triangle, at::kInt, {height, width});
    checkPlain("barycentric", shares, at::kFloat, {height, width, 2});
  }
  checkApart("into", out, {photo, person, background, eyes, lids});
  TORCH_CHECK(isPlain(gridSources, at::kFloat, 2) && gridSources.size(1) == 2, "expected the grid's places Float [G, 2]");
  TORCH_CHECK(isPlain(attributes, at::kFloat, 2) && attributes.size(1) == kAttributes, "expected attributes Float [V, ",
              kAttributes, "]");
  const int32_t* gridCorners = checkTriangles(gridTriangles, gridSources.size(0));
  const int32_t* meshCorners = checkTriangles(meshTriangles, attributes.size(0));
  checkDrawn(gridTriangle, gridTriangles.size(0));
  checkDrawn(meshTriangle, meshTriangles.size(0));

  const Scene scene{{height, width, photo.data_ptr<uint8_t>(), person.data_ptr<uint8_t>(), background.data_ptr<uint8_t>(),
                     eyes.data_ptr<uint8_t>(), lids.data_ptr<uint8_t>()},
                    {gridTriangle.data_ptr<int32_t>(), gridShares.data_ptr<float>(), gridCorners},
                    gridSources.data_ptr<float>(),
                    {meshTriangle.data_ptr<int32_t>(), meshShares.data_ptr<float>(), meshCorners},
                    attributes.data_ptr<float>(),
                    firstEye,
                    firstInside,
                    static_cast<float>(beyond)};
  uint8_t* result = out.data_ptr<uint8_t>();
  float* map = places.data_ptr<float>();
  forEachBand(height, threadsFor(height * width, kPortraitGrain),
              [&](int64_t first, int64_t end) { composeRows(scene, first, end, map, result); });
  soften(scene, map, result);
}

} // namespace

TORCH_LIBRARY_FRAGMENT(headrace, library) {
  if (isRegistered("blend_shapes")) return;
  library.def("blend_shapes(Tensor base, Tensor shapes, Tensor weights, Tensor(a!) out) -> ()", blendShapes);
  library.def(
      "compose_portrait(Tensor photo, Tensor person, Tensor background, Tensor eyes, Tensor lids, Tensor grid_triangle, "
      "Tensor grid_shares, Tensor grid_triangles, Tensor grid_sources, Tensor mesh_triangle, Tensor mesh_shares, "
      "Tensor mesh_triangles, Tensor attributes, int first_eye, int first_inside, float beyond, Tensor(a!) places, "
      "Tensor(b!) out) -> ()",
      composePortrait);
}

} // namespace headrace
