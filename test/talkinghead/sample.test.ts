import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { ConfigError, getNumThreads, ops, ShapeError, setNumThreads, type Tensor, TorchError, tensor } from 'headrace';
import { functional } from 'headrace/nn';
import { sample } from 'headrace/talkinghead';
import { randomNumbers } from './numbers.js';

const threads = getNumThreads();
after(() => setNumThreads(threads));

const [height, width] = [9, 13];

function noise(seed: number, shape: readonly number[], least = 0, most = 1): Tensor {
  const next = randomNumbers(seed);
  const count = shape.reduce((product, size) => product * size, 1);
  return tensor(
    Float32Array.from({ length: count }, () => least + (most - least) * next()),
    { shape },
  );
}

/** Places on and well beyond a picture of 13 x 9 pixels. */
const places = noise(3, [40, 50, 2], -6, 20);

/** What PyTorch's grid_sample gives: its -1 and 1 are the picture's outer borders. */
function reference(picture: Tensor, mode: 'bilinear' | 'bicubic'): Tensor {
  const grid = places.div(tensor([width / 2, height / 2])).sub(1);
  const options = { mode, paddingMode: 'border', alignCorners: false } as const;
  return functional
    .gridSample(picture.permute([2, 0, 1]).unsqueeze(0), grid.unsqueeze(0), options)
    .squeeze(0)
    .permute([1, 2, 0]);
}

const furthest = (a: Tensor, b: Tensor): number => a.sub(b).abs().max().item();

test('bilinear and, with a = -0.75, bicubic samples are those of grid_sample, borders included', () => {
  for (const channels of [1, 3, 4, 5]) {
    const picture = noise(channels, [height, width, channels]);
    const linear = sample(picture, places, { interpolation: 'bilinear' });
    assert.ok(furthest(linear, reference(picture, 'bilinear')) < 1e-5, `${channels} channels`);
    const cubic = sample(picture, places, { sharpness: -0.75 });
    assert.ok(furthest(cubic, reference(picture, 'bicubic')) < 2e-5, `${channels} channels`);
    assert.ok(furthest(cubic, sample(picture, places)) > 0.01); // -0.5 is another kernel
  }
});

test('by default a is -0.5: half way between pixels (-1, 9, 9, -1) / 16, and slopes stay as they are', () => {
  const line = tensor([[[16], [0], [32], [160], [48], [0]]]);
  const middle = sample(line, tensor([[[3, 0.5]]]));
  assert.equal(middle.item(), (-0 + 9 * 32 + 9 * 160 - 48) / 16);
  const slope = tensor([Array.from({ length: 10 }, (_, i) => [2 * i + 1])]);
  const at = [2.7, 3.1, 4.9, 6.25].map((x) => [x, 0.5]);
  const values = [...sample(slope, tensor([at])).data()].map(Number);
  for (const [i, [x]] of at.entries()) assert.ok(Math.abs(values[i]! - 2 * x!) < 1e-5);
});

test("a place at a pixel's centre gives the pixel itself", () => {
  const picture = noise(5, [height, width, 3], 0, 255).to({ dtype: 'uint8' });
  const columns = ops.arange(width).add(0.5).expand([height, width]);
  const rows = ops.arange(height).add(0.5).unsqueeze(1).expand([height, width]);
  const map = ops.stack([columns, rows], -1);
  for (const interpolation of ['bilinear', 'bicubic'] as const) {
    assert.deepEqual(sample(picture, map, { interpolation }).bytes(), picture.bytes());
    const floats = picture.to({ dtype: 'float32' });
    assert.deepEqual(sample(floats, map, { interpolation }).bytes(), floats.bytes());
  }
});

test('bytes are rounded, and cut where the kernel goes beyond them', () => {
  const bytes = noise(8, [height, width, 3], 0, 256).to({ dtype: 'uint8' });
  const got = sample(bytes, places).data();
  const exact = sample(bytes.to({ dtype: 'float32' }), places).data();
  let cut = 0;
  for (const [i, value] of exact.entries()) {
    assert.equal(got[i], Math.floor(Math.min(255, Math.max(0, Number(value))) + 0.5));
    if (Number(value) > 255.5 || Number(value) < -0.5) cut++;
  }
  assert.ok(cut > 0);
});

