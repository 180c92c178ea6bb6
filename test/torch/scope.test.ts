import assert from 'node:assert/strict';
import { test } from 'node:test';
import { keep, liveTensors, ones, ops, scope, type Tensor, tensor } from 'headrace/torch';

const FREED = { name: 'TorchError', code: 'FREED' };

function isFreed(x: Tensor): boolean {
  try {
    x.dtype;
    return false;
  } catch (error) {
    assert.equal((error as { code: string }).code, 'FREED');
    return true;
  }
}

/** Runs `body` and checks that it leaves `left` tensors more. */
function leaves(left: number, body: () => void): void {
  const before = liveTensors();
  body();
  assert.equal(liveTensors() - before, left);
}

test('a scope frees what was made in it', () => {
  let inside!: Tensor;
  leaves(0, () => {
    const sum = scope(() => {
      inside = ones([10]);
      assert.equal(isFreed(inside), false);
      return inside.mul(2).add(1).sum().item();
    });
    assert.equal(sum, 30);
  });
  assert.ok(isFreed(inside));
  assert.throws(() => inside.add(1), { ...FREED, message: /its scope ended, dispose\(\) was called/ });
});

test('tensors that are returned survive: alone, in arrays, Maps and objects, however deep', () => {
  leaves(6, () => {
    const result = scope(() => {
      ones([1]).add(1);
      return {
        one: tensor([1]),
        list: [tensor([2]), null, [tensor([3])]],
        map: new Map([['a', tensor([4])]]),
        deep: { deeper: [{ deepest: tensor([5]) }], text: 'x', number: 1 },
        none: undefined,
      };
    });
    const single = scope(() => tensor([6]));
    assert.equal(result.one.item(), 1);
    assert.deepEqual((result.list[0] as Tensor).item(), 2);
    assert.equal((result.list[2] as Tensor[])[0]!.item(), 3);
    assert.equal(result.map.get('a')!.item(), 4);
    assert.equal(result.deep.deeper[0]!.deepest.item(), 5);
    assert.equal(single.item(), 6);
  });
});

test('the same tensor may be returned more than once', () => {
  leaves(1, () => {
    const [a, b] = scope(() => {
      const x = tensor([1]);
      return [x, x, x.add_(1)];
    });
    assert.equal(a, b);
    assert.equal(a!.item(), 2);
  });
});

test('scopes nest: what an inner one returns belongs to the outer one', () => {
  leaves(1, () => {
    let middle!: Tensor;
    const outer = scope(() => {
      middle = scope(() => {
        const inner = scope(() => tensor([1]));
        const result = inner.add(1);
        assert.equal(isFreed(inner), false);
        return result;
      });
      assert.equal(isFreed(middle), false);
      return middle.add(1);
    });
    assert.ok(isFreed(middle));
    assert.equal(outer.item(), 3);
  });
});

test('a tensor from outside is left alone, returned or not', () => {
  const outside = tensor([1]);
  leaves(0, () => {
    for (let i = 0; i < 10; i++)
      assert.equal(
        scope(() => scope(() => outside.add_(1))),
        outside,
      );
    scope(() => {
      outside.add(1);
    });
  });
  assert.equal(outside.item(), 11);
});

test('keep() outlives all scopes, however deep it was called', () => {
  leaves(1, () => {
    let kept!: Tensor;
    scope(() => {
      scope(() => {
        const x = tensor([1]);
        kept = x.add(1);
        assert.equal(keep(kept), kept);
        keep(kept);
      });
      assert.equal(kept.item(), 2);
    });
    assert.equal(kept.item(), 2);
  });
  leaves(0, () => scope(() => keep(tensor([1])).dispose()));
});

test('a kept tensor that is returned as well lives once', () => {
  leaves(1, () => {
    const x = scope(() => scope(() => keep(tensor([1]))));
    assert.equal(x.item(), 1);
  });
});

test('an exception frees everything, and passes', () => {
  let inside!: Tensor;
  leaves(0, () => {
    assert.throws(
      () =>
        scope(() => {
          inside = tensor([1]);
          scope(() => {
            ones([1]);
            throw new RangeError('inside');
          });
        }),
      { name: 'RangeError', message: 'inside' },
    );
  });
  assert.ok(isFreed(inside));
  leaves(1, () => assert.equal(isFreed(scope(() => tensor([1]))), false));
});

test('a result that refers to itself is refused, and what was made freed', () => {
  leaves(0, () => {
    const loop: unknown[] = [];
    loop.push(loop);
    assert.throws(() => scope(() => [tensor([1]), loop]), RangeError);
  });
});

test('a tensor that was disposed of may be returned; the others survive', () => {
  leaves(1, () => {
    const [gone, here] = scope(() => {
      const pair = [tensor([1]), tensor([2])] as const;
      pair[0].dispose();
      return pair;
    });
    assert.ok(isFreed(gone));
    assert.equal(here.item(), 2);
  });
});

test('dispose() frees at once, twice does nothing, and the next tensor is safe', () => {
  leaves(1, () => {
    const x = tensor([1]);
    x.dispose();
    const next = tensor([2]); // takes the place of x
    x.dispose();
    x[Symbol.dispose]();
    assert.equal(next.item(), 2);
    assert.throws(() => x.item(), FREED);
    assert.throws(() => x.keep(), FREED);
  });
});

test('views and results keep the memory that they need', () => {
  const base = tensor([1, 2, 3]);
  const view = base.slice(0, 1);
  const square = tensor([3], { requiresGrad: true });
  const result = scope(() => square.mul(square).mul(2));
  base.dispose();
  assert.deepEqual(view.tolist(), [2, 3]);
  result.backward();
  assert.equal(square.grad?.item(), 12);
});

test('live tensors are constant over 1,000 iterations of a training step', () => {
  const weight = tensor([[0.1, 0.2]], { requiresGrad: true });
  const counts = new Set<number>();
  for (let i = 0; i < 1000; i++) {
    scope(() => {
      const loss = ops
        .linear(ones([4, 2]), weight)
        .relu()
        .mean();
      loss.backward();
      weight.detach().sub_(weight.grad!, { alpha: 1e-3 });
      weight.grad = null;
      weight.max(1);
      String(weight);
      weight.index(0, tensor([1n]));
    });
    counts.add(liveTensors());
  }
  assert.equal(counts.size, 1);
});
