// The mouth's inside in a portrait's frame, where the mesh shows it: its own colours in the shadow of the upper lip, or what
// the photograph shows of it, with a soft edge to the lips. Of the photograph what is above, upper teeth mostly, stays with the
// head, and what is below follows the jaw (RGBA, colours times alpha).
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

// Of a vertex of the mouth's inside.
enum Attribute { kRed, kGreen, kBlue, kSourceX, kSourceY };

constexpr int64_t kMouthGrain = 1 << 13;
constexpr float kSeen = 0.1f; // alpha: what is seen less is not seen

// Planes of numbers over a part of the picture, the channels of a pixel side by side.
struct Planes {
  Planes(int64_t rows, int64_t columns, int64_t numbers)
      : height(rows), width(columns), channels(numbers), values(rows * columns * numbers) {}
  float* at(int64_t p) { return values.data() + p * channels; }

  int64_t height, width, channels;
  std::vector<float> values;
};

std::vector<float> gaussian(double sigma) {
  const int radius = std::max(1, static_cast<int>(std::ceil(3 * sigma)));
  std::vector<float> kernel(2 * radius + 1);
  double sum = 0;
  for (int i = -radius; i <= radius; ++i) sum += std::exp(-0.5 * i * i / (sigma * sigma));
  for (int i = -radius; i <= radius; ++i) {
    kernel[i + radius] = static_cast<float>(std::exp(-0.5 * i * i / (sigma * sigma)) / sum);
  }
  return kernel;
}

// Along rows and down columns; beyond the borders there is nothing.
void blur(Planes& planes, double sigma) {
  const std::vector<float> kernel = gaussian(sigma);
  const int64_t radius = static_cast<int64_t>(kernel.size()) / 2, line = planes.width * planes.channels;
  std::vector<float> across(planes.values.size());
  const int64_t threads = threadsFor(planes.height * planes.width, kMouthGrain);
  forEachBand(planes.height, threads, [&](int64_t first, int64_t end) {
    for (int64_t y = first; y < end; ++y) {
      const float* row = planes.values.data() + y * line;
      float* to = across.data() + y * line;
      for (int64_t k = -radius; k <= radius; ++k) {
        const int64_t shift = k * planes.channels, from = std::max<int64_t>(0, -shift), until = std::min(line, line - shift);
        for (int64_t i = from; i < until; ++i) to[i] += kernel[k + radius] * row[i + shift];
      }
    }
  });
  forEachBand(planes.height, threads, [&](int64_t first, int64_t end) {
    for (int64_t y = first; y < end; ++y) {
      float* to = planes.values.data() + y * line;
      std::fill_n(to, line, 0.0f);
      for (int64_t k = -radius; k <= radius; ++k) {
        if (y + k < 0 || y + k >= planes.height) continue;
        const float* row = across.data() + (y + k) * line;
        for (int64_t i = 0; i < line; ++i) to[i] += kernel[k + radius] * row[i];
      }
    }
  });
}

struct Box {
  int64_t left, top, width, height, pictureWidth;
  int64_t pixel(int64_t p) const { return (top + p / width) * pictureWidth + left + p % width; }
};

// The share of each pixel of the inside that the upper lip leaves in the light: it shades what lies `drop` pixels below it.
Planes lightBelowLip(const Box& box, const std::vector<uint8_t>& inside, int64_t drop, double softness) {
  Planes light(box.height, box.width, 1);
  for (int64_t p = drop * box.width; p < box.height * box.width; ++p) {
    light.values[p] = inside[p] && inside[p - drop * box.width] ? 1.0f : 0.0f;
  }
  blur(light, softness);
  return light;
}

