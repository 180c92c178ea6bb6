// Runs whose layers compute in bfloat16 by autocast.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkConfig, type ModelSpec, ModelStage, profile, resolveRef } from 'headrace/pipeline';
import { Generator, randint, randn } from 'headrace/torch';
import { config, differences, finish, resnet20 } from './fixture.js';
import { folders } from './folders.js';
import { toy } from './toy.js';

const folder = folders();

const half = { compute: 'bfloat16', steps: 7 } as const;

test('threads give the weights of one thread, bit for bit, under delays', async () => {
  const inTurns = await finish({ ...half, schedule: 'sequential' });
  const delayed = await finish({ ...half, faults: { delayMs: 3 } });
  assert.deepEqual(differences(inTurns.state, delayed.state), []);
  assert.ok(Number.isFinite(delayed.result.metrics!.loss));
  const exact = await finish({ steps: 7 });
  assert.ok(differences(exact.state, delayed.state).length > 0);
});

test('replicas with one batch normalisation learn what one does, and a run goes on in the other type', async () => {
  const out = folder();
  const whole = await finish({ ...half, steps: 3, schedule: 'bp', cut: [] });
  const shared = { ...half, schedule: 'bp', cut: [], replicas: 2, syncBatchNorm: true, out } as const;
  const several = await finish({ ...shared, steps: 3 });
  const losses = ({ events }: typeof whole): number[] =>
    events.flatMap((event) => (event.type === 'step' && event.replica === undefined ? [event.loss!] : []));
  assert.equal(losses(several).length, 3);
  for (const [i, loss] of losses(whole).entries())
    assert.ok(
      Math.abs(loss - losses(several)[i]!) < (i === 0 ? 0.002 : 0.05) * loss,
      `${losses(whole)} ${losses(several)}`,
    );
  const { compute: _, ...exact } = shared;
  const on = await finish({ ...exact, steps: 5 }, { resume: true });
  assert.deepEqual(losses(on).length, 2);
});

test('gradients pass borders in bfloat16 too: 1f1b is gpipe', async () => {
  const change = { ...half, microbatches: 2, steps: 3 } as const;
  const [one, other] = [await finish({ ...change, schedule: '1f1b' }), await finish({ ...change, schedule: 'gpipe' })];
  assert.deepEqual(differences(one.state, other.state), []);
});

test('borders carry 16 bits; losses, weights and gradients are float32, near those of float32', async () => {
  const spec = await resolveRef<ModelSpec>(resnet20);
  const stages = (compute: 'float32' | 'bfloat16') => {
    const options = { spec, config: { ...config(), compute } };
    return [
      new ModelStage({ ...options, index: 0, from: 0, to: 8, hasHead: true }),
      new ModelStage({ ...options, index: 1, from: 8, to: spec.layers.length, hasHead: false }),
    ] as const;
  };
  const x = randn([8, 3, 12, 12], { generator: new Generator(1) });
  const classes = randint(0, 4, [8], { generator: new Generator(2) });
  const [first, last] = stages('bfloat16');
  const border = first.forward([x]);
  assert.deepEqual(new Set(border.map(({ dtype }) => dtype)), new Set(['bfloat16']));
  const passed = border.map((each) => each.detach());
  const { loss: local } = first.learn(border, [classes], 1);
  const made = last.forward(passed);
  const { loss } = last.learn(made, [classes], 1);
  assert.deepEqual([made[0]!.dtype, local.dtype, loss.dtype], ['float32', 'float32', 'float32']);
  assert.equal(last.evaluate(passed)[0]!.dtype, 'float32');
  const gradients = [...first.parameters(), ...last.parameters()].map(({ grad }) => grad);
  assert.ok(gradients.every((grad) => grad?.dtype === 'float32'));
  const [exact] = stages('float32');
  const near = exact.learn(exact.forward([x]), [classes], 1).loss.item();
  assert.ok(Math.abs(local.item() - near) < 0.02 * near, `${local.item()} for ${near}`);
});

test('a profile measures what a run computes', () => {
  const measure = (compute: 'float32' | 'bfloat16') =>
    profile(toy({}), { batchSize: 5, head: { kind: 'linear' }, seconds: 0, compute });
  const bytes = (compute: 'float32' | 'bfloat16') => measure(compute).layers.map(({ outputBytes }) => outputBytes);
  assert.deepEqual(
    bytes('bfloat16'),
    bytes('float32').map((each) => each / 2),
  );
});

test('what it cannot compute in is refused', () => {
  assert.throws(() => checkConfig({ ...config(), compute: 'float16' as never }, 20), /compute.*float32, bfloat16/);
  assert.throws(() => checkConfig({ ...config(), compute: 'bfloat16', devices: ['meta'] }, 20), /on the device meta/);
});
