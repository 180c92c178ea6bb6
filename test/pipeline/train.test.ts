// The front door: models and data as values or as functions of one's own, and the examples that use it.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { ProcessGroup } from 'headrace/distributed';
import { loadSafetensors, saveSafetensors } from 'headrace/io';
import {
  buildModel,
  exportModel,
  loadModel,
  type ModelSpec,
  ModelStage,
  type RunData,
  type Stage,
  type Task,
  type TrainOptions,
  train,
} from 'headrace/pipeline';
import { Generator, ones, rand, Tensor } from 'headrace/torch';
import { mnist, resnet20, visionModelRef } from 'headrace/vision';
import { config, temporaryFolder } from './fixture.js';
import { hiddenModel } from './toy.js';

const folder = temporaryFolder();
after(() => rmSync(folder, { recursive: true }));

const compiled = (name: string): string => new URL(`../../examples/${name}.js`, import.meta.url).href;

async function example(name: string, ...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [fileURLToPath(compiled(name)), ...args], {
    cwd: folder,
  });
  return stdout;
}

const twoInputs = {
  model: { module: compiled('two-inputs'), export: 'pendulum', options: { width: 16 } },
  data: { module: compiled('two-inputs'), export: 'swings', options: { count: 203 } },
  epochs: 2,
  cut: [1],
  seed: 3,
} as const;

test('a model takes classes, channels and size from its data, optimizer and rates from its recipe', async () => {
  const out = join(folder, 'digits');
  const run = train({ model: resnet20(), data: mnist({ limit: 64 }), cut: [7], steps: 2, out });
  const tested: string[][] = [];
  for await (const event of run) if (event.type === 'eval') tested.push(Object.keys(event.metrics));
  assert.deepEqual(tested.at(-1), ['accuracy', 'loss']);
  const { model, stages, steps, schedule } = await run.result;
  assert.deepEqual([model, schedule, stages, steps], ['resnet20', 'ppll', 2, 2]);
  const whole = await loadModel(out);
  assert.deepEqual(whole.stateDict().get('fc.weight')!.shape, [10, 64]);
  assert.deepEqual(whole.stateDict().get('conv1.weight')!.shape, [16, 1, 3, 3]);
  assert.deepEqual(whole.forward(rand([2, 1, 28, 28], { generator: new Generator(1) })).shape, [2, 10]);
});

test('several inputs and targets of numbers: ppll ends as sequential does, bit for bit, a partial last batch included', async () => {
  const of = async (schedule: 'ppll' | 'sequential') => (await train({ ...twoInputs, schedule }).result).metrics!;
  const [parallel, turns] = [await of('ppll'), await of('sequential')];
  assert.deepEqual(Object.keys(parallel), ['mae', 'correlation', 'loss']);
  assert.deepEqual(parallel, turns);
  const whole = (await train({ ...twoInputs, schedule: 'bp', cut: [] }).result).metrics!;
  const pieces = (await train({ ...twoInputs, schedule: '1f1b', microbatches: 1 }).result).metrics!;
  assert.ok(Math.abs(whole.loss! - pieces.loss!) < 1e-6, 'gradients of both inputs cross the border');
});

test('models are measured by their own example, to choose the cut', async () => {
  const { cut: _, ...uncut } = twoInputs;
  const run = train({ ...uncut, steps: 1, epochs: undefined, evaluation: false } as TrainOptions);
  const cuts: unknown[] = [];
  for await (const event of run) if (event.type === 'plan' && event.cut) cuts.push(event.cut.length);
  assert.deepEqual(cuts, [1]);
});

test('a regression of two inputs, in one file, learns', async () => {
  const lines = (await example('two-inputs', '--epochs', '6')).trim().split('\n');
  assert.equal(lines.length, 6);
  assert.ok(Number(/correlation ([\d.]+)/.exec(lines.at(-1)!)![1]) > 0.95, lines.at(-1));
});

test('a language model of characters beats guessing by frequency, and writes', async () => {
  const text = join(folder, 'text.txt');
  writeFileSync(text, 'the quick brown fox jumps over the lazy dog. '.repeat(400));
  const out = join(folder, 'characters');
  const lines = (await example('characters', '--text', text, '--steps', '40', '--out', out)).trimEnd().split('\n');
  const perplexity = Number(/perplexity ([\d.]+)/.exec(lines.at(-2)!)![1]);
  assert.ok(perplexity < 12, `${perplexity}: by the letters' frequencies it would be 19`);
  assert.equal(lines.at(-1)!.length, 204);
});

