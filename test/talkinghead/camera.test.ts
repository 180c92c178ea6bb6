import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigError, ShapeError, tensor } from 'headrace';
import { Camera, directionalLight, FaceModel, shade, sphericalHarmonics, vertexNormals } from 'headrace/talkinghead';

function assertNear(actual: ArrayLike<number>, expected: readonly number[], error = 1e-4): void {
  assert.equal(actual.length, expected.length);
  for (const [i, value] of expected.entries()) {
    assert.ok(Math.abs(actual[i]! - value) <= error, `${Array.from(actual)}, not ${expected}`);
  }
}

const camera = new Camera({ width: 200, height: 100, distance: 50, pixelsPerCm: 4 });
const seen = (point: number[], place = {}) => camera.project(Float32Array.from(point), place);

test('a camera of 50 cm and 4 pixels a cm sees points where hand arithmetic has them', () => {
  assertNear(seen([0, 0, 0]), [100, 50, 1 / 50]);
  assertNear(seen([5, 0, 0]), [120, 50, 1 / 50]); // the viewer's right
  assertNear(seen([0, 5, 0]), [100, 30, 1 / 50]); // up
  assertNear(seen([5, 0, 10]), [125, 50, 1 / 40]); // nearer: 20 * 50 / 40
  assertNear(seen([0, 0, 0], { position: [5, -5, 10] }), [125, 75, 1 / 40]);
  assert.equal(camera.focal, 200);
});

test('the field of view reaches from the upper to the lower border', () => {
  const wide = new Camera({ width: 60, height: 80, distance: 40, fieldOfView: 90 });
  assertNear(
    wide.project(Float32Array.from([0, 40, 0, 0, -40, 0, 30, 0, 0])),
    [30, 0, 0.025, 30, 80, 0.025, 60, 40, 0.025],
  );
});

test("yaw turns to the viewer's right, pitch up, roll clockwise; roll comes first, then pitch, then yaw", () => {
  const [nose, top] = [
    [0, 0, 10],
    [0, 10, 0],
  ];
  assertNear(seen(nose, { pose: { yaw: 90 } }), [140, 50, 1 / 50]);
  assertNear(seen(nose, { pose: { pitch: 90 } }), [100, 10, 1 / 50]);
  assertNear(seen(top, { pose: { roll: 90 } }), [140, 50, 1 / 50]);
  // Rolled to the right, then turned to the right, the top looks away.
  assertNear(seen(top, { pose: { roll: 90, yaw: 90 } }), [100, 50, 1 / 60]);
  // Turned after it was raised: the nose stays up. The other order would leave it at the right.
  assertNear(seen(nose, { pose: { pitch: 90, yaw: 90 } }), [100, 10, 1 / 50]);
  // Raised after it was rolled: the top, at the right, stays there.
  assertNear(seen(top, { pose: { roll: 90, pitch: 90 } }), [140, 50, 1 / 50]);
  assertNear(camera.turn(Float32Array.from([0, 0, 1]), { yaw: 30 }), [0.5, 0, Math.sqrt(0.75)]);
});

test('a head turns about the pivot, which is seen at the centre', () => {
  const other = new Camera({
    width: 200,
    height: 100,
    distance: 50,
    pixelsPerCm: 4,
    pivot: [1, 2, 3],
    centre: [10, 20],
  });
  assertNear(
    other.project(Float32Array.from([1, 2, 3, 1, 2, 13]), { pose: { yaw: 90 } }),
    [10, 20, 0.02, 50, 20, 0.02],
  );
});

test('what is not before the camera is no number', () => {
  assert.ok(seen([1, 1, 50]).every(Number.isNaN));
  assert.ok(seen([1, 1, 60]).every(Number.isNaN));
  assert.ok(seen([Number.NaN, 1, 0]).some(Number.isNaN));
  const points = Float32Array.from([5, 0, 0]);
  assert.equal(camera.project(points, {}, points), points);
  assertNear(points, [120, 50, 0.02]);
});

test('a camera refuses what makes no sense', () => {
  const other = (value: unknown): never => value as never;
  const base = { width: 10, height: 10, pixelsPerCm: 1 };
  for (const wrong of [
    { width: 0 },
    { height: 1.5 },
    { distance: 0 },
    { pixelsPerCm: -1 },
    { fieldOfView: 20 },
    { centre: [1] },
  ]) {
    assert.throws(() => new Camera(other({ ...base, ...wrong })), ConfigError, JSON.stringify(wrong));
  }
  assert.throws(() => new Camera({ width: 10, height: 10 }), /either fieldOfView, in degrees, or pixelsPerCm/);
  assert.throws(() => new Camera({ width: 10, height: 10, fieldOfView: 180 }), ConfigError);
  assert.throws(() => new Camera(other({ ...base, pixelPerCm: 20 })), /Did you mean pixelsPerCm/);
  assert.throws(() => camera.project(new Float32Array(4)), ShapeError);
  assert.throws(() => camera.project(other([1, 2, 3])), ConfigError);
  assert.throws(() => camera.project(new Float32Array(3), {}, new Float32Array(6)), ShapeError);
  assert.throws(() => camera.project(new Float32Array(3), { pose: { yaw: Number.NaN } }), /yaw to be a finite number/);
  assert.throws(() => camera.project(new Float32Array(3), { pose: other({ jaw: 1 }) }), ConfigError);
  assert.throws(() => camera.turn(new Float32Array(3), other(7)), ConfigError);
});