// Adds to `inside` the pixels of holes in it: the model's mouth has no walls behind the corners, which wide mouths show. A hole is
// what no triangle covers, touches the inside, and is not open to the box's borders. Says which pixels these are.
std::vector<uint8_t> addHoles(const Box& box, const int32_t* triangle, std::vector<uint8_t>& inside) {
  enum State : uint8_t { kCovered, kEmpty, kSeen, kHole };
  const int64_t count = box.width * box.height;
  std::vector<uint8_t> state(count);
  for (int64_t p = 0; p < count; ++p) state[p] = triangle[box.pixel(p)] < 0 ? kEmpty : kCovered;
  std::vector<int64_t> piece;
  for (int64_t start = 0; start < count; ++start) {
    if (state[start] != kEmpty) continue;
    bool open = false, touches = false;
    piece.assign(1, start);
    state[start] = kSeen;
    for (size_t k = 0; k < piece.size(); ++k) {
      const int64_t p = piece[k], x = p % box.width, y = p / box.width;
      open = open || x == 0 || y == 0 || x == box.width - 1 || y == box.height - 1;
      for (const auto& [dx, dy] : {std::pair{-1, 0}, {1, 0}, {0, -1}, {0, 1}}) {
        if (x + dx < 0 || x + dx >= box.width || y + dy < 0 || y + dy >= box.height) continue;
        const int64_t q = p + dy * box.width + dx;
        touches = touches || inside[q];
        if (state[q] != kEmpty) continue;
        state[q] = kSeen;
        piece.push_back(q);
      }
    }
    if (open || !touches) continue;
    for (const int64_t p : piece) state[p] = kHole;
  }
  for (int64_t p = 0; p < count; ++p) {
    state[p] = state[p] == kHole;
    inside[p] |= state[p];
  }
  return state;
}

// A hole is as dark as the darker of what is next to it, to the left or the right.
void colourHoles(const std::vector<uint8_t>& hole, const std::vector<uint8_t>& inside, Planes& colours) {
  const auto brightness = [&](int64_t p) { return colours.at(p)[0] + colours.at(p)[1] + colours.at(p)[2]; };
  for (int64_t p = 0; p < static_cast<int64_t>(hole.size()); ++p) {
    if (!hole[p]) continue;
    const int64_t row = p / colours.width * colours.width;
    int64_t found = -1;
    for (const int64_t step : {-1, 1}) {
      int64_t q = p;
      while (q >= row && q < row + colours.width && hole[q]) q += step;
      if (q < row || q >= row + colours.width || !inside[q]) continue;
      if (found < 0 || brightness(q) < brightness(found)) found = q;
    }
    float* colour = colours.at(p);
    if (found >= 0) std::copy_n(colours.at(found), 3, colour);
    colour[3] = 1; // black where lips alone are next to it
  }
}

// What a photograph shows between the lips, in two layers; the lower one has gone with the jaw.
struct Shown {
  const uint8_t *upper, *lower;
  int64_t height, width;
  float jawX, jawY;

  HEADRACE_INLINE void at(float x, float y, float* out) const {
    float below[4];
    lookUpWords(upper, height, width, x, y, out);
    lookUpWords(lower, height, width, x - jawX, y - jawY, below);
    const float through = 1 - std::min(std::max(out[3] * (1 / 255.0f), 0.0f), 1.0f);
    for (int c = 0; c < 4; ++c) out[c] += through * below[c];
  }
};

