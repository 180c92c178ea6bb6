// The garbage collector frees what no scope owns. It runs when this file asks for it.
// Runs in a process of its own: it counts what lives in the process, and when the collector comes.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as tick } from 'node:timers/promises';
import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Linear, Parameter } from 'headrace/nn';
import { keep, liveTensors, ones, scope, type Tensor, tensor } from 'headrace/torch';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** Collects until `expected` tensors are alive, or for a while; gives the number. */
async function settle(expected: number): Promise<number> {
  for (let i = 0; i < 50 && liveTensors() !== expected; i++) {
    collectGarbage();
    await tick();
  }
  return liveTensors();
}

/** The number of tensors that are alive once what earlier tests dropped is gone. */
async function baseline(): Promise<number> {
  for (let i = 0; i < 5; i++) {
    collectGarbage();
    await tick();
  }
  return liveTensors();
}

// Made in functions of their own, so that no register of the test still holds them.
function drop(make: () => unknown): void {
  make();
}

test('tensors outside scopes are freed when they are unreachable', async () => {
  const before = await baseline();
  drop(() => Array.from({ length: 100 }, () => ones([10]).add(1)));
  assert.equal(await settle(before), before);
});

test('what a scope returned is freed when it is unreachable', async () => {
  const before = await baseline();
  drop(() => scope(() => scope(() => [ones([1]), new Map([['a', ones([1])]])])));
  assert.equal(await settle(before), before);
});

test('a kept tensor lives while it is reachable, and no longer', async () => {
  const before = await baseline();
  const holder: { tensor?: Tensor | undefined } = {};
  scope(() => {
    holder.tensor = keep(tensor([5]));
    drop(() => keep(tensor([6])));
  });
  assert.equal(await settle(before + 1), before + 1);
  assert.equal(holder.tensor?.item(), 5);
  holder.tensor = undefined;
  assert.equal(await settle(before), before);
});

test('the collector does not free the tensor that took the place of a disposed one', async () => {
  const before = await baseline();
  drop(() => ones([1]).dispose());
  const next = tensor([7]); // the slot of the disposed one
  assert.equal(await baseline(), before + 1);
  assert.equal(next.item(), 7);
});

test('an in-place result is the object itself, so that it frees nothing twice', async () => {
  const x = tensor([1]);
  drop(() => x.add_(1).mul_(2));
  await baseline();
  assert.equal(x.item(), 4);
});

test('a parameter lives on when the tensor that it took over is dropped', async () => {
  const before = await baseline();
  const holder: { parameter?: Parameter | undefined } = {};
  drop(() => {
    holder.parameter = new Parameter(tensor([3]));
  });
  await settle(before + 1);
  assert.equal(holder.parameter?.item(), 3);
  holder.parameter = undefined;
  assert.equal(await settle(before), before);
});

const model = new Linear(4, 4);

test('a hook does not keep the tensors that it was registered for, called or not, removed or not', async () => {
  const seen: number[] = [];
  const hook = (grad: Tensor): Tensor => {
    seen.push(grad.numel);
    return grad.mul(2);
  };
  const backwardHook = model.registerFullBackwardHook(() => undefined);
  const leaf = () => {
    const x = ones([2, 4]);
    x.requiresGrad = true;
    return x;
  };
  const before = await baseline();
  drop(() => leaf().registerHook(hook));
  drop(() => leaf().mul(2).registerHook(hook).remove());
  drop(() => model.forward(leaf()).registerHook(hook));
  drop(() => {
    const y = model.forward(leaf());
    y.registerHook(hook);
    y.sum().backward();
    model.zeroGrad();
  });
  assert.deepEqual(seen, [8]);
  assert.equal(await settle(before), before);
  backwardHook.remove();
});

test('a hook that holds its own tensor lets go of it when it is removed', async () => {
  const before = await baseline();
  drop(() => {
    const x = ones([2]);
    x.requiresGrad = true;
    const y = x.mul(2);
    const handle = y.registerHook((grad) => grad.mul(y));
    y.sum().backward();
    handle.remove();
  });
  assert.equal(await settle(before), before);
});

test('scopes that return a tensor from outside cost no memory', () => {
  const outside = tensor([1]);
  collectGarbage();
  const before = getHeapStatistics().used_heap_size;
  for (let i = 0; i < 100_000; i++) scope(() => outside);
  collectGarbage();
  const grown = getHeapStatistics().used_heap_size - before;
  assert.ok(grown < 2e6, `the heap grew by ${grown} bytes`);
});