test("normals are the mean of the triangles' by their areas", () => {
  // A square of area 4 in the ground and a wall of area 1 meet in an edge: 0 and 1 have (0, 1, 0) and (0, 0, 1) of both.
  const points = Float32Array.from([0, 0, 0, 2, 0, 0, 2, 0, -2, 0, 0, -2, 0, -1, 0, 9, 9, 9]);
  const ground = [0, 1, 2, 0, 2, 3];
  const wall = [0, 4, 1];
  const normals = vertexNormals(points, Uint32Array.from([...ground, ...wall]));
  const [a, b] = [4 / Math.hypot(4, 1), 1 / Math.hypot(4, 1)];
  const [c, d] = [2 / Math.hypot(2, 1), 1 / Math.hypot(2, 1)];
  assertNear(
    Array.from(normals.data(), Number),
    [0, a, b, 0, c, d, 0, 1, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0].map((v) => v + 0),
    1e-6,
  );
  points[0] = Number.NaN;
  const rest = vertexNormals(points, Uint32Array.from([...ground, ...wall]));
  assert.deepEqual([...rest.data()].map(Number), new Array(18).fill(0));
  assert.throws(() => vertexNormals(points, Uint32Array.from([0, 1, 6])), /names vertex 6, but there are 6/);
});

test('the normals of the face point out of it', () => {
  const face = FaceModel.load();
  const normals = vertexNormals(face.vertices, face.triangles).data() as Float32Array;
  const [first, end] = face.parts.innerFace.vertices;
  let out = 0;
  for (let i = first; i < end; i++) {
    out += normals[3 * i + 2]! > 0 ? 1 : 0;
    assert.ok(Math.abs(Math.hypot(...normals.subarray(3 * i, 3 * i + 3)) - 1) < 1e-5);
  }
  assert.ok(out > 0.8 * (end - first), `${out} of ${end - first}`);
});

test('spherical harmonics are orthonormal over the sphere', () => {
  // Products of two have degree 4 at most, so that 4 of Gauss's points in z and 8 angles make their integrals exact.
  const gauss = [
    [0.3399810435848563, 0.6521451548625461],
    [0.8611363115940526, 0.3478548451374538],
  ].flatMap(([z, weight]) => [
    [z!, weight!],
    [-z!, weight!],
  ]);
  const nodes = gauss.flatMap(([z, weight]) =>
    Array.from({ length: 8 }, (_, k) => {
      const [r, angle] = [Math.sqrt(1 - z! * z!), (2 * Math.PI * k) / 8];
      return { direction: [r * Math.cos(angle), r * Math.sin(angle), z!], weight: (weight! * 2 * Math.PI) / 8 };
    }),
  );
  const values = sphericalHarmonics(tensor(nodes.map(({ direction }) => direction)));
  const gram = values.t().matmul(values.mul(tensor(nodes.map(({ weight }) => [weight]))));
  const identity = Array.from({ length: 81 }, (_, i) => (i % 10 === 0 ? 1 : 0));
  assertNear(Array.from(gram.data(), Number), identity, 1e-5);
});

test("a lamp's light is what order 2 has of the cosine", () => {
  // 1/4 + c/2 + 5/16 (3cc - 1)/2: 1.0625 towards the lamp, 0.09375 from the side, 0.0625 away from it.
  const normals = tensor([
    [0, 0.6, 0.8],
    [0, 0.8, -0.6],
    [1, 0, 0],
    [0, -0.6, -0.8],
  ]);
  assertNear(
    Array.from(shade(normals, directionalLight([0, 3, 4])).data(), Number),
    [1.0625, 0.09375, 0.09375, 0.0625],
    1e-6,
  );
  const dim = shade(normals, directionalLight([0, 3, 4], 2, 0.5));
  assertNear(Array.from(dim.data(), Number), [2.625, 0.6875, 0.6875, 0.625], 1e-6);
  const coloured = shade(normals.view([2, 2, 3]), directionalLight([0, 3, 4]).unsqueeze(1).expand([9, 3]));
  assert.deepEqual(coloured.shape, [2, 2, 3]);
  assert.throws(() => shade(normals, tensor([1, 2])), /light \[9\] or \[9, C\], got \[2\]/);
  assert.throws(() => sphericalHarmonics(tensor([[1, 2]])), /directions \[.., 3\]/);
  assert.throws(() => directionalLight([0, 0, 0]), ConfigError);
});