test('a run begins with the weights of a file; what is frozen stays, statistics included', async () => {
  const printed = await example('fine-tune', '--limit', '128', '--out', join(folder, 'fine'));
  assert.match(printed, /\nafresh: fc\.weight, fc\.bias\n/);
  exportModel(join(folder, 'fine', 'two'), join(folder, 'two.safetensors'));
  const before = loadSafetensors(join(folder, 'fine', 'ten.safetensors')).tensors;
  const now = loadSafetensors(join(folder, 'two.safetensors')).tensors;
  const same = [...now].filter(([key, value]) => equal(value, before.get(key)!)).map(([key]) => key);
  const frozen = [...now.keys()].filter((key) => /^(conv1|bn1|layer1)\./.test(key));
  assert.deepEqual(same.sort(), frozen.sort());
  assert.ok(frozen.some((key) => key.endsWith('running_mean')));
});

function equal(a: Tensor, b: Tensor): boolean {
  return Buffer.from(a.bytes()).equals(Buffer.from(b.bytes()));
}

test('a file that does not fit, or a name that nothing has, is told before anything starts', async () => {
  const base = { ...config({ out: null }), model: visionModelRef({ name: 'resnet20', classes: 4, imageSize: 12 }) };
  const begin = (change: object) => train({ ...base, steps: 1, ...change } as TrainOptions).result;
  const spec = resnet20({ classes: 7, imageSize: 12 });
  const path = join(folder, 'other.safetensors');
  const weights = buildModel(spec).stateDict();
  saveSafetensors(path, new Map([...weights, ['conv1.weight', ones([8, 3, 3, 3])]]));
  await assert.rejects(
    begin({ init: path }),
    /conv1\.weight of shape \[16,3,3,3\]; it holds \[8,3,3,3\].*Keys are PyTorch's/s,
  );
  saveSafetensors(path, new Map([...weights].filter(([key]) => key !== 'layer1.0.bn1.weight')));
  await assert.rejects(begin({ init: path }), /layer1\.0\.bn1\.weight of shape \[16\]; it has none of that name/);
  await assert.rejects(begin({ init: join(folder, 'none.safetensors') }), /none\.safetensors/);
  const out = join(folder, 'refused', 'run');
  await assert.rejects(begin({ freeze: ['layer9'], out }), /to freeze, such as conv1, bn1, layer1, .*got layer9/);
  assert.ok(!existsSync(join(folder, 'refused')), 'nothing is left of a run that was refused');
  await assert.rejects(begin({ lrFactors: { layer9: 0.1 } }), /with a learning rate of their own, such as conv1/);
  await assert.rejects(begin({ lrFactors: { fc: -1 } }), /lrFactors\.fc to be a number >= 0, got -1/);
  const all = ['conv1', 'bn1', 'layer1', 'layer2', 'layer3', 'fc'];
  await assert.rejects(begin({ freeze: all }), /something of resnet20 to train; freeze .* leaves nothing/);
});

test('parts of a model learn at rates of their own', () => {
  const spec = resnet20({ classes: 4, imageSize: 12 });
  const optimizer = { name: 'sgd', lr: 0.5, momentum: 0, weightDecay: 0, decay: 'weights', nesterov: false } as const;
  const lrSchedule = { name: 'constant', warmupEpochs: 0 } as const;
  const settings = config({ optimizer, lrSchedule, lrFactors: { conv1: 0.25, layer1: 0 } });
  const to = spec.layers.length;
  const stage = new ModelStage({ spec, config: settings, index: 0, from: 0, to, hasHead: false });
  const before = new Map([...stage.layers.namedParameters()].map(([key, value]) => [key, value.detach().clone()]));
  stage.beginBatch(1);
  for (const parameter of stage.parameters()) parameter.grad = ones(parameter.shape);
  stage.apply();
  for (const [key, value] of stage.layers.namedParameters()) {
    const moved = before.get(key)!.sub(value.detach()).mean().item();
    const expected = key.startsWith('conv1.') ? 0.125 : key.startsWith('layer1.') ? 0 : 0.5;
    assert.ok(Math.abs(moved - expected) < 1e-6, `${key} moved by ${moved}`);
  }
  assert.equal(stage.lr, 0.5);
});

test('what other threads cannot make again is refused with what to do', async () => {
  const data = mnist({ limit: 64 });
  assert.throws(() => train({ model: [() => undefined][0] as never, data }), /exports by its name/);
  assert.throws(() => train({ model: undefined as never, data }), /such as resnet20\(\).*got none/);
  assert.throws(
    () => train({ model: resnet20(), data: 'mnist' as never }),
    /data to be such as mnist\(\).*got "mnist"/,
  );
  const { data: small } = config({ data: { ...config().data, options: { size: 2, plain: true } } });
  await assert.rejects(
    train({ model: hiddenModel(), data: small, cut: [1], steps: 1 }).result,
    /toy\.js to export a function hidden, got undefined/,
  );
  await assert.rejects(
    train({ model: resnet20(), data: { ...twoInputs.data } }).result,
    /resnet20 to be trained on images with classes/,
  );
});

