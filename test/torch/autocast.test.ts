// Autocast against the same operators on inputs that were cast by hand.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { functional as F, Linear } from 'headrace/nn';
import { autocast, Generator, isAutocastEnabled, noGrad, ops, randn, type Tensor, tensor } from 'headrace/torch';

const generator = new Generator(3);
const input = (...shape: number[]): Tensor => randn(shape, { generator });
const half = (x: Tensor): Tensor => x.to({ dtype: 'bfloat16' });

test('matrix products and convolutions give what they give of inputs in 16 bits', () => {
  const [x, w, b] = [input(3, 4), input(2, 4), input(2)];
  const [map, kernel] = [input(1, 2, 5, 5), input(3, 2, 3, 3)];
  const products: readonly ((cast: (x: Tensor) => Tensor) => Tensor)[] = [
    (cast) => F.linear(cast(x), cast(w), cast(b)),
    (cast) => cast(x).matmul(cast(w).t()),
    (cast) => F.conv2d(cast(map), cast(kernel), null),
  ];
  for (const product of products) {
    const own = autocast({ dtype: 'bfloat16' }, () => product((each) => each));
    assert.equal(own.dtype, 'bfloat16');
    assert.deepEqual(own.tolist(), product(half).tolist());
  }
});

test('losses are computed in float32, and what has no list stays in its own dtype', () => {
  const rows = half(input(3, 4));
  const loss = autocast({}, () => F.mseLoss(rows, half(input(3, 4))));
  assert.equal(loss.dtype, 'float32');
  assert.equal(autocast({}, () => input(2).exp()).dtype, 'float32');
  assert.equal(autocast({}, () => rows.exp()).dtype, 'bfloat16');
});

test('weights and their gradients stay float32', () => {
  const layer = new Linear(4, 2);
  const x = input(3, 4);
  autocast({}, () => layer.forward(x).to({ dtype: 'float32' }).square().mean()).backward();
  assert.deepEqual([layer.weight.dtype, layer.weight.grad?.dtype], ['float32', 'float32']);
  const exact = new Linear(4, 2);
  exact.loadStateDict(layer.stateDict());
  exact.forward(x).square().mean().backward();
  const apart = layer.weight.grad!.sub(exact.weight.grad!).abs().max().item();
  assert.ok(apart > 0 && apart < 0.02 * exact.weight.grad!.abs().max().item(), `${apart}`);
});

test('places of pixels keep their digits', () => {
  const theta = tensor([[1, 0, 0.1234567, 0, 1, -0.7654321]]).reshape([1, 2, 3]);
  const places = (): Tensor => F.affineGrid(theta, [1, 1, 5, 5]);
  assert.deepEqual(autocast({}, places).tolist(), places().tolist());
  const [picture, taps] = [input(1, 1, 8, 8), tensor([1, 3, 3, 1])];
  const halved = (): Tensor => F.downsampleFir(picture, taps);
  assert.deepEqual(autocast({}, halved).tolist(), halved().tolist());
});

test('a weight that was first used without gradients has them later', () => {
  const layer = new Linear(2, 1);
  autocast({}, () => {
    noGrad(() => layer.forward(input(1, 2)));
    layer.forward(input(1, 2)).sum().backward();
  });
  assert.ok(layer.weight.grad !== null);
});

test('a weight that has changed since is cast anew', () => {
  const layer = new Linear(1, 1, { bias: false });
  const product = (): number => autocast({}, () => layer.forward(tensor([[1]])).item());
  const before = product();
  noGrad(() => void layer.weight.add_(2));
  assert.ok(Math.abs(product() - before - 2) < 0.05);
});

test('it is over with its function, also where that fails, and can be switched off inside', () => {
  const product = (): string => ops.matmul(input(2, 2), input(2, 2)).dtype;
  assert.equal(isAutocastEnabled(), false);
  const seen = autocast({}, () => [
    isAutocastEnabled(),
    product(),
    autocast({ enabled: false }, () => [isAutocastEnabled(), product()]),
    product(),
  ]);
  assert.deepEqual(seen, [true, 'bfloat16', [false, 'float32'], 'bfloat16']);
  assert.throws(
    () =>
      autocast({}, () => {
        throw new Error('mine');
      }),
    /mine/,
  );
  assert.deepEqual([isAutocastEnabled(), product()], [false, 'float32']);
});

test('what it cannot do is refused', () => {
  assert.throws(() => autocast({ dtype: 'float16' }, () => 1), /dtype bfloat16 on the device cpu, got "float16"/);
  assert.throws(() => autocast({ device: 'mps' as never }, () => 1), /device 'cpu' or 'cuda', got "mps"/);
  assert.throws(() => autocast({ type: 'cpu' } as never, () => 1), /options of autocast among device, dtype, enabled/);
  assert.throws(() => autocast({}, undefined as never), /a function after the options/);
  assert.throws(() => autocast({}, async () => 1), { code: 'ASYNC' });
  assert.equal(isAutocastEnabled(), false);
});
