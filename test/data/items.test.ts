/** Data sets of single items through the loader: what is put together, promises, threads, and what is told when it fails. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  ConcatDataset,
  collated,
  DataLoader,
  type Dataset,
  defaultCollate,
  randomSplit,
  Subset,
  TensorDataset,
  TensorImageDataset,
  WeightedRandomSampler,
} from 'headrace/data';
import { arange, type Tensor, tensor } from 'headrace/torch';

class Squares implements Dataset<{ x: Tensor; y: number; name: string }> {
  readonly asked: number[] = [];

  constructor(
    readonly length: number,
    private readonly bad = -1,
  ) {}

  getItem(index: number): { x: Tensor; y: number; name: string } {
    this.asked.push(index);
    if (index === this.bad) throw new Error('the disk is gone');
    return { x: tensor([index, index * index]), y: index, name: `item ${index}` };
  }
}

/** Items that come after a while, the first of a batch last. */
class Slow implements Dataset<[Tensor, bigint]> {
  underWay = 0;
  most = 0;

  constructor(
    readonly length: number,
    private readonly bad = -1,
  ) {}

  async getItem(index: number): Promise<[Tensor, bigint]> {
    const made = tensor([index / 2]); // made before the first await
    this.most = Math.max(this.most, ++this.underWay);
    await new Promise((resolve) => setTimeout(resolve, 5 * (this.length - index)));
    this.underWay--;
    if (index === this.bad) throw new Error('no answer');
    return [made, BigInt(index)];
  }
}

test('a class with length and getItem is drawn from, its items put together', () => {
  const loader = new DataLoader(new Squares(5), { batchSize: 2 });
  const batches = Array.from(loader.batches(0), ({ x, y, name }) => [x.tolist(), x.dtype, y.tolist(), y.dtype, name]);
  assert.deepEqual(batches, [
    [
      [
        [0, 0],
        [1, 1],
      ],
      'float32',
      [0, 1],
      'int64',
      ['item 0', 'item 1'],
    ],
    [
      [
        [2, 4],
        [3, 9],
      ],
      'float32',
      [2, 3],
      'int64',
      ['item 2', 'item 3'],
    ],
    [[[4, 16]], 'float32', [4], 'int64', ['item 4']],
  ]);
});

test('samples are put together by the rules of default_collate', () => {
  const shown = (value: unknown): unknown =>
    JSON.parse(
      JSON.stringify(value, (_, x) =>
        x !== null && typeof x === 'object' && 'dtype' in x ? `${x.dtype} ${JSON.stringify(x.tolist())}` : x,
      ),
    );
  assert.deepEqual(shown(defaultCollate([1, 2])), 'int64 [1,2]');
  assert.deepEqual(shown(defaultCollate([1, 2.5])), 'float32 [1,2.5]');
  assert.deepEqual(shown(defaultCollate([1n, -2n])), 'int64 [1,-2]');
  assert.deepEqual(shown(defaultCollate([true, false])), 'bool [1,0]');
  assert.deepEqual(shown(defaultCollate(['a', 'b'])), ['a', 'b']);
  assert.deepEqual(shown(defaultCollate([Float32Array.of(1, 2), Float32Array.of(3, 4)])), 'float32 [[1,2],[3,4]]');
  // As in PyTorch, the elements of lists go together one by one.
  assert.deepEqual(
    shown(
      defaultCollate([
        [1, 2, 3],
        [4, 5, 6],
      ]),
    ),
    ['int64 [1,4]', 'int64 [2,5]', 'int64 [3,6]'],
  );
  const nested = defaultCollate([
    { image: tensor([1]), box: { at: [1, 0.5], name: 'x' } },
    { image: tensor([2]), box: { at: [2, 3], name: 'y' } },
  ]);
  assert.deepEqual(shown(nested), {
    image: 'float32 [[1],[2]]',
    box: { at: ['int64 [1,2]', 'float32 [0.5,3]'], name: ['x', 'y'] },
  });
  const map = defaultCollate([new Map([['a', 1]]), new Map([['a', 2]])]) as unknown as Map<string, Tensor>;
  assert.deepEqual(map.get('a')?.tolist(), [1, 2]);
});

test('samples that do not fit are refused, with place and number', () => {
  const refused = (samples: unknown[], message: RegExp): void =>
    assert.throws(() => defaultCollate(samples), { name: 'DataError', message });
  refused(
    [{ x: tensor([1]) }, { x: tensor([1, 2]) }],
    /sample 1 of the batch, at x to be float32 \[1\].*got float32 \[2\]/,
  );
  refused([{ x: 1 }, { y: 1 }], /sample 1 of the batch to be an object of x.*got an object of y/);
  refused([{ x: 1 }, { x: 'a' }], /sample 1 of the batch, at x to be a number, got a/);
  refused([[1, 2], [1]], /sample 1 of the batch to be an array of 2.*got an array of 1/);
  refused([{ a: { b: null } }], /Cannot put null of sample 0, at a\.b into a batch/);
  refused([new Date(0)], /Cannot put Date/);
  refused([Float32Array.of(1), Float64Array.of(1)], /to be Float32Array of 1/);
});

