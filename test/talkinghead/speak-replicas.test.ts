/** SPEAK's trainings by several replicas: the steps of one, whatever shares them out. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { getNumThreads, manualSeed, scope, setNumThreads } from 'headrace';
import { loadSafetensors } from 'headrace/io';
import { readAudio, writeWav } from 'headrace/media';
import {
  Irfd,
  type IrfdConfig,
  makeSpeechClips,
  makeSyntheticSet,
  readIrfdConfig,
  readSyncConfig,
  readTalkingConfig,
  type StepRecord,
  SyncNet,
  saveIrfd,
  saveSync,
  shapeOf,
  trainIrfd,
  trainTalking,
} from 'headrace/talkinghead';
import { example } from './examples.js';

const threads = getNumThreads();
const folder = mkdtempSync(join(tmpdir(), 'headrace-replicas-'));
after(() => {
  setNumThreads(threads);
  rmSync(folder, { recursive: true });
});
const at = (name: string): string => join(folder, name);
const small = {
  encoder: { depth: 10, width: 4 },
  codes: { identity: 6, emotion: 5, pose: 4 },
  style: 8,
  channels: 8,
  budget: 64,
} as const;
const gan = { weight: 0.1, width: 2, layers: 2, gammaEvery: 1 } as const;
const irfdOf = (changes: object = {}): IrfdConfig =>
  readIrfdConfig('standard', {
    ...small,
    size: 16,
    testPeople: 2,
    pairs: 8,
    exactShare: 0.375,
    steps: 1,
    keepEvery: 1,
    gan,
    ...changes,
  });

before(async () => {
  await makeSyntheticSet(at('set'), { seed: 4, count: 8, people: 4, frames: 2, fps: 3, size: 16 });
  const { samples } = await readAudio(example('hello.flac'), { rate: 16000, start: 0.3, end: 0.9 });
  writeWav(at('line.wav'), { channels: [samples], rate: 16000 });
  const speech = [at('line.wav')];
  await makeSpeechClips(at('clips'), { seed: 4, count: 6, people: 4, speech, size: 32, frames: 8 });
  const config = readIrfdConfig('standard', { ...small, size: 32 });
  manualSeed(3);
  saveIrfd(at('irfd.safetensors'), config, new Irfd(shapeOf(config)));
  const sync = readSyncConfig('standard', { 'network.mouth': 16, 'network.width': 4, 'network.embedding': 8 });
  saveSync(at('sync.safetensors'), sync, 25, new SyncNet(sync.network).eval());
});

/**
 * Gradients as the optimizers' moments tell of them after a step, and the statistics of batches: how long their differences are
 * against themselves, network by network. Sums in another order round otherwise, more so behind the statistics of a batch, and
 * slopes jump where a rectifier or a distance is nearly 0; halves that were not added up would give 0.5 and more.
 */
function expectSameStep(one: string, other: string): void {
  scope(() => {
    const [a, b] = [one, other].map((run) => loadSafetensors(join(at(run), 'checkpoint.safetensors')).tensors);
    const sums = new Map<string, [apart: number, whole: number]>();
    for (const [name, value] of a!) {
      if (!/exp_avg$|running/.test(name)) continue;
      const network = /running/.test(name) ? 'statistics' : /adversary/.test(name) ? 'adversary' : 'others';
      const sum = sums.get(network) ?? [0, 0];
      sums.set(network, sum);
      sum[0] += value.sub(b!.get(name)!).square().sum().item();
      sum[1] += value.square().sum().item();
    }
    assert.deepEqual([...sums.keys()].sort(), ['adversary', 'others', 'statistics']);
    for (const [network, [apart, whole]] of sums) {
      const share = Math.sqrt(apart / whole);
      assert.ok(share < (network === 'statistics' ? 1e-5 : 1e-3), `${network}: ${share}`);
    }
  });
}

