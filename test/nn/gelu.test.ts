/** GELU as a loop of this package's, against libtorch's operators in float64. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { functional } from 'headrace/nn';
import {
  Generator,
  getNumThreads,
  grad,
  noGrad,
  ops,
  randn,
  scope,
  setNumThreads,
  type Tensor,
  tensor,
} from 'headrace/torch';

const exact = (x: Tensor): Tensor => x.detach().to({ dtype: 'float64', copy: true });

/** y and dy/dx in float64: x Φ(x), by the complementary error function, which keeps the digits of the tail. */
function reference(x: Tensor): { y: Tensor; dx: Tensor } {
  const wide = exact(x);
  const distribution = ops.erfc(wide.mul(-Math.SQRT1_2)).mul(0.5);
  const density = wide
    .mul(wide)
    .mul(-0.5)
    .exp()
    .mul(1 / Math.sqrt(2 * Math.PI));
  return { y: wide.mul(distribution), dx: distribution.add(wide.mul(density)) };
}

function gradient(x: Tensor, dy: Tensor): Tensor {
  return grad(functional.gelu(x), [x], { gradOutputs: [dy] })[0]!;
}

const largest = (x: Tensor): number => x.abs().max().item();

test('values and gradients are float32 at its best, the negative tail included', () => {
  scope(() => {
    const x = ops.linspace(-13, 13, 400_003).to({ dtype: 'float32' }).requiresGrad_();
    const want = reference(x);
    const y = exact(functional.gelu(x));
    assert.ok(largest(y.sub(want.y).div(want.y.abs().add(1e-37))) < 5e-6);
    assert.ok(largest(y.sub(want.y)) < 5e-7);
    const dx = exact(gradient(x, ops.onesLike(x)));
    assert.ok(largest(dx.sub(want.dx)) < 2.5e-7);
  });
});

// Stated, and not compared with libtorch: 2.6 gives infinity for 3e38, and NaN for infinity.
test('zero, the largest numbers, infinity and what is not a number come out by the definition', () => {
  scope(() => {
    const x = tensor(Float32Array.of(0, -0, 1e30, -1e30, 3e38, Infinity, NaN)).requiresGrad_();
    const plain = (values: Tensor) => (values.tolist() as number[]).map((value) => value + 0); // -0 is 0
    const y = plain(functional.gelu(x).detach());
    assert.deepEqual(y, [0, 0, Math.fround(1e30), 0, Math.fround(3e38), Infinity, NaN]);
    const dx = plain(gradient(x, ops.onesLike(x)));
    assert.deepEqual(dx.slice(0, 5), [0.5, 0.5, 1, 0, 1]);
    assert.ok(Number.isNaN(dx[6]));
  });
});

test('the numbers depend on neither threads nor layout', () => {
  const threads = getNumThreads();
  try {
    scope(() => {
      const generator = new Generator(1);
      const [x, dy] = [randn([301, 211], { generator }), randn([301, 211], { generator })];
      const run = (input: Tensor): [Tensor, Tensor] => {
        const leaf = input.detach().requiresGrad_();
        return [functional.gelu(leaf).detach(), gradient(leaf, dy)];
      };
      setNumThreads(1);
      const [y, dx] = run(x);
      setNumThreads(2);
      const [again, dAgain] = run(x);
      assert.ok(again.equal(y) && dAgain.equal(dx));
      // A transposed input is libtorch's affair; a gradient may have any layout.
      const [turned, dTurned] = run(x.t().contiguous().t());
      assert.ok(turned.allclose(y, { rtol: 1e-5, atol: 1e-6 }) && dTurned.allclose(dx, { rtol: 1e-5, atol: 1e-6 }));
      const leaf = x.detach().requiresGrad_();
      assert.ok(gradient(leaf, dy.t().contiguous().t()).equal(dx));
    });
  } finally {
    setNumThreads(threads);
  }
});

test('gradients of gradients, float64 and the form by tanh are right too', () => {
  scope(() => {
    const x = randn([50], { generator: new Generator(2) }).requiresGrad_();
    const wide = exact(x).requiresGrad_();
    const second = (leaf: Tensor): Tensor => {
      const first = grad(functional.gelu(leaf), [leaf], { gradOutputs: [ops.onesLike(leaf)], createGraph: true })[0]!;
      return grad(first.sum(), [leaf])[0]!;
    };
    assert.ok(largest(exact(second(x)).sub(second(wide))) < 2e-6);
    assert.ok(largest(functional.gelu(wide).sub(reference(x).y)) < 1e-14);
    const approximate = 'tanh' as const;
    assert.ok(functional.gelu(x, { approximate }).equal(ops.gelu(x, { approximate })));
    assert.equal(noGrad(() => functional.gelu(x)).requiresGrad, false);
  });
});
