import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import {
  loadCifar10,
  loadDataset,
  loadEmbeddedMnist,
  loadMnistFiles,
  loadStl10,
  loadSvhn,
  parseDataSpec,
} from 'headrace/vision';
import { temporaryFolder } from '../io/helpers.js';
import { matFile } from '../io/matfile.js';

const folder = temporaryFolder();

function makeFolder(name: string): string {
  const path = join(folder, name);
  mkdirSync(path, { recursive: true });
  return path;
}

/** A pixel's value that tells where it belongs. */
const pixel = (image: number, channel: number, y: number, x: number): number =>
  (image * 101 + channel * 59 + y * 7 + x * 3) % 256;

/** Pixels [N, C, H, W] as `pixel` makes them, visited in the order of a format. */
function pixels(
  order: 'row-major' | 'column-major',
  first: number,
  count: number,
  size: number,
  channels = 3,
): Uint8Array {
  const bytes: number[] = [];
  for (let n = first; n < first + count; n++) {
    for (let c = 0; c < channels; c++) {
      for (let i = 0; i < size; i++) {
        for (let j = 0; j < size; j++) bytes.push(order === 'row-major' ? pixel(n, c, i, j) : pixel(n, c, j, i));
      }
    }
  }
  return Uint8Array.from(bytes);
}

test('a spec names a kind and a folder; others list the forms', () => {
  assert.deepEqual(parseDataSpec('mnist'), { kind: 'mnist', dir: null });
  assert.deepEqual(parseDataSpec('folder:C:\\images'), { kind: 'folder', dir: 'C:\\images' });
  assert.throws(() => parseDataSpec('imagenet:x'), {
    name: 'ConfigError',
    message: /unknown data 'imagenet:x': expected mnist, mnist:DIR/,
  });
  assert.throws(() => parseDataSpec('cifar10'), /needs a folder: cifar10:DIR; 'headrace data get cifar10' fetches it/);
  assert.throws(() => parseDataSpec('folder:'), /needs a folder: folder:DIR$/);
});

test('the embedded digits: 10,000 whole bytes, split 8,000 to 2,000, stratified and for ever the same', () => {
  const { train, test: held } = loadEmbeddedMnist();
  assert.deepEqual(
    [train.images.shape, held.images.shape],
    [
      [8000, 1, 28, 28],
      [2000, 1, 28, 28],
    ],
  );
  const perDigit = [1001, 1127, 991, 1032, 980, 863, 1014, 1070, 944, 978]; // in the package
  const counts = (labels: number[]): number[] =>
    perDigit.map((_, digit) => labels.filter((label) => label === digit).length);
  const [a, b] = [counts(train.labels.tolist() as number[]), counts(held.labels.tolist() as number[])];
  assert.deepEqual(
    perDigit.map((_, digit) => (a[digit] as number) + (b[digit] as number)),
    perDigit,
  );
  for (const [digit, n] of perDigit.entries()) assert.ok(Math.abs((b[digit] as number) - n / 5) < 1);
  const sum = createHash('sha256').update(train.images.bytes()).update(held.images.bytes()).digest('hex');
  assert.equal(sum, '68a99581a2ab894e0507430db03228e300ccc36865c8b33c8f4771ec0a6dd517');
  // The first zero of the package starts its ink with 0.2, 0.624, 0.992: 51, 159 and 253 of 255.
  const firstZero = [train, held].map((set) => [...set.images.select(0, 0).bytes()].filter((v) => v > 0).slice(0, 3));
  assert.ok(
    firstZero.some((ink) => ink.join() === '51,159,253'),
    JSON.stringify(firstZero),
  );
});

