import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import {
  ConfigError,
  getNumThreads,
  HeadraceError,
  liveTensors,
  ShapeError,
  scope,
  setNumThreads,
  type Tensor,
  TorchError,
  tensor,
} from 'headrace';
import { Camera, FaceModel, Raster } from 'headrace/talkinghead';
import { randomNumbers } from './numbers.js';
import { slowRaster } from './raster-reference.js';

const threads = getNumThreads();
after(() => setNumThreads(threads));

function assertSame(points: Float32Array, triangles: Uint32Array, height: number, width: number): void {
  const expected = slowRaster(points, triangles, height, width);
  using raster = new Raster(height, width);
  raster.draw(points, triangles);
  assert.deepEqual(raster.triangle.data(), expected.triangle);
  const [depth, shares] = [raster.depth.data() as Float32Array, raster.barycentric.data() as Float32Array];
  const largest = points.reduce((most, value, i) => (i % 3 === 2 ? Math.max(most, Math.abs(value) || 0) : most), 1e-30);
  for (const [i, value] of depth.entries()) {
    if (expected.triangle[i] === -1) assert.equal(value, Number.NEGATIVE_INFINITY);
    else assert.ok(Math.abs(value - expected.depth[i]!) <= 1e-7 * largest, `depth ${value}, not ${expected.depth[i]}`);
  }
  for (const [i, value] of shares.entries()) assert.ok(Math.abs(value - expected.barycentric[i]!) < 1e-6);
}

/** Triangles among corners of which some are on pixels' centres and borders, some far outside. */
function randomMesh(seed: number, corners: number, count: number, size: number) {
  const next = randomNumbers(seed);
  const reach = [size, size, 3 * size, 100000];
  const points = Float32Array.from({ length: 3 * corners }, (_, i) => {
    if (i % 3 === 2) return next() < 0.5 ? Math.floor(4 * next()) : next() - 0.5;
    const place = (next() - 0.1) * 1.25 * reach[Math.floor(next() * reach.length * 0.9)]!;
    return next() < 0.5 ? Math.round(2 * place) / 2 : place;
  });
  const triangles = Uint32Array.from({ length: 3 * count }, () => Math.floor(next() * corners));
  return { points, triangles };
}

test('pixels, depth and barycentric coordinates are those of a slow raster in exact arithmetic', () => {
  for (let seed = 1; seed <= 40; seed++) {
    const { points, triangles } = randomMesh(seed, 12, 10, 20);
    assertSame(points, triangles, 20, 23);
  }
  const small = randomNumbers(7);
  // Corners on pixels' centres and borders: level and upright edges, and many pixels on edges.
  const points = Float32Array.from({ length: 3 * 60 }, () => Math.floor(13 * small()) / 2);
  const triangles = Uint32Array.from({ length: 3 * 200 }, () => Math.floor(60 * small()));
  assertSame(points, triangles, 6, 6);
});

test('a pixel of a fan or a grid belongs to one triangle, whatever edges its centre lies on', () => {
  const size = 16;
  const cover = (points: Float32Array, triangles: Uint32Array): number[] => {
    const counts = new Array<number>(size * size).fill(0);
    for (let t = 0; t < triangles.length; t += 3) {
      using raster = new Raster(size, size);
      raster.draw(points, triangles.subarray(t, t + 3));
      for (const [i, id] of raster.triangle.data().entries()) if (id === 0) counts[i]!++;
    }
    return counts;
  };
  const rim = [0, 4.5, 8, 8.5, 11.25, 16].flatMap((k) => [
    [k, 0],
    [16, k],
    [16 - k, 16],
    [0, 16 - k],
  ]);
  const around = rim.toSorted((a, b) => Math.atan2(a[1]! - 8, a[0]! - 8) - Math.atan2(b[1]! - 8, b[0]! - 8));
  for (const [x, y] of [
    [8.5, 8.5],
    [8, 8],
    [3.5, 12.25],
    [7.123, 9.877],
  ] as const) {
    const points = Float32Array.from([x, y, 1, ...around.flatMap(([px, py]) => [px!, py!, 1])]);
    const fan = around.flatMap((_, k) => [0, 1 + k, 1 + ((k + 1) % around.length)]);
    assert.deepEqual(cover(points, Uint32Array.from(fan)), new Array(size * size).fill(1), `fan about ${x}, ${y}`);
  }
  const next = randomNumbers(5);
  const inner = (k: number): number => (k === 0 ? 0 : k === 4 ? 16 : 4 * k + Math.round(8 * (next() - 0.5)) / 4);
  const grid = Array.from({ length: 25 }, (_, i) => [inner(i % 5), inner(Math.floor(i / 5)), 1]).flat();
  const squares = Array.from({ length: 16 }, (_, i) => i + Math.floor(i / 4));
  const halves = squares.flatMap((k) => [k, k + 1, k + 6, k, k + 6, k + 5]);
  assert.deepEqual(cover(Float32Array.from(grid), Uint32Array.from(halves)), new Array(size * size).fill(1));
});

