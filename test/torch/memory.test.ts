// Loops without scopes, and what the collector is told: the memory in use stays bounded though nothing pauses or disposes.
// Runs in a process of its own: it counts what lives in the process, and when the collector comes.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { afterEach, test } from 'node:test';
import { setImmediate as tick } from 'node:timers/promises';
import { DataLoader, type ImageBatch, TensorImageDataset } from 'headrace/data';
import { functional, Linear, ReLU, Sequential } from 'headrace/nn';
import { SGD } from 'headrace/optim';
import {
  Generator,
  keep,
  liveBytes,
  liveTensors,
  ones,
  randint,
  randn,
  scope,
  setMemoryLimits,
  setNumThreads,
  type Tensor,
  tensor,
  zeros,
} from 'headrace/torch';

const MB = 2 ** 20;

setNumThreads(1); // Many small products: where other processes are busy, threads that wait for each other take minutes.
const BOUND = 600 * MB;

/** What a test piles up, gone after it, whether it fails or not: the next one counts tensors. */
const pile: Tensor[] = [];
afterEach(() => {
  for (const x of pile.splice(0)) x.dispose();
  setMemoryLimits({ warnBytes: Number.POSITIVE_INFINITY, warnTensors: Number.POSITIVE_INFINITY });
});

const mlp = (): Sequential =>
  new Sequential(new Linear(512, 1024), new ReLU(), new Linear(1024, 1024), new ReLU(), new Linear(1024, 1));

test('1,000 training steps of an MLP, unscoped and without a pause, hold less than 600 MB', () => {
  const model = mlp();
  const optimizer = new SGD(model.parameters(), { lr: 1e-3, momentum: 0.9 });
  let most = 0;
  for (let step = 0; step < 1000; step++) {
    const loss = functional.mseLoss(model.forward(randn([4, 512])), zeros([4, 1]));
    optimizer.zeroGrad();
    loss.backward();
    optimizer.step();
    if (step % 10 === 0) most = Math.max(most, liveBytes());
  }
  assert.ok(most < BOUND, `${most} bytes were held at once`);
});

test('2,000 asynchronous requests, unscoped, hold less than 600 MB', async () => {
  const model = mlp();
  let most = 0;
  const handle = async (): Promise<unknown> => {
    const x = randn([16, 512]);
    await tick();
    const y = model.forward(x);
    await Promise.resolve();
    return y.tolist();
  };
  for (let request = 0; request < 2000; request += 4) {
    await Promise.all([handle(), handle(), handle(), handle()]);
    if (request % 20 === 0) most = Math.max(most, liveBytes());
  }
  assert.ok(most < BOUND, `${most} bytes were held at once`);
});

test("the loader's loop over six epochs of 20,000 images of 64x64 holds less than 600 MB", () => {
  const info = { classes: ['a', 'b'], mean: [0.5], std: [0.5] };
  const images = randint(0, 256, [20_000, 1, 64, 64], { dtype: 'uint8' });
  const loader = new DataLoader(new TensorImageDataset(images, randint(0, 2, [20_000]), info), {
    batchSize: 128,
    shuffle: true,
    transform: [{ kind: 'toFloat' }],
  });
  let most = 0;
  let seen = 0;
  for (let epoch = 0; epoch < 6; epoch++) {
    for (const { images, labels } of loader.batches(epoch)) {
      images.mean();
      seen += labels.numel;
      if (seen % 1280 === 0) most = Math.max(most, liveBytes());
    }
  }
  assert.equal(seen, 120_000);
  assert.ok(most < BOUND, `${most} bytes were held at once`);
});

test('generators that are dropped in a loop that never pauses are freed; those in use are not', () => {
  const first = randn([1], { generator: new Generator(0) }).item();
  const kept = new Generator(0);
  const before = process.memoryUsage().rss;
  for (let i = 0; i < 200_000; i++) new Generator(i); // 1 GB of them
  const grown = process.memoryUsage().rss - before;
  assert.ok(grown < 400 * MB, `${grown} bytes more`);
  assert.equal(randn([1], { generator: kept }).item(), first);
});

