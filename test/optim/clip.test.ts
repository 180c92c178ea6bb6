import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Parameter } from 'headrace/nn';
import { clipGradNorm_, clipGradValue_ } from 'headrace/optim';
import { TorchError, tensor, zeros } from 'headrace/torch';
import { assertClose, type Packed, readGolden, unpack } from '../golden/golden.js';

type Clipped = { readonly norm: Packed; readonly clipped: readonly Packed[] };
const golden = readGolden<{ clip: { grads: Packed[] } & Record<'l2' | 'inf' | 'loose', Clipped> }>('optim.json').clip;

function withGrads(): Parameter[] {
  const params = golden.grads.map((packed) => {
    const grad = unpack(packed);
    const p = new Parameter(zeros(grad.shape, { dtype: 'float64' }));
    p.grad = grad;
    return p;
  });
  return [...params, new Parameter(zeros([2]))];
}

for (const [name, maxNorm, normType] of [
  ['l2', 1.5, 2],
  ['inf', 0.5, Infinity],
  ['loose', 100, 2],
] as const) {
  test(`the ${name} norm and the clipped gradients are PyTorch's`, () => {
    const params = withGrads();
    const norm = clipGradNorm_(params, maxNorm, { normType });
    assertClose(norm, golden[name].norm, 1e-12, 'norm');
    for (const [i, expected] of golden[name].clipped.entries()) {
      assertClose(params[i]!.grad, expected, 1e-12, `gradient ${i}`);
    }
  });
}

test('a norm that is not finite can be an error', () => {
  const p = new Parameter(zeros([1]));
  p.grad = tensor([Number.NaN]);
  assert.throws(() => clipGradNorm_([p], 1, { errorIfNonfinite: true }), TorchError);
  assert.ok(Number.isNaN(clipGradNorm_([p], 1).item()));
});

test('without gradients the norm is zero', () => {
  assert.equal(clipGradNorm_([new Parameter(zeros([1]))], 1).item(), 0);
});

test('values are clamped to both sides', () => {
  const p = new Parameter(zeros([3]));
  p.grad = tensor([-2, 0.25, 3]);
  clipGradValue_([p], 0.5);
  assert.deepEqual(p.grad.tolist(), [-0.5, 0.25, 0.5]);
});
