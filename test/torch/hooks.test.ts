/** Hooks on tensors: when they run, what they see and change. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  enableGrad,
  grad,
  liveTensors,
  noGrad,
  scope,
  type Tensor,
  TorchError,
  tensor,
  watchGrads,
} from 'headrace/torch';

const leaf = (...values: number[]) => tensor(values, { dtype: 'float64', requiresGrad: true });

test('a hook sees the whole gradient of a tensor in the middle, once', () => {
  const x = leaf(1, 2);
  const y = x.mul(3);
  const seen: unknown[] = [];
  y.registerHook((g) => {
    seen.push(g.tolist());
  });
  y.square().sum().add(y.sum()).backward(); // dy = 2y + 1
  assert.deepEqual(seen, [[7, 13]]);
  assert.deepEqual(x.grad?.tolist(), [21, 39]);
});

test('what a hook returns replaces the gradient, hooks following each other', () => {
  const x = leaf(1, 2);
  x.registerHook((g) => g.mul(10));
  x.registerHook((g) => g.add(1));
  x.registerHook(() => null);
  x.sum().backward();
  assert.deepEqual(x.grad?.tolist(), [11, 11]);
  x.sum().backward();
  assert.deepEqual(x.grad?.tolist(), [22, 22]);
  const other = leaf(1, 2);
  const y = other.mul(2);
  y.registerHook((g) => g.neg());
  assert.deepEqual(grad(y.sum(), other)[0]?.tolist(), [-2, -2]);
});

test('a removed hook runs no more; removing twice is allowed; one removal leaves the others', () => {
  const x = leaf(1);
  const twice = x.registerHook((g) => g.mul(2));
  const thrice = x.registerHook((g) => g.mul(3));
  twice.remove();
  twice.dispose();
  x.sum().backward();
  assert.equal(x.grad?.item(), 3);
  thrice[Symbol.dispose]();
  x.grad?.zero_();
  x.sum().backward();
  assert.equal(x.grad?.item(), 1);
});

test('a hook records only where the graph of the gradient is wanted', () => {
  const x = leaf(3);
  const recorded: boolean[] = [];
  const cubed = () => {
    const y = x.square();
    y.registerHook((g) => {
      const doubled = g.mul(x);
      recorded.push(doubled.requiresGrad);
      return doubled;
    });
    return y.sum();
  };
  const [first] = grad(cubed(), x, { createGraph: true });
  assert.equal(first?.item(), 18); // x · 2x
  assert.equal(grad(first!.sum(), x)[0]?.item(), 12);
  grad(cubed(), x);
  assert.deepEqual(recorded, [true, false]);
});

test("a hook's error is the error of backward, and the next backward works", () => {
  const x = leaf(1, 2);
  const thrown = new RangeError('too steep');
  const handle = x.registerHook(() => {
    throw thrown;
  });
  assert.throws(
    () => x.sum().backward(),
    (error) => error === thrown,
  );
  assert.throws(
    () => x.mul(2).sum().backward(),
    (error) => error === thrown,
  );
  handle.remove();
  for (const odd of ['text', undefined, null, 7]) {
    const each = x.registerHook(() => {
      throw odd;
    });
    let caught: unknown = 'nothing';
    try {
      x.sum().backward();
    } catch (error) {
      caught = error;
    }
    assert.equal(caught, odd);
    each.remove();
  }
  assert.equal(String(x.grad), 'null');
  x.sum().backward();
  assert.deepEqual(x.grad?.tolist(), [1, 1]);
});

test('a replacement of another shape or dtype is refused, and a tensor without gradient takes no hook', () => {
  const x = leaf(1, 2);
  for (const wrong of [tensor([1], { dtype: 'float64' }), tensor([1, 2])]) {
    const handle = x.registerHook(() => wrong);
    assert.throws(() => x.sum().backward(), /a gradient as it got, float64\[2\] on cpu, got float/);
    handle.remove();
  }
  assert.throws(() => tensor([1]).registerHook(() => null), TorchError);
});

test('a hook may run operators, scopes and another backward', () => {
  const x = leaf(2);
  const inner: number[] = [];
  x.registerHook((g) => {
    const z = leaf(5);
    enableGrad(() => z.square().sum()).backward();
    inner.push(z.grad!.item());
    return scope(() => g.mul(2).add(noGrad(() => z.detach())));
  });
  x.square().sum().backward();
  assert.deepEqual(inner, [10]);
  assert.equal(x.grad?.item(), 13);
});

test('gradients of several tensors pass a hook together, null where there is none', () => {
  const [a, b, c, plain] = [leaf(1), leaf(2), leaf(3), tensor([4], { dtype: 'float64' })];
  const seen: unknown[] = [];
  const [wa, wb, wc, wp] = watchGrads([a, b, c, plain], (grads) => {
    seen.push(grads.map((g) => g?.item() ?? null));
    return [grads[0]!.mul(2), undefined, null];
  }) as [Tensor, Tensor, Tensor, Tensor];
  assert.equal(wp.requiresGrad, true); // as all results of one function
  wa.mul(10).add(wb.mul(wp)).sum().backward();
  assert.deepEqual(seen, [[10, 4, null, 2]]);
  assert.deepEqual([a.grad?.item(), b.grad?.item(), c.grad, plain.grad, wc.item()], [20, 4, null, null, 3]);
});

test('hooks leave no tensors behind', () => {
  const x = leaf(1, 2);
  const step = () =>
    scope(() => {
      const y = x.mul(2);
      y.registerHook((g) => g.mul(0.5));
      const [w] = watchGrads([y], ([g]) => [g!.neg()]);
      w!.sum().backward();
      x.grad = null;
    });
  step();
  const before = liveTensors();
  for (let i = 0; i < 50; i++) step();
  assert.equal(liveTensors(), before);
});
