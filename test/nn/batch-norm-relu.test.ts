/** The fused operator against libtorch's own, one after the other, in float32 and in float64. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as nn from 'headrace/nn';
import {
  Generator,
  getNumThreads,
  grad,
  liveTensors,
  noGrad,
  randn,
  scope,
  setNumThreads,
  type Tensor,
  tensor,
} from 'headrace/torch';

const F = nn.functional;
const options = { training: true, momentum: 0.3, eps: 1e-3 };
const channelsLast = { memoryFormat: 'channelsLast' } as const;

interface Case {
  readonly x: Tensor;
  readonly residual: Tensor | null;
  readonly weight: Tensor;
  readonly bias: Tensor;
  readonly mean: Tensor;
  readonly variance: Tensor;
  readonly gradient: Tensor;
}

/**
 * A case of random numbers, of which each channel has another mean and spread. No gradient comes to where the ReLU is so
 * near to its corner that rounding chooses the side.
 */
function drawn(shape: readonly [number, number, number, number], withResidual: boolean, seed = 1): Case {
  const generator = new Generator(seed);
  const each = () => randn([shape[1]], { generator });
  const map = () => randn(shape, { generator }).contiguous(channelsLast).detach();
  const leaf = (t: Tensor) => t.detach().requiresGrad_();
  const spread = each().abs().add(0.5).view([1, -1, 1, 1]);
  const made = {
    x: leaf(
      map()
        .mul(spread)
        .add(each().mul(3).view([1, -1, 1, 1])),
    ),
    residual: withResidual ? leaf(map()) : null,
    weight: leaf(each()),
    bias: leaf(each()),
    mean: each(),
    variance: each().abs(),
    gradient: map(),
  };
  const exact = copied(made, 'float64');
  const y = F.batchNorm(exact.x, exact.mean, exact.variance, exact.weight, exact.bias, options);
  const corner = (exact.residual ? y.add(exact.residual) : y).abs().lt(1e-4);
  return { ...made, gradient: made.gradient.maskedFill(corner, 0) };
}

/** The same numbers in tensors of their own. */
function copied(c: Case, dtype: 'float32' | 'float64' = 'float32'): Case {
  const copy = (t: Tensor) => t.detach().to({ dtype, copy: true });
  const leaf = (t: Tensor) => copy(t).requiresGrad_();
  return {
    x: leaf(c.x),
    residual: c.residual && leaf(c.residual),
    weight: leaf(c.weight),
    bias: leaf(c.bias),
    mean: copy(c.mean),
    variance: copy(c.variance),
    gradient: copy(c.gradient),
  };
}

const fused = (c: Case) =>
  F.batchNormRelu(c.x, c.mean, c.variance, c.weight, c.bias, { ...options, residual: c.residual });

function composed(c: Case): Tensor {
  const y = F.batchNorm(c.x, c.mean, c.variance, c.weight, c.bias, options);
  return (c.residual ? y.add(c.residual) : y).relu();
}

/** Everything that a step makes: the output, the running statistics, and the gradients. */
function everything(run: (c: Case) => Tensor, c: Case): Map<string, Tensor> {
  const y = run(c);
  y.backward(c.gradient);
  const found = new Map([
    ['output', y.detach()],
    ['running mean', c.mean],
    ['running variance', c.variance],
  ]);
  for (const name of ['x', 'residual', 'weight', 'bias'] as const) {
    const gradient = c[name]?.grad;
    if (gradient) found.set(`gradient of ${name}`, gradient);
  }
  return found;
}

/** @param tolerance - of the largest absolute value */
function assertSame(found: Map<string, Tensor>, expected: Map<string, Tensor>, tolerance: number): void {
  assert.deepEqual([...found.keys()], [...expected.keys()]);
  for (const [name, value] of expected) {
    const exact = value.double();
    const error = found.get(name)!.double().sub(exact).abs().max().item() / exact.abs().max().item();
    assert.ok(error <= tolerance, `${name}: off by ${error} of the largest`);
  }
}

const isFused = (y: Tensor) => y.gradFn === 'BatchNormRelu';

for (const channels of [3, 16, 17, 64, 600]) {
  for (const [batch, height, width] of [
    [1, 7, 5],
    [3, 23, 31],
  ] as const) {
    for (const residual of [false, true]) {
      const shape = [batch, channels, height, width] as const;
      test(`values and gradients of [${shape}]${residual ? ' with a residual' : ''} are those of the parts`, () => {
        scope(() => {
          const c = drawn(shape, residual);
          assert.ok(isFused(fused(copied(c))));
          const found = everything(fused, copied(c));
          assertSame(found, everything(composed, copied(c, 'float64')), 2e-6);
          assertSame(found, everything(composed, copied(c)), 1e-4);
        });
      });
    }
  }
}

test('a mean far from zero costs the variance no digits', () => {
  const c = drawn([4, 16, 16, 16], false);
  const far = { ...c, x: c.x.detach().add(1000).requiresGrad_() };
  assert.ok(isFused(fused(copied(far))));
  const found = everything(fused, copied(far)).get('running variance')!;
  const expected = everything(composed, copied(far, 'float64')).get('running variance')!;
  assert.ok(found.double().sub(expected).abs().div(expected).max().item() < 1e-6);
});

test('the results are the same to the bit for any number of threads', () => {
  const before = getNumThreads();
  const c = drawn([8, 16, 33, 31], true);
  const results = [1, 2, 3].map((threads) => {
    setNumThreads(threads);
    return everything(fused, copied(c));
  });
  setNumThreads(before);
  for (const found of results.slice(1)) {
    for (const [name, value] of results[0]!) assert.deepEqual(found.get(name)!.bytes(), value.bytes(), name);
  }
});