test('what is no model or no data is refused with all that it lacks', async () => {
  const toy = new URL('./toy.js', import.meta.url).href;
  const asGiven = (options: unknown) => ({ module: toy, export: 'asGiven', options });
  const of = (change: object) => train({ ...twoInputs, ...change } as TrainOptions).result;
  const model = (given: unknown) => of({ model: asGiven(given) });
  const data = (given: unknown) => of({ data: asGiven(given) });
  await assert.rejects(
    model(5),
    /asGiven of \/.*toy\.js to give a ModelSpec, which is \{ name, layers, head \} \(got number 5\)/,
  );
  await assert.rejects(
    model({ layers: [], classes: 0 }),
    /with name a text \(got undefined\); layers of at least one .*head a function .*classes a whole number >= 1 \(got number 0\)/,
  );
  const layer = { name: 'a', prefix: '' };
  await assert.rejects(
    model({ name: 'x', layers: [layer, layer], task: { selects: {} } }),
    /layers\[1\]\.build a function .*names that differ \(got string 'a'\).*task\.loss .*task\.selects\.best 'highest' or/,
  );
  await assert.rejects(data(null), /to give a RunData, which is \{ train, .*\} \(got null\)/);
  await assert.rejects(
    data({ train: { length: 3 }, testTransforms: [], inputs: 0 }),
    /train\.batch .*train\.share .*test a data set .*trainTransforms a list .*inputs a whole number >= 1/,
  );
  const built = { name: 'x', layers: [{ ...layer, build: () => 5 }], head: () => 5 };
  assert.throws(() => buildModel(built as never), /build\(\) of the layer a: expected a Module .*got number 5/);
});

test("what a user's layer throws on a thread is told with its place", async () => {
  const stumbling = { module: new URL('./toy.js', import.meta.url).href, export: 'stumbling', options: {} };
  const { data } = config({ data: { ...config().data, options: { size: 2, plain: true } } });
  await assert.rejects(
    train({ model: stumbling, data, schedule: 'bp', cut: [], steps: 1 }).result,
    /stage 0, action 0F0, step 1: words is not defined \(at \/.*toy\.[jt]s:\d+\)$/,
  );
});

// What must not compile.
export const misuse = (): unknown[] => [
  // @ts-expect-error a model is asked for
  () => train({ data: mnist() }),
  // @ts-expect-error the network is a value with options of its own, not a name
  () => train({ model: 'resnet20', data: mnist() }),
  // @ts-expect-error options are the network's
  () => resnet20({ depth: 3 }),
  // @ts-expect-error stages are a number
  () => train({ model: resnet20(), data: mnist(), stages: '2' }),
];

/** What is written by a user, each with one mistake. */
export const misshapen = (task: Task, spec: ModelSpec, stage: Stage, data: RunData): unknown[] => [
  // @ts-expect-error a task says which metric selects
  { name: task.name, loss: task.loss, metrics: task.metrics } satisfies Task,
  // @ts-expect-error a loss is a tensor, from which a backward goes
  { ...task, loss: () => 0.5 } satisfies Task,
  // @ts-expect-error best is the highest or the lowest
  { ...task, selects: { metric: 'loss', best: 'least' } } satisfies Task,
  // @ts-expect-error a layer is built anew by each thread
  { ...spec, layers: [{ name: 'first', prefix: 'first' }] } satisfies ModelSpec,
  // @ts-expect-error a head is a module
  { ...spec, head: (x: Tensor) => x } satisfies ModelSpec,
  // @ts-expect-error an input's shape is a list of numbers
  { ...spec, inputShape: '3x32x32' } satisfies ModelSpec,
  // @ts-expect-error a stage steps its optimizers when it is told to
  { ...stage, apply: undefined } satisfies Stage,
  // @ts-expect-error one of the losses stands for the stage
  { ...stage, learn: (outputs) => ({ mine: outputs[0]! }) } satisfies Stage,
  // @ts-expect-error threads share a data set
  { ...data, train: { length: 3, batch: () => ({}) } } satisfies RunData,
  // @ts-expect-error what is done to batches is data
  { ...data, testTransforms: [(x: Tensor) => x] } satisfies RunData,
  // @ts-expect-error ranks are joined, not made
  () => new ProcessGroup(),
  // @ts-expect-error the mean is not among the reductions
  (group: ProcessGroup, x: Tensor) => group.allReduce(x, 'mean'),
  // @ts-expect-error what another rank sends is received into a tensor
  (group: ProcessGroup) => group.receive([2, 3], 0),
  // @ts-expect-error a tensor is made by tensor(...)
  () => new Tensor([1, 2]),
  // @ts-expect-error its shape is another view's, by reshape
  (x: Tensor) => (x.shape = [2]),
  // @ts-expect-error a text is no number
  (x: Tensor) => x.add('1'),
  // @ts-expect-error an operator has PyTorch's name
  (x: Tensor) => x.plus(x),
];
