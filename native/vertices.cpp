// Where the vertices of a mesh are seen, and how their surface is turned.
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

// Vertices or triangles that are worth a thread.
constexpr int64_t kVertexGrain = 1 << 14, kPlaceGrain = 1 << 13;

// The normals of the triangles [first, end), as long as twice their areas; zeros where that is no finite number.
HEADRACE_VECTORS void trianglesNormals(const float* points, const int32_t* corners, int64_t first, int64_t end, double* out) {
  for (int64_t t = first; t < end; ++t) {
    const float *a = points + 3 * static_cast<int64_t>(corners[3 * t]), *b = points + 3 * static_cast<int64_t>(corners[3 * t + 1]),
                *c = points + 3 * static_cast<int64_t>(corners[3 * t + 2]);
    double u[3], v[3];
    for (int k = 0; k < 3; ++k) {
      u[k] = static_cast<double>(b[k]) - a[k];
      v[k] = static_cast<double>(c[k]) - a[k];
    }
    const double x = u[1] * v[2] - u[2] * v[1], y = u[2] * v[0] - u[0] * v[2], z = u[0] * v[1] - u[1] * v[0];
    const bool finite = std::isfinite(x + y + z);
    out[3 * t] = finite ? x : 0;
    out[3 * t + 1] = finite ? y : 0;
    out[3 * t + 2] = finite ? z : 0;
  }
}

HEADRACE_VECTORS void makeUnits(const double* sums, int64_t first, int64_t end, float* normals) {
  for (int64_t i = first; i < end; ++i) {
    const double x = sums[3 * i], y = sums[3 * i + 1], z = sums[3 * i + 2], length = std::sqrt(x * x + y * y + z * z);
    normals[3 * i] = length > 0 ? static_cast<float>(x / length) : 0.0f;
    normals[3 * i + 1] = length > 0 ? static_cast<float>(y / length) : 0.0f;
    normals[3 * i + 2] = length > 0 ? static_cast<float>(z / length) : 0.0f;
  }
}

// Adds the triangles' normals, in their order, to the sums of their corners among the vertices [first, end).
void addNormals(const double* of, const int32_t* corners, int64_t count, int64_t first, int64_t end, double* sums) {
  for (int64_t i = 0; i < 3 * count; ++i) {
    const int64_t vertex = corners[i];
    if (vertex < first || vertex >= end) continue;
    const double* normal = of + 3 * (i / 3);
    for (int axis = 0; axis < 3; ++axis) sums[3 * vertex + axis] += normal[axis];
  }
}

// Means of the triangles' normals by their areas, of length 1. Sums depend on their order: each thread makes those of some vertices.
at::Tensor vertexNormals(const at::Tensor& positions, const at::Tensor& triangles) {
  TORCH_CHECK(isPlain(positions, at::kFloat, 2) && positions.size(1) == 3,
              "expected positions contiguous on the CPU, Float [V, 3]");
  const int64_t vertices = positions.size(0), count = triangles.dim() == 2 ? triangles.size(0) : 0;
  const int32_t* corners = checkTriangles(triangles, vertices);
  const float* points = positions.data_ptr<float>();
  // Kept from call to call, as what is drawn is.
  static thread_local std::vector<double> keptNormals, keptSums;
  std::vector<double>&of = keptNormals, &sums = keptSums;
  of.resize(3 * count);
  sums.assign(3 * vertices, 0);
  forEachRange(count, kVertexGrain, [&](int64_t first, int64_t end) { trianglesNormals(points, corners, first, end, of.data()); });
  at::Tensor result = at::empty({vertices, 3}, positions.options().requires_grad(false));
  float* normals = result.data_ptr<float>();
  forEachRange(vertices, kVertexGrain, [&](int64_t first, int64_t end) {
    addNormals(of.data(), corners, count, first, end, sums.data());
    makeUnits(sums.data(), first, end, normals);
  });
  return result;
}

// Where vertices of a head on shoulders are: the head is turned by `turns` [0], the shoulders by `turns` [1] (rotations, rows),
// and a vertex by as much of either as `follows` says, about `pivot`; all are moved by `position`. `view` [V, 3] is in the
// camera's space, cm from the pivot; `points` [V, 3] what rasterise takes: x and y in samples, of which `focal` are seen of a
// cm at 1 cm, and 1 / distance.
void placeMesh(const at::Tensor& vertices, const at::Tensor& follows, const at::Tensor& turns, at::ArrayRef<double> pivot,
               at::ArrayRef<double> position, at::ArrayRef<double> centre, double focal, double distance, const at::Tensor& view,
               const at::Tensor& points) {
  TORCH_CHECK(isPlain(vertices, at::kFloat, 2) && vertices.size(1) == 3,
              "expected vertices contiguous on the CPU, Float [V, 3]");
  const int64_t count = vertices.size(0);
  checkPlain("follows", follows, at::kFloat, {count});
  checkPlain("turns", turns, at::kDouble, {2, 9});
  TORCH_CHECK(pivot.size() == 3 && position.size() == 3 && centre.size() == 2, "expected three numbers of pivot and position");
  checkPlain("view", view, at::kFloat, {count, 3});
  checkPlain("points", points, at::kFloat, {count, 3});
  checkApart("view", view, {vertices, follows, turns, points});
  checkApart("points", points, {vertices, follows, turns});
  const float *from = vertices.data_ptr<float>(), *head = follows.data_ptr<float>();
  const double* r = turns.data_ptr<double>();
  float *to = view.data_ptr<float>(), *seen = points.data_ptr<float>();
  forEachRange(count, kPlaceGrain, [&](int64_t first, int64_t end) {
    for (int64_t i = first; i < end; ++i) {
      double p[3], at[3];
      for (int k = 0; k < 3; ++k) p[k] = from[3 * i + k] - pivot[k];
      const double share = head[i];
      for (int k = 0; k < 3; ++k) {
        const double turned = r[3 * k] * p[0] + r[3 * k + 1] * p[1] + r[3 * k + 2] * p[2];
        const double still = share < 1 ? r[9 + 3 * k] * p[0] + r[10 + 3 * k] * p[1] + r[11 + 3 * k] * p[2] : 0;
        at[k] = (share < 1 ? still + share * (turned - still) : turned) + position[k];
        to[3 * i + k] = static_cast<float>(at[k]);
      }
      const double near = 1 / (distance - at[2]);
      seen[3 * i] = static_cast<float>(centre[0] + focal * near * at[0]);
      seen[3 * i + 1] = static_cast<float>(centre[1] - focal * near * at[1]);
      seen[3 * i + 2] = static_cast<float>(near);
    }
  });
}

} // namespace

TORCH_LIBRARY_FRAGMENT(headrace, library) {
  if (isRegistered("place_mesh")) return;
  library.def(
      "place_mesh(Tensor vertices, Tensor follows, Tensor turns, float[] pivot, float[] position, float[] centre, "
      "float focal, float distance, Tensor(a!) view, Tensor(b!) points) -> ()",
      placeMesh);
  library.def("vertex_normals(Tensor positions, Tensor triangles) -> Tensor", vertexNormals);
}

} // namespace headrace
