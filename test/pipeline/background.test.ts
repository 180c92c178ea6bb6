import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { saveSafetensors, saveTorch } from 'headrace/io';
import { BackgroundModule, buildModel } from 'headrace/pipeline';
import { Generator, keep, liveTensors, noGrad, ones, randn, scope, Tensor, TorchError } from 'headrace/torch';
import { resnet20, visionModelRef } from 'headrace/vision';
import { linear } from './background-modules.js';

const modules = (name: string, options: unknown = {}) => ({ module: './background-modules.js', export: name, options });
const folder = mkdtempSync(path.join(tmpdir(), 'headrace-background-'));
after(() => rmSync(folder, { recursive: true }));

test('it gives what the module gives here, from its own initial values or from a file', async () => {
  const x = randn([5, 4], { generator: new Generator(0) }).keep();
  for (const [file, save] of [
    ['w.safetensors', (name: string, state: ReadonlyMap<string, Tensor>) => saveSafetensors(name, state)],
    ['w.pt', (name: string, state: ReadonlyMap<string, Tensor>) => saveTorch(name, state)],
  ] as const) {
    const weights = path.join(folder, file);
    save(weights, linear({ seed: 2 }).stateDict());
    for (const [seed, options] of [
      [1, {}],
      [2, { weights }],
    ] as const) {
      await using remote = await BackgroundModule.load(modules('linear', { seed: 1 }), options);
      const y = (await remote.forward(x)) as Tensor;
      assert.deepEqual(y.tolist(), noGrad(() => linear({ seed }).forward(x)).tolist());
      assert.equal(y.requiresGrad, false);
    }
  }
});

test('a model of layers is built, whole', async () => {
  const model = buildModel(resnet20({ classes: 10 }), { seed: 3 }).eval();
  await using remote = await BackgroundModule.load(visionModelRef({ name: 'resnet20', classes: 10 }), { seed: 3 });
  const x = randn([2, 3, 32, 32], { generator: new Generator(0) });
  assert.deepEqual(((await remote.forward(x)) as Tensor).tolist(), noGrad(() => model.forward(x)).tolist());
});

test('the event loop goes on while a forward runs', async () => {
  await using remote = await BackgroundModule.load(modules('heavy'));
  const x = randn([400, 400], { generator: new Generator(0) });
  let turns = 0;
  let done = false;
  const count = (): void => {
    turns += 1;
    if (!done) setImmediate(count);
  };
  setImmediate(count);
  await remote.forward(x);
  done = true;
  assert.ok(turns > 20, `${turns} turns of the event loop`);
});

test('many calls at once are answered in their order, also more than may be in flight', async () => {
  await using remote = await BackgroundModule.load(modules('linear', { seed: 1 }), { inFlight: 2 });
  const order: number[] = [];
  const inputs = Array.from({ length: 20 }, (_, i) => ones([1, 4]).mul(i).keep());
  const outputs = await Promise.all(
    inputs.map(async (x, i) => {
      const y = (await remote.forward(x)) as Tensor;
      order.push(i);
      return y.keep();
    }),
  );
  assert.deepEqual(
    order,
    inputs.map((_, i) => i),
  ); // prettier-ignore
  const here = linear({ seed: 1 });
  for (const [i, y] of outputs.entries()) assert.deepEqual(y.tolist(), noGrad(() => here.forward(inputs[i]!)).tolist());
});

test('lists and objects of tensors, plain arguments, evaluation mode', async () => {
  await using remote = await BackgroundModule.load(modules('odd'));
  const x = ones([2]).keep();
  const list = (await remote.forward(x, 'list')) as Tensor[];
  assert.deepEqual(
    list.map((y) => y.tolist()),
    [
      [1, 1],
      [2, 2],
    ],
  ); // prettier-ignore
  const { once, twice } = (await remote.forward(x, 'names')) as Record<string, Tensor>;
  assert.deepEqual(
    [once!.tolist(), twice!.tolist()],
    [
      [1, 1],
      [2, 2],
    ],
  ); // prettier-ignore
  assert.equal(((await remote.forward(x, 'mode')) as Tensor).item(), 0);
  assert.equal(await remote.forward(x, 'text'), 'nothing');
  const nested = (await remote.forward([x, { mask: x.mul(3) }], 'list')) as never[];
  assert.equal(nested.length, 2);
});

