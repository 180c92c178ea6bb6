/** Transforms, splits and weighted draws against PyTorch's and torchvision's formulas: see golden/make_golden.py. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { cutmix, mixup, randomSplit, type TransformSpec, transformFrom, WeightedRandomSampler } from 'headrace/data';
import { type DType, Generator, type Tensor, tensor, tensorFromBytes } from 'headrace/torch';

interface Packed {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly data: string;
}

interface Golden {
  readonly randomSplit: readonly { length: number; lengths: number[]; seed: number; parts: number[][] }[];
  readonly weighted: readonly {
    weights: number[];
    numSamples: number;
    replacement: boolean;
    seed: number;
    epoch: number;
    order: number[];
  }[];
  readonly transforms: readonly {
    spec: TransformSpec;
    seed: number;
    input: 'uint8' | 'float32' | 'many';
    output: Packed;
  }[];
  readonly mixing: readonly { kind: 'mixup' | 'cutmix'; alpha: number; seed: number; images: Packed; labels: Packed }[];
}

const url = new URL('../../../test/data/golden/golden.json', import.meta.url);
const golden = JSON.parse(readFileSync(url, 'utf8')) as Golden;

const unpack = ({ dtype, shape, data }: Packed): Tensor =>
  tensorFromBytes(Uint8Array.from(Buffer.from(data, 'base64')), dtype, shape);

function pixels(b: number, c: number, h: number, w: number, few = false): Tensor {
  const bytes = Uint8Array.from({ length: b * c * h * w }, (_, i) => {
    const value = (i * 37 + (i >> 3) * 11 + Math.floor((i * i) / 128)) % 256;
    return few && Math.floor(i / (c * h * w)) % 3 === 0 ? Math.floor(value / 3) + 40 : value;
  });
  return tensor(bytes, { shape: [b, c, h, w] });
}

const bytes = pixels(6, 3, 13, 17);
const inputs = { uint8: bytes, float32: bytes.to({ dtype: 'float32' }).div(255), many: pixels(96, 3, 20, 24, true) };

const numbersOf = (x: Tensor): number[] => Array.from(x.contiguous().data() as ArrayLike<number>, Number);

/**
 * The shares of bytes that may be off by one and by more. A float between two bytes may be rounded to either, and one between two
 * pixels (where an image is turned) takes either: kernels of processors, and versions of libtorch, round apart.
 */
const otherwiseRounded: Partial<Record<TransformSpec['kind'], { by1: number; by2: number }>> = {
  resize: { by1: 1 / 100, by2: 0 },
  randomResizedCrop: { by1: 1 / 1000, by2: 0 },
  randAugment: { by1: 1 / 20, by2: 1 / 1000 },
};

for (const { spec, seed, input, output } of golden.transforms) {
  test(`${JSON.stringify(spec)} of ${input} gives torchvision's pixels`, () => {
    const before = inputs[input].clone();
    const result = transformFrom([spec])(inputs[input], new Generator(seed));
    const compared = input === 'many' ? result.narrow(0, 0, output.shape[0] as number) : result;
    assert.deepEqual([compared.shape, compared.dtype], [output.shape, output.dtype]);
    const [got, want] = [numbersOf(compared), numbersOf(unpack(output))];
    const errors = got.map((value, i) => Math.abs(value - (want[i] as number)));
    if (output.dtype !== 'uint8') assert.ok(Math.max(...errors) <= 2e-5, `off by ${Math.max(...errors)}`);
    const { by1, by2 } = otherwiseRounded[spec.kind] ?? { by1: 1 / 20_000, by2: 0 };
    for (const [least, share] of [
      [1, by1],
      [2, by2],
    ] as const) {
      const off = errors.filter((error) => error >= least).length;
      assert.ok(off <= errors.length * share, `${off} of ${errors.length} bytes are off by ${least} or more`);
    }
    assert.deepEqual(inputs[input].bytes(), before.bytes(), 'the input is unchanged');
  });
}

for (const { kind, alpha, seed, images, labels } of golden.mixing) {
  test(`${kind} with alpha ${alpha} gives torchvision's images and probabilities`, () => {
    const transform = { mixup, cutmix }[kind]({ alpha, classes: 4 });
    const hard = tensor(BigInt64Array.of(0n, 1n, 2n, 3n, 1n, 0n));
    const mixed = transform({ images: inputs.float32, labels: hard }, new Generator(seed));
    for (const [got, want] of [
      [mixed.images, unpack(images)],
      [mixed.labels, unpack(labels)],
    ] as const) {
      assert.deepEqual([got.shape, got.dtype], [want.shape, want.dtype]);
      assert.ok(got.sub(want).abs().max().item() < 1e-6);
    }
    assert.ok(mixed.labels.sum([1]).sub(1).abs().max().item() < 1e-6);
  });
}

test('randomSplit gives the parts of random_split with a generator of the same seed', () => {
  for (const { length, lengths, seed, parts } of golden.randomSplit) {
    const numbers = { length, getItem: (index: number) => index };
    assert.deepEqual(
      randomSplit(numbers, lengths, { seed }).map(({ indices }) => indices),
      parts,
    );
  }
});

test('the weighted sampler draws what torch.multinomial draws', () => {
  for (const { weights, numSamples, replacement, seed, epoch, order } of golden.weighted) {
    const sampler = new WeightedRandomSampler(weights, numSamples, { replacement, seed });
    assert.deepEqual(Array.from(sampler.order(epoch), Number), order);
    assert.equal(sampler.length, numSamples);
  }
});
