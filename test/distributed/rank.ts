// One rank of the tests: node rank.js PART. It says lines of JSON.
import { readFileSync, writeSync } from 'node:fs';
import { type Launch, ProcessGroup, type RankChannel, readLaunch } from 'headrace/distributed';
import {
  arange,
  full,
  liveTensors,
  ones,
  rand,
  scope,
  type Tensor,
  tensor,
  tensorFromBytes,
  zeros,
} from 'headrace/torch';

type Buckets = typeof import('../../dist/distributed/buckets.js');
const inner = <M>(name: string): Promise<M> => import(`../../../dist/distributed/${name}.js`) as Promise<M>;
const { GradientBuckets } = await inner<Buckets>('buckets');

const say = (value: unknown): void => {
  writeSync(1, `${JSON.stringify(value)}\n`);
};
const launch = readLaunch(process.env) as Launch;
const { rank, worldSize } = launch;
/** However much later than the others a rank starts on a busy machine. */
const timeoutMs = 120_000;
const join = (options = {}): ProcessGroup => ProcessGroup.join(launch, { timeoutMs, ...options });

/** What an action throws, as the tests compare it. */
function told(action: () => void): unknown {
  try {
    action();
  } catch (error) {
    const { name, code, message } = error as Error & { code: string };
    return { name, code, message };
  }
  return 'nothing thrown';
}

function collectives(): void {
  const group = join();
  const mine = tensor([1, 10, 100]).mul(rank + 1);
  group.allReduce(mine).wait();
  const [a, b] = [full([2], rank), full([3], rank + 1)];
  group.allReduce([a, b], 'max').wait();
  const whole = tensor([rank + 1], { dtype: 'int64' });
  group.allReduce(whole, 'product').wait();
  const flags = tensor([rank === 1, true], { dtype: 'bool' });
  group.broadcast(flags, 1).wait();
  // The first and the last have a group of their own; what it ends with concerns the whole no more.
  const ends = tensor([rank + 1]);
  if (rank === 0 || rank === worldSize - 1) {
    const part = group.newGroup([0, worldSize - 1], { name: 'ends' });
    part.allReduce(ends).wait();
    part.close();
  }
  group.broadcast(ends).wait();
  group.barrier();
  say([mine, a, b, whole, flags, ends].map((each) => each.tolist()));
  group.close();
}

/** Sums of the gradients of `factor` times the squares of 1, of twos and of threes. */
function buckets(): void {
  const group = join();
  const all = Array.from({ length: worldSize }, (_, i) => i);
  const own = group.newGroup(all, { name: 'gradients' });
  const parameters = [1, 2, 3].map((value) => full([value], value, { requiresGrad: true }));
  const sums = new GradientBuckets(own, parameters, 16);
  const pass = (factor: number, used: readonly Tensor[]): void =>
    used
      .reduce((sum, x) => sum.add(x.mul(x).sum()), zeros([]))
      .mul(factor)
      .backward();
  const gradients = (again: boolean): unknown => {
    sums.finish(20_000, again);
    const made = parameters.map(({ grad }) => grad!.tolist());
    for (const parameter of parameters) parameter.grad = null;
    return made;
  };
  sums.expect();
  pass(rank + 1, parameters);
  say({ again: sums.again, gradients: gradients(false) });
  // One that a single rank has used, and no pass is told of.
  pass(rank + 1, rank === 0 ? parameters : parameters.slice(1));
  say({ again: sums.again, gradients: gradients(false) });
  sums.expect();
  pass(1, parameters);
  pass(1, parameters);
  const { again } = sums;
  say({ again, gradients: gradients(again) });
  group.close();
}

/** Two that send to each other at once, each before it receives: with sends only, both would wait for ever. */
function exchange(): void {
  const group = join();
  const other = 1 - rank;
  const [sent, received] = [full([1 << 20], rank + 1), zeros([1 << 20])];
  const works = [group.send(sent, other, 7), group.receive(received, other, 7)];
  for (const work of works) work.wait();
  const there = group.channelTo(other, { number: 0, capacity: 1 });
  const back = group.channelFrom(other, { number: 0, capacity: 1 });
  there.put({ meta: rank, tensors: [sent] });
  const { meta, tensors } = back.get();
  say([received.sum().item(), meta, tensors[0]!.sum().item()]);
  const order = rank === 0 ? [there, back] : [back, there];
  for (const each of order) each.close();
  group.close();
}