test('a tensor may be disposed of as soon as the call is made', async () => {
  await using remote = await BackgroundModule.load(modules('linear', { seed: 1 }), { inFlight: 1 });
  const calls = [1, 2, 3].map((value) => {
    const x = ones([1, 4]).mul(value).keep();
    const call = remote.forward(x) as Promise<Tensor>;
    x.dispose();
    return call;
  });
  const here = linear({ seed: 1 });
  const expected = [1, 2, 3].map((value) => noGrad(() => here.forward(ones([1, 4]).mul(value))).tolist());
  assert.deepEqual(
    (await Promise.all(calls)).map((y) => y.tolist()),
    expected,
  ); // prettier-ignore
});

test('an error is that of its call alone, with its class and message', async () => {
  await using remote = await BackgroundModule.load(modules('odd'));
  const x = ones([2]).keep();
  await assert.rejects(
    remote.forward(x, 'range'),
    (error) => error instanceof RangeError && error.message === 'too far',
  );
  await assert.rejects(remote.forward(x, 'shape'), TorchError);
  await assert.rejects(remote.forward(x, 'function'), /What goes to another thread holds tensors/);
  await assert.rejects(remote.forward(x, Number.NaN), /finite numbers, .* got NaN/);
  assert.deepEqual(((await remote.forward(x, 'list')) as Tensor[])[0]!.tolist(), [1, 1]);
});

test('what cannot be built, or does not fit, is told when it is loaded', async () => {
  const where =
    /failing of .*background-modules\.js failed: TypeError: cannot be built \(at .*background-modules\.js:\d+\)/;
  await assert.rejects(BackgroundModule.load(modules('failing')), where);
  await assert.rejects(BackgroundModule.load(modules('nothing')), /to export a function nothing/);
  await assert.rejects(
    BackgroundModule.load(modules('odd'), { weights: path.join(folder, 'none.safetensors') }),
    /none\.safetensors/,
  );
  await assert.rejects(BackgroundModule.load(modules('odd'), { wieghts: 'x' } as object), /Did you mean weights\?/);
  await assert.rejects(BackgroundModule.load(modules('odd'), { inFlight: 0 }), /inFlight .* whole number >= 1, got 0/);
});

test('a thread that dies fails the calls under way and all that follow', async () => {
  const remote = await BackgroundModule.load(modules('odd'), { inFlight: 2 });
  const x = ones([2]).keep();
  const results = await Promise.allSettled(['end', 'list', 'list', 'list'].map((how) => remote.forward(x, how)));
  for (const result of results) {
    assert.equal(result.status, 'rejected');
    assert.match(String(result.reason), /thread ended \(exit code 3\)/);
  }
  await assert.rejects(remote.forward(x, 'list'), /exit code 3/);
  await remote.close();
});

test('closing answers what was asked before, and refuses what comes after', async () => {
  const remote = await BackgroundModule.load(modules('linear', { seed: 1 }), { inFlight: 1 });
  const x = ones([1, 4]).keep();
  const calls = [remote.forward(x), remote.forward(x), remote.forward(x)];
  const closing = remote.close();
  await assert.rejects(remote.forward(x), /clos/);
  for (const call of calls) assert.ok((await call) instanceof Tensor);
  await closing;
  await remote.close();
});

test('a hundred calls leave no tensors behind', async () => {
  await using remote = await BackgroundModule.load(modules('linear', { seed: 1 }));
  const x = keep(ones([1, 4]));
  const call = () => scope(async () => void (await remote.forward(x)));
  await call();
  const before = liveTensors();
  for (let i = 0; i < 100; i++) await call();
  // The thread ends its scope after it has answered; and the collector may come to what earlier tests dropped.
  for (let wait = 0; liveTensors() > before && wait < 1000; wait++) await setTimeout(5);
  assert.ok(liveTensors() <= before, `${liveTensors()} tensors, ${before} before`);
});

test('one that is left open does not keep the process alive', () => {
  const code = `
    import { BackgroundModule } from 'headrace/pipeline';
    import { ones } from 'headrace';
    const url = ${JSON.stringify(new URL('./background-modules.js', import.meta.url).href)};
    const remote = await BackgroundModule.load({ module: url, export: 'linear', options: { seed: 1 } });
    console.log((await remote.forward(ones([1, 4]))).shape);`;
  const cwd = fileURLToPath(new URL('.', import.meta.url));
  const printed = execFileSync(process.execPath, ['--input-type=module', '-e', code], {
    cwd,
    encoding: 'utf8',
    timeout: 60_000,
  });
  assert.equal(printed, '[ 1, 3 ]\n');
});
