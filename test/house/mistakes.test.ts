/** What a user in plain JavaScript may get wrong is answered by Headrace, not by the engine: no raw TypeError anywhere. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import * as data from 'headrace/data';
import * as io from 'headrace/io';
import * as nn from 'headrace/nn';
import * as optim from 'headrace/optim';
import { buildModel } from 'headrace/pipeline';
import * as torch from 'headrace/torch';

type Call = (...args: unknown[]) => unknown;
type Construct = new (...args: unknown[]) => unknown;

const { HeadraceError, tensor } = torch;

/** Arguments of every wrong kind; some fit here and there, which is no harm. */
const wrong: Record<string, unknown[]> = {
  nothing: [],
  undefined: [undefined, undefined, undefined],
  null: [null, null, null],
  array: [[[1, 2]], [[1, 2]], [[1, 2]]],
  object: [{ a: 1 }, { a: 1 }, { a: 1 }],
  string: ['q', 'q', 'q'],
  number: [3.5, -2, 7],
  boolean: [true, false, true],
  module: [new nn.Linear(2, 2), new nn.Linear(2, 2)],
  function: [() => 1, () => 1],
  tensor: [tensor([1, 2]), 3.5, 3.5],
  Map: [new Map([[1, 2]]), new Map()],
};

/** Tools of the checks themselves, and constructors that only this package calls. */
const internal = new Set(
  [
    'checkOptions nearest Optimizer Hdf5File LazyArray TorchTensor isOneOf isAtLeast isList leaf optional orNull isObject',
    // The process's own settings, and files that are removed.
    'setNumThreads setMemoryLimits sweepUnfinished',
  ].flatMap((names) => names.split(' ')),
);

/** What a call threw that is none of Headrace's errors, as a line; null where all is well. */
async function rawError(label: string, call: () => unknown): Promise<string | null> {
  try {
    const result = await call();
    if (typeof result === 'object' && result !== null && 'next' in result) await (result as { next: Call }).next();
    return null;
  } catch (error) {
    if (error instanceof HeadraceError) return null;
    return `${label}: ${error instanceof Error ? (error.stack ?? error.message).split('\n').slice(0, 3).join(' ') : error}`;
  }
}

const isClass = (value: object): boolean => /^class\b/.test(Function.prototype.toString.call(value));

async function walk(space: string, exported: Record<string, unknown>): Promise<string[]> {
  const found: (string | null)[] = [];
  for (const [name, value] of Object.entries(exported)) {
    if (typeof value !== 'function' || value.prototype instanceof Error || internal.has(name)) continue;
    for (const [kind, args] of Object.entries(wrong)) {
      const call = isClass(value) ? () => new (value as Construct)(...args) : () => (value as Call)(...args);
      found.push(await rawError(`${space}.${name}, ${kind}`, call));
      if (!isClass(value)) continue;
      const methods = Object.entries(Object.getOwnPropertyDescriptors(value));
      for (const [method, { value: fn }] of methods) {
        if (typeof fn !== 'function' || method === 'prototype') continue;
        found.push(await rawError(`${space}.${name}.${method}, ${kind}`, () => fn.apply(value, args)));
      }
    }
  }
  return found.filter((line) => line !== null);
}

test('no function or constructor answers a wrong argument with a raw error of the engine', async () => {
  const before = process.cwd();
  const folder = mkdtempSync(path.join(tmpdir(), 'headrace-mistakes-'));
  process.chdir(folder); // some of the wrong arguments are paths that can be written
  try {
    const spaces = { torch, nn, functional: nn.functional, init: nn.init, optim, io, data };
    const found = [];
    for (const [space, exported] of Object.entries(spaces)) found.push(...(await walk(space, exported)));
    assert.deepEqual(found, []);
  } finally {
    process.chdir(before);
    rmSync(folder, { recursive: true, force: true });
  }
});

test("no layer's forward answers a wrong input with a raw error of the engine", async () => {
  const guesses = [[], [2], [2, 2], [4, 4, 1], [2, 2, 2], [0.1, 0.2], [1, [2, 2]], [8, 2], [{ scaleFactor: 2 }]];
  const made = new Map<string, nn.Module>();
  const unmade: string[] = [];
  for (const [name, value] of Object.entries(nn)) {
    if (typeof value !== 'function' || !(value.prototype instanceof nn.Module)) continue;
    for (const args of guesses) {
      try {
        made.set(name, new (value as unknown as Construct)(...args) as nn.Module);
        break;
      } catch {
        // another guess may fit
      }
    }
    if (!made.has(name)) unmade.push(name);
  }
  assert.ok(made.size > 100, `${made.size} layers; not made: ${unmade}`);
  const found: (string | null)[] = [];
  for (const [name, layer] of made) {
    for (const [kind, args] of Object.entries(wrong)) {
      found.push(await rawError(`${name}.forward, ${kind}`, () => layer.forward(...args)));
      found.push(await rawError(`${name}.loadStateDict, ${kind}`, () => (layer.loadStateDict as Call)(...args)));
    }
  }
  assert.deepEqual(
    found.filter((line) => line !== null),
    [],
  );
});