const description = (each: Tensor | null): unknown =>
  each && {
    dtype: each.dtype,
    shape: each.shape,
    strides: each.shape.map((_, dim) => Number(each.stride(dim))),
    bytes: Buffer.from(each.bytes()).toString('base64'),
  };

function kinds(): (Tensor | null)[][] {
  const base = arange(48).to({ dtype: 'float32' });
  return [
    [],
    [tensor(3), zeros([0]), zeros([2, 0, 3]), tensor([true, false], { dtype: 'bool' })],
    [tensorFromBytes(new Uint8Array([128, 63, 0, 192]), 'bfloat16', [2]), tensor([2 ** 40, -1], { dtype: 'int64' })],
    [base.reshape([4, 12]).t(), base.reshape([6, 8]).slice(1, 0, 8, 2), null, base.reshape([1, 3, 4, 4])],
    [base.reshape([2, 3, 2, 4]).contiguous({ memoryFormat: 'channelsLast' }), base.to({ dtype: 'float64' })],
    [tensor([1, 2], { dtype: 'uint8' }), tensor([1.5], { dtype: 'float16' }), base.expand([3, 48])],
  ];
}

function everyKind(): void {
  const group = join();
  const options = { number: 3, capacity: 2 };
  if (rank === 0) {
    const border = group.channelTo(1, options);
    for (const tensors of kinds()) border.put({ meta: { é: [1, null, 'x'] }, tensors: tensors as Tensor[] });
    border.close('no more');
  } else {
    const border = group.channelFrom(0, options);
    const wanted = kinds();
    for (const tensors of wanted) {
      const got = border.get();
      const dense = tensors.map((each) => description(each));
      say({ meta: got.meta, wanted: dense, got: (got.tensors as (Tensor | null)[]).map((each) => description(each)) });
    }
    say(told(() => border.get()));
    border.close();
  }
  group.close();
}

/** Sizes that grow, shrink, vanish and come again; texts longer than a head; more tensors than one has room for. */
const sizes = [10, 5000, 70_000, 70_000, 0, 70_000, 300_000, 3, 299_999, 1_000_000, 20_000, 0, 70_000, 70_000, 70_000];

function sizesOf(capacity: number, border: RankChannel<{ i: number; text: string }>): void {
  for (let round = 0; round < 3; round++) {
    for (const [i, size] of sizes.entries()) {
      const text = i % 5 === 3 ? 'é'.repeat(50_000) : '';
      const many = i % 7 === 6 ? 40 : 1;
      scope(() => {
        if (rank === 0) {
          border.put({ meta: { i, text }, tensors: Array.from({ length: many }, (_, k) => full([size], i + k)) });
        } else {
          const { meta, tensors } = border.get();
          const right = tensors.every((each, k) => each.shape[0] === size && each.sum().item() === size * (i + k));
          if (meta.i !== i || meta.text !== text || tensors.length !== many || !right)
            say({ capacity, round, i, wrong: meta.i });
        }
      });
    }
  }
  border.close('end');
}

function allSizes(): void {
  const group = join();
  const before = liveTensors();
  for (const capacity of [1, 2, 3, 8]) {
    const options = { number: capacity, capacity };
    const border = rank === 0 ? group.channelTo(1, options) : group.channelFrom(0, options);
    sizesOf(capacity, border as RankChannel<{ i: number; text: string }>);
  }
  say({ left: liveTensors() - before });
  group.close();
}

/** Rank 0 counts what it could put before rank 1 takes anything. */
function bounded(): void {
  const group = join();
  for (const capacity of [1, 2, 3]) {
    const options = { number: capacity, capacity, timeoutMs: 400 };
    if (rank === 0) {
      const border = group.channelTo(1, options);
      group.barrier();
      let count = 0;
      const late = told(() => {
        for (; count < 10; count++) border.put({ meta: count, tensors: [rand([1000])] });
      });
      say({ capacity, count, late });
      group.barrier();
    } else {
      const border = group.channelFrom(0, options);
      group.barrier();
      group.barrier();
      say([border.depth(), ...Array.from({ length: Math.max(1, capacity) }, () => border.get().meta)]);
      say(told(() => border.get()));
    }
  }
  group.close();
}

