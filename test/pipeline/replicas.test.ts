// Replicas of a stage learn together what one stage learns from whole batches.
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type RunConfig, readRun, splitEvenly, Trainer } from 'headrace/pipeline';
import { headrace } from '../cli/run.js';
import { needsGloo } from '../distributed/ranks.js';
import { config, differences, type Finished, finish, readState } from './fixture.js';
import { folders } from './folders.js';

const folder = folders();

const smooth = (norm: boolean) => ({
  module: new URL('./toy.js', import.meta.url).href,
  export: 'smooth',
  options: { norm },
});
/** 5 steps of 8 samples, and one of 4, then one more. Without batch statistics a sample's output is its own. */
const plain: Partial<RunConfig> = {
  model: smooth(false),
  modelName: 'smooth',
  cut: [0],
  steps: 7,
  lrSchedule: { name: 'constant', warmupEpochs: 0 },
};

function largestDifference(a: Pick<Finished, 'state'>, b: Pick<Finished, 'state'>): number {
  assert.deepEqual([...a.state.keys()], [...b.state.keys()]);
  const floats = (raw: Uint8Array): Float32Array => new Float32Array(raw.buffer, raw.byteOffset, raw.length / 4);
  let largest = 0;
  for (const [key, bytes] of a.state) {
    if (key.endsWith('num_batches_tracked')) continue;
    const other = floats(b.state.get(key)!);
    for (const [i, value] of floats(bytes).entries()) largest = Math.max(largest, Math.abs(value - other[i]!));
  }
  return largest;
}

const losses = ({ events }: Pick<Finished, 'events'>, stage: number, replica?: number): number[] =>
  events.flatMap((event) =>
    event.type === 'step' && event.stage === stage && event.replica === replica ? [event.loss!] : [],
  );

function alike(one: Finished, several: Finished, stages: number, unknown: readonly number[] = []): void {
  const largest = largestDifference(one, several);
  assert.ok(largest < 1e-5, `largest difference of weights ${largest}`);
  for (let stage = 0; stage < stages; stage++) {
    const [whole, shared] = [losses(one, stage), losses(several, stage)];
    assert.equal(shared.length, 7);
    for (const [i, loss] of whole.entries())
      assert.ok(unknown.includes(i) || Math.abs(loss - shared[i]!) < 1e-5, `step ${i + 1}`);
  }
  assert.ok(Math.abs(several.result.metrics!.loss! - one.result.metrics!.loss!) < 1e-5);
}

const once = (make: () => Promise<Finished>): (() => Promise<Finished>) => {
  let made: Promise<Finished> | null = null;
  return () => (made ??= make());
};
const local = once(() => finish(plain));
const microbatched = { ...plain, schedule: '1f1b', microbatches: 2 } as const;
const backprop = once(() => finish(microbatched));

test('bp with 3 replicas gives the weights and losses of one, even where a batch is too small for all', async () => {
  const data = { ...config().data, options: { train: 41 } }; // the last batch has a single sample
  const change = { ...plain, data, schedule: 'bp', cut: [] } as const;
  const several = await finish({ ...change, replicas: 3 });
  alike(await finish(change), several, 1, [5]);
  for (const replica of [1, 2])
    assert.deepEqual(losses(several, 0, replica).toSpliced(5, 1), losses(several, 0).toSpliced(5, 1));
  const sync = new Trainer(config({ ...change, replicas: 2, syncBatchNorm: true }));
  await assert.rejects(sync.result, /a sample for each of 2 replicas.*41 samples in batches of 8 leave 1/);
});

test('local learning with 2 and 3 replicas re-splits at the border: one after the other, or at once and late', async () => {
  const inTurns = await finish({ ...plain, schedule: 'sequential', replicas: [2, 3] });
  alike(await local(), inTurns, 2);
  const delayed = await finish({ ...plain, replicas: [2, 3], faults: { delayMs: 3 } });
  assert.deepEqual(differences(inTurns.state, delayed.state), []);
});

test('gradients go back to where their samples came from', async () => {
  const several = await finish({ ...microbatched, schedule: 'gpipe', replicas: [3, 2] });
  assert.ok(largestDifference(await backprop(), several) < 1e-5);
});