function expectSameLosses(one: readonly StepRecord[], other: readonly StepRecord[]): void {
  assert.equal(one.length, other.length);
  // How much codes vary is told of each replica's pictures.
  for (const [i, { loss }] of one.entries())
    for (const [name, value] of Object.entries(loss))
      if (!name.startsWith('spread.'))
        assert.ok(Math.abs(other[i]!.loss[name]! - value) < 1e-5 * Math.max(1, value), `${name}: ${value}`);
}

test('a step of IRFD by two replicas, and by four, is that of one with all pairs: losses, gradients, statistics', async () => {
  // Seeds whose first step exchanges identities, and another factor.
  for (const seed of [1, 2]) {
    const run = async (replicas: number): Promise<readonly StepRecord[]> => {
      const out = `irfd-${seed}-${replicas}`;
      return (await trainIrfd(irfdOf({ replicas, seed }), { data: at('set'), out: at(out) }))!.history;
    };
    const one = await run(1);
    assert.ok(one[0]!.loss.exact! > 0 && one[0]!.loss.gan! > 0);
    for (const replicas of seed === 2 ? [2, 4] : [2]) {
      expectSameLosses(one, await run(replicas));
      expectSameStep(`irfd-${seed}-1`, `irfd-${seed}-${replicas}`);
    }
  }
});

test('a step of generator, discriminator and encoders that learn, likewise', async () => {
  const run = async (out: string, replicas: number): Promise<readonly StepRecord[]> => {
    const config = readTalkingConfig('standard', {
      channels: 8,
      budget: 64,
      irfd: at('irfd.safetensors'),
      encoders: 'fresh',
      tune: 1,
      sync: at('sync.safetensors'),
      syncFrom: 0,
      width: 6,
      face: 6,
      clips: 4,
      testPeople: 1,
      steps: 1,
      keepEvery: 1,
      gan,
      'loss.identity': 0,
      'loss.emotion': 0,
      'loss.pose': 0,
      replicas,
    });
    return (await trainTalking(config, { data: at('clips'), out: at(out) }))!.history;
  };
  const one = await run('speak-1', 1);
  assert.deepEqual(Object.keys(one[0]!.loss).sort(), [
    'discriminator',
    'gan',
    'landmarks',
    'mouth',
    'perceptual',
    'pixels',
    'sync',
    'total',
  ]);
  expectSameLosses(one, await run('speak-2', 2));
  expectSameStep('speak-1', 'speak-2');
});

test('replicas are broken off and gone on with to the same bits; what fails one of them ends all', async () => {
  const config = irfdOf({ replicas: 2, steps: 4, keepEvery: 2 });
  const weights = (run: string): unknown[] =>
    scope(() => [...loadSafetensors(join(at(run), 'irfd.safetensors')).tensors.values()].map((each) => each.tolist()));
  await trainIrfd(config, { data: at('set'), out: at('whole') });
  let stop = false;
  const onProgress = (what: string, done: number): unknown =>
    what === 'training' && done === 3 && setImmediate(() => (stop = true));
  const options = { data: at('set'), out: at('broken') };
  assert.equal(await trainIrfd(config, { ...options, onProgress, shouldStop: () => stop }), null);
  await trainIrfd(config, { ...options, resume: true });
  assert.deepEqual(weights('broken'), weights('whole'));
  const wild = trainIrfd(irfdOf({ replicas: 2, steps: 4, lr: 1e30 }), { data: at('set'), out: at('wild') });
  await assert.rejects(wild, /the loss is not finite; lower the learning rate/);
});

test('steps that cannot be shared out evenly are refused', () => {
  assert.throws(() => irfdOf({ replicas: 3 }), /as many pairs for each of 3 replicas, got 8 pairs/);
  assert.throws(
    () => readTalkingConfig('standard', { irfd: 'x', sync: 'x', replicas: 3 }),
    /as many clips for each of 3 replicas, got 4 clips/,
  );
});