test('an optimizer or scheduler that is given a wrong first argument says what to pass', () => {
  const model = new nn.Linear(2, 2);
  const make = (value: unknown, ...args: unknown[]) => new (value as Construct)(...args);
  assert.throws(() => make(optim.Adam, model), {
    name: 'ConfigError',
    message:
      'Adam: expected parameters, as model.parameters() gives them, got a Linear. Pass its parameters(), or namedParameters().',
  });
  assert.throws(() => make(optim.SGD, model.weight, { lr: 1 }), /SGD: expected parameters.*Put it into a list\./);
  assert.throws(
    () => make(optim.StepLR, { stepSize: 2 }),
    /StepLR: expected an optimizer, got an object\. It comes first/,
  );
  const optimizer = new optim.SGD(model.parameters(), { lr: 1 });
  assert.throws(
    () => make(optim.LambdaLR, optimizer, { lrLambda: () => 1 }),
    /LambdaLR: expected a function of the epoch/,
  );
  assert.throws(
    () => (optimizer.loadStateDict as Call)(undefined),
    /expected what stateDict\(\) of an optimizer gives/,
  );
});

test('what is saved or loaded as a state dict and is none, is named with what to pass instead', () => {
  const model = new nn.Linear(2, 2);
  const save = io.saveTorch as Call;
  assert.throws(
    () => save('q.pt', model),
    /saveTorch: expected tensors by name.*got a Linear\. Pass its stateDict\(\)\./,
  );
  assert.throws(() => save(model.stateDict(), 'q.pt'), /got string 'q\.pt'\. The path comes first\./);
  assert.throws(() => (io.saveSafetensors as Call)('q', model), /Pass its stateDict\(\)\./);
  const load = model.loadStateDict.bind(model) as Call;
  assert.throws(() => load({ tensors: model.stateDict(), metadata: {} }), /pass its \.tensors\./);
  assert.throws(
    () => load(new Map([['model', model.stateDict()]])),
    /model, a Map\n.*If the state dict is 'model' in it, pass that: get\('model'\)/,
  );
  assert.throws(
    () => load({ weight: [[1, 2]] }),
    /expected a tensor for 'weight', got an array\. tensor\(\.\.\.\) makes one/,
  );
  assert.deepEqual(load([...model.stateDict()]), { missing: [], unexpected: [] });
});

test('a model that is none for the pipeline is told what one is', () => {
  assert.throws(() => (buildModel as Call)(new nn.Linear(2, 2)), /buildModel: expected a ModelSpec.*got a Linear/);
});

test("init functions take a layer's bias as its type has it, and refuse one that is not there", () => {
  const filled: nn.Parameter = nn.init.constant_(new nn.Linear(2, 2).bias, 3);
  assert.deepEqual(filled.tolist(), [3, 3]);
  assert.throws(() => nn.init.zeros_(new nn.Linear(2, 2, { bias: false }).bias), {
    name: 'ConfigError',
    message: 'zeros_: expected a tensor, got null. The layer was made without it, as with { bias: false }.',
  });
});

test("libtorch's advice in Python is given in this package's words", () => {
  const w = torch.ones([2], { requiresGrad: true });
  const loss = w.mul(w).sum();
  loss.backward();
  assert.throws(
    () => loss.backward(),
    (error: Error) => {
      assert.match(error.message, /Specify \{ retainGraph: true \} if you need to backward/);
      assert.doesNotMatch(error.message, /retain_graph/);
      return true;
    },
  );
});

test('class numbers and indices that are floats are refused with how to make them int64', () => {
  const [logits, classes] = [torch.ones([2, 3]), tensor([0, 1])];
  const F = nn.functional;
  for (const call of [
    () => F.crossEntropy(logits, classes),
    () => F.nllLoss(logits, classes),
    () => F.multiMarginLoss(logits, classes),
    () => new nn.Embedding(3, 2).forward(classes),
    () => logits.gather(0, tensor([[0, 1]])),
  ]) {
    assert.throws(call, { name: 'TorchError', message: /int64: tensor\(\[\.\.\.\], \{ dtype: 'int64' \}\), or x\.to/ });
  }
});

test('options by the words of other libraries lead to the ones that there are', () => {
  const make = (options: object) => new optim.SGD(new nn.Linear(1, 1).parameters(), options as { lr: number });
  assert.throws(() => make({ learningRate: 1 }), /got learningRate\. Did you mean lr\?/);
  assert.throws(() => make({ learning_rate: 1 }), /got learning_rate\. Did you mean lr\?/);
});
