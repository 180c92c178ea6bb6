/**
 * What a model tells the pipeline: its layers in order, and for each border what a local head needs to know.
 * A stage builds only its own layers; the ordinary whole model is all of them.
 */
import { buildSeeded, Module } from '../nn/index.js';
import { misfit } from '../torch/expect.js';
import {
  backward,
  ConfigError,
  checkOptions,
  deriveSeed,
  type Generator,
  ops,
  scope,
  type Tensor,
} from '../torch/index.js';
import { callerPlaces, callFunction, locateModule } from '../torch/user-modules.js';
import { checkModel } from './own-check.js';
import type { Task } from './task.js';

/** The local heads that come with Headrace's models. */
export type HeadKind = 'linear' | 'dgl' | 'auglocal';

export interface HeadOptions {
  /** Layers of an `auglocal` head. */
  readonly depth?: number;
}

/**
 * A module that maps one tensor, or one from each incoming edge, to one; or to several, which the next layer takes as its
 * arguments: a residual network may be cut in the middle of a block, where the branch and the shortcut are under way.
 */
export interface LayerModule extends Module {
  forward(...inputs: Tensor[]): Tensor | Tensor[];
}

/** A local head: from the features at a border to what the last layer gives (logits). */
export interface HeadModule extends Module {
  forward(...features: Tensor[]): Tensor;
}

/** One layer of a model: the smallest piece that a stage can hold. */
export interface LayerSpec {
  /** Unique within the model; its initial weights depend on it and the seed alone. */
  readonly name: string;
  /** What stands before its keys in the whole model's state dict; `''` for nothing. */
  readonly prefix: string;
  build(): LayerModule;
}

/** A batch such as the model takes. */
export interface Example {
  readonly inputs: readonly Tensor[];
  readonly targets: readonly Tensor[];
}

/** A model that can be cut between any two of its layers. */
export interface ModelSpec {
  readonly name: string;
  /** What it is trained and judged by. Classification of its `classes` where absent. */
  readonly task?: Task;
  /** How many it tells apart, where it is a classifier. */
  readonly classes?: number;
  /** Shape of one input, without the batch: [C, H, W]. Where there are several, or of other numbers, `example` makes them. */
  readonly inputShape?: readonly number[];
  /** Random inputs and targets of a batch of this size, by which layers are measured. Default: of `inputShape` and `classes`. */
  example?(size: number, generator: Generator): Example;
  readonly layers: readonly LayerSpec[];
  /**
   * A fresh local head for the features that come out of layer `border`, all of them its arguments.
   * It must not write to its input, which the next stage reads at the same time.
   */
  head(kind: HeadKind, border: number, options: HeadOptions): HeadModule;
}

/**
 * Where a model or data set comes from, as JSON, so that every thread can make its own: the function `export` of the
 * ES module `module`, called with `options`. A module is a URL, a path (`./my-model.ts`: beside the file that calls Headrace,
 * else in the working directory) or a package.
 */
export interface ModuleRef {
  readonly module: string;
  readonly export: string;
  readonly options: unknown;
}

export type ModelRef = ModuleRef;
export type DataRef = ModuleRef;

/** The reference with the URL of its module. @throws ConfigError where there is no such module */
export function locateRef(ref: ModuleRef, places = callerPlaces()): ModuleRef {
  return { ...ref, module: locateModule(ref.module, places) };
}

/**
 * Calls the function that a reference names.
 * @param hooks - what cannot be JSON
 * @throws ConfigError where there is none, or it throws: with the place in its file
 */
export async function resolveRef<T>(ref: ModuleRef, hooks?: object): Promise<T> {
  return (await callFunction(locateRef(ref).module, ref.export, ref.options, hooks)) as T;
}

/** The model that a reference names. @throws ConfigError as {@link resolveRef}, and where what it gives is no model */
export async function resolveModel(ref: ModuleRef): Promise<ModelSpec> {
  return checkModel(ref, await resolveRef(ref));
}

