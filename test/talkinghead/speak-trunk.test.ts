/** Trunks of encoders through the engine: in stages with local heads, beside backprop, and what IRFD begins with. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { getNumThreads, ops, scope, setNumThreads, type Tensor, tensor } from 'headrace';
import { loadModel } from 'headrace/pipeline';
import {
  FaceEncoder,
  loadIrfd,
  loadTrunk,
  makeSyntheticSet,
  readIrfdConfig,
  readTrunkConfig,
  type TrunkConfig,
  trainIrfd,
  trainTrunk,
  trunkTask,
} from 'headrace/talkinghead';

const threads = getNumThreads();
const folder = mkdtempSync(join(tmpdir(), 'headrace-trunk-'));
const at = (name: string): string => join(folder, name);
before(() => makeSyntheticSet(at('set'), { seed: 4, count: 8, people: 4, frames: 2, fps: 3, size: 32 }));
after(() => {
  setNumThreads(threads);
  rmSync(folder, { recursive: true });
});

const tiny = { size: 32, encoder: { depth: 10, width: 4 }, testPeople: 2, batch: 4, steps: 4, keepEvery: 2 } as const;
const trained = async (out: string, changes: object): Promise<[string, unknown][]> => {
  const config: TrunkConfig = readTrunkConfig('standard', { ...tiny, ...changes });
  const result = (await trainTrunk(config, { data: at('set'), out: at(out) }))!;
  assert.deepEqual(Object.keys(result.metrics!), ['emotion', 'pose', 'drawing', 'loss']);
  assert.ok(Object.values(result.metrics!).every(Number.isFinite));
  const model = await loadModel(at(out));
  return scope(() => [...model.stateDict()].map(([name, value]): [string, unknown] => [name, value.tolist()]));
};

test('one stage is backprop, bit for bit; stages at once are those one after another, and learn otherwise', async () => {
  const whole = await trained('bp', { schedule: 'bp', stages: 1 });
  assert.deepEqual(await trained('one', { schedule: 'ppll', stages: 1 }), whole);
  const cut = await trained('two', { schedule: 'ppll', stages: 2 });
  assert.deepEqual(await trained('turns', { schedule: 'sequential', stages: 2 }), cut);
  const differ = cut.filter(([, value], i) => JSON.stringify(value) !== JSON.stringify(whole[i]![1]));
  assert.ok(differ.some(([name]) => name === 'conv1.weight') && differ.some(([name]) => name.startsWith('layer4.')));
});

test('the loss of a head is the sum of its parts, and of what has no label nothing', () => {
  scope(() => {
    const { loss } = trunkTask({ emotions: 2, people: 2 });
    const row = (numbers: readonly number[], colour: number): Tensor =>
      ops.cat([tensor([...numbers], { shape: [1, 7] }), ops.full([1, 768], colour)], 1);
    const small = ops.full([1, 3, 16, 16], 255, { dtype: 'uint8' });
    const labels = (value: bigint): Tensor => tensor(BigInt64Array.of(value));
    const pose = tensor([1, 0, -1], { shape: [1, 3], dtype: 'float32' });
    const output = row([0, 1, 3, 0, 1, 1, 0], 0.5);
    const cross = (right: number, other: number): number => Math.log(1 + Math.exp(other - right));
    // Of the angles 0, 1 and 1 are missing; white is 1, half of which is drawn.
    const rest = 2 / 3 + 5 * 0.5;
    const near = (value: Tensor, expected: number): void => assert.ok(Math.abs(value.item() - expected) < 1e-5);
    near(loss(output, labels(1n), labels(0n), pose, small), cross(1, 0) + cross(3, 0) + rest);
    near(loss(output, labels(1n), labels(-1n), pose, small), cross(1, 0) + rest);
  });
});

test('IRFD begins with a trunk: all three encoders have its weights, and their own codes', async () => {
  const trunk = await loadTrunk(at('two'), tiny.encoder);
  const encoder = new FaceEncoder(tiny.encoder, 5);
  assert.deepEqual(
    [...encoder.stateDict().keys()].filter((key) => !key.startsWith('fc.')),
    [...trunk.keys()],
  );
  const small = {
    codes: { identity: 6, emotion: 5, pose: 4 },
    style: 8,
    channels: 8,
    budget: 64,
    pairs: 2,
    exchanges: 0,
  };
  const config = readIrfdConfig('standard', {
    ...small,
    size: 32,
    encoder: tiny.encoder,
    testPeople: 2,
    exactShare: 0,
    steps: 1,
    lr: 0,
    trunk: at('two'),
  });
  await trainIrfd(config, { data: at('set'), out: at('irfd') });
  const { model } = loadIrfd(at('irfd'));
  for (const factor of ['identity', 'emotion', 'pose'] as const) {
    const own = model[factor].stateDict();
    for (const [name, value] of trunk)
      if (!/running|num_batches/.test(name)) assert.deepEqual(own.get(name)!.tolist(), value.tolist(), name);
  }
  await assert.rejects(loadTrunk(at('two'), { depth: 18, width: 4 }), /Expected a trunk of depth 18 .* has depth 10/);
  await assert.rejects(trainIrfd({ ...config, trunk: at('none') }, { data: at('set'), out: at('other') }), /none/);
});

test('a training is broken off and gone on with to the same bits', async () => {
  const config = readTrunkConfig('standard', { ...tiny, stages: 2 });
  let stop = false;
  const options = { data: at('set'), out: at('broken') };
  const onProgress = (_: string, done: number): void => {
    if (done === 2) stop = true;
  };
  assert.equal(await trainTrunk(config, { ...options, onProgress, shouldStop: () => stop }), null);
  await trainTrunk(config, { ...options, resume: true });
  const [broken, whole] = await Promise.all(['broken', 'two'].map((run) => loadTrunk(at(run), tiny.encoder)));
  for (const [name, value] of whole!) assert.deepEqual(broken!.get(name)!.tolist(), value.tolist(), name);
});

test('settings that cannot be are refused', () => {
  assert.throws(() => readTrunkConfig('backprop', { stages: 2 }), /one stage of backprop \(stages=1\), got 2/);
  assert.throws(() => readTrunkConfig('standard', { size: 40 }), /a size that 16 divides, got 40/);
  assert.throws(() => readTrunkConfig('standard', { schedule: 'gpipe' }), /one of bp, sequential, ppll/);
});
