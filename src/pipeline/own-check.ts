/** What functions of a user's own give, checked before it is used: models and data sets, with all that they lack at once. */
import type { SharedDataset, ThreadShareable } from '../data/index.js';
import { Module } from '../nn/index.js';
import { describe } from '../torch/expect.js';
import { ConfigError, Tensor } from '../torch/index.js';
import { fileName } from '../torch/user-errors.js';
import type { ModelSpec, ModuleRef } from './model.js';
import type { RunData } from './trainer.js';

type Fields = Readonly<Record<string, unknown>>;

/** Gathers what a value lacks. */
class Check {
  readonly #faults: string[] = [];

  /** The fields of an object; none where it is none, which is a fault. */
  fields(at: string, value: unknown, expected: string): Fields | null {
    const fits = typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Tensor);
    this.expect(at, expected, value, fits);
    return fits ? (value as Fields) : null;
  }

  expect(at: string, expected: string, value: unknown, fits: boolean): void {
    if (!fits) this.#faults.push(`${at} ${expected} (got ${describe(value)})`);
  }

  text(at: string, value: unknown): void {
    this.expect(at, 'a text', value, typeof value === 'string');
  }

  whole(at: string, value: unknown, least: number): void {
    this.expect(at, `a whole number >= ${least}`, value, Number.isSafeInteger(value) && (value as number) >= least);
  }

  method(at: string, value: unknown): void {
    this.expect(at, 'a function', value, typeof value === 'function');
  }

  list(at: string, value: unknown, of: string): readonly unknown[] {
    this.expect(at, `a list of ${of}`, value, Array.isArray(value));
    return Array.isArray(value) ? value : [];
  }

  /** @throws ConfigError with all faults, where there are any */
  end(start: string): void {
    if (this.#faults.length > 0) throw new ConfigError(`Expected ${start} ${this.#faults.join('; ')}.`);
  }
}

const titleOf = ({ module, export: name }: ModuleRef): string =>
  `${name === 'default' ? 'the default export' : name} of ${fileName(module)}`;

/** @throws ConfigError where what the function of `ref` gave is no model that can be cut */
export function checkModel(ref: ModuleRef, given: unknown): ModelSpec {
  const start = `${titleOf(ref)} to give a ModelSpec`;
  const check = new Check();
  const spec = given instanceof Module ? null : check.fields('which is', given, '{ name, layers, head }');
  if (given instanceof Module) check.expect('which lists its layers:', '{ name, layers, head }', given, false);
  check.end(`${start},`);
  const { name, layers, head, task, classes, inputShape, example } = spec!;
  check.text('name', name);
  const listed = check.list('layers', layers, '{ name, prefix, build }');
  if (Array.isArray(layers)) check.expect('layers', 'of at least one', layers, listed.length > 0);
  const names = listed.map((layer, i) => checkLayer(check, `layers[${i}]`, layer));
  const twice = names.find((each, i) => each !== null && names.indexOf(each) < i);
  check.expect('layers', 'with names that differ', twice, twice === undefined);
  check.method('head', head);
  if (task !== undefined) checkTask(check, task);
  if (classes !== undefined) check.whole('classes', classes, 1);
  if (inputShape !== undefined) {
    const sides = check.list('inputShape', inputShape, 'whole numbers');
    for (const [i, side] of sides.entries()) check.whole(`inputShape[${i}]`, side, 0);
  }
  if (example !== undefined) check.method('example', example);
  check.end(`${start} with`);
  return given as ModelSpec;
}

/** @returns the layer's name */
function checkLayer(check: Check, at: string, layer: unknown): unknown {
  const fields = check.fields(at, layer, '{ name, prefix, build }');
  if (fields === null) return null;
  check.text(`${at}.name`, fields.name);
  check.text(`${at}.prefix`, fields.prefix);
  check.method(`${at}.build`, fields.build);
  return fields.name;
}

function checkTask(check: Check, task: unknown): void {
  const fields = check.fields('task', task, '{ name, loss, metrics, selects }');
  if (fields === null) return;
  check.text('task.name', fields.name);
  check.method('task.loss', fields.loss);
  check.method('task.metrics', fields.metrics);
  const selects = check.fields('task.selects', fields.selects, '{ metric, best }');
  if (selects === null) return;
  check.text('task.selects.metric', selects.metric);
  const { best } = selects;
  check.expect('task.selects.best', "'highest' or 'lowest'", best, best === 'highest' || best === 'lowest');
}

/** @throws ConfigError where what the function of `ref` gave is no data to train and test on */
export function checkData(ref: ModuleRef, given: unknown): RunData {
  const start = `${titleOf(ref)} to give a RunData`;
  const check = new Check();
  const data = check.fields('which is', given, '{ train, test, trainTransforms, testTransforms }');
  check.end(`${start},`);
  for (const part of ['train', 'test']) {
    const set = check.fields(part, data![part], 'a data set { length, batch, share }');
    if (set === null) continue;
    check.whole(`${part}.length`, set.length, 0);
    check.method(`${part}.batch`, set.batch ?? set.getItem);
    check.method(`${part}.share`, set.share);
  }
  for (const part of ['trainTransforms', 'testTransforms']) check.list(part, data![part], '{ kind, options }');
  const { inputs } = data!;
  if (inputs !== undefined) check.whole('inputs', inputs, 1);
  check.end(`${start} with`);
  return given as RunData;
}

/** Shares a data set with another thread. @throws ConfigError where what `share` gives does not say how */
export function shared(dataset: ThreadShareable): SharedDataset {
  const given: unknown = dataset.share();
  const start = 'share() of a data set to give what another thread makes it of,';
  const check = new Check();
  const fields = check.fields('which is', given, '{ module, export, options, tensors }');
  check.end(start);
  check.text('module', fields!.module);
  check.text('export', fields!.export);
  const tensors = check.list('tensors', fields!.tensors, 'tensors');
  for (const [i, each] of tensors.entries()) check.expect(`tensors[${i}]`, 'a tensor', each, each instanceof Tensor);
  check.end(`${start} with`);
  return given as SharedDataset;
}