test('numbers that are whole in one batch and not in the next are refused: their dtype would depend on chance', () => {
  const loader = new DataLoader([1, 2, 2.5, 3], { batchSize: 2 });
  assert.deepEqual(loader.batch(0, 0).dtype, 'int64');
  assert.throws(() => loader.batch(0, 1), /were int64 in an earlier batch and are float32 now/);
});

test('an array is a data set, and collate may be given', () => {
  const loader = new DataLoader(['b', 'c'], {
    batchSize: 2,
    collate: (texts: string[]) => ({ text: texts.join('+') }),
  });
  assert.deepEqual([...loader.batches(0)], [{ text: 'b+c' }]);
  assert.deepEqual(
    [
      ...new DataLoader(
        [
          [1, true],
          [2, false],
        ] as [number, boolean][],
        { batchSize: 2 },
      ),
    ].length,
    1,
  );
});

test('items that are promises come in order, with some batches under way ahead', async () => {
  const slow = new Slow(7);
  const loader = new DataLoader(slow, { batchSize: 2 });
  const seen: unknown[] = [];
  for await (const [x, y] of loader.stream(0, 1)) seen.push([x.tolist(), y.tolist()]);
  assert.deepEqual(seen, [
    [
      [[1], [1.5]],
      [2, 3],
    ],
    [
      [[2], [2.5]],
      [4, 5],
    ],
    [[[3]], [6]],
  ]);
  assert.equal(slow.most, 4, 'two batches of two at once');
  assert.throws(() => loader.batch(0, 0), /this data set gives promises: await them, by .*stream\(epoch\)/);
});

test('the stream of a data set without promises is that of batches()', async () => {
  const loader = new DataLoader(new Squares(5), { batchSize: 2, shuffle: true, seed: 3 });
  const streamed: unknown[] = [];
  for await (const { x } of loader.stream(2)) streamed.push(x.tolist());
  assert.deepEqual(
    streamed,
    Array.from(loader.batches(2), ({ x }) => x.tolist()),
  );
  // A loop over the loader itself is an epoch, the next loop the next one.
  const epochs: unknown[][] = [[], []];
  for (const epoch of epochs) for await (const { y } of loader) epoch.push(y.tolist());
  assert.deepEqual(
    epochs[1],
    Array.from(loader.batches(1), ({ y }) => y.tolist()),
  );
  assert.notDeepEqual(epochs[0], epochs[1]);
});

test('each item is asked for once', async () => {
  const squares = new Squares(4);
  for await (const batch of new DataLoader(squares, { batchSize: 2 }).stream(0)) assert.equal(batch.y.numel, 2);
  assert.deepEqual(squares.asked, [0, 1, 2, 3]);
});

test('an error in getItem names the index', async () => {
  const message = /^Item 3 of the data set \(of 5\): the disk is gone$/;
  assert.throws(() => [...new DataLoader(new Squares(5, 3), { batchSize: 2 }).batches(0)], {
    name: 'DataError',
    message,
  });
  const slow = new DataLoader(new Slow(4, 1), { batchSize: 2 });
  await assert.rejects(async () => {
    for await (const batch of slow.stream(0)) assert.fail(`a batch came: ${batch.length}`);
  }, /Item 1 of the data set \(of 4\): no answer/);
  const holes = new DataLoader({ length: 2, getItem: (): unknown => undefined }, { batchSize: 1 });
  assert.throws(() => holes.batch(0, 0), /Item 0 .*: expected a sample, got undefined/);
});

test('a TensorDataset gives rows of its tensors, on other threads too, whatever their number', async () => {
  const x = arange(0, 22, 1, { dtype: 'float32' }).view([11, 2]);
  const set = new TensorDataset(x, arange(11));
  assert.deepEqual(
    set.getItem(3).map((row) => row.tolist()),
    [[6, 7], 3],
  );
  const all = (loader: { batches(epoch: number): Iterable<readonly Tensor[]> }): unknown =>
    Array.from(loader.batches(1), (batch) => batch.map((part) => part.tolist()));
  const options = { batchSize: 2, shuffle: true, seed: 5 };
  const expected = all(new DataLoader(set, options));
  assert.deepEqual(all(new DataLoader(collated(set), options)), expected, 'as item by item');
  for (const numWorkers of [1, 3]) {
    for (const from of [0, 4]) {
      const seen: unknown[] = [];
      for await (const batch of new DataLoader(set, { ...options, numWorkers }).stream(1, from)) {
        seen.push(batch.map((part) => part.tolist()));
      }
      assert.deepEqual(seen, (expected as unknown[]).slice(from));
    }
  }
  assert.throws(() => new TensorDataset(x, arange(3)), /tensors of one first dimension, got \[11, 2\], \[3\]/);
});