void composeMouth(const at::Tensor& upper, const at::Tensor& lower, bool open, double jawX, double jawY,
                  const at::Tensor& meshTriangle, const at::Tensor& meshShares,
                  const at::Tensor& meshTriangles, const at::Tensor& attributes, int64_t firstInside, int64_t left,
                  int64_t top, int64_t right, int64_t bottom, double unit, const at::Tensor& out) {
  TORCH_CHECK(out.dim() == 3, "expected into [H, W, 3]");
  const int64_t height = out.size(0), width = out.size(1);
  checkPlain("upper", upper, at::kByte, {height, width, 4});
  checkPlain("lower", lower, at::kByte, {height, width, 4});
  checkPlain("into", out, at::kByte, {height, width, 3});
  checkPlain("triangle", meshTriangle, at::kInt, {height, width});
  checkPlain("barycentric", meshShares, at::kFloat, {height, width, 2});
  checkApart("into", out, {upper, lower});
  TORCH_CHECK(isPlain(attributes, at::kFloat, 2) && attributes.size(1) == kAttributes, "expected attributes Float [V, ",
              kAttributes, "]");
  TORCH_CHECK(0 <= left && left <= right && right <= width && 0 <= top && top <= bottom && bottom <= height && unit > 0,
              "expected a box within the picture");
  const Drawn mesh{meshTriangle.data_ptr<int32_t>(), meshShares.data_ptr<float>(),
                   checkTriangles(meshTriangles, attributes.size(0))};
  checkDrawn(meshTriangle, meshTriangles.size(0));
  const Box box{left, top, right - left, bottom - top, width};
  const int64_t count = box.width * box.height;

  std::vector<uint8_t> inside(count);
  bool any = false;
  for (int64_t p = 0; p < count; ++p) {
    inside[p] = mesh.triangle[box.pixel(p)] >= firstInside;
    any = any || inside[p];
  }
  if (!any) return;
  // Through the holes of a mouth that was photographed open its own picture is seen.
  const std::vector<uint8_t> hole = open ? std::vector<uint8_t>(count) : addHoles(box, mesh.triangle, inside);

  const Shown photographed{upper.data_ptr<uint8_t>(), lower.data_ptr<uint8_t>(), height, width, static_cast<float>(jawX),
                           static_cast<float>(jawY)};
  uint8_t* result = out.data_ptr<uint8_t>();
  Planes light = lightBelowLip(box, inside, std::llround(2.5 * unit), std::max(0.5, 1.5 * unit));
  Planes shown(box.height, box.width, 4);  // of the inside: the photograph's colour, and how much of it counts
  Planes soft(box.height, box.width, 5);   // colour, share of the inside, share that the photograph shows
  Planes lips(box.height, box.width, 4);   // colour and share of what is not inside
  forEachBand(box.height, threadsFor(count, kMouthGrain), [&](int64_t firstRow, int64_t endRow) {
    for (int64_t p = firstRow * box.width; p < endRow * box.width; ++p) {
      const int64_t pixel = box.pixel(p);
      if (!inside[p]) {
        if (mesh.triangle[pixel] < 0) continue;
        float* lip = lips.at(p);
        for (int c = 0; c < 3; ++c) lip[c] = result[3 * pixel + c];
        lip[3] = 1;
        continue;
      }
      if (hole[p]) continue;
      float has[kAttributes];
      mesh.at<5>(pixel, attributes.data_ptr<float>(), kAttributes, has);
      float *photograph = shown.at(p), *colour = soft.at(p);
      if (open) photographed.at(has[kSourceX], has[kSourceY], photograph);
      const float alpha = std::min(photograph[3] * (1 / 255.0f), 1.0f);
      // Next to the lips the photograph shows lips at the same place: what little of the inside it shows there is no colour.
      photograph[3] = alpha > kSeen ? alpha : 0;
      if (photograph[3] > 0) {
        for (int c = 0; c < 3; ++c) photograph[c] /= alpha;
      }
      const float shade = 0.6f + 0.4f * std::min(1.3f * light.values[p], 1.0f);
      for (int c = 0; c < 3; ++c) {
        colour[c] = shade * has[kRed + c] + photograph[3] * (photograph[c] - shade * has[kRed + c]);
      }
      colour[3] = 1;
      colour[4] = photograph[3];
    }
  });
  colourHoles(hole, inside, soft);
  blur(soft, std::max(0.5, 0.8 * unit));
  blur(lips, std::max(1.0, 1.2 * unit));
  forEachBand(box.height, threadsFor(count, kMouthGrain), [&](int64_t firstRow, int64_t endRow) {
    for (int64_t p = firstRow * box.width; p < endRow * box.width; ++p) {
      const float *own = soft.at(p), *lip = lips.at(p), *photograph = shown.at(p);
      if (own[3] < 1e-3f) continue;
      uint8_t* pixel = result + 3 * box.pixel(p);
      const float edge = std::min(std::max(1.1f * own[3] - 0.05f, 0.0f), 1.0f);
      const bool nearLip = lip[3] > 0.01f;
      const float share = inside[p] ? (nearLip ? edge : 1) : 0.8f * edge * (1 - own[4] / own[3]);
      for (int c = 0; c < 3; ++c) {
        const float under = inside[p] && nearLip ? lip[c] / lip[3] : static_cast<float>(pixel[c]);
        float colour = under + share * (own[c] / own[3] - under);
        if (inside[p]) colour += photograph[3] * (photograph[c] - colour);
        pixel[c] = static_cast<uint8_t>(std::min(std::max(colour, 0.0f), 255.0f) + 0.5f);
      }
    }
  });
}

} // namespace

TORCH_LIBRARY_FRAGMENT(headrace, library) {
  if (isRegistered("compose_mouth")) return;
  library.def(
      "compose_mouth(Tensor upper, Tensor lower, bool open, float jaw_x, float jaw_y, Tensor mesh_triangle, "
      "Tensor mesh_shares, Tensor mesh_triangles, Tensor attributes, "
      "int first_inside, int left, int top, int right, int bottom, float unit, Tensor(a!) out) -> ()",
      composeMouth);
}

} // namespace headrace