test('batch statistics over all replicas are those of the whole batch', async () => {
  const change = { ...plain, model: smooth(true), schedule: 'bp', cut: [] } as const;
  const [one, several] = [await finish(change), await finish({ ...change, replicas: 3, syncBatchNorm: true })];
  assert.ok(one.state.has('model/second.1.running_var'));
  assert.ok(largestDifference(one, several) < 1e-5, `${largestDifference(one, several)}`);
});

test('a checkpoint holds each stage once, and goes on with another number of replicas', async () => {
  const shared = folder();
  const some = await finish({ ...plain, steps: 3, replicas: [2, 1], out: shared });
  const names = readdirSync(join(shared, 'checkpoint')).filter((name) => name.startsWith('model-3-'));
  assert.deepEqual(
    names.sort(),
    [1, 2].map((stage) => `model-3-0000${stage}-of-00002.safetensors`),
  );
  assert.deepEqual(
    some.events.filter(({ type }) => type === 'eval' || type === 'checkpoint').map((e) => ('count' in e ? e.count : 0)),
    [20, 0],
  );
  const files = readdirSync(shared).filter((name) => name.startsWith('events-'));
  assert.deepEqual(files.sort(), ['events-0-1.jsonl', 'events-0.jsonl', 'events-1.jsonl']);
  const steps = readRun(shared).filter(({ type }) => type === 'step');
  assert.deepEqual(
    steps
      .map(({ stage, replica = 0 }) => `${stage}.${replica}`)
      .sort()
      .join(' '),
    '0.0 0.0 0.0 0.1 0.1 0.1 1.0 1.0 1.0',
  );
  const further = await finish({ ...plain, replicas: [1, 3], out: shared }, { resume: true });
  assert.equal(further.result.steps, 7);
  assert.ok(largestDifference(await local(), further) < 1e-5);
});

async function overRanks(processes: number, change: Partial<RunConfig>): Promise<Finished> {
  const out = folder();
  const program = new URL('./ranks-run.js', import.meta.url).pathname;
  const { code, stdout, stderr } = await headrace(
    ['launch', '--standalone', '--processes', String(processes), '--', program, JSON.stringify({ ...change, out })],
    { env: { OMP_NUM_THREADS: '1' } },
  );
  assert.equal(code, 0, stderr);
  return { ...(JSON.parse(stdout) as Finished), state: readState(out) };
}

test('replicas over ranks, two in one and one in another, learn what one does', needsGloo, async () => {
  const ranks = await overRanks(2, { ...microbatched, replicas: [3, 1] });
  assert.ok(largestDifference(await backprop(), ranks) < 1e-5);
  for (const replica of [1, 2]) assert.deepEqual(losses(ranks, 0, replica), losses(ranks, 0));
});

test('replicas, each in a rank of its own, end with the bits of two threads', needsGloo, async () => {
  const data = { ...config().data, options: { train: 41 } }; // the last batch has a single sample
  const whole = { ...plain, schedule: 'bp', cut: [], replicas: 2 } as const;
  const changes: [number, Partial<RunConfig>][] = [
    [2, { ...whole, data, microbatches: 2 }],
    [2, { ...whole, model: smooth(true), syncBatchNorm: true }],
    [3, { ...plain, data, replicas: [2, 1] }],
  ];
  for (const [processes, change] of changes) {
    const [threads, ranks] = [await finish(change), await overRanks(processes, change)];
    assert.deepEqual(differences(threads.state, ranks.state), [], change.schedule);
    assert.deepEqual(losses(ranks, 0), losses(threads, 0));
  }
});

test('what makes no sense of replicas is refused', async () => {
  const refuses = (change: Partial<RunConfig>, why: RegExp): Promise<void> =>
    assert.rejects(new Trainer(config({ ...plain, ...change })).result, why);
  await refuses({ replicas: [2] }, /a number of replicas, or one for each of 2 stages \(ppll\), got \[2\]/);
  await refuses({ replicas: 0 }, /replicas/);
  await refuses(
    { replicas: 9 },
    /a sample for each replica in each microbatch, 9 in a batch at least, got a batch size of 8/,
  );
  await refuses(
    { replicas: 2, devices: ['cpu', 'cpu', 'cpu'] },
    /one for each of 2 stages or of their 4 replicas, got 3/,
  );
});

test('samples are split evenly', () => {
  assert.deepEqual(splitEvenly(7, 3), [2, 2, 3]);
});
