import assert from 'node:assert/strict';
import { test } from 'node:test';
import { collated, DataLoader, type TensorBatch, TensorImageDataset, type TransformSpec } from 'headrace/data';
import { liveTensors, scope, stack, tensor } from 'headrace/torch';

const N = 23;

/** Image i is filled with i; its label is i. */
function numbered(): TensorImageDataset {
  const pixels = Uint8Array.from({ length: N * 2 * 4 * 4 }, (_, i) => Math.floor(i / 32) * 7 + (i % 32));
  const labels = BigInt64Array.from({ length: N }, (_, i) => BigInt(i));
  const info = { classes: Array.from({ length: N }, (_, i) => `c${i}`), mean: [0.5, 0.5], std: [0.2, 0.2] };
  return new TensorImageDataset(tensor(pixels, { shape: [N, 2, 4, 4] }), tensor(labels), info);
}

const transform: TransformSpec[] = [
  { kind: 'randomCropReflect', pad: 2 },
  { kind: 'randomHorizontalFlip' },
  { kind: 'toFloat' },
  { kind: 'normalise', mean: [0.5, 0.5], std: [0.2, 0.2] },
];

const plain = (batch: TensorBatch): unknown => Object.entries(batch).map(([name, t]) => [name, t.tolist()]);
const labelsOf = (batches: Iterable<TensorBatch>): number[][] =>
  Array.from(batches, (b) => b.labels?.tolist() as number[]);

test('an epoch visits every item once, the last partial batch included', () => {
  const loader = new DataLoader(numbered(), { batchSize: 5, shuffle: true, seed: 1 });
  const batches = labelsOf(loader.batches(0));
  assert.equal(loader.batchesPerEpoch, 5);
  assert.deepEqual(
    batches.map((b) => b.length),
    [5, 5, 5, 5, 3],
  );
  assert.deepEqual(
    batches.flat().sort((a, b) => a - b),
    Array.from({ length: N }, (_, i) => i),
  );
  const dropping = new DataLoader(numbered(), { batchSize: 5, shuffle: true, seed: 1, dropLast: true });
  assert.deepEqual(labelsOf(dropping.batches(0)), batches.slice(0, 4));
});

test('images go with their labels and keep their dtype without transforms', () => {
  const set = numbered();
  for (const { images, labels } of new DataLoader(set, { batchSize: 4, shuffle: true }).batches(0)) {
    assert.equal(images.dtype, 'uint8');
    for (const [row, label] of (labels.tolist() as number[]).entries()) {
      assert.deepEqual(images.select(0, row).tolist(), set.images.select(0, label).tolist());
    }
  }
});

test('the order follows seed and epoch; without shuffle it is the order of the data set', () => {
  const order = (seed: number, epoch: number): number[] =>
    labelsOf(new DataLoader(numbered(), { batchSize: 6, shuffle: true, seed }).batches(epoch)).flat();
  assert.deepEqual(order(0, 1), order(0, 1));
  assert.notDeepEqual(order(0, 1), order(0, 2));
  assert.notDeepEqual(order(0, 1), order(1, 1));
  const sequential = new DataLoader(numbered(), { batchSize: 6 });
  assert.deepEqual(
    labelsOf(sequential.batches(3)).flat(),
    Array.from({ length: N }, (_, i) => i),
  );
});

test('a batch depends on (seed, epoch, number) only: resuming in the middle gives the same rest', () => {
  const options = { batchSize: 5, shuffle: true, seed: 4, transform };
  const whole = Array.from(new DataLoader(numbered(), options).batches(2), plain);
  const resumed = Array.from(new DataLoader(numbered(), options).batches(2, 3), plain);
  assert.deepEqual(resumed, whole.slice(3));
  assert.deepEqual(plain(new DataLoader(numbered(), options).batch(2, 1)), whole[1]);
});

