import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  backward,
  clearGrads,
  enableGrad,
  Generator,
  grad,
  gradcheck,
  gradsOf,
  isGradEnabled,
  noGrad,
  ops,
  randn,
  type Tensor,
  tensor,
  zeros,
} from 'headrace/torch';

const leaf = (...values: number[]) => tensor(values, { requiresGrad: true });
const generator = new Generator(0);
const input = (...shape: number[]) => randn(shape, { dtype: 'float64', requiresGrad: true, generator });

test('backward accumulates gradients in the leaves', () => {
  const x = leaf(1, 2, 3);
  const { grad: none } = x;
  assert.equal(none, null);
  x.mul(x).sum().backward();
  assert.deepEqual(x.grad?.tolist(), [2, 4, 6]);
  x.sum().backward();
  assert.deepEqual(x.grad?.tolist(), [3, 5, 7]);
  x.grad = null;
  assert.equal(x.grad, null);
});

test('backward of several elements asks for a gradient of the same shape', () => {
  const x = leaf(1, 2);
  assert.throws(() => x.mul(2).backward(), { name: 'TorchError', message: /scalar outputs/ });
  assert.throws(() => x.mul(2).backward(tensor([1, 2, 3])), { message: /shape/ });
  x.mul(2).backward(tensor([1, 10]));
  assert.deepEqual(x.grad?.tolist(), [2, 20]);
});

test('leaves, results and the names of their functions', () => {
  const x = leaf(1, 2);
  const y = x.exp();
  assert.deepEqual([x.isLeaf, x.requiresGrad, x.gradFn], [true, true, null]);
  assert.deepEqual([y.isLeaf, y.requiresGrad, y.gradFn], [false, true, 'ExpBackward0']);
  assert.deepEqual([y.detach().requiresGrad, y.detach().gradFn], [false, null]);
  assert.throws(
    () => {
      y.requiresGrad = false;
    },
    { name: 'TorchError', code: 'GRAD', message: /leaves only: detach\(\)/ },
  );
  assert.throws(() => x.add_(1), { message: /leaf Variable that requires grad/ });
});

test('retainGrad keeps the gradient of a result', () => {
  const x = leaf(3);
  const y = x.mul(2).retainGrad();
  const z = y.mul(y);
  z.backward();
  assert.equal(y.grad?.item(), 12);
  assert.equal(z.grad, null);
  assert.equal(x.grad?.item(), 24);
});

test('a graph serves once, or as often as it is retained', () => {
  const x = leaf(2);
  const y = x.mul(x);
  y.backward(null, { retainGraph: true });
  y.backward();
  assert.equal(x.grad?.item(), 8);
  assert.throws(() => y.backward(), { name: 'TorchError', message: /second time/ });
});

test('createGraph: gradients of gradients', () => {
  const x = leaf(2);
  const [first] = grad(x.pow(4), x, { createGraph: true });
  assert.equal(first?.item(), 32);
  const [second] = grad(first!, x, { createGraph: true });
  assert.equal(second?.item(), 48);
  const [third] = grad(second!, x);
  assert.equal(third?.item(), 48);
  assert.equal(third?.requiresGrad, false);
  assert.equal(x.grad, null, 'grad() touches no grad field');
});

test('grad: several outputs and inputs, weights, unused inputs', () => {
  const [x, y, unused] = [leaf(1, 2), leaf(3, 4), leaf(5)];
  const outputs = [x.mul(y), x.sum()];
  const gradOutputs = [tensor([1, 10]), null];
  const got = grad(outputs, [x, y], { gradOutputs, retainGraph: true }).map((g) => g?.tolist());
  assert.deepEqual(got, [
    [4, 41],
    [1, 20],
  ]);
  assert.throws(() => grad(x.sum(), [x, unused]), { name: 'TorchError', message: /not have been used/ });
  assert.deepEqual(
    grad(x.sum(), [x, unused], { allowUnused: true }).map((g) => g?.tolist() ?? null),
    [[1, 1], null],
  );
});

test('many tensors at once: backward, gradsOf, clearGrads', () => {
  const [x, y] = [leaf(1), leaf(2)];
  backward([x.mul(3), y.mul(4)]);
  assert.deepEqual(
    gradsOf([x, y, leaf(0)]).map((g) => g?.item() ?? null),
    [3, 4, null],
  );
  clearGrads([x, y]);
  assert.deepEqual(gradsOf([x, y]), [null, null]);
});