test('any number of threads gives the same bytes', () => {
  const face = FaceModel.load();
  const camera = new Camera({ width: 400, height: 300, pixelsPerCm: 10 });
  const points = camera.project(face.vertices, { pose: { yaw: 20, pitch: 5 } });
  const attributes = tensor(face.vertices, { shape: [face.vertexCount, 3] });
  const results = [1, 2, 3].map((count) => {
    setNumThreads(count);
    using raster = new Raster(300, 400);
    const drawn = raster.draw(points, face.triangles);
    const spread = raster.interpolate(attributes, face.triangles);
    return [drawn, ...[raster.depth, raster.triangle, raster.barycentric, spread].map((t) => Buffer.from(t.bytes()))];
  });
  setNumThreads(threads);
  assert.deepEqual(results[1], results[0]);
  assert.deepEqual(results[2], results[0]);
});

/** The values of a tensor, each once. */
const distinct = (values: Tensor): number[] => [...new Set(Array.from(values.data(), Number))];

/** A square over the whole picture of 4 x 4 pixels, at one depth, its corners clockwise for the eye: a back. */
const square = (depth: number) => Float32Array.from([0, 0, depth, 4, 0, depth, 4, 4, depth, 0, 4, depth]);
const halves = Uint32Array.from([0, 1, 2, 0, 2, 3]);

test('what is nearer stays, whichever was drawn first; of what is equally near, the first', () => {
  using raster = new Raster(4, 4);
  assert.equal(raster.draw(square(1), halves), 2);
  raster.draw(square(2), halves, { firstId: 10 });
  raster.draw(square(1.5), halves, { firstId: 20 });
  raster.draw(square(2), halves, { firstId: 30 });
  assert.deepEqual(distinct(raster.triangle).toSorted(), [10, 11]);
  assert.deepEqual(distinct(raster.depth), [2]);
  using twice = new Raster(4, 4);
  twice.draw(square(1), Uint32Array.from([...halves, ...halves]));
  assert.deepEqual(distinct(twice.triangle).toSorted(), [0, 1]);
  assert.deepEqual(distinct(twice.clear().triangle), [-1]);
  assert.deepEqual(distinct(twice.depth), [Number.NEGATIVE_INFINITY]);
});

test('a range draws a part of the triangles, under their own numbers', () => {
  using raster = new Raster(4, 4);
  assert.equal(raster.draw(square(1), halves, { range: [1, 2] }), 1);
  const ids = [...raster.triangle.data()];
  assert.deepEqual(ids, [-1, -1, -1, -1, 1, -1, -1, -1, 1, 1, -1, -1, 1, 1, 1, -1]); // the diagonal is the other's left border
  assert.equal(raster.draw(square(1), halves, { range: [1, 1] }), 0);
});

test('fronts run anticlockwise for the eye; either side can be left out', () => {
  const turned = Uint32Array.from([0, 2, 1, 0, 3, 2]);
  const drawn = (triangles: Uint32Array, cull: 'none' | 'back' | 'front'): number => {
    using raster = new Raster(4, 4);
    return raster.draw(square(1), triangles, { cull });
  };
  assert.deepEqual([drawn(halves, 'none'), drawn(halves, 'back'), drawn(halves, 'front')], [2, 0, 2]);
  assert.deepEqual([drawn(turned, 'none'), drawn(turned, 'back'), drawn(turned, 'front')], [2, 2, 0]);
});

