/** Gradients of layers against finite differences, in float64: an account of them that is not PyTorch's. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as nn from 'headrace/nn';
import { Generator, gradcheck, randn, type Tensor, tensor } from 'headrace/torch';

const F = nn.functional;
const generator = new Generator(42);
const made = { dtype: 'float64' } as const;
const leaf = (...shape: number[]) => randn(shape, { ...made, generator, requiresGrad: true });

const layers: [string, nn.Module, (x: Tensor) => Tensor, Tensor][] = (() => {
  const linear = new nn.Linear(3, 2, made);
  const conv = new nn.Conv2d(2, 3, 3, { ...made, padding: 1, stride: 2 });
  const transposed = new nn.ConvTranspose2d(2, 2, 3, { ...made, stride: 2, padding: 1 });
  const batchNorm = new nn.BatchNorm2d(2, { ...made, trackRunningStats: false });
  const layerNorm = new nn.LayerNorm(4, made);
  const groupNorm = new nn.GroupNorm(2, 4, made);
  const lstm = new nn.LSTM(3, 2, { ...made, bidirectional: true });
  const gru = new nn.GRU(3, 2, made);
  const attention = new nn.MultiheadAttention(4, 2, { ...made, batchFirst: true });
  const encoder = new nn.TransformerEncoderLayer(4, 2, { ...made, dimFeedforward: 5, dropout: 0, activation: 'gelu' });
  const spectral = nn.spectralNorm(new nn.Linear(3, 2, made), { generator }).eval();
  return [
    ['Linear', linear, (x) => linear.forward(x), leaf(2, 3)],
    ['Conv2d', conv, (x) => conv.forward(x), leaf(1, 2, 4, 5)],
    ['ConvTranspose2d', transposed, (x) => transposed.forward(x), leaf(1, 2, 2, 3)],
    ['BatchNorm2d', batchNorm, (x) => batchNorm.forward(x), leaf(3, 2, 2, 2)],
    ['LayerNorm', layerNorm, (x) => layerNorm.forward(x), leaf(2, 4)],
    ['GroupNorm', groupNorm, (x) => groupNorm.forward(x), leaf(2, 4, 2)],
    ['LSTM', lstm, (x) => lstm.forward(x)[0], leaf(3, 1, 3)],
    ['GRU', gru, (x) => gru.forward(x)[0], leaf(3, 1, 3)],
    ['MultiheadAttention', attention, (x) => attention.forward(x, x, x)[0], leaf(1, 3, 4)],
    ['TransformerEncoderLayer', encoder, (x) => encoder.forward(x), leaf(3, 1, 4)],
    ['spectralNorm', spectral, (x) => spectral.forward(x), leaf(2, 3)],
  ];
})();

for (const [name, module, run, x] of layers) {
  test(`${name} has the gradients of its values`, () => {
    assert.ok(gradcheck(() => run(x), [x, ...module.parameters()]));
  });
}

test('attention with a mask, a scale and dropout has the gradients of its values', () => {
  const [q, k, v] = [leaf(1, 2, 3), leaf(1, 4, 3), leaf(1, 4, 2)];
  const mask = tensor([
    [true, true, false, true],
    [true, true, true, false],
  ]);
  const run = () =>
    F.scaledDotProductAttention(q, k, v, { mask, scale: 0.7, dropoutP: 0.3, generator: new Generator(5) });
  assert.ok(gradcheck(run, [q, k, v]));
});

test('dropout has the gradients of its values', () => {
  const x = leaf(3, 4);
  assert.ok(gradcheck(() => F.dropout(x, 0.4, true, new Generator(9)), [x]));
});
