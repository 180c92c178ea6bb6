// A slow raster that shares nothing with the native one but its rules: whole numbers without end, one pixel after the other.

export interface SlowPicture {
  readonly depth: Float64Array;
  readonly triangle: Int32Array;
  readonly barycentric: Float64Array;
  /** How many triangles cover each pixel, the hidden ones too. */
  readonly covered: Uint8Array;
}

type Point = readonly [x: bigint, y: bigint];

/** Units of 1/4096 of a pixel, rounded half away from zero. */
const units = (pixels: number): bigint => BigInt(Math.trunc(pixels * 4096 + (pixels < 0 ? -0.5 : 0.5)));

/** Twice the signed area of (a, b, p). */
const area = (a: Point, b: Point, p: Point): bigint => (b[0] - a[0]) * (p[1] - a[1]) - (b[1] - a[1]) * (p[0] - a[0]);

/**
 * The side of a line on which `p` is, after it was moved by less than any fraction to the right, and by less than any fraction
 * of that down: what lies on a left or an upper border is inside then, on a right or a lower one it is not.
 */
function side(a: Point, b: Point, p: Point): number {
  const [here, right, down] = [area(a, b, p), a[1] - b[1], b[0] - a[0]];
  const first = [here, right, down].find((value) => value !== 0n) ?? 0n;
  return first > 0n ? 1 : -1;
}

export function slowRaster(
  points: Float32Array,
  triangles: ArrayLike<number>,
  height: number,
  width: number,
): SlowPicture {
  const size = height * width;
  const depth = new Float64Array(size).fill(Number.NEGATIVE_INFINITY);
  const picture = {
    depth,
    triangle: new Int32Array(size).fill(-1),
    barycentric: new Float64Array(2 * size),
    covered: new Uint8Array(size),
  };
  for (let t = 0; t < triangles.length / 3; t++) {
    const corners = [0, 1, 2].map((k) => 3 * triangles[3 * t + k]!);
    const numbers = corners.flatMap((at) => [points[at]!, points[at + 1]!, points[at + 2]!]);
    if (!numbers.every((value, i) => Number.isFinite(value) && (i % 3 === 2 || Math.abs(value) <= 131072))) continue;
    const [a, b, c] = corners.map((at) => [units(points[at]!), units(points[at + 1]!)] as const) as [
      Point,
      Point,
      Point,
    ];
    const whole = area(a, b, c);
    if (whole === 0n) continue;
    const turn = whole > 0n ? 1 : -1;
    for (let pixel = 0; pixel < size; pixel++) {
      const centre = [BigInt(4096 * (pixel % width) + 2048), BigInt(4096 * Math.floor(pixel / width) + 2048)] as const;
      const edges = [[b, c] as const, [c, a] as const, [a, b] as const];
      // The moved point is on the same side of each edge as the inside is.
      if (edges.some(([from, to]) => side(from, to, centre) !== turn)) continue;
      picture.covered[pixel]!++;
      const [u, v, w] = edges.map(([from, to]) => Number(area(from, to, centre)) / Number(whole)) as [
        number,
        number,
        number,
      ];
      const z = u * points[corners[0]! + 2]! + v * points[corners[1]! + 2]! + w * points[corners[2]! + 2]!;
      // Nearness is told by 32 bits: what is equal in these is equally near.
      if (Math.fround(z) <= Math.fround(depth[pixel]!)) continue;
      depth[pixel] = z;
      picture.triangle[pixel] = t;
      picture.barycentric.set([u, v], 2 * pixel);
    }
  }
  return picture;
}
