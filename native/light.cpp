// The light on meshes that were drawn.
//
// Every sample is computed on its own, in one order, so the bytes are the same for any number of threads.
#include <torch/library.h>

#include <cmath>
#include <cstring>
#include <vector>

#include "compat.h"
#include "pixels.h"
#include "planes.h"
#include "registry.h"
#include "threads.h"
#include "vectors.h"

namespace headrace {

namespace {

constexpr int kMaterialNumbers = 6;
constexpr float kInside = 0.3f; // of the light reaches the inner side of hair and clothes
constexpr int64_t kLightGrain = 1 << 11; // samples that are worth a thread

struct Vec {
  float x, y, z;
};
inline Vec operator-(Vec a, Vec b) { return {a.x - b.x, a.y - b.y, a.z - b.z}; }
inline Vec operator*(float s, Vec a) { return {s * a.x, s * a.y, s * a.z}; }
inline float dot(Vec a, Vec b) { return a.x * b.x + a.y * b.y + a.z * b.z; }
inline Vec vecAt(const float* values, int64_t i) { return {values[3 * i], values[3 * i + 1], values[3 * i + 2]}; }
HEADRACE_INLINE float clamp01(float value) { return std::min(std::max(value, 0.0f), 1.0f); }

// What of a material counts: a row of `materials`.
struct Material {
  explicit Material(const float* row)
      : specular(row[0]), exponent(static_cast<int32_t>(row[1])), wrap(row[2]), strands(row[3] > 0), inner(row[4] > 0),
        glow(row[5]) {}
  float specular;   // of the lamp's light at normal incidence
  int32_t exponent; // of the highlight
  float wrap;       // how far light creeps round, in the red; less in green and blue, as in skin
  bool strands;     // hair: light on threads that run along v
  bool inner;       // lit on its back side too
  float glow;       // of the ambient light that grazes
};

// The lamp and the light that is everywhere, in the camera's space: nine harmonics of three colours, whose constants are in
// the numbers, the direction to the lamp, its colour.
struct Light {
  explicit Light(const float* values) : harmonics(values), direction(vecAt(values + 27, 0)), colour(values + 30) {}
  const float* harmonics; // [9, 3]
  Vec direction;
  const float* colour;
};

// A picture of four bytes a pixel, looked up bilinearly, borders go on.
struct Atlas {
  // Whether there is anything but zeros; `texel` is left alone where there is not.
  HEADRACE_INLINE bool fetch(float u, float v, float* texel) const {
    const float x = std::min(std::max(u - 0.5f, 0.0f), static_cast<float>(width - 1));
    const float y = std::min(std::max(v - 0.5f, 0.0f), static_cast<float>(height - 1));
    const auto left = static_cast<int64_t>(x), top = static_cast<int64_t>(y);
    const int64_t right = std::min(left + 1, width - 1), bottom = std::min(top + 1, height - 1);
    const float a = x - static_cast<float>(left), b = y - static_cast<float>(top);
    const auto word = [&](int64_t row, int64_t column) { return pixelAt(bytes + 4 * (row * width + column)); };
    const uint32_t words[4] = {word(top, left), word(top, right), word(bottom, left), word(bottom, right)};
    if ((words[0] | words[1] | words[2] | words[3]) == 0) return false;
    PixelNumbers at[4];
    for (int k = 0; k < 4; ++k) at[k] = channelsOf(words[k]);
    const PixelNumbers upper = at[0] + a * (at[1] - at[0]), lower = at[2] + a * (at[3] - at[2]);
    const PixelNumbers mean = (upper + b * (lower - upper)) * (1.0f / 255);
    std::memcpy(texel, &mean, sizeof mean);
    return true;
  }
  int64_t height, width;
  const uint8_t* bytes;
};

struct Mesh {
  const int32_t* corners;
  const uint8_t* materialOf;
  const float *positions, *normals, *attributes;
};

// The direction in which v grows on a triangle, of any length: that of its strands.
Vec strandOf(const Mesh& mesh, int64_t a, int64_t b, int64_t c) {
  const Vec ab = vecAt(mesh.positions, b) - vecAt(mesh.positions, a), ac = vecAt(mesh.positions, c) - vecAt(mesh.positions, a);
  const float *ta = mesh.attributes + 4 * a, *tb = mesh.attributes + 4 * b, *tc = mesh.attributes + 4 * c;
  const float du1 = tb[0] - ta[0], du2 = tc[0] - ta[0], dv1 = tb[1] - ta[1], dv2 = tc[1] - ta[1];
  const float area = du1 * dv2 - du2 * dv1;
  return (area < 0 ? -1.0f : 1.0f) * (du1 * ac - du2 * ab);
}

// Samples of which the light is computed side by side: hair's or others'.
constexpr int kBatch = 64;
struct Batch {
  int count = 0;
  int32_t exponents = 0; // all bits of them
  int64_t sample[kBatch];
  int32_t exponent[kBatch];
  float nx[kBatch], ny[kBatch], nz[kBatch]; // normal, of any length
  float x[kBatch], y[kBatch], z[kBatch];    // place
  float sx[kBatch], sy[kBatch], sz[kBatch]; // strand
  float texel[4][kBatch];                   // roots of light, and the gloss
  float visible[kBatch], open[kBatch], inner[kBatch], specular[kBatch], wrap[kBatch], glow[kBatch], share[kBatch];
  float lit[3][kBatch];
};

// x / sqrt(x . x), and (0, 0, 1) of nothing.
HEADRACE_INLINE void makeUnit(float& x, float& y, float& z) {
  const float square = x * x + y * y + z * z;
  const float factor = square > 0 ? 1 / std::sqrt(square) : 0.0f;
  x *= factor, y *= factor;
  z = square > 0 ? z * factor : 1.0f;
}

template <bool kStrands>
HEADRACE_INLINE void lightAll(Batch& b, const Light& light, float distance) {
  const float *h = light.harmonics, *colour = light.colour;
  const float lx = light.direction.x, ly = light.direction.y, lz = light.direction.z;
  const int32_t bits = b.exponents;
  for (int i = 0; i < kBatch; ++i) {
    float nx = b.nx[i], ny = b.ny[i], nz = b.nz[i];
    makeUnit(nx, ny, nz);
    float vx = -b.x[i], vy = -b.y[i], vz = distance - b.z[i];
    makeUnit(vx, vy, vz);
    const float sight = nx * vx + ny * vy + nz * vz;
    const bool back = b.inner[i] > 0 && sight < 0;
    const float side = back ? -1.0f : 1.0f, kept = back ? kInside : 1.0f;
    nx *= side, ny *= side, nz *= side;
    const float visible = b.visible[i] * kept, open = b.open[i] * kept;
    float hx = lx + vx, hy = ly + vy, hz = lz + vz;
    makeUnit(hx, hy, hz);
    const float facing = nx * lx + ny * ly + nz * lz, toView = clamp01(sight * side);
    float base, after;
    if (kStrands) {
      float sx = b.sx[i], sy = b.sy[i], sz = b.sz[i];
      makeUnit(sx, sy, sz);
      const float along = sx * hx + sy * hy + sz * hz;
      base = std::sqrt(clamp01(1 - along * along));
      after = clamp01(facing + 0.4f);
    } else {
      base = clamp01(nx * hx + ny * hy + nz * hz);
      after = facing > 0 ? 1.0f : 0.0f;
    }
    // A power for a whole exponent: the same on every processor.
    float highlight = 1;
    for (int32_t bit = 1; bit <= bits; bit <<= 1, base *= base) highlight *= (b.exponent[i] & bit) != 0 ? base : 1.0f;
    const float away = 1 - toView, grazing = (away * away) * (away * away);
    const float gloss = b.specular[i] * b.texel[3][i] * visible * (highlight * after) * (kStrands ? 1 : 1 + 4 * grazing);
    const float glow = b.glow[i] * b.texel[3][i] * grazing;
    const float xy = nx * ny, yz = ny * nz, xz = nx * nz, zz = 3 * nz * nz - 1, xx = nx * nx - ny * ny;
    for (int c = 0; c < 3; ++c) {
      const float wrap = b.wrap[i] * (c == 0 ? 1.0f : c == 1 ? 0.45f : 0.3f);
      const float lamp = clamp01((facing + wrap) / (1 + wrap)) * visible;
      const float sum = h[c] + h[3 + c] * ny + h[6 + c] * nz + h[9 + c] * nx + h[12 + c] * xy + h[15 + c] * yz +
                        h[18 + c] * zz + h[21 + c] * xz + h[24 + c] * xx;
      const float around = std::max(sum, 0.0f) * open;
      const float albedo = b.texel[c][i] * b.texel[c][i];
      b.lit[c][i] = albedo * (lamp * colour[c] + around) + gloss * colour[c] + glow * around;
    }
  }
}

HEADRACE_VECTORS void lightSurfaces(Batch& batch, const Light& light, float distance) { lightAll<false>(batch, light, distance); }
HEADRACE_VECTORS void lightStrands(Batch& batch, const Light& light, float distance) { lightAll<true>(batch, light, distance); }

// A mesh that was drawn, its materials and colours.
struct Scene {
  Mesh mesh;
  const int32_t* ids;
  const float* shares;
  std::vector<Material> table;
  Atlas colours, folds;
  const float* strength; // of folds; null where there are none
};

// Adds a sample to its batch. False where nothing of it is seen.
HEADRACE_INLINE bool gather(const Scene& scene, int64_t p, Batch& batch) {
  const Mesh& mesh = scene.mesh;
  const int64_t t = scene.ids[p];
  const Material& material = scene.table[mesh.materialOf[t]];
  const int64_t a = mesh.corners[3 * t], b = mesh.corners[3 * t + 1], c = mesh.corners[3 * t + 2];
  const float wa = scene.shares[2 * p], wb = scene.shares[2 * p + 1], wc = 1 - wa - wb;
  const float *ta = mesh.attributes + 4 * a, *tb = mesh.attributes + 4 * b, *tc = mesh.attributes + 4 * c;
  float attribute[4], texel[4] = {};
  for (int k = 0; k < 4; ++k) attribute[k] = wa * ta[k] + wb * tb[k] + wc * tc[k];
  scene.colours.fetch(attribute[0], attribute[1], texel);
  const int i = batch.count;
  batch.share[i] = 1;
  if (material.strands) {
    if (texel[3] <= 0) return false;
    batch.share[i] = texel[3];
    texel[3] = 1;
    const Vec strand = strandOf(mesh, a, b, c);
    batch.sx[i] = strand.x, batch.sy[i] = strand.y, batch.sz[i] = strand.z;
  }
  float fold[4];
  if (scene.strength && attribute[0] < static_cast<float>(scene.folds.width) &&
      scene.folds.fetch(attribute[0], attribute[1], fold)) {
    float dark = 0;
    for (int k = 0; k < 4; ++k) dark += scene.strength[k] * fold[k];
    const float kept = std::sqrt(std::max(1 - dark, 0.2f)); // colours are roots of light
    for (int k = 0; k < 3; ++k) texel[k] *= kept;
  }
  for (int k = 0; k < 4; ++k) batch.texel[k][i] = texel[k];
  const float *na = mesh.normals + 3 * a, *nb = mesh.normals + 3 * b, *nc = mesh.normals + 3 * c;
  batch.nx[i] = wa * na[0] + wb * nb[0] + wc * nc[0];
  batch.ny[i] = wa * na[1] + wb * nb[1] + wc * nc[1];
  batch.nz[i] = wa * na[2] + wb * nb[2] + wc * nc[2];
  const float *pa = mesh.positions + 3 * a, *pb = mesh.positions + 3 * b, *pc = mesh.positions + 3 * c;
  batch.x[i] = wa * pa[0] + wb * pb[0] + wc * pc[0];
  batch.y[i] = wa * pa[1] + wb * pb[1] + wc * pc[1];
  batch.z[i] = wa * pa[2] + wb * pb[2] + wc * pc[2];
  batch.visible[i] = clamp01(attribute[2]), batch.open[i] = clamp01(attribute[3]);
  batch.inner[i] = material.inner ? 1.0f : 0.0f;
  batch.specular[i] = material.specular, batch.wrap[i] = material.wrap, batch.glow[i] = material.glow;
  batch.exponent[i] = material.exponent;
  batch.exponents |= material.exponent;
  batch.sample[i] = p;
  ++batch.count;
  return true;
}

// Lays samples over what there is, a batch at a time.
class Layer {
 public:
  Layer(const Scene& scene, const Light& light, float distance, float* out)
      : scene_(scene), light_(light), distance_(distance), out_(out) {}

