// The light on meshes that were drawn, and pictures of it: what a film would make of so much light.
//
// Every sample and every pixel is computed on its own, in one order, so the bytes are the same for any number of threads.
#include <torch/library.h>

#include <cmath>
#include <vector>

#include "compat.h"
#include "planes.h"
#include "registry.h"
#include "threads.h"

namespace headrace {

namespace {

constexpr int kMaterialNumbers = 6;
constexpr float kInside = 0.3f; // of the light reaches the inner side of hair and clothes
constexpr int64_t kLightGrain = 1 << 12, kDevelopGrain = 1 << 14; // samples and pixels that are worth a thread

struct Vec {
  float x, y, z;
};
inline Vec operator+(Vec a, Vec b) { return {a.x + b.x, a.y + b.y, a.z + b.z}; }
inline Vec operator-(Vec a, Vec b) { return {a.x - b.x, a.y - b.y, a.z - b.z}; }
inline Vec operator*(float s, Vec a) { return {s * a.x, s * a.y, s * a.z}; }
inline float dot(Vec a, Vec b) { return a.x * b.x + a.y * b.y + a.z * b.z; }
inline Vec unit(Vec a) {
  const float length = std::sqrt(dot(a, a));
  return length > 0 ? (1 / length) * a : Vec{0, 0, 1};
}
inline Vec vecAt(const float* values, int64_t i) { return {values[3 * i], values[3 * i + 1], values[3 * i + 2]}; }
inline float clamp01(float value) { return std::min(std::max(value, 0.0f), 1.0f); }

// base^exponent for a whole exponent: the same on every processor, and quick.
inline float power(float base, int exponent) {
  float result = 1;
  for (; exponent > 0; exponent >>= 1, base *= base)
    if (exponent & 1) result *= base;
  return result;
}

// What of a material counts: a row of `materials`.
struct Material {
  explicit Material(const float* row)
      : specular(row[0]), exponent(static_cast<int>(row[1])), wrap(row[2]), strands(row[3] > 0), inner(row[4] > 0),
        glow(row[5]) {}
  float specular;  // of the lamp's light at normal incidence
  int exponent;    // of the highlight
  float wrap;      // how far light creeps round, in the red; less in green and blue, as in skin
  bool strands;    // hair: light on threads that run along v
  bool inner;      // lit on its back side too
  float glow;      // of the ambient light that grazes
};

// The lamp and the light that is everywhere, in the camera's space.
struct Light {
  explicit Light(const float* values) : harmonics(values), direction(vecAt(values + 27, 0)), colour(values + 30) {}
  // Irradiance over pi of channel c; the harmonics' constants are in the numbers.
  float ambient(Vec n, int c) const {
    const float* l = harmonics + c;
    const float sum = l[0] + l[3] * n.y + l[6] * n.z + l[9] * n.x + l[12] * n.x * n.y + l[15] * n.y * n.z +
                      l[18] * (3 * n.z * n.z - 1) + l[21] * n.x * n.z + l[24] * (n.x * n.x - n.y * n.y);
    return std::max(sum, 0.0f);
  }
  const float* harmonics; // [9, 3]
  Vec direction;
  const float* colour;
};

// A picture of four bytes a pixel, of which colours are square roots of light; looked up bilinearly, borders go on.
struct Atlas {
  void fetch(float u, float v, float* texel) const {
    const float x = std::min(std::max(u - 0.5f, 0.0f), static_cast<float>(width - 1));
    const float y = std::min(std::max(v - 0.5f, 0.0f), static_cast<float>(height - 1));
    const int64_t left = static_cast<int64_t>(x), top = static_cast<int64_t>(y);
    const int64_t right = std::min(left + 1, width - 1), bottom = std::min(top + 1, height - 1);
    const float a = x - static_cast<float>(left), b = y - static_cast<float>(top);
    const uint8_t *p = bytes + 4 * (top * width + left), *q = bytes + 4 * (top * width + right),
                  *r = bytes + 4 * (bottom * width + left), *s = bytes + 4 * (bottom * width + right);
    for (int c = 0; c < 4; ++c) {
      const float upper = static_cast<float>(p[c]) + a * static_cast<float>(q[c] - p[c]);
      const float lower = static_cast<float>(r[c]) + a * static_cast<float>(s[c] - r[c]);
      texel[c] = (upper + b * (lower - upper)) / 255;
    }
  }
  int64_t height, width;
  const uint8_t* bytes;
};

struct Mesh {
  const int32_t* corners;
  const uint8_t* materialOf;
  const float *positions, *normals, *attributes;
};

// The direction in which v grows on a triangle: that of its strands.
Vec strandOf(const Mesh& mesh, int64_t a, int64_t b, int64_t c) {
  const Vec ab = vecAt(mesh.positions, b) - vecAt(mesh.positions, a), ac = vecAt(mesh.positions, c) - vecAt(mesh.positions, a);
  const float *ta = mesh.attributes + 4 * a, *tb = mesh.attributes + 4 * b, *tc = mesh.attributes + 4 * c;
  const float du1 = tb[0] - ta[0], du2 = tc[0] - ta[0], dv1 = tb[1] - ta[1], dv2 = tc[1] - ta[1];
  const float area = du1 * dv2 - du2 * dv1;
  return unit((area < 0 ? -1.0f : 1.0f) * (du1 * ac - du2 * ab));
}

struct Lit {
  float colour[3];
};

Lit lightOf(const Material& material, const Light& light, Vec n, Vec view, Vec strand, const float* texel, float visible,
            float open) {
  const Vec half = unit(light.direction + view);
  const float facing = dot(n, light.direction), toView = clamp01(dot(n, view));
  float highlight;
  if (material.strands) {
    const float along = dot(strand, half);
    highlight = power(std::sqrt(clamp01(1 - along * along)), material.exponent) * clamp01(facing + 0.4f);
  } else {
    highlight = power(clamp01(dot(n, half)), material.exponent) * (facing > 0 ? 1.0f : 0.0f);
  }
  const float grazing = power(1 - toView, 4);
  const float gloss = material.specular * texel[3] * visible * highlight * (material.strands ? 1 : 1 + 4 * grazing);
  Lit lit;
  for (int c = 0; c < 3; ++c) {
    const float wrap = material.wrap * (c == 0 ? 1.0f : c == 1 ? 0.45f : 0.3f);
    const float lamp = clamp01((facing + wrap) / (1 + wrap)) * visible;
    const float around = light.ambient(n, c) * open;
    const float albedo = texel[c] * texel[c];
    lit.colour[c] = albedo * (lamp * light.colour[c] + around) + gloss * light.colour[c] +
                    material.glow * texel[3] * grazing * around;
  }
  return lit;
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
  TORCH_CHECK(std::all_of(kinds, kinds + count, [&](uint8_t kind) { return kind < known; }),
              "expected materials below ", known);

  std::vector<Material> table;
  for (int64_t m = 0; m < known; ++m) table.emplace_back(materials.data_ptr<float>() + kMaterialNumbers * m);
  const Mesh mesh{corners, kinds, positions.data_ptr<float>(), normals.data_ptr<float>(), attributes.data_ptr<float>()};
  const Light light(lights.data_ptr<float>());
  const Atlas colours{atlas.size(0), atlas.size(1), atlas.data_ptr<uint8_t>()};
  const Atlas folds{relief ? relief->size(0) : 0, relief ? relief->size(1) : 0, relief ? relief->data_ptr<uint8_t>() : nullptr};
  const float* strength = creases.data_ptr<float>();
  const bool creased = relief && std::any_of(strength, strength + 4, [](float s) { return s != 0; });
  const int32_t* ids = triangle.data_ptr<int32_t>();
  const float *shares = barycentric.data_ptr<float>(), *near = depth.data_ptr<float>();
  const float* other = behind ? behind->data_ptr<float>() : nullptr;
  const Vec eye{0, 0, static_cast<float>(distance)};
  float* result = out.data_ptr<float>();

  const auto isSeen = [&](int64_t p) {
    return ids[p] >= 0 && ids[p] < count && (!other || near[p] > other[p]);
  };
  const auto lay = [&](int64_t p) {
    const int64_t t = ids[p];
    const Material& material = table[kinds[t]];
    const int64_t a = corners[3 * t], b = corners[3 * t + 1], c = corners[3 * t + 2];
    const float wa = shares[2 * p], wb = shares[2 * p + 1], wc = 1 - wa - wb;
    const float *ta = mesh.attributes + 4 * a, *tb = mesh.attributes + 4 * b, *tc = mesh.attributes + 4 * c;
    float attribute[4], texel[4];
    for (int k = 0; k < 4; ++k) attribute[k] = wa * ta[k] + wb * tb[k] + wc * tc[k];
    colours.fetch(attribute[0], attribute[1], texel);
    float share = 1;
    if (material.strands) {
      if ((share = texel[3]) <= 0) return;
      texel[3] = 1;
    }
    if (creased && attribute[0] < static_cast<float>(folds.width)) {
      float fold[4], dark = 0;
      folds.fetch(attribute[0], attribute[1], fold);
      for (int k = 0; k < 4; ++k) dark += strength[k] * fold[k];
      const float kept = std::sqrt(std::max(1 - dark, 0.2f)); // colours are roots of light
      for (int k = 0; k < 3; ++k) texel[k] *= kept;
    }
    Vec n = unit(wa * vecAt(mesh.normals, a) + wb * vecAt(mesh.normals, b) + wc * vecAt(mesh.normals, c));
    const Vec place = wa * vecAt(mesh.positions, a) + wb * vecAt(mesh.positions, b) + wc * vecAt(mesh.positions, c);
    const Vec view = unit(eye - place);
    float visible = clamp01(attribute[2]), open = clamp01(attribute[3]);
    if (material.inner && dot(n, view) < 0) {
      n = -1.0f * n;
      visible *= kInside, open *= kInside;
    }
    const Vec strand = material.strands ? strandOf(mesh, a, b, c) : Vec{0, 1, 0};
    const Lit lit = lightOf(material, light, n, view, strand, texel, visible, open);
    float* sample = result + 4 * p;
    for (int k = 0; k < 3; ++k) sample[k] += share * (lit.colour[k] - sample[k]);
    sample[3] += share * (1 - sample[3]);
  };
  const bool paired = height % 2 == 0 && width % 2 == 0; // a band has an even number of rows
  // Of four samples of one opaque material two are computed, those of a diagonal, and the others are their mean.
  const auto layFour = [&](int64_t p) {
    const int64_t all[4] = {p, p + 1, p + width, p + width + 1};
    const auto kind = [&](int64_t q) { return isSeen(q) ? static_cast<int>(kinds[ids[q]]) : -1; };
    const int first = kind(p);
    const bool alike = first >= 0 && !table[first].strands && kind(all[1]) == first && kind(all[2]) == first && kind(all[3]) == first;
    if (!alike) {
      for (const int64_t q : all)
        if (isSeen(q)) lay(q);
      return;
    }
    lay(all[0]), lay(all[3]);
    for (int k = 0; k < 4; ++k) {
      const float mean = 0.5f * (result[4 * all[0] + k] + result[4 * all[3] + k]);
      result[4 * all[1] + k] = result[4 * all[2] + k] = mean;
    }
  };
  forEachBand(height, threadsFor(triangle.numel(), kLightGrain), [&](int64_t firstRow, int64_t endRow) {
    if (fresh) std::fill(result + 4 * firstRow * width, result + 4 * endRow * width, 0.0f);
    if (!paired) {
      for (int64_t p = firstRow * width; p < endRow * width; ++p)
        if (isSeen(p)) lay(p);
      return;
    }
    for (int64_t y = firstRow; y < endRow; y += 2)
      for (int64_t x = 0; x < width; x += 2) layFour(y * width + x);
  });
}

// A hash of numbers that follow each other (Wellons' lowbias32), for grain.
inline uint32_t scatter(uint32_t x) {
  x = (x ^ (x >> 16)) * 0x7feb352dU;
  x = (x ^ (x >> 15)) * 0x846ca68bU;
  return x ^ (x >> 16);
}

// Nearly normal, mean 0, variance 1: the sum of four bytes.
inline float grainOf(uint32_t bits) {
  const uint32_t sum = (bits & 255) + ((bits >> 8) & 255) + ((bits >> 16) & 255) + (bits >> 24);
  return (static_cast<float>(sum) - 510) / 147.8f;
}

// Samples [2H, 2W, 4], four a pixel, before a background [H, W, 3], both linear, to bytes [H, W, 3] and to the share of
// each pixel that the samples cover [H, W]. A pixel is the mean of 4 x 4 samples, with the weights `taps` of one axis.
// `curve` [K] holds the bytes for light from 0 to `most`, not rounded; grain is `grain` of 255 at its middle.
void develop(const at::Tensor& samples, const at::Tensor& background, const at::Tensor& taps, const at::Tensor& gains,
             const at::Tensor& curve, double most, double grain, int64_t seed, const at::Tensor& picture,
             const at::Tensor& mask) {
  TORCH_CHECK(background.dim() == 3, "expected background [H, W, 3]");
  const int64_t height = background.size(0), width = background.size(1);
  checkPlain("background", background, at::kFloat, {height, width, 3});
  checkPlain("samples", samples, at::kFloat, {2 * height, 2 * width, 4});
  checkPlain("taps", taps, at::kFloat, {4});
  checkPlain("gains", gains, at::kFloat, {3});
  TORCH_CHECK(isPlain(curve, at::kFloat, 1) && curve.size(0) >= 2 && most > 0, "expected curve Float [K]");
  checkPlain("picture", picture, at::kByte, {height, width, 3});
  checkPlain("mask", mask, at::kByte, {height, width});
  const float *from = samples.data_ptr<float>(), *back = background.data_ptr<float>(), *w = taps.data_ptr<float>(),
              *gain = gains.data_ptr<float>(), *bytes = curve.data_ptr<float>();
  uint8_t *to = picture.data_ptr<uint8_t>(), *covered = mask.data_ptr<uint8_t>();
  const int64_t last = curve.size(0) - 1;
  const float scale = static_cast<float>(static_cast<double>(last) / most), coarse = static_cast<float>(grain);
  const uint32_t key = scatter(static_cast<uint32_t>(seed) ^ scatter(static_cast<uint32_t>(seed >> 32)));

  forEachBand(height, threadsFor(height * width, kDevelopGrain), [&](int64_t firstRow, int64_t endRow) {
    for (int64_t y = firstRow; y < endRow; ++y) {
      for (int64_t x = 0; x < width; ++x) {
        float sum[4] = {};
        for (int64_t j = 0; j < 4; ++j) {
          const int64_t row = std::min(std::max<int64_t>(2 * y - 1 + j, 0), 2 * height - 1) * 2 * width;
          for (int64_t i = 0; i < 4; ++i) {
            const float* sample = from + 4 * (row + std::min(std::max<int64_t>(2 * x - 1 + i, 0), 2 * width - 1));
            const float weight = w[j] * w[i];
            for (int k = 0; k < 4; ++k) sum[k] += weight * sample[k];
          }
        }
        const int64_t p = y * width + x;
        for (int k = 0; k < 3; ++k) {
          const float at = (sum[k] + (1 - sum[3]) * back[3 * p + k]) * gain[k] * scale;
          const float inside = std::min(std::max(at, 0.0f), static_cast<float>(last) - 0.001f);
          const int64_t whole = static_cast<int64_t>(inside);
          float value = bytes[whole] + (inside - static_cast<float>(whole)) * (bytes[whole + 1] - bytes[whole]);
          if (coarse > 0) value += coarse * grainOf(scatter(static_cast<uint32_t>(3 * p + k) ^ key));
          to[3 * p + k] = static_cast<uint8_t>(std::min(std::max(value, 0.0f), 255.0f) + 0.5f);
        }
        covered[p] = static_cast<uint8_t>(clamp01(sum[3]) * 255 + 0.5f);
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
  library.def(
      "develop(Tensor samples, Tensor background, Tensor taps, Tensor gains, Tensor curve, float most, float grain, "
      "int seed, Tensor(a!) picture, Tensor(b!) mask) -> ()",
      develop);
}

} // namespace headrace