test('triangles without area, with corners that are no numbers, or too far away, are not drawn', () => {
  const bad = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 131073, -3e38];
  for (const value of bad) {
    for (const place of [0, 1, 5]) {
      if (place === 5 && Math.abs(value) < 1e39) continue; // depth may be any finite number
      using raster = new Raster(4, 4);
      const points = square(1);
      points[place] = value;
      assert.ok(raster.draw(points, halves) < 2, `${value} at ${place}`);
    }
  }
  using raster = new Raster(4, 4);
  assert.equal(raster.draw(square(1), Uint32Array.from([0, 0, 1, 2, 2, 2])), 0);
  const line = Float32Array.from([0, 0, 1, 2, 2, 1, 4, 4, 1]);
  assert.equal(raster.draw(line, Uint32Array.from([0, 1, 2])), 0);
  assert.equal(raster.draw(new Float32Array(0), new Uint32Array(0)), 0);
});

test('interpolation in perspective runs straight in space', () => {
  // From 1 cm to 3 cm away: the middle of the screen is a quarter of the way, as (0 / 1 + 1 / 3) / (1 / 1 + 1 / 3) = 1 / 4.
  const points = Float32Array.from([0.5, -9, 1, 0.5, 9, 1, 2.5, 0, 1 / 3, 2.5, -9, 1 / 3, 2.5, 9, 1 / 3]);
  const triangles = Uint32Array.from([0, 3, 1, 3, 4, 1]);
  using raster = new Raster(1, 3);
  raster.draw(points, triangles);
  const far = tensor([[0], [0], [1], [1], [1]]);
  const inverseDistance = tensor([1, 1, 1 / 3, 1 / 3, 1 / 3]);
  const [, straight] = raster.interpolate(far, triangles).data();
  const [, seen] = raster.interpolate(far, triangles, { inverseDistance }).data();
  assert.ok(Math.abs(Number(straight) - 0.5) < 1e-6, String(straight));
  assert.ok(Math.abs(Number(seen) - 0.25) < 1e-6, String(seen));
});

test("the place in space that is interpolated for a pixel is seen at the pixel's centre", () => {
  const face = FaceModel.load();
  const camera = new Camera({ width: 60, height: 80, distance: 30, fieldOfView: 50 });
  const place = { pose: { yaw: -25, roll: 10 } };
  const points = camera.project(face.vertices, place);
  using raster = new Raster(80, 60);
  raster.draw(points, face.triangles, { cull: 'back' });
  const vertices = tensor(face.vertices, { shape: [face.vertexCount, 3] });
  const inverseDistance = tensor(points, { shape: [face.vertexCount, 3] }).select(1, 2);
  const spread = raster.interpolate(vertices, face.triangles, { inverseDistance }).data() as Float32Array;
  const seen = camera.project(spread, place);
  const [ids, depth] = [raster.triangle.data(), raster.depth.data()];
  let pixels = 0;
  for (const [i, id] of ids.entries()) {
    if (id === -1) continue;
    pixels++;
    assert.ok(
      Math.abs(seen[3 * i]! - (i % 60) - 0.5) < 2e-3 && Math.abs(seen[3 * i + 1]! - Math.floor(i / 60) - 0.5) < 2e-3,
    );
    assert.ok(Math.abs(seen[3 * i + 2]! / Number(depth[i]) - 1) < 1e-4);
  }
  assert.ok(pixels > 1000, String(pixels));
});

test('a second mesh is interpolated over the first', () => {
  using raster = new Raster(4, 4);
  raster.draw(square(1), halves);
  raster.draw(square(2), halves, { range: [0, 1], firstId: 2 });
  const grey = (value: number) => tensor(new Float32Array(4).fill(value), { shape: [4, 1] });
  const into = raster.interpolate(grey(5), halves);
  const alone = raster.interpolate(grey(7), halves, { firstId: 2 });
  const same = raster.interpolate(grey(7), halves, { firstId: 2, into });
  assert.equal(same, into);
  assert.deepEqual([...alone.data()].map(Number), [7, 7, 7, 7, 0, 7, 7, 7, 0, 0, 7, 7, 0, 0, 0, 7]);
  assert.deepEqual([...into.data()].map(Number), [7, 7, 7, 7, 5, 7, 7, 7, 5, 5, 7, 7, 5, 5, 5, 7]);
});