  void lay(int64_t p) {
    const bool strands = scene_.table[scene_.mesh.materialOf[scene_.ids[p]]].strands;
    Batch& batch = strands ? hair_ : surface_;
    if (gather(scene_, p, batch) && batch.count == kBatch) flush(batch, strands);
  }

  void flush() {
    flush(surface_, false);
    flush(hair_, true);
  }

 private:
  void flush(Batch& batch, bool strands) {
    if (batch.count == 0) return;
    (strands ? lightStrands : lightSurfaces)(batch, light_, distance_);
    for (int i = 0; i < batch.count; ++i) {
      float* sample = out_ + 4 * batch.sample[i];
      const float share = batch.share[i];
      for (int k = 0; k < 3; ++k) sample[k] += share * (batch.lit[k][i] - sample[k]);
      sample[3] += share * (1 - sample[3]);
    }
    batch.count = 0;
    batch.exponents = 0;
  }

  const Scene& scene_;
  const Light& light_;
  const float distance_;
  float* const out_;
  Batch surface_ = {}, hair_ = {};
};

HEADRACE_VECTORS uint8_t highest(const uint8_t* numbers, int64_t count) {
  uint8_t most = 0;
  for (int64_t i = 0; i < count; ++i) most = std::max(most, numbers[i]);
  return most;
}

// Lays the light of a mesh that was drawn over what `out` [H, W, 4] holds, or over nothing where `fresh` is set: linear colours times their share, and the share.
// Where `behind` is given, only what is nearer than it. `attributes` [V, 4]: u and v in the atlas' pixels, how much of the
// lamp and how much of the light around reaches the vertex. `relief` [R, C, 4] darkens the atlas' first C columns, each of
// its four bytes by so much as `creases` says. Materials with strands take their share from the atlas' fourth byte.
void lightMesh(const at::Tensor& triangle, const at::Tensor& barycentric, const at::Tensor& depth,
               const Optional<at::Tensor>& behind, const at::Tensor& triangles, const at::Tensor& materialOf,
               const at::Tensor& positions, const at::Tensor& normals, const at::Tensor& attributes, const at::Tensor& atlas,
               const Optional<at::Tensor>& relief, const at::Tensor& creases, const at::Tensor& materials,
               const at::Tensor& lights, double distance, bool fresh, const at::Tensor& out) {
  TORCH_CHECK(triangle.dim() == 2, "expected triangle [H, W]");
  const int64_t height = triangle.size(0), width = triangle.size(1);
  TORCH_CHECK(positions.dim() == 2, "expected positions [V, 3]");
  const int64_t vertices = positions.size(0);
  const int32_t* corners = checkTriangles(triangles, vertices);
  const int64_t count = triangles.size(0);
  checkPlain("triangle", triangle, at::kInt, {height, width});
  checkPlain("barycentric", barycentric, at::kFloat, {height, width, 2});
  checkPlain("depth", depth, at::kFloat, {height, width});
  if (behind) checkPlain("behind", *behind, at::kFloat, {height, width});
  checkPlain("materialOf", materialOf, at::kByte, {count});
  checkPlain("positions", positions, at::kFloat, {vertices, 3});
  checkPlain("normals", normals, at::kFloat, {vertices, 3});
  checkPlain("attributes", attributes, at::kFloat, {vertices, 4});
  TORCH_CHECK(isPlain(atlas, at::kByte, 3) && atlas.size(2) == 4 && atlas.numel() > 0, "expected atlas Byte [H, W, 4]");
  TORCH_CHECK(!relief || (isPlain(*relief, at::kByte, 3) && relief->size(2) == 4 && relief->numel() > 0),
              "expected relief Byte [H, W, 4]");
  checkPlain("creases", creases, at::kFloat, {4});
  TORCH_CHECK(isPlain(materials, at::kFloat, 2) && materials.size(1) == kMaterialNumbers, "expected materials Float [M, 6]");
  checkPlain("lights", lights, at::kFloat, {33});
  checkPlain("out", out, at::kFloat, {height, width, 4});
  const uint8_t* kinds = materialOf.data_ptr<uint8_t>();
  const int64_t known = materials.size(0);
  TORCH_CHECK(highest(kinds, count) < known, "expected materials below ", known);

  Scene scene{{corners, kinds, positions.data_ptr<float>(), normals.data_ptr<float>(), attributes.data_ptr<float>()},
              triangle.data_ptr<int32_t>(),
              barycentric.data_ptr<float>(),
              {},
              {atlas.size(0), atlas.size(1), atlas.data_ptr<uint8_t>()},
              {relief ? relief->size(0) : 0, relief ? relief->size(1) : 0, relief ? relief->data_ptr<uint8_t>() : nullptr},
              nullptr};
  for (int64_t m = 0; m < known; ++m) scene.table.emplace_back(materials.data_ptr<float>() + kMaterialNumbers * m);
  const float* strength = creases.data_ptr<float>();
  if (relief && std::any_of(strength, strength + 4, [](float s) { return s != 0; })) scene.strength = strength;
  const Light light(lights.data_ptr<float>());
  const int32_t* ids = scene.ids;
  const float *near = depth.data_ptr<float>(), *other = behind ? behind->data_ptr<float>() : nullptr;
  float* result = out.data_ptr<float>();

  const auto isSeen = [&](int64_t p) { return ids[p] >= 0 && ids[p] < count && (!other || near[p] > other[p]); };
  // Of four samples of one opaque material two are computed, those of a diagonal, and the others are their mean.
  const auto areAlike = [&](int64_t p) {
    const auto kind = [&](int64_t q) { return isSeen(q) ? static_cast<int>(kinds[ids[q]]) : -1; };
    const int first = kind(p);
    return first >= 0 && !scene.table[first].strands && kind(p + 1) == first && kind(p + width) == first &&
           kind(p + width + 1) == first;
  };
  const bool paired = height % 2 == 0 && width % 2 == 0; // a band has an even number of rows
  forEachBand(height, threadsFor(triangle.numel(), kLightGrain), [&](int64_t firstRow, int64_t endRow) {
    if (fresh) std::fill(result + 4 * firstRow * width, result + 4 * endRow * width, 0.0f);
    Layer layer(scene, light, static_cast<float>(distance), result);
    std::vector<int64_t> alike;
    for (int64_t y = firstRow; y < endRow; y += paired ? 2 : 1) {
      for (int64_t p = y * width; p < (y + 1) * width; p += paired ? 2 : 1) {
        if (paired && areAlike(p)) {
          layer.lay(p), layer.lay(p + width + 1);
          alike.push_back(p);
          continue;
        }
        for (const int64_t q : {p, p + 1, p + width, p + width + 1}) {
          if (isSeen(q)) layer.lay(q);
          if (!paired) break;
        }
      }
    }
    layer.flush();
    for (const int64_t p : alike) {
      for (int k = 0; k < 4; ++k) {
        const float mean = 0.5f * (result[4 * p + k] + result[4 * (p + width + 1) + k]);
        result[4 * (p + 1) + k] = result[4 * (p + width) + k] = mean;
      }
    }
  });
}

} // namespace

TORCH_LIBRARY_FRAGMENT(headrace, library) {
  if (isRegistered("light_mesh")) return;
  library.def(
      "light_mesh(Tensor triangle, Tensor barycentric, Tensor depth, Tensor? behind, Tensor triangles, Tensor material_of, "
      "Tensor positions, Tensor normals, Tensor attributes, Tensor atlas, Tensor? relief, Tensor creases, "
      "Tensor materials, Tensor lights, float distance, bool fresh, Tensor(a!) out) -> ()",
      lightMesh);
}

} // namespace headrace