test('prefetching on another thread gives the same batches as the same thread', async () => {
  const loader = new DataLoader(numbered(), { batchSize: 5, shuffle: true, seed: 4, transform });
  for (const from of [0, 3]) {
    const ahead: unknown[] = [];
    for await (const batch of loader.prefetch(1, from, 2)) ahead.push(plain(batch));
    assert.deepEqual(ahead, Array.from(loader.batches(1, from), plain));
  }
});

test('a loop over prefetched batches can end early: the thread ends too', async () => {
  const loader = new DataLoader(numbered(), { batchSize: 1, transform });
  const seen: number[] = [];
  for await (const { labels } of loader.prefetch(0, 0, 1)) if (seen.push(labels.item()) === 3) break;
  assert.deepEqual(seen, [0, 1, 2]); // and the loop ends only when the thread has
});

test('an error on the prefetching thread reaches the loop', async () => {
  const wrong: TransformSpec[] = [{ kind: 'randomCropReflect', pad: 9 }];
  const loader = new DataLoader(numbered(), { batchSize: 5, transform: wrong });
  await assert.rejects(async () => {
    for await (const batch of loader.prefetch(0)) assert.fail(`a batch came: ${Object.keys(batch)}`);
  }, /pad below the image's 4x4, got 9/);
});

test('what cannot go to another thread says so', async () => {
  const first = <T>(batches: AsyncIterator<T>): Promise<unknown> => batches.next();
  const own = collated({ length: 3, get: (i) => i }, (samples) => ({ x: tensor(samples) }));
  await assert.rejects(first(new DataLoader(own, { batchSize: 2 }).prefetch(0)), /share\(\) method\): use batches/);
  const closure = new DataLoader(numbered(), { batchSize: 2, transform: (batch) => batch });
  await assert.rejects(first(closure.prefetch(0)), /function cannot go to another thread/);
});

test('any map-style data set and any transform function work through collated()', () => {
  const squares = collated({ length: 5, get: (i) => tensor([i + 1, i * i + 1]) }, (samples) => ({ x: stack(samples) }));
  const loader = new DataLoader(squares, { batchSize: 2, transform: ({ x }) => ({ x: x.neg() }) });
  assert.deepEqual(
    Array.from(loader.batches(0), ({ x }) => x.tolist()),
    [
      [
        [-1, -1],
        [-2, -2],
      ],
      [
        [-3, -5],
        [-4, -10],
      ],
      [[-5, -17]],
    ],
  );
});

test('a scope around the use of a batch leaves no tensor behind', () => {
  const loader = new DataLoader(numbered(), { batchSize: 5, shuffle: true, transform });
  scope(() => loader.batch(0, 0));
  const before = liveTensors();
  for (let epoch = 0; epoch < 3; epoch++) {
    for (let batch = 0; batch < loader.batchesPerEpoch; batch++) scope(() => void loader.batch(epoch, batch));
  }
  assert.equal(liveTensors(), before);
});

test('wrong options and numbers are refused', () => {
  assert.throws(() => new DataLoader(numbered(), { batchSize: 0 }), /batchSize: expected an integer >= 1, got 0/);
  const loader = new DataLoader(numbered(), { batchSize: 10 });
  assert.throws(() => loader.batch(0, 3), /expected a batch below 3, the number in an epoch, got 3/);
  assert.throws(() => loader.batch(-1, 0), /epoch: expected an integer >= 0, got -1/);
  const set = numbered();
  assert.throws(() => new TensorImageDataset(set.images, set.images, set.info), /labels: expected int64 \[23\]/);
  assert.throws(
    () => new TensorImageDataset(set.labels, set.labels, set.info),
    /images: expected uint8 \[N, C, H, W\]/,
  );
});

test('a subset keeps images, labels and classes in the order given', () => {
  const part = numbered().subset([5, 2]);
  assert.deepEqual([part.length, part.labels.tolist(), part.classes.length], [2, [5, 2], N]);
  assert.deepEqual(part.images.select(0, 0).tolist(), numbered().images.select(0, 5).tolist());
});
