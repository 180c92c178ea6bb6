// The central property: when a step happens does not change what it computes.
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { test } from 'node:test';
import {
  buildLayer,
  buildModel,
  evaluate,
  evenCut,
  type ModelSpec,
  type RunConfig,
  resolveRef,
} from 'headrace/pipeline';
import { config, differences, type Finished, finish, resnet20, smallViT, temporaryFolder } from './fixture.js';

const STEPS = 50;

async function compareSchedules(change: Partial<RunConfig>): Promise<void> {
  const sequential = await finish({ ...change, schedule: 'sequential' });
  const pipelined = await finish({ ...change, schedule: 'ppll' });
  assert.ok(sequential.state.size > 100);
  assert.deepEqual(differences(sequential.state, pipelined.state), []);
  const delayed = await finish({ ...change, schedule: 'ppll', faults: { delayMs: 4 } });
  assert.deepEqual(differences(sequential.state, delayed.state), []);
}

for (const stages of [2, 3, 4]) {
  test(`ppll of ResNet-20 in ${stages} stages gives the weights of sequential local learning, bit for bit, also under random delays`, async () => {
    await compareSchedules({ stages, steps: STEPS });
  });
}

test('ppll of a ViT with dropout in 2 stages gives the weights of sequential local learning, bit for bit', async () => {
  const optimizer = {
    name: 'adamw',
    lr: 1e-3,
    betas: [0.9, 0.999],
    eps: 1e-8,
    weightDecay: 0.05,
    decay: 'weights',
  } as const;
  await compareSchedules({
    model: smallViT,
    modelName: 'vit',
    stages: 2,
    cut: [2],
    steps: STEPS,
    optimizer,
    labelSmoothing: 0.1,
  });
});

test('two runs of ppll give the same weights and losses', async () => {
  const losses = (run: Finished) => run.events.flatMap((e) => (e.type === 'step' && e.stage === 1 ? [e.loss] : []));
  const [a, b] = [await finish({ steps: 20 }), await finish({ steps: 20 })];
  assert.deepEqual(differences(a.state, b.state), []);
  assert.equal(losses(a).length, 20);
  assert.deepEqual(losses(a), losses(b));
});

test('another seed gives other weights', async () => {
  const [a, b] = [await finish({ steps: 2 }), await finish({ steps: 2, seed: 1 })];
  assert.ok(differences(a.state, b.state).length > 50);
});

function largestDifference(a: Finished, b: Finished): number {
  assert.deepEqual([...a.state.keys()], [...b.state.keys()]);
  let largest = 0;
  for (const [key, bytes] of a.state) {
    if (key.endsWith('num_batches_tracked')) continue;
    const floats = (raw: Uint8Array) => new Float32Array(raw.buffer, raw.byteOffset, raw.length / 4);
    const other = floats(b.state.get(key)!);
    floats(bytes).forEach((value, i) => {
      largest = Math.max(largest, Math.abs(value - other[i]!));
    });
  }
  return largest;
}

for (const schedule of ['gpipe', '1f1b'] as const) {
  test(`${schedule} in 3 stages with 3 microbatches gives the weights of bp with the same microbatches`, async () => {
    const change = { stages: 3, microbatches: 3, steps: 20 };
    const bp = await finish({ ...change, schedule: 'bp', cut: [] });
    const piped = await finish({ ...change, schedule });
    assert.ok(largestDifference(bp, piped) < 1e-5, `largest difference ${largestDifference(bp, piped)}`);
  });
}

test('initial weights do not depend on how the model is cut', async () => {
  const spec = await resolveRef<ModelSpec>(resnet20);
  const whole = buildModel(spec, { seed: 7 }).stateDict();
  for (const layer of spec.layers) {
    const prefix = layer.prefix === '' ? '' : `${layer.prefix}.`;
    for (const [key, value] of buildLayer(layer, 7).stateDict()) {
      assert.deepEqual(value.bytes(), whole.get(prefix + key)!.bytes(), prefix + key);
    }
  }
});

test('a checkpoint of 4 stages evaluates the same in 1, 2 and 3 stages, at any batch size', async () => {
  const out = temporaryFolder();
  try {
    const { result } = await finish({ stages: 4, steps: 6, out });
    const { data } = config();
    for (const stages of [1, 2, 3]) {
      const found = await evaluate(out, data, { stages });
      assert.equal(found.count, 20);
      assert.deepEqual(found.metrics, result.metrics);
    }
    await assert.rejects(evaluate(out, data, { inputs: 2 } as object), /evaluate .*inputs/);
    const odd = await evaluate(out, data, { stages: 2, batchSize: 7 });
    assert.equal(odd.metrics.accuracy, result.metrics!.accuracy);
    assert.ok(Math.abs(odd.metrics.loss! - result.metrics!.loss!) < 1e-5);
  } finally {
    rmSync(out, { recursive: true });
  }
});

test('a run that is stopped and resumed gives the weights of one that was not', async () => {
  const out = temporaryFolder();
  try {
    const whole = await finish({ steps: 15 });
    // The learning rate follows the whole run's length, so the first part is cut off by a fault, not by its length.
    await assert.rejects(
      finish({ steps: 15, checkpointEvery: 7, faults: { at: { stage: 1, step: 10, kind: 'throw' } }, out }),
    );
    const resumed = await finish({ steps: 15, out }, { resume: true });
    assert.equal(resumed.events.find((event) => event.type === 'start')!.step, 7);
    assert.deepEqual(differences(whole.state, resumed.state), []);
  } finally {
    rmSync(out, { recursive: true });
  }
});

test('an even cut gives every stage about as many layers', () => {
  assert.deepEqual(evenCut(11, 1), []);
  assert.deepEqual(evenCut(11, 2), [5]);
  assert.deepEqual(evenCut(12, 4), [2, 5, 8]);
});
