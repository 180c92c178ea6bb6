import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  compose,
  normalise,
  randomCropReflect,
  randomHorizontalFlip,
  type TransformSpec,
  toFloat,
  transformFrom,
} from 'headrace/data';
import { Generator, rand, randint, type Tensor, tensor } from 'headrace/torch';

type Image = number[][][]; // [C][H][W]

const [B, C, H, W] = [7, 3, 6, 9];
const batch = (): Tensor =>
  tensor(
    Uint8Array.from({ length: B * C * H * W }, (_, i) => (i * 37 + (i >> 3) * 11) % 256),
    { shape: [B, C, H, W] },
  );

/** Index `i` of a line of `n` pixels mirrored at its ends, found by walking back and forth. */
function walk(i: number, n: number): number {
  const period = [...Array(n).keys(), ...[...Array(n).keys()].slice(1, -1).reverse()];
  return period[((i % period.length) + period.length) % period.length] as number;
}

/** One image at a time, one pixel at a time: the window that starts (dy, dx) after the padded image's corner. */
function cropOne(image: Image, pad: number, dy: number, dx: number): Image {
  return image.map((plane) =>
    plane.map((row, y) => row.map((_, x) => plane[walk(y + dy - pad, H)]?.[walk(x + dx - pad, W)] as number)),
  );
}

test('the batched reflect-pad crop equals a crop of each image on its own', () => {
  for (const pad of [0, 1, 4, 5]) {
    const images = batch();
    const cropped = randomCropReflect(pad)(images, new Generator(5)).tolist() as Image[];
    const offsets = randint(0, 2 * pad + 1, [2, B, 1], { generator: new Generator(5) }).tolist() as number[][][];
    const expected = (images.tolist() as Image[]).map((image, i) =>
      cropOne(image, pad, offsets[0]?.[i]?.[0] as number, offsets[1]?.[i]?.[0] as number),
    );
    assert.deepEqual(cropped, expected, `pad ${pad}`);
    assert.deepEqual(images.tolist(), batch().tolist(), 'the input is unchanged');
  }
});

test('crop offsets are uniform over the whole range in both directions', () => {
  // Pixel (pad, pad) of a picture of its own coordinates tells the offset.
  const [n, size, pad] = [3000, 5, 1];
  const grid = tensor(
    Uint8Array.from({ length: size * size }, (_, i) => i),
    { shape: [1, 1, size, size] },
  );
  const pixels = randomCropReflect(pad)(grid.expand([n, 1, size, size]), new Generator(1))
    .select(3, 2)
    .select(2, 2);
  const counts = new Map<number, number>();
  for (const value of (pixels.tolist() as unknown as number[]).flat(3)) counts.set(value, (counts.get(value) ?? 0) + 1);
  assert.deepEqual(
    [...counts.keys()].sort((a, b) => a - b),
    [6, 7, 8, 11, 12, 13, 16, 17, 18],
  );
  for (const count of counts.values()) assert.ok(Math.abs(count - n / 9) < 80, `${count} of ${n / 9}`); // 4.6 sigma
});

test('the batched flip mirrors exactly the images that the generator picks', () => {
  const images = batch();
  for (const probability of [0, 0.5, 1]) {
    const flipped = randomHorizontalFlip(probability)(images, new Generator(3)).tolist() as Image[];
    const draws = (rand([B, 1, 1, 1], { generator: new Generator(3) }).tolist() as number[][][][]).map(
      (x) => x.flat(3)[0] as number,
    );
    const expected = (images.tolist() as Image[]).map((image, i) =>
      (draws[i] as number) < probability ? image.map((plane) => plane.map((row) => [...row].reverse())) : image,
    );
    assert.deepEqual(flipped, expected);
  }
});

test('toFloat and normalise give (x / 255 - mean) / std of each channel in float32', () => {
  const [mean, std] = [
    [0.1, 0.5, 0.9],
    [0.2, 0.25, 0.3],
  ];
  const result = compose(toFloat(), normalise(mean, std))(batch(), new Generator(0));
  assert.equal(result.dtype, 'float32');
  const values = result.tolist() as Image[];
  (batch().tolist() as Image[]).forEach((image, i) => {
    image.forEach((plane, c) => {
      plane.forEach((row, y) => {
        row.forEach((pixel, x) => {
          const expected = (pixel / 255 - (mean[c] as number)) / (std[c] as number);
          assert.ok(Math.abs((values[i]?.[c]?.[y]?.[x] as number) - expected) < 1e-5);
        });
      });
    });
  });
});

test('transforms as data give the same result as the functions, and depend on the seed alone', () => {
  const specs: TransformSpec[] = [
    { kind: 'randomCropReflect', pad: 2 },
    { kind: 'randomHorizontalFlip' },
    { kind: 'toFloat' },
    { kind: 'normalise', mean: [0.5, 0.5, 0.5], std: [0.2, 0.2, 0.2] },
  ];
  const functions = compose(
    randomCropReflect(2),
    randomHorizontalFlip(),
    toFloat(),
    normalise([0.5, 0.5, 0.5], [0.2, 0.2, 0.2]),
  );
  const run = (transform: typeof functions, seed: number): unknown => transform(batch(), new Generator(seed)).tolist();
  const reread = JSON.parse(JSON.stringify(specs)) as TransformSpec[];
  assert.deepEqual(run(transformFrom(reread), 9), run(functions, 9));
  assert.notDeepEqual(run(functions, 9), run(functions, 10));
});

test('values that make no sense are refused', () => {
  const generator = new Generator(0);
  assert.throws(() => randomCropReflect(-1), /pad: expected an integer >= 0, got -1/);
  assert.throws(() => randomCropReflect(6)(batch(), generator), /pad below the image's 6x9, got 6/);
  assert.throws(() => randomHorizontalFlip(1.5), /probability in \[0, 1\], got 1\.5/);
  assert.throws(() => normalise([0], [0]), /std > 0/);
  assert.throws(() => normalise([0], [1])(batch(), generator), /expected 1 channels, got images \[7, 3, 6, 9\]/);
  assert.throws(() => toFloat() && randomHorizontalFlip()(tensor([1]), generator), /images \[B, C, H, W\], got \[1\]/);
  assert.throws(() => transformFrom([{ kind: 'rotate' } as never]), /unknown transform \{"kind":"rotate"\}/);
});