test('MNIST idx files read, plain or gzipped, and their counts must agree', () => {
  const dir = makeFolder('mnist');
  const idx = (sizes: number[], data: Uint8Array): Buffer => {
    const head = Buffer.alloc(4 + 4 * sizes.length);
    head.set([0, 0, 8, sizes.length]);
    for (const [d, size] of sizes.entries()) head.writeUInt32BE(size, 4 + 4 * d);
    return Buffer.concat([head, data]);
  };
  writeFileSync(join(dir, 'train-images-idx3-ubyte.gz'), gzipSync(idx([3, 28, 28], pixels('row-major', 0, 3, 28, 1))));
  writeFileSync(join(dir, 'train-labels.idx1-ubyte'), idx([3], Uint8Array.of(5, 0, 9)));
  assert.throws(() => loadMnistFiles(dir), /No t10k-images-idx3-ubyte or .* in .*mnist: put the official files there/);
  writeFileSync(join(dir, 't10k-images-idx3-ubyte'), idx([1, 28, 28], pixels('row-major', 3, 1, 28, 1)));
  writeFileSync(join(dir, 't10k-labels-idx1-ubyte'), idx([1], Uint8Array.of(7)));
  const { train, test: held } = loadMnistFiles(dir);
  assert.deepEqual([train.labels.tolist(), held.labels.tolist(), train.channels], [[5, 0, 9], [7], 1]);
  assert.equal(train.images.index(2, 0, 20, 11).item(), pixel(2, 0, 20, 11));
  writeFileSync(join(dir, 't10k-labels-idx1-ubyte'), idx([2], Uint8Array.of(7, 8)));
  assert.throws(
    () => loadMnistFiles(dir),
    /t10k-labels-idx1-ubyte: expected 1 labels, as many as images, got uint8 \[2\]/,
  );
});