test('what is not a number stays so, where it does among the parts', () => {
  for (const place of ['x', 'residual', 'gradient'] as const) {
    const c = drawn([2, 3, 4, 5], true);
    noGrad(() => c[place]!.select(0, 1).select(0, 2).select(0, 0).fill_(Number.NaN));
    const found = everything(fused, copied(c));
    const expected = everything(composed, copied(c));
    assert.ok(
      expected
        .get(place === 'gradient' ? 'gradient of bias' : 'output')!
        .isnan()
        .any()
        .item(),
    );
    for (const [name, value] of expected) {
      assert.deepEqual(found.get(name)!.isnan().tolist(), value.isnan().tolist(), `NaN in ${place}: ${name}`);
    }
  }
});

test('an output that was overwritten is refused in backward, if that needs it', () => {
  const overwrite = (residual: boolean) => {
    const c = drawn([2, 16, 4, 4], residual);
    const y = fused(c);
    const loss = y.mul(1).mul(c.gradient).sum();
    noGrad(() => y.zero_());
    loss.backward();
    return c;
  };
  assert.throws(() => overwrite(true), /modified by an inplace operation/);
  // The gradient with no residual is computed from the input.
  const c = drawn([2, 16, 4, 4], false);
  assertSame(
    new Map([['x', overwrite(false).x.grad!]]),
    new Map([['x', everything(composed, c).get('gradient of x')!]]),
    5e-6,
  );
});

test('an input that was overwritten is refused in backward', () => {
  const c = drawn([2, 16, 4, 4], false);
  const x = c.x.mul(1);
  const y = fused({ ...c, x });
  x.add_(1);
  assert.throws(() => y.sum().backward(), /modified by an inplace operation/);
});

test('gradients of gradients are those of the parts', () => {
  for (const residual of [false, true]) {
    const second = (run: (c: Case) => Tensor, c: Case) => {
      const inputs = [c.x, c.weight, c.bias, ...(c.residual ? [c.residual] : [])];
      const first = grad(run(c).pow(2).mul(c.gradient).sum(), inputs, { createGraph: true });
      const norm = first.map((g) => g!.pow(2).sum()).reduce((a, b) => a.add(b));
      return new Map(grad(norm, inputs).map((g, i) => [String(i), g!] as const));
    };
    const c = drawn([2, 3, 4, 5], residual);
    assertSame(second(fused, copied(c)), second(composed, copied(c, 'float64')), 1e-5);
  }
});

test('what the operator is not made for goes through the parts, with the same numbers', () => {
  const c = drawn([3, 16, 6, 5], true);
  const odd: Record<string, (c: Case) => Case> = {
    'rows first': (o) => ({ ...o, x: o.x.detach().contiguous().requiresGrad_() }),
    'a residual with rows first': (o) => ({ ...o, residual: o.residual!.detach().contiguous().requiresGrad_() }),
    float64: (o) => copied(o, 'float64'),
  };
  for (const [name, change] of Object.entries(odd)) {
    assert.equal(isFused(fused(change(copied(c)))), false, name);
    assertSame(everything(fused, change(copied(c))), everything(composed, change(copied(c))), 1e-7);
  }
  const evaluation = { ...options, training: false };
  const y = F.batchNormRelu(c.x, c.mean, c.variance, c.weight, c.bias, { ...evaluation, residual: c.residual });
  const expected = F.batchNorm(c.x, c.mean, c.variance, c.weight, c.bias, evaluation).add(c.residual!).relu();
  assertSame(new Map([['y', y]]), new Map([['y', expected]]), 1e-7);
});

test('the module counts batches, takes a mean of all for momentum null, and refuses what does not fit', () => {
  for (const momentum of [0.1, null]) {
    const [a, b] = [new nn.BatchNorm2d(4, { momentum }), new nn.BatchNorm2d(4, { momentum })];
    for (let i = 0; i < 3; i++) {
      const { x } = drawn([2, 4, 3, 3], false, i);
      assert.ok(a.forwardRelu(x).sub(b.forward(x).relu()).abs().max().item() < 1e-6);
    }
    assert.equal(a.num_batches_tracked!.item(), 3);
    for (const name of ['running_mean', 'running_var'] as const) {
      assert.ok(a[name]!.sub(b[name]!).abs().max().item() < 1e-6, name);
    }
  }
  const norm = new nn.BatchNorm2d(4);
  assert.throws(() => norm.forwardRelu(randn([2, 5, 3, 3])), { name: 'ShapeError' });
  assert.throws(() => norm.forwardRelu(randn([2, 4, 3])), { name: 'ShapeError' });
});

test('without running statistics and without gradients it works as the parts do', () => {
  const c = drawn([2, 16, 3, 3], false);
  const bare = F.batchNormRelu(c.x, null, null, c.weight, c.bias, options);
  assert.ok(isFused(bare));
  assertSame(new Map([['y', bare]]), new Map([['y', composed(copied(c))]]), 5e-6);
  const y = noGrad(() => fused(copied(c)));
  assert.equal(y.requiresGrad, false);
  assert.deepEqual(y.bytes(), bare.detach().bytes());
});

test('the running statistics count as changed, for whoever saved them', () => {
  const c = drawn([2, 16, 3, 3], false);
  const y = F.batchNorm(c.x, c.mean, c.variance, c.weight, c.bias, { training: false });
  fused(c);
  assert.throws(() => y.sum().backward(), /modified by an inplace operation/);
});

test('steps leave no tensors behind', () => {
  const c = drawn([2, 16, 5, 5], true);
  const counts = new Set<number>();
  for (let i = 0; i < 20; i++) {
    scope(() => fused(c).mul(tensor(2)).sum().backward());
    counts.add(liveTensors());
  }
  assert.equal(counts.size, 1);
});