function halved(): void {
  const group = join();
  const options = { number: 0, wire: 'bfloat16' as const };
  const values = [1, 1.0078125, 3.14159274, -65504];
  if (rank === 0) {
    const border = group.channelTo(1, options);
    const wide = full([200, 300], 1 / 3);
    border.put({ meta: 0, tensors: [tensor(values), tensor([16777217], { dtype: 'int64' }), wide] });
    border.close();
  } else {
    const border = group.channelFrom(0, options);
    const [a, b, c] = border.get().tensors as [Tensor, Tensor, Tensor];
    say([a.dtype, a.tolist(), b.item(), c.dtype, c.index(199, 299).item()]);
    border.close();
  }
  group.close();
}

/** The others wait for this one, which says that it is there and does nothing more. */
const target = Number(process.env.TARGET ?? worldSize - 1);

/** Long enough for a healthy rank on a busy machine. */
const patienceMs = 4000;

/** Says it, and stays until it is killed: rank 0 keeps the store, by which the others hear the same. */
function sayAndStay(value: unknown): void {
  say(value);
  say('told');
  setInterval(() => {}, 1000);
}

/** The others wait for the target: rank 0 at a border, the rest in a collective. */
function waiting(): void {
  const group = join({ patienceMs });
  say('joined');
  if (rank === target) setInterval(() => {}, 1000);
  else if (rank === 0) sayAndStay(told(() => group.channelFrom(target, { number: 0, timeoutMs: 60_000 }).get()));
  else sayAndStay(told(() => group.allReduce(ones([10])).wait(60_000)));
}

/**
 * Puts once the test says that the target is gone: rank 0 as many messages as it takes, the others a single one before they close.
 * All borders were open before, at both ends.
 */
function later(): void {
  const group = join({ patienceMs });
  const options = (number: number) => ({ number, capacity: 3 });
  if (rank === target) for (let other = 0; other < target; other++) group.channelFrom(other, options(other));
  const border = rank === target ? null : group.channelTo(target, options(rank));
  group.barrier();
  say('joined');
  readFileSync(0);
  if (border === null) return;
  const message = { meta: 0, tensors: [] };
  let passed = 0;
  const end = told(() => {
    if (rank === 0) for (; ; passed++) border.put(message);
    border.put(message);
    border.close();
  });
  sayAndStay({ ...(end as object), passed });
}

function failing(): void {
  const group = join();
  if (rank === worldSize - 1) group.fail('the disk is full');
  else say(told(() => group.channelFrom(1 - rank, { number: 0, timeoutMs: 30_000 }).get()));
}

/** Ends with receives posted and a collective under way. */
function outstanding(): void {
  const group = join();
  group.channelFrom(1 - rank, { number: 0 });
  group.receive(zeros([10]), 1 - rank, 1);
  if (rank === 0) group.allReduce(ones([10]));
  process.exit(0);
}

function refused(): void {
  const group = join();
  say([
    told(() => group.send(ones([2]), rank)),
    told(() => group.channelTo(5, { number: 0 })),
    told(() => group.channelTo(1 - rank, { number: 0, capacity: 0 })),
    told(() => group.send(ones([2, 3]).t(), 1 - rank)),
    told(() =>
      group.channelTo(1 - rank, { number: 9 }).put({ meta: 1, tensors: [tensor([1], { requiresGrad: true })] }),
    ),
    told(() => group.channelTo(1 - rank, { number: 8 }).get()),
  ]);
  group.close();
}

function joining(): void {
  say('ready');
  readFileSync(0); // until the test says so
  const { GENERATION, INTERFACE, JOIN_MS = timeoutMs } = process.env;
  const start = performance.now();
  const options = {
    ...(JOIN_MS === '' ? {} : { timeoutMs: Number(JOIN_MS) }),
    ...(GENERATION ? { generation: GENERATION } : {}),
    ...(INTERFACE ? { interface: INTERFACE } : {}),
  };
  say({
    ...(told(() => ProcessGroup.join(launch, options).close()) as object),
    seconds: (performance.now() - start) / 1000,
  });
  process.exit(0);
}

const parts: Readonly<Record<string, () => void>> = {
  collectives,
  buckets,
  exchange,
  everyKind,
  allSizes,
  bounded,
  halved,
  waiting,
  later,
  failing,
  outstanding,
  refused,
  joining,
};
parts[process.argv[2]!]!();