test("CIFAR-10 binary files read, in the folder or in the archive's own", () => {
  const dir = makeFolder('cifar/cifar-10-batches-bin');
  const record = (n: number): Buffer => Buffer.concat([Buffer.of(n % 10), pixels('row-major', n, 1, 32)]);
  for (let file = 0; file < 5; file++)
    writeFileSync(join(dir, `data_batch_${file + 1}.bin`), Buffer.concat([record(2 * file), record(2 * file + 1)]));
  writeFileSync(join(dir, 'test_batch.bin'), Buffer.concat([record(13), record(14)]));
  for (const given of [dir, join(folder, 'cifar')]) {
    const { train, test: held } = loadCifar10(given, 2);
    assert.deepEqual(train.labels.tolist(), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    assert.deepEqual(held.labels.tolist(), [3, 4]);
    for (const [n, c, y, x] of [
      [0, 0, 0, 0],
      [7, 2, 30, 5],
      [9, 1, 1, 31],
    ] as const) {
      assert.equal(train.images.index(n, c, y, x).item(), pixel(n, c, y, x));
    }
    assert.deepEqual([train.classes[3], train.mean.length], ['cat', 3]);
  }
  writeFileSync(join(dir, 'batches.meta.txt'), 'a b c d e f g h i j\n\n');
  assert.equal(loadCifar10(dir, 2).train.classes[3], 'd');
});

test('a CIFAR-10 file cut short, absent or with a wrong label is one error that says what to do', async () => {
  const dir = makeFolder('cifar-bad');
  await assert.rejects(loadDataset(`cifar10:${dir}`), {
    name: 'DataError',
    message: /Expected data_batch_1\.bin in .*found it in neither: fetch it again with 'headrace data get cifar10'/,
  });
  writeFileSync(join(dir, 'data_batch_1.bin'), Buffer.alloc(3073 * 2 - 1));
  await assert.rejects(loadDataset(`cifar10:${dir}`), {
    name: 'DataError',
    message:
      /data_batch_1\.bin is cut short: expected 30730000 bytes \(10000 images of 3073 bytes\), got 6145: fetch it again with 'headrace data get cifar10'/,
  });
  writeFileSync(join(dir, 'data_batch_1.bin'), Buffer.alloc(3073 * 2, 10));
  assert.throws(() => loadCifar10(dir, 2), /data_batch_1\.bin: label 0 is 10, expected 0 to 9/);
  writeFileSync(join(dir, 'data_batch_1.bin'), Buffer.alloc(3073 * 2));
  assert.throws(() => loadCifar10(dir, 2), /No file .*data_batch_2\.bin \(expected 2 images of 3073 bytes\)/);
});

test('SVHN .mat files read: images upright, label 10 is the digit 0', () => {
  const dir = makeFolder('svhn');
  // MATLAB's X(y, x, c, n), first index fastest: in memory the images one after another, planes, columns.
  const write = (name: string, first: number, labels: number[], compressed: boolean): void => {
    const images = pixels('column-major', first, labels.length, 32);
    const X = { name: 'X', shape: [32, 32, 3, labels.length], values: images, kind: 'uint8' as const };
    const y = { name: 'y', shape: [labels.length, 1], values: Uint8Array.from(labels), kind: 'double' as const };
    writeFileSync(join(dir, name), matFile([X, y], { compressed }));
  };
  write('train_32x32.mat', 0, [10, 1, 9], true);
  write('test_32x32.mat', 3, [5, 10], false);
  const { train, test: held } = loadSvhn(dir, { train: 3, test: 2 });
  assert.deepEqual(
    [train.labels.tolist(), held.labels.tolist()],
    [
      [0, 1, 9],
      [5, 0],
    ],
  );
  for (const [n, c, y, x] of [
    [0, 0, 0, 1],
    [1, 2, 30, 5],
    [2, 1, 1, 31],
  ] as const) {
    assert.equal(train.images.index(n, c, y, x).item(), pixel(n, c, y, x));
    if (n < 2) assert.equal(held.images.index(n, c, y, x).item(), pixel(n + 3, c, y, x));
  }
  assert.throws(
    () => loadSvhn(dir),
    /expected X to be uint8 \[32, 32, 3, 73257\], got uint8 \[32, 32, 3, 3\]: fetch it again/,
  );
});

test('STL-10 binary files read: images upright, labels from 1', async () => {
  const dir = makeFolder('stl');
  const names = ['airplane', 'bird', 'car', 'cat', 'deer', 'dog', 'horse', 'monkey', 'ship', 'truck'];
  writeFileSync(join(dir, 'class_names.txt'), `${names.join('\n')}\n`);
  writeFileSync(join(dir, 'train_X.bin'), pixels('column-major', 0, 2, 96));
  writeFileSync(join(dir, 'train_y.bin'), Uint8Array.of(10, 1));
  writeFileSync(join(dir, 'test_X.bin'), pixels('column-major', 2, 1, 96));
  writeFileSync(join(dir, 'test_y.bin'), Uint8Array.of(3));
  const { train, test: held } = loadStl10(dir, { train: 2, test: 1 });
  assert.deepEqual([train.labels.tolist(), held.labels.tolist(), train.classes], [[9, 0], [2], names]);
  assert.equal(train.images.index(1, 2, 90, 5).item(), pixel(1, 2, 90, 5));
  assert.equal(held.images.index(0, 1, 0, 95).item(), pixel(2, 1, 0, 95));
  await assert.rejects(
    loadDataset(`stl10:${dir}`),
    /train_X\.bin is cut short: expected 138240000 bytes .*headrace data get stl10/,
  );
});

test('loadDataset gives transforms, and a limit picks by seed from all classes', async () => {
  const data = await loadDataset({ spec: 'mnist', limit: 500, testLimit: 100, seed: 3 });
  assert.deepEqual([data.train.length, data.test.length, data.inputShape], [500, 100, [1, 28, 28]]);
  assert.equal(new Set(data.train.labels.tolist() as number[]).size, 10);
  const again = await loadDataset({ spec: 'mnist', limit: 500, seed: 3 });
  assert.deepEqual(again.train.labels.tolist(), data.train.labels.tolist());
  assert.equal(again.test.length, 500);
  assert.deepEqual(
    data.trainTransforms.map(({ kind }) => kind),
    ['randomCropReflect', 'toFloat', 'normalise'],
  );
  assert.deepEqual(
    data.testTransforms.map(({ kind }) => kind),
    ['toFloat', 'normalise'],
  );
  const plain = await loadDataset({ spec: 'mnist', limit: 10, augment: { pad: 0, flip: true } });
  assert.deepEqual(
    plain.trainTransforms.map(({ kind }) => kind),
    ['randomHorizontalFlip', 'toFloat', 'normalise'],
  );
  await assert.rejects(loadDataset({ spec: 'mnist', limit: 0 }), /limit: expected an integer >= 1, got 0/);
  await assert.rejects(loadDataset({ spec: 'mnist', size: 32 }), /size applies to folder: data only/);
});