/** A random batch such as the model takes. @throws ConfigError where the model does not tell what it takes */
export function exampleOf(spec: ModelSpec, size: number, generator: Generator): Example {
  const { device } = generator;
  if (spec.example) {
    const { inputs, targets } = spec.example(size, generator);
    const moved = (tensors: readonly Tensor[]): Tensor[] => tensors.map((x) => x.to({ device }));
    return { inputs: moved(inputs), targets: moved(targets) };
  }
  const { inputShape, classes } = spec;
  if (inputShape === undefined || classes === undefined) {
    throw new ConfigError(
      `Expected the model ${spec.name} to tell what it takes, with inputShape and classes, ` +
        'or with example(size, generator), which makes a batch { inputs, targets }; give it one of them, or a cut.',
    );
  }
  return {
    inputs: [ops.randn([size, ...inputShape], { generator, device })],
    targets: [ops.randint(classes, [size], { generator, device, dtype: 'int64' })],
  };
}

/** What a layer gave, as a list. */
export function tensorsOf(output: Tensor | Tensor[]): Tensor[] {
  return Array.isArray(output) ? output : [output];
}

/** Backward through a layer or stage. Its inputs may be among its outputs: those of the model need no gradient. */
export function backwardThrough(outputs: readonly Tensor[], gradients: readonly (Tensor | null)[]): void {
  const through = outputs.map((output) => output.requiresGrad);
  if (!through.includes(true)) return; // all of it is frozen
  const pick = <T>(values: readonly T[]): T[] => values.filter((_, i) => through[i]);
  backward(pick(outputs), pick(gradients));
}

/** Builds one layer with the initial weights that belong to its name; what the layer writes itself while it is built stays. */
export function buildLayer(layer: LayerSpec, seed: number): LayerModule {
  const build = (): LayerModule => expectModule(`build() of the layer ${layer.name}`, layer.build());
  return buildSeeded(build, deriveSeed(seed, 'init', layer.name));
}

/** Builds the head of a border with the initial weights that belong to it. */
export function buildHead(
  spec: ModelSpec,
  kind: HeadKind,
  border: number,
  options: HeadOptions,
  seed: number,
): HeadModule {
  const own = deriveSeed(seed, 'head', kind, spec.layers[border]!.name);
  const build = (): HeadModule => expectModule(`head(...) of ${spec.name}`, spec.head(kind, border, options));
  return buildSeeded(build, own);
}

function expectModule<M extends Module>(where: string, made: M): M {
  if (made instanceof Module && typeof made.forward === 'function') return made;
  throw misfit(where, 'a Module with a method forward', made);
}

/** Consecutive layers of a model; all of them make the ordinary model, with the keys that PyTorch's has. */
export class Layers extends Module {
  private readonly layers: readonly LayerModule[];
  private readonly specs: readonly LayerSpec[];

  /** Layers `from` up to, not including, `to`, built and initialised. */
  constructor(spec: ModelSpec, seed: number, from = 0, to = spec.layers.length) {
    super();
    this.specs = spec.layers.slice(from, to);
    this.layers = this.specs.map((layer) => buildLayer(layer, seed));
  }

  /** What the last of the layers gives, for layers that end the model, or end in one tensor. */
  override forward(...inputs: Tensor[]): Tensor {
    return this.features(...inputs)[0]!;
  }

  /** All that the last of the layers gives. Each layer's temporaries are freed at its end; autograd holds what backward needs. */
  features(...inputs: Tensor[]): Tensor[] {
    let x = inputs;
    for (const layer of this.layers) x = tensorsOf(scope(() => layer.forward(...x)));
    return x;
  }

  /** The layers with their names. */
  *named(): IterableIterator<[string, LayerModule]> {
    for (const [i, layer] of this.layers.entries()) yield [this.specs[i]!.name, layer];
  }

  /** A layer without a prefix is named '': its keys stand among the model's own, as PyTorch has them. */
  override *namedChildren(): IterableIterator<[string, Module]> {
    for (const [i, layer] of this.layers.entries()) yield [this.specs[i]!.prefix, layer];
  }
}

/** The ordinary whole model, initialised from `seed` exactly as any cut of it. */
export function buildModel(spec: ModelSpec, options: { seed?: number } = {}): Layers {
  checkOptions('buildModel', options, ['seed']);
  if (!Array.isArray((spec as ModelSpec | null | undefined)?.layers)) {
    const advice = 'modelSpec(...) of headrace/vision makes one; a module is a whole model already.';
    throw misfit('buildModel', 'a ModelSpec, { name, layers, head }', spec, advice);
  }
  return new Layers(spec, options.seed ?? 0);
}