test('drawing leaves no tensor behind, and a raster outlives the scope that it was made in', () => {
  const before = liveTensors('thread');
  const raster = scope(() => new Raster(4, 4));
  assert.equal(liveTensors('thread'), before + 3);
  raster.draw(square(1), halves);
  scope(() => {
    raster.interpolate(tensor(square(1), { shape: [4, 3] }), halves);
  });
  assert.equal(liveTensors('thread'), before + 3);
  raster.dispose();
  assert.equal(liveTensors('thread'), before);
});

test('what cannot be drawn is refused with words, and nothing else happens', () => {
  using raster = new Raster(4, 4);
  const points = square(1);
  const refused: [() => unknown, typeof HeadraceError, RegExp][] = [
    [() => new Raster(0, 4), ConfigError, /height to be a whole number from 1 to 32768/],
    [() => new Raster(4, 40000), ConfigError, /width/],
    [() => raster.draw(points, Uint32Array.from([0, 1, 4])), TorchError, /triangle 0 names vertex 4, but there are 4/],
    [() => raster.draw(points, Int32Array.from([0, 1, 2, 0, -1, 2])), TorchError, /triangle 1 names vertex -1/],
    [() => raster.draw(points, Uint32Array.from([0, 1, 4294967295])), TorchError, /names vertex/],
    [() => raster.draw(points.subarray(1), halves), ShapeError, /points in threes, got 11/],
    [() => raster.draw(points, halves.subarray(1)), ShapeError, /triangles in threes/],
    [() => raster.draw([1, 2, 3] as unknown as Float32Array, halves), ConfigError, /got an array/],
    [() => raster.draw(points, [0, 1, 2] as unknown as Uint32Array), ConfigError, /got an array/],
    [() => raster.draw(tensor([[1, 2]]), halves), ShapeError, /float32 \[any, 3\], got float32 \[1, 2\]/],
    [() => raster.draw(tensor([[1, 2, 3]], { dtype: 'float64' }), halves), ShapeError, /got float64/],
    [() => raster.draw(tensor([[1, 2, 3]], { requiresGrad: true }), halves), ConfigError, /detach\(\)/],
    [() => raster.draw(points, halves, { range: [0, 3] }), ConfigError, /within the 2 triangles, got \[0, 3\]/],
    [() => raster.draw(points, halves, { range: [1, 0] }), ConfigError, /within the 2/],
    [() => raster.draw(points, halves, { range: [0.5, 1] }), ConfigError, /within the 2/],
    [() => raster.draw(points, halves, { range: 1 as unknown as [number, number] }), ConfigError, /list of 2/],
    [() => raster.draw(points, halves, { firstId: 2 ** 31 - 1 }), ConfigError, /firstId/],
    [() => raster.draw(points, halves, { firstId: -1 }), ConfigError, /firstId/],
    [() => raster.draw(points, halves, { cull: 'both' as 'back' }), ConfigError, /'none' or 'back' or 'front'/],
    [() => raster.draw(points, halves, { culling: 'back' } as never), ConfigError, /Did you mean cull/],
    [() => raster.interpolate(tensor([1, 2]), halves), ShapeError, /attributes of float32 \[any, any\]/],
    [() => raster.interpolate(tensor([[1], [2]]), halves), TorchError, /names vertex/],
    [() => raster.interpolate(points as never, halves), ConfigError, /a tensor for attributes/],
    [
      () => raster.interpolate(tensor([[1]]), halves, { into: raster.depth }),
      ShapeError,
      /into of float32 \[4, 4, 1\]/,
    ],
    [
      () =>
        raster.interpolate(
          tensor([
            [1, 2],
            [1, 2],
            [1, 2],
            [1, 2],
          ]),
          halves,
          { into: raster.barycentric },
        ),
      TorchError,
      /into shares its memory/,
    ],
    [
      () => raster.interpolate(tensor([[1], [1], [1], [1]]), halves, { inverseDistance: tensor([1, 2]) }),
      ShapeError,
      /inverseDistance of float32 \[4\]/,
    ],
  ];
  for (const [run, kind, words] of refused) {
    assert.throws(run, (error) => error instanceof kind && words.test(error.message) && error instanceof HeadraceError);
  }
  assert.deepEqual(distinct(raster.triangle), [-1]);
  const gone = new Raster(2, 2);
  gone.dispose();
  assert.throws(() => gone.draw(points, halves), TorchError);
});