test('parts, sums and splits of data sets hold the items that they should', async () => {
  const ten = { length: 10, getItem: (i: number) => i };
  const subset = new Subset(ten, [7, 2, 2]);
  const sum = new ConcatDataset([ten, subset]);
  assert.deepEqual(
    Array.from({ length: 13 }, (_, i) => sum.getItem(i)),
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 7, 2, 2],
  );
  assert.throws(() => sum.getItem(13), /index in \[0, 13\), got 13/);
  assert.throws(() => new Subset(ten, [10]), /index in \[0, 10\), got 10/);
  assert.throws(() => randomSplit(ten, [5, 4]), /sum is 10, or fractions whose sum is 1, got \[5, 4\]/);
  assert.throws(() => randomSplit(ten, [-1, 11]), />= 0/);
  assert.deepEqual(
    randomSplit(ten, [0.1, 0.9]).map(({ length }) => length),
    [1, 9],
  );
  const shared = new DataLoader(new Subset(new TensorDataset(arange(10)), [7, 2, 3]), { batchSize: 2, numWorkers: 2 });
  const seen: unknown[] = [];
  for await (const [part] of shared.stream(0)) seen.push(part?.tolist());
  assert.deepEqual(seen, [[7, 2], [3]]);
});

test('a split of images can be trained on', () => {
  const info = { classes: ['a', 'b'], mean: [0], std: [1] };
  const pixels = tensor(
    Uint8Array.from({ length: 24 }, (_, i) => i),
    { shape: [6, 1, 2, 2] },
  );
  const images = new TensorImageDataset(pixels, arange(6), info);
  const [half] = randomSplit(images, [0.5, 0.5], { seed: 1 });
  const loader = new DataLoader(half as NonNullable<typeof half>, { batchSize: 3, transform: [{ kind: 'toFloat' }] });
  const { images: x, labels } = loader.batch(0, 0);
  assert.deepEqual([x.shape, x.dtype, labels.tolist()], [[3, 1, 2, 2], 'float32', half?.indices]);
});

test('weights decide how often an item is drawn', () => {
  const sampler = new WeightedRandomSampler([1, 3, 0], 4000, { seed: 1 });
  const order = Array.from(sampler.order(0), Number);
  const ones = order.filter((i) => i === 1).length;
  assert.ok(Math.abs(ones - 3000) < 5 * Math.sqrt(4000 * 0.75 * 0.25), `${ones}`);
  assert.ok(!order.includes(2));
  const loader = new DataLoader(new Squares(3), { batchSize: 1000, sampler });
  assert.equal(loader.batchesPerEpoch, 4);
  const all = new WeightedRandomSampler([1, 2, 3], 3, { replacement: false }).order(5);
  assert.deepEqual([...all].sort(), [0n, 1n, 2n]);
  assert.throws(
    () => new WeightedRandomSampler([1, 0], 2, { replacement: false }),
    /2 at least are above 0.*got 1 of 2/,
  );
  assert.throws(() => new WeightedRandomSampler([1, -1], 2), /weights >= 0 and finite, got -1 at 1/);
  assert.throws(() => new WeightedRandomSampler([0, 0], 1), /one at least are above 0, got 0 of 2/);
  assert.throws(() => new WeightedRandomSampler([1], 0), /numSamples: expected an integer >= 1/);
});

test('empty sets, sets below a batch and odd options end in the right batches or a clear error', async () => {
  assert.deepEqual([...new DataLoader(new Squares(0), { batchSize: 4, shuffle: true }).batches(0)], []);
  for await (const batch of new DataLoader(new Squares(0), { batchSize: 4 }).stream(0)) assert.fail(`${batch}`);
  assert.deepEqual(new DataLoader(new Squares(3), { batchSize: 64 }).batch(0, 0).y.tolist(), [0, 1, 2]);
  assert.throws(
    () => new DataLoader(new Squares(3), { batchSize: 64, dropLast: true }),
    /3 items do not fill one of 64/,
  );
  const wrong = { batchSize: 2, shufle: true };
  assert.throws(() => new DataLoader(new Squares(3), wrong), /got shufle\. Did you mean shuffle\?/);
  assert.throws(() => new DataLoader({} as Squares, { batchSize: 2 }), /whole number as length.*got length undefined/);
  assert.throws(() => new DataLoader(null as unknown as Squares, { batchSize: 2 }), /expected a data set/);
  assert.throws(
    () => new DataLoader({ length: 2 } as Squares, { batchSize: 2 }),
    /getItem\(index\) or batch\(indices\)/,
  );
});
