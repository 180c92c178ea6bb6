// Batch normalisation over a group, against the ordinary one of all its members' samples.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BatchNorm2d, Linear, Sequential, SyncBatchNorm } from 'headrace/nn';
import { cat, Generator, noGrad, randn, type Tensor } from 'headrace/torch';

/** Members that all have the same samples: a sum is the own value, times them. */
const twins = (count: number) => ({
  sum: (tensors: readonly Tensor[]): void => {
    for (const x of tensors) x.mul_(count);
  },
});

const close = (a: Tensor, b: Tensor, what: string): void =>
  assert.ok(a.sub(b).abs().max().item() < 2e-5, `${what}: ${a.sub(b).abs().max().item()}`);

function pair(): { whole: BatchNorm2d; shared: SyncBatchNorm; x: Tensor; weight: Tensor } {
  const generator = new Generator(1);
  const [whole, shared] = [new BatchNorm2d(3), new SyncBatchNorm(3, { processGroup: twins(3) })];
  const [scale, shift] = [randn([3], { generator }), randn([3], { generator })];
  noGrad(() => {
    for (const { weight, bias } of [whole, shared]) {
      weight!.copy_(scale);
      bias!.copy_(shift);
    }
  });
  return { whole, shared, x: randn([4, 3, 5, 2], { generator }), weight: randn([4, 3, 5, 2], { generator }) };
}

test('a group normalises, and learns, as one that has all samples', () => {
  const { whole, shared, x, weight } = pair();
  const [own, all] = [x.clone(), cat([x, x, x])];
  own.requiresGrad = true;
  all.requiresGrad = true;
  const y = shared.forward(own);
  const z = whole.forward(all);
  close(y, z.narrow(0, 0, 4), 'output');
  y.mul(weight).sum().backward();
  z.mul(cat([weight, weight, weight]))
    .sum()
    .backward();
  close(own.grad!, all.grad!.narrow(0, 4, 4), 'gradient of the input');
  // Those of the parameters are a member's own part: all together make the whole.
  close(shared.weight!.grad!.mul(3), whole.weight!.grad!, 'gradient of the weight');
  close(shared.bias!.grad!.mul(3), whole.bias!.grad!, 'gradient of the bias');
  close(shared.running_mean!, whole.running_mean!, 'running mean');
  close(shared.running_var!, whole.running_var!, 'running variance');
  assert.equal(shared.num_batches_tracked!.item(), 1);
  close(shared.eval().forward(x), whole.eval().forward(x), 'in evaluation');
});

test('numbers of 16 bits are normalised by statistics of float32', () => {
  const { whole, shared, x } = pair();
  const half = x.to({ dtype: 'bfloat16' });
  const exact = half.to({ dtype: 'float32' });
  const y = shared.forward(half);
  assert.equal(y.dtype, 'bfloat16');
  const z = whole.forward(cat([exact, exact, exact])).narrow(0, 0, 4);
  assert.deepEqual(y.tolist(), z.to({ dtype: 'bfloat16' }).tolist());
  close(shared.running_mean!, whole.running_mean!, 'running mean');
  close(shared.running_var!, whole.running_var!, 'running variance');
});

test('one value a channel is enough where the group has more', () => {
  const one = new SyncBatchNorm(2, { processGroup: twins(2) });
  assert.deepEqual(one.forward(randn([1, 2])).tolist(), [[0, 0]]);
  assert.throws(() => new SyncBatchNorm(2).forward(randn([1, 2])), /more than 1 value per channel/);
  const alone = new SyncBatchNorm(2, { processGroup: twins(1) });
  assert.throws(() => alone.forward(randn([1, 2])), /more than 1 value per channel.*\[1,2\]/);
});

test('a model is converted in place, keys and all', () => {
  const model = new Sequential(new Linear(2, 3), new Sequential(new BatchNorm2d(3)));
  const keys = [...model.stateDict().keys()];
  const group = twins(2);
  assert.equal(SyncBatchNorm.convertSyncBatchnorm(model, group), model);
  assert.deepEqual([...model.stateDict().keys()], keys);
  const norm = (model.at(1) as Sequential).at(0) as BatchNorm2d;
  assert.equal(norm.processGroup, group);
  const x = randn([2, 3, 2, 2], { generator: new Generator(2) });
  const y = norm.forwardRelu(x, x);
  close(
    y,
    new BatchNorm2d(3)
      .forward(cat([x, x]))
      .narrow(0, 0, 2)
      .add(x)
      .relu(),
    'with ReLU',
  );
  assert.throws(
    () => new SyncBatchNorm(2, { processGroup: {} as never }),
    /processGroup.*a group, whose sum\(tensors\) adds up/,
  );
});