test('channels may come first, and threads may be any number', () => {
  for (const channels of [1, 3, 4]) {
    for (const dtype of ['float32', 'uint8'] as const) {
      const last = noise(channels, [height, width, channels], 0, 255).to({ dtype });
      const expected = sample(last, places);
      const first = sample(last.permute([2, 0, 1]), places, { channels: 'first' });
      assert.deepEqual(first.shape, [channels, 40, 50]);
      assert.deepEqual(first.permute([1, 2, 0]).bytes(), expected.bytes());
      for (const count of [1, 2, 3]) {
        setNumThreads(count);
        const large = sample(last, places.repeat([8, 8, 1]));
        assert.deepEqual(large.slice(0, 280, 320).slice(1, 350, 400).bytes(), expected.bytes());
      }
      setNumThreads(threads);
    }
  }
  const pixel = tensor([[[1, 2, 3]]]);
  assert.deepEqual(sample(pixel.permute([2, 0, 1]), tensor([[[0, 0]]]), { channels: 'first' }).tolist(), [
    [[1]],
    [[2]],
    [[3]],
  ]);
});

test('pixels outside of the mask, and places that are no number, keep what the result holds', () => {
  const picture = tensor([[[10], [20]]]);
  const map = tensor([
    [
      [0.5, 0.5],
      [1.5, 0.5],
      [Number.NaN, 0.5],
      [0.5, Number.NaN],
      [Number.POSITIVE_INFINITY, 0.5],
      [-3e38, 0.5],
    ],
  ]);
  assert.deepEqual(sample(picture, map).tolist(), [[[10], [20], [0], [0], [20], [10]]]);
  const into = tensor([[[1], [2], [3], [4], [5], [6]]]);
  const mask = tensor([[false, true, true, true, true, false]]);
  assert.equal(sample(picture, map, { mask, into }), into);
  assert.deepEqual(into.tolist(), [[[1], [20], [3], [4], [20], [6]]]);
});

test('what cannot be sampled is refused with words', () => {
  const picture = noise(1, [4, 4, 3]);
  const map = noise(2, [2, 2, 2]);
  const other = (value: unknown): never => value as never;
  assert.throws(() => sample(noise(1, [4, 4]), map), ShapeError);
  assert.throws(() => sample(picture.to({ dtype: 'float64' }), map), /uint8 or float32 \[any, any, any\], got float64/);
  assert.throws(() => sample(noise(1, [0, 4, 3]), map), /a picture with pixels/);
  assert.throws(() => sample(picture, noise(2, [2, 2, 3])), /map of float32 \[any, any, 2\]/);
  assert.throws(() => sample(other([1]), map), ConfigError);
  assert.throws(() => sample(picture, map, { interpolation: other('cubic') }), /'bicubic' or 'bilinear'/);
  assert.throws(() => sample(picture, map, { channels: other(3) }), ConfigError);
  assert.throws(() => sample(picture, map, { sharpness: Number.NaN }), ConfigError);
  assert.throws(() => sample(picture, map, { sharpness: 0.5 }), /sharpness from -2 to 0/);
  assert.throws(() => sample(picture, map, other({ mode: 'bilinear' })), ConfigError);
  assert.throws(() => sample(picture, map, { mask: noise(1, [2, 2]) }), /mask of bool \[2, 2\]/);
  assert.throws(() => sample(picture, map, { into: noise(1, [2, 2, 4]) }), /into of float32 \[2, 2, 3\]/);
  assert.throws(() => sample(picture, noise(1, [4, 4, 2]), { into: picture }), TorchError);
  assert.throws(() => sample(picture, map, { into: noise(1, [2, 3, 2]).permute([0, 2, 1]) }), /contiguous/);
  const learnt = noise(1, [4, 4, 3]);
  learnt.requiresGrad = true;
  assert.throws(() => sample(learnt, map), /detach\(\)/);
  assert.deepEqual(sample(picture, noise(1, [0, 5, 2])).shape, [0, 5, 3]);
});
