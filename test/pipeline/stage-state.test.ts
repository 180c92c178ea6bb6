/** A stage takes over all that an optimizer kept, whatever its names for it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ModelStage } from 'headrace/pipeline';
import { scope, type Tensor, tensor } from 'headrace/torch';
import { config } from './fixture.js';
import { toy } from './toy.js';

function fresh(): ModelStage {
  const optimizer = { name: 'adam', lr: 0.1, betas: [0.9, 0.99], eps: 1e-8, weightDecay: 0, decay: 'all' } as const;
  const options = config({ optimizer, lrSchedule: { name: 'constant', warmupEpochs: 0 }, stages: 1, schedule: 'bp' });
  const stage = new ModelStage({ spec: toy({}), config: options, index: 0, from: 0, to: 4, hasHead: false });
  for (const group of stage.optimizer.paramGroups as { lr: number; amsgrad?: boolean }[]) group.amsgrad = true;
  return stage;
}

function step(stage: ModelStage, scale: number): void {
  scope(() => {
    const x = tensor([...Array(24).keys()].map((i) => Math.sin(i) * scale)).view([2, 3, 2, 2]);
    stage.layers.forward(x).square().sum().backward();
    stage.apply();
  });
}

const reader = (map: ReadonlyMap<string, Tensor>) =>
  Object.assign((key: string) => map.get(key)?.clone() ?? null, { keys: () => map.keys() });

test('the state of an optimizer that keeps more than the usual goes on to the same bits', () => {
  const [whole, first, second] = [fresh(), fresh(), fresh()];
  for (const scale of [4, 1, 1]) step(whole, scale);
  for (const scale of [4, 1]) step(first, scale);
  const { model, heads, optimizer } = first.state();
  assert.ok(optimizer.has('first.1.weight.max_exp_avg_sq'));
  second.load({ model: reader(model), heads: reader(heads), optimizer: reader(optimizer) });
  step(second, 1);
  for (const [key, value] of whole.state().optimizer) {
    assert.deepEqual(second.state().optimizer.get(key)?.tolist(), value.tolist(), key);
  }
  for (const [key, value] of whole.state().model) {
    assert.deepEqual(second.state().model.get(key)?.tolist(), value.tolist(), key);
  }
});
