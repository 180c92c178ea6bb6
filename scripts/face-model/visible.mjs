// Which vertices of a face are ever seen: it is drawn with a depth buffer from many sides with many expressions.

const pixelsPerCentimetre = 16;
const width = 28 * pixelsPerCentimetre;
const height = 38 * pixelsPerCentimetre;
const cameraDistance = 70; // cm

/** Turns a face and marks the corners of every triangle that at least one pixel shows. */
export function markVisible(face, triangles, { yaw, pitch }, seen, counts = () => true) {
  const points = turn(face, yaw, pitch);
  const depth = new Float32Array(width * height).fill(Number.NEGATIVE_INFINITY);
  const shown = new Int32Array(width * height).fill(-1);
  for (let t = 0; t < triangles.length; t += 3) draw(points, triangles, t, depth, shown);
  for (const t of shown) {
    if (t >= 0 && counts(triangles[t])) for (let k = 0; k < 3; k++) seen[triangles[t + k]] = 1;
  }
}

/** Pixels right and down, and centimetres towards the camera. */
function turn(face, yaw, pitch) {
  const [cy, sy, cp, sp] = [Math.cos(yaw), Math.sin(yaw), Math.cos(pitch), Math.sin(pitch)];
  const points = new Float32Array(face.length);
  for (let i = 0; i < face.length; i += 3) {
    const [x, y, z] = [face[i], face[i + 1] + 2, face[i + 2]];
    const [tx, tz] = [cy * x + sy * z, cy * z - sy * x];
    const [ty, depth] = [cp * y - sp * tz, sp * y + cp * tz];
    const scale = (pixelsPerCentimetre * cameraDistance) / (cameraDistance - depth);
    points[i] = width / 2 + scale * tx;
    points[i + 1] = height / 2 - scale * ty;
    points[i + 2] = depth;
  }
  return points;
}

function draw(points, triangles, t, depth, shown) {
  const [a, b, c] = [3 * triangles[t], 3 * triangles[t + 1], 3 * triangles[t + 2]];
  const [ax, ay, bx, by, cx, cy] = [points[a], points[a + 1], points[b], points[b + 1], points[c], points[c + 1]];
  const area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay);
  if (area === 0) return;
  const [x0, x1] = [
    Math.max(0, Math.ceil(Math.min(ax, bx, cx))),
    Math.min(width - 1, Math.floor(Math.max(ax, bx, cx))),
  ];
  const [y0, y1] = [
    Math.max(0, Math.ceil(Math.min(ay, by, cy))),
    Math.min(height - 1, Math.floor(Math.max(ay, by, cy))),
  ];
  for (let y = y0; y <= y1; y++) {
    for (let x = x0; x <= x1; x++) {
      const u = ((bx - x) * (cy - y) - (cx - x) * (by - y)) / area;
      const v = ((cx - x) * (ay - y) - (ax - x) * (cy - y)) / area;
      if (u < 0 || v < 0 || u + v > 1) continue;
      const z = u * points[a + 2] + v * points[b + 2] + (1 - u - v) * points[c + 2];
      const pixel = y * width + x;
      if (z <= depth[pixel]) continue;
      depth[pixel] = z;
      shown[pixel] = t;
    }
  }
}

/** Adds the neighbours of all that is marked. */
export function grow(seen, triangles) {
  const before = seen.slice();
  for (let t = 0; t < triangles.length; t += 3) {
    const corners = [triangles[t], triangles[t + 1], triangles[t + 2]];
    if (corners.some((v) => before[v])) for (const v of corners) seen[v] = 1;
  }
}