test('liveBytes counts each memory once, and drops with the last that needs it', () => {
  const before = liveBytes();
  const x = ones([1000]);
  const half = x.narrow(0, 0, 500);
  assert.equal(liveBytes() - before, 4000);
  const other = ones([10], { dtype: 'float64' });
  x.setData(other);
  other.dispose();
  assert.equal(liveBytes() - before, 4000 + 80);
  half.dispose();
  assert.equal(liveBytes() - before, 80);
  scope(() => assert.equal(liveBytes() - before + ones([2]).numel, 80 + 2));
  x.dispose();
  assert.equal(liveBytes(), before);
});

/** What a warning says, or null where none came. */
async function warningDuring(body: () => void): Promise<(Error & { code: string }) | null> {
  const warned = once(process, 'warning') as Promise<[Error & { code: string }]>;
  body();
  return await Promise.race([warned.then(([warning]) => warning), tick(null)]);
}

test('tensors that pile up outside scopes are warned of once, with the line that makes them', async () => {
  setMemoryLimits({ warnTensors: 500 });
  const fill = (): void => {
    for (let i = 0; i < 1000; i++) pile.push(tensor([i])); // the line
  };
  const warning = await warningDuring(fill);
  assert.equal(warning?.code, 'HEADRACE_UNSCOPED_TENSORS');
  assert.match(warning.message, /\d{3} tensors \(0 MiB\) that no scope owns .* fill .*memory\.test\.[jt]s:\d+/);
  assert.equal(await warningDuring(fill), null);
});

test('bytes that pile up are warned of, too, each memory once; kept tensors, those of scopes and dropped ones are not', async () => {
  setMemoryLimits({ warnBytes: 8 * MB, warnTensors: 1e6 });
  const big = () => zeros([MB / 4]);
  assert.equal(await warningDuring(() => pile.push(...Array.from({ length: 20 }, () => keep(big())))), null);
  assert.equal(await warningDuring(() => scope(() => Array.from({ length: 20 }, big).length)), null);
  assert.equal(await warningDuring(() => Array.from({ length: 100 }, () => big().shape)), null);
  const one = big();
  assert.equal(await warningDuring(() => pile.push(...Array.from({ length: 100 }, () => one.view([-1])))), null);
  const warning = await warningDuring(() => pile.push(...Array.from({ length: 20 }, big)));
  assert.match(warning?.message ?? '', /\(\d+ MiB\)/);
});

test('limits that make no sense are refused', () => {
  assert.throws(() => setMemoryLimits({ warnBytes: 0 }), { name: 'ConfigError', message: /warnBytes above 0, got 0/ });
  assert.throws(() => setMemoryLimits({ warnMB: 1 } as never), { name: 'ConfigError', message: /warnBytes/ });
});

test('a loader frees a batch when the next is asked for, save what a scope owns or was kept', async () => {
  const images = randint(0, 256, [10, 1, 4, 4], { dtype: 'uint8' });
  const set = new TensorImageDataset(images, randint(0, 2, [10]), { classes: ['a', 'b'], mean: [0], std: [1] });
  const loader = new DataLoader(set, { batchSize: 2 });
  const before = liveTensors('thread');

  const handed: ImageBatch[] = [];
  for (const batch of loader.batches(0)) {
    handed.push(batch);
    if (handed.length === 2) keep(batch.labels);
    if (handed.length === 4) break;
  }
  assert.throws(() => handed[0]!.images.mean(), { code: 'FREED', message: /went on to the next batch/ });
  assert.deepEqual(handed[1]!.labels.shape, [2]);
  assert.deepEqual(handed[3]!.images.shape, [2, 1, 4, 4]); // the one at which the loop was left
  assert.equal(liveTensors('thread') - before, 3);
  for (const x of [handed[1]!.labels, handed[3]!.images, handed[3]!.labels]) x.dispose();

  scope(() => assert.equal([...loader.batches(0)].map(({ labels }) => labels.shape).length, 5));
  assert.equal(await scope(async () => [...loader.batches(0)].filter(({ labels }) => labels.numel === 2).length), 5);
  for await (const batch of loader.prefetch(0)) handed.push(batch);
  assert.throws(() => handed.at(-1)!.images.mean(), { code: 'FREED' });
  assert.equal(liveTensors('thread'), before);
});

test('a loader does not free what a data set hands out as its own', () => {
  const own = { x: tensor([1, 2]) };
  const loader = new DataLoader({ length: 4, batch: () => own }, { batchSize: 1 });
  for (const { x } of loader.batches(0)) assert.equal(x.sum().item(), 3);
  assert.equal(own.x.sum().item(), 3);
});
