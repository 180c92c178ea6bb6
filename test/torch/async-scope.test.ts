// Scopes that stay open across awaits.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as tick, setTimeout as wait } from 'node:timers/promises';
import { keep, liveTensors, ones, scope, type Tensor, tensor } from 'headrace/torch';

const live = (): number => liveTensors('thread');

/** Runs `body` and checks that it leaves `left` tensors more. */
async function leaves(left: number, body: () => Promise<void>): Promise<void> {
  const before = live();
  await body();
  assert.equal(live() - before, left);
}

test('an asynchronous scope frees what was made before, between and after its awaits', async () => {
  let inside: Tensor[] = [];
  await leaves(0, async () => {
    const sum = await scope(async () => {
      const first = ones([10]);
      await tick();
      const second = first.mul(2);
      await wait(1);
      const third = second.add(1);
      inside = [first, second, third];
      return third.sum().item();
    });
    assert.equal(sum, 30);
  });
  for (const x of inside) assert.throws(() => x.item(), { code: 'FREED' });
});

test('what it returns and what was kept survives; functions that it awaits make tensors for it', async () => {
  const helper = async (x: Tensor): Promise<Tensor> => {
    await tick();
    return x.add(1);
  };
  await leaves(3, async () => {
    let kept!: Tensor;
    const result = await scope(async () => {
      kept = keep(tensor([1]));
      await tick();
      const y = await helper(kept);
      await helper(y);
      return { y, list: [await helper(y)] };
    });
    assert.deepEqual([kept.item(), result.y.item(), result.list[0]!.item()], [1, 2, 3]);
  });
});

test('several asynchronous scopes are open at once, and each frees its own alone', async () => {
  const request = (n: number) =>
    scope(async () => {
      const x = tensor([n]);
      await wait(5 - (n % 5)); // they end in another order than they begin
      const y = x.mul(10);
      await tick();
      const z = y.add(x);
      await tick();
      return { answer: z.item(), kept: n === 7 ? z : null };
    });
  await leaves(1, async () => {
    const answers = await Promise.all(Array.from({ length: 20 }, (_, n) => request(n)));
    assert.deepEqual(
      answers.map(({ answer }) => answer),
      Array.from({ length: 20 }, (_, n) => 11 * n),
    );
    assert.equal(answers[7]!.kept!.item(), 77);
  });
});

test('asynchronous scopes nest, and hold synchronous ones', async () => {
  await leaves(1, async () => {
    let middle!: Tensor;
    let low!: Tensor;
    const outer = await scope(async () => {
      middle = await scope(async () => {
        low = scope(() => ones([2]).add(tensor([1, 2])));
        await tick();
        return low.mul(2);
      });
      assert.throws(() => low.item(), { code: 'FREED' });
      await tick();
      return middle.sum();
    });
    assert.throws(() => middle.item(), { code: 'FREED' });
    assert.equal(outer.item(), 10);
  });
});

test('a rejection frees everything and passes', async () => {
  await leaves(0, async () => {
    const failing = scope(async () => {
      ones([3]);
      await tick();
      ones([4]);
      throw new RangeError('inside');
    });
    await assert.rejects(failing, { name: 'RangeError', message: 'inside' });
  });
});

test('what is made outside while a scope waits is not its own', async () => {
  const pending = scope(async () => {
    ones([1]);
    await wait(5);
  });
  const outside = tensor([3]);
  await pending;
  assert.equal(outside.item(), 3);
});

test('a promise of a function that is not declared async is refused, as is an asynchronous scope in a synchronous one', async () => {
  await leaves(0, async () => {
    const message =
      /scope\(\) takes a synchronous function, got one that returns a Promise; a body that awaits is declared async/;
    assert.throws(() => scope(() => Promise.resolve(tensor([1]))), { name: 'TorchError', code: 'ASYNC', message });
    assert.throws(() => scope(() => Promise.reject(new Error('unseen'))), { message });
    assert.throws(
      () =>
        scope(() => {
          void scope(async () => tensor([1]));
        }),
      { name: 'TorchError', code: 'ASYNC', message: /make the outer body async/ },
    );
  });
});