test('a gradient that is set must fit its tensor', () => {
  const x = leaf(1, 2);
  x.grad = tensor([5, 6]);
  x.sum().backward();
  assert.deepEqual(x.grad?.tolist(), [6, 7]);
  const message = /expected a gradient of the tensor's shape, dtype and device: Tensor\(float32\[2\]\), got Tensor\(/;
  for (const wrong of [zeros([3]), zeros([2], { dtype: 'float64' }), zeros([2], { device: 'meta' })]) {
    assert.throws(
      () => {
        x.grad = wrong;
      },
      { name: 'TorchError', code: 'GRAD', message },
    );
  }
});

test('noGrad and enableGrad nest, and end with their body, thrown or not', () => {
  const x = leaf(1);
  assert.equal(isGradEnabled(), true);
  noGrad(() => {
    assert.equal(isGradEnabled(), false);
    assert.equal(x.mul(2).requiresGrad, false);
    enableGrad(() => {
      assert.equal(x.mul(2).requiresGrad, true);
      noGrad(() => assert.equal(isGradEnabled(), false));
      assert.equal(isGradEnabled(), true);
    });
    assert.equal(isGradEnabled(), false);
  });
  assert.equal(isGradEnabled(), true);
  assert.throws(() =>
    noGrad(() => {
      throw new Error('inside');
    }),
  );
  assert.equal(isGradEnabled(), true);
  assert.equal(
    noGrad(() => 5),
    5,
  );
});

test('noGrad refuses an asynchronous body, which would run on outside it', () => {
  const message = /synchronous function, got one that returns a Promise/;
  assert.throws(() => noGrad(async () => 1), { name: 'TorchError', code: 'ASYNC', message });
  assert.throws(() => enableGrad(() => Promise.reject(new Error('unseen'))), { message });
  assert.equal(isGradEnabled(), true);
});

test('a parameter is updated in place without a graph', () => {
  const x = leaf(1, 2);
  x.mul(x).sum().backward();
  noGrad(() => x.sub_(x.grad!, { alpha: 0.5 }));
  assert.deepEqual(x.tolist(), [0, 0]);
  assert.ok(x.isLeaf && x.requiresGrad);
});

test('what backward needs must not have changed meanwhile', () => {
  const x = leaf(1, 2);
  const y = x.exp();
  const z = y.mul(y).sum();
  y.add_(1);
  assert.throws(() => z.backward(), { name: 'TorchError', message: /modified by an inplace operation/ });
});

test('gradcheck passes what is right', () => {
  gradcheck((a, b) => a.matmul(b), [input(3, 4), input(4, 2)]);
  gradcheck((a) => a.logSoftmax(-1), [input(2, 5)]);
  gradcheck((a, w, b) => ops.conv2d(a, w, b, 1, 1), [input(1, 2, 4, 4), input(3, 2, 3, 3), input(3)]);
  gradcheck((a) => a.mul(a).sum(), [input(1)]);
});

test('gradcheck catches a wrong gradient, and names input, element and both values', () => {
  // The second factor hides from backward: it gives x where x^2 has 2x.
  const wrong = (a: Tensor, b: Tensor) => a.add(b.mul(b.detach()));
  assert.throws(() => gradcheck(wrong, [input(2), tensor([3, 5], { dtype: 'float64', requiresGrad: true })]), {
    name: 'TorchError',
    message: /^gradient of input 1, element 0: backward gives 1\.5, finite differences (3\.0|2\.99)/,
  });
  const nan = (a: Tensor) => a.sub(a).sqrt();
  assert.throws(() => gradcheck(nan, [input(1)]), { message: /element 0: backward gives (NaN|-?Infinity)/ });
});

test('gradcheck asks for float64 leaves that require grad', () => {
  assert.throws(() => gradcheck((a) => a, [leaf(1)]), { name: 'TorchError', message: /float64 .*input 0 is float32/ });
  assert.throws(() => gradcheck((a) => a, [input(1).detach()]), { message: /require grad/ });
  const misspelt = { tolerance: 1 } as never;
  assert.throws(() => gradcheck((a) => a, [input(1)], misspelt), /options of gradcheck among .* got tolerance/);
});
