import { misfit, namedPairs, tensorAdvice } from '../torch/expect.js';
import {
  ConfigError,
  checkOptions,
  type DType,
  type Generator,
  keep,
  noGrad,
  ShapeError,
  scope,
  Tensor,
  TorchError,
} from '../torch/index.js';
import { guardSpelling } from '../torch/python-names.js';
import { type Copy, cloneModule } from './clone.js';
import { Hookable } from './hooks.js';
import { carryingMade, initialSource, initSkipped, markDrawn, markMade } from './initial.js';
import { Parameter } from './parameter.js';
import { indentTail } from './repr.js';
import { copyState, type LoadResult } from './state-dict.js';

/** Where a layer's parameters are made: PyTorch's `device` and `dtype` keyword arguments. */
export interface FactoryOptions {
  /** `'cpu'` (default), `'cuda:0'`, `'mps'`, or `'meta'` (shapes only: nothing is allocated or drawn). */
  readonly device?: string;
  /** Default `'float32'`. */
  readonly dtype?: DType;
}

/** A module that maps one tensor to one tensor: what {@link Sequential} chains. */
export interface UnaryModule extends Module {
  forward(x: Tensor): Tensor;
}

export interface MoveOptions {
  readonly device?: string;
  /** Applied to floating-point parameters and buffers only, as in PyTorch. */
  readonly dtype?: DType;
  /** Applied to parameters and buffers of 4 dimensions only. */
  readonly memoryFormat?: 'contiguous' | 'channelsLast';
}

const floating = new Set<DType>(['float32', 'float64', 'bfloat16', 'float16']);

/**
 * The base of all layers and models, as PyTorch's `nn.Module`.
 *
 * A module's own enumerable properties are its registry: a {@link Parameter} is a parameter, a Module a child;
 * buffers are named by {@link registerBuffer}. Property names are the state dict's keys, so they are PyTorch's
 * (`running_mean`, not `runningMean`). The order of the properties is the order of the keys.
 */
export abstract class Module extends Hookable {
  /** True in training, false in evaluation: read by dropout and batch normalisation. Set by {@link train} and {@link eval}. */
  training = true;
  /** Buffer name to whether it is part of the state dict. */
  readonly #buffers = new Map<string, boolean>();

  /** What the module computes. A subclass says of what and to what; of a variable of this type, `as Tensor` does. */
  abstract override forward(...inputs: unknown[]): unknown;

  /** Draws this module's own initial values (not its children's) from `g`, with PyTorch's default distribution. */
  resetParameters?(g: Generator): void;

  /** What stands between the parentheses when the module is printed. */
  extraRepr(): string {
    return '';
  }

  /** Names a tensor that is state but not trained. It outlives every scope. `null` keeps the name and stores nothing. */
  registerBuffer(name: string, tensor: Tensor | null, persistent = true): void {
    this.#buffers.set(name, persistent);
    slots(this)[name] = tensor && keep(tensor);
    if (tensor) markMade(tensor);
  }

  *namedChildren(): Iter<[string, Module]> {
    for (const [name, value] of Object.entries(this)) if (value instanceof Module) yield [name, value];
  }

  *children(): Iter<Module> {
    for (const [, child] of this.namedChildren()) yield child;
  }

  /** This module and all below it, depth first, each once. */
  *namedModules(prefix = '', seen: Set<Module> = new Set()): Iter<[string, Module]> {
    if (seen.has(this)) return;
    seen.add(this);
    yield [prefix, this];
    for (const [name, child] of this.namedChildren()) yield* child.namedModules(join(prefix, name), seen);
  }

  *modules(): Iter<Module> {
    for (const [, module] of this.namedModules()) yield module;
  }

  /** Every parameter once, under the first of its names. */
  *namedParameters(prefix = ''): Iter<[string, Parameter]> {
    const seen = new Set<Parameter>();
    for (const [path, module] of this.namedModules(prefix)) {
      for (const [name, value] of Object.entries(module)) {
        if (!(value instanceof Parameter) || seen.has(value)) continue;
        seen.add(value);
        yield [join(path, name), value];
      }
    }
  }

  *parameters(): Iter<Parameter> {
    for (const [, parameter] of this.namedParameters()) yield parameter;
  }

  /** Every buffer, the non-persistent ones included. */
  *namedBuffers(prefix = ''): Iter<[string, Tensor]> {
    for (const [path, module] of this.namedModules(prefix)) {
      for (const name of module.#buffers.keys()) {
        const value = slots(module)[name];
        if (value instanceof Tensor) yield [join(path, name), value];
      }
    }
  }

  *buffers(): Iter<Tensor> {
    for (const [, buffer] of this.namedBuffers()) yield buffer;
  }

  /** The module at a dotted path, `''` being this one. @throws ConfigError naming what there is instead */
  getSubmodule(path: string): Module {
    const names = path === '' ? [] : path.split('.');
    const upTo = (count: number): Module[] => [...this.#at(names.slice(0, count).join('.'))];
    let depth = names.length;
    while (upTo(depth).length === 0) depth--;
    const found = upTo(depth) as [Module, ...Module[]];
    if (depth === names.length) return found[0];
    const there = found.flatMap((module) => [...module.#childNames()]).join(', ');
    throw new ConfigError(
      `Expected a child module '${names[depth]}' (of path '${path}') in ${found[0].typeName}, which has ${there || 'none'}`,
    );
  }

  /**
   * All modules at a path by the names that keys have: a child named '' stands for its own children, a name may hold dots,
   * and several children may share one.
   */
  *#at(path: string): Iter<Module> {
    if (path === '') yield this;
    else
      for (const [name, child] of this.namedChildren()) {
        if (name === '') yield* child.#at(path);
        else if (path === name || path.startsWith(`${name}.`)) yield* child.#at(path.slice(name.length + 1));
      }
  }

  *#childNames(): Iter<string> {
    for (const [name, child] of this.namedChildren()) {
      if (name === '') yield* child.#childNames();
      else yield name;
    }
  }

  /** Applies `fn` to every module, children before parents, and returns this. */
  apply(fn: (module: Module) => void): this {
    for (const child of this.children()) child.apply(fn);
    fn(this);
    return this;
  }

  /** Parameters and persistent buffers by PyTorch's keys: detached views on the live tensors, not copies. */
  stateDict(prefix = ''): Map<string, Tensor> {
    const state = new Map<string, Tensor>();
    for (const [name, tensor] of this.#state(prefix)) state.set(name, tensor.detach());
    return state;
  }

  /**
   * Copies the dictionary's values into this module's parameters and buffers, in place, converting dtype and device.
   *
   * @throws DataError naming every missing and unexpected key (when strict, the default) and every wrong shape at once;
   * nothing is copied then.
   */
  loadStateDict(
    dict: ReadonlyMap<string, Tensor> | Readonly<Record<string, Tensor>>,
    options: { readonly strict?: boolean } = {},
  ): LoadResult {
    checkOptions(`${this.typeName}.loadStateDict`, options, ['strict']);
    const source = new Map(namedPairs(`${this.typeName}.loadStateDict`, dict));
    return copyState(source, new Map(this.#state('')), { strict: options.strict ?? true, typeName: this.typeName });
  }

  /** Every name of the state dict, shared tensors under each of their names. */
  *#state(prefix: string): Iter<[string, Tensor]> {
    for (const [name, value] of Object.entries(this)) if (value instanceof Parameter) yield [prefix + name, value];
    for (const [name, persistent] of this.#buffers) {
      const value = slots(this)[name];
      if (persistent && value instanceof Tensor) yield [prefix + name, value];
    }
    for (const [name, child] of this.namedChildren()) yield* child.#state(name === '' ? prefix : `${prefix}${name}.`);
  }

  /** Sets training mode here and below. */
  train(mode = true): this {
    if (typeof mode !== 'boolean') throw new ConfigError(`Expected train(true) or train(false), got ${String(mode)}`);
    for (const module of this.modules()) module.training = mode;
    return this;
  }

  /** Sets evaluation mode here and below. */
  eval(): this {
    return this.train(false);
  }

  /**
   * Moves and converts parameters (in place: optimizers keep pointing at them), their gradients, and buffers.
   * Tensors on `'meta'` have no values to move: use {@link toEmpty} for them.
   */
  to(options: MoveOptions): this {
    checkOptions(`${this.typeName}.to`, options, ['device', 'dtype', 'memoryFormat']);
    noGrad(() =>
      scope(() => {
        for (const parameter of this.parameters()) {
          const moved = moveTensor(parameter, options);
          const grad = parameter.grad;
          carryingMade(parameter, () => parameter.setData(moved));
          if (grad) parameter.grad = moveTensor(grad, options);
        }
        this.#eachBuffer((buffer, change) => carryingMade(buffer, () => change(moveTensor(buffer, options))));
      }),
    );
    return this;
  }

  /** Replaces every parameter and buffer by one of the same shape and dtype on `device`, its content arbitrary. */
  toEmpty(device: string): this {
    const made = new Map<Parameter, Parameter>();
    for (const module of this.modules()) {
      for (const [name, value] of Object.entries(module)) {
        if (!(value instanceof Parameter)) continue;
        const fresh = made.get(value) ?? new Parameter(value.detach().emptyLike({ device }), value.requiresGrad);
        made.set(value, fresh);
        slots(module)[name] = fresh;
        markMade(fresh, module);
      }
    }
    this.#eachBuffer((buffer, change, module) => markMade(change(buffer.emptyLike({ device })), module));
    return this;
  }

  #eachBuffer(visit: (buffer: Tensor, change: (to: Tensor) => Tensor, module: Module) => void): void {
    for (const module of this.modules()) {
      for (const name of module.#buffers.keys()) {
        const value = slots(module)[name];
        if (!(value instanceof Tensor)) continue;
        const change = (to: Tensor): Tensor => {
          if (to === value) return value;
          slots(module)[name] = keep(to);
          value.dispose();
          return to;
        };
        visit(value, change, module);
      }
    }
  }

  /**
   * A deep copy, for averages of weights and target networks: parameters and buffers are copied (those that were shared
   * stay shared), as are submodules, generators, lists, Maps and plain objects; functions and objects of other classes
   * are shared. Without gradients and hooks.
   * @throws ConfigError for a class with `#private` members that does not override {@link newLike}
   */
  clone(): this {
    return cloneModule(this, (from, to) => {
      to.#buffers.clear();
      for (const [name, persistent] of from.#buffers) to.#buffers.set(name, persistent);
    }) as this;
  }

  /**
   * For {@link clone}, to be overridden by a class with `#private` members: a new object that has them, set as in this
   * one by way of `copy`. All ordinary properties are copied onto it afterwards.
   */
  protected newLike(_copy: Copy): Module {
    return Reflect.construct(Module, [], this.constructor);
  }

  /** Sets whether the parameters here and below are trained. */
  requiresGrad_(requiresGrad = true): this {
    for (const parameter of this.parameters()) parameter.requiresGrad = requiresGrad;
    return this;
  }

  /** Forgets the gradients of all parameters. */
  zeroGrad(): void {
    for (const parameter of this.parameters()) parameter.grad = null;
  }

  /** Draws all initial values again from `g`: this module's own, then each child's, in the order of {@link namedModules}. */
  initialise(g: Generator): this {
    if (this.resetParameters) {
      noGrad(() => scope(() => this.resetParameters?.(g)));
    }
    for (const child of this.children()) child.initialise(g);
    return this;
  }

  /** Gives every module that draws at run time (dropout) its generator. Without one they use the default generator. */
  setGenerator(g: Generator | null): this {
    for (const module of this.modules()) if ('generator' in module) module.generator = g;
    return this;
  }

  /** The class's name, as printed. */
  get typeName(): string {
    return this.constructor.name;
  }

  /** The module as PyTorch prints it. */
  override toString(): string {
    const extra = this.extraRepr();
    const children = [...this.namedChildren()].map(([name, child]) => `(${name}): ${indentTail(child.toString())}`);
    if (children.length === 0) {
      return extra.includes('\n') ? `${this.typeName}(\n  ${indentTail(extra)}\n)` : `${this.typeName}(${extra})`;
    }
    const lines = [...(extra ? extra.split('\n') : []), ...children];
    return `${this.typeName}(\n  ${lines.join('\n  ')}\n)`;
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString();
  }

  /** For constructors: draws the initial values from the default generator, except on `'meta'` and inside {@link skipInit}. */
  protected initSelf(options: FactoryOptions = {}): void {
    if (options.device !== 'meta' && !initSkipped()) {
      noGrad(() => scope(() => this.resetParameters?.(initialSource())));
    }
    markDrawn(this);
  }

  /**
   * For forward functions: the error to throw when an operator refused `x`. Costs nothing until then.
   * `fits` says whether the shape was right after all, in which case libtorch's own error stands.
   */
  protected shapeError(error: unknown, x: Tensor, expected: string, fits: (shape: number[]) => boolean): unknown {
    if (!(x instanceof Tensor)) return misfit(this.typeName, 'a tensor', x, tensorAdvice(x));
    if (!(error instanceof TorchError)) return error;
    const shape = x.shape;
    if (fits(shape)) return error;
    return new ShapeError(`Expected ${expected}, got [${shape}] in ${this.toString()}`);
  }
}

guardSpelling(Module);

type Iter<T> = IterableIterator<T>;

/** A module's properties by name, the registry's raw form. */
export function slots(module: Module): Record<string, unknown> {
  return module as unknown as Record<string, unknown>;
}

function join(prefix: string, name: string): string {
  // A child named '' is transparent: its keys stand among its parent's own.
  return prefix === '' || name === '' ? prefix + name : `${prefix}.${name}`;
}

function moveTensor(tensor: Tensor, { device, dtype, memoryFormat }: MoveOptions): Tensor {
  return tensor.detach().to({
    ...(device === undefined ? {} : { device }),
    ...(dtype === undefined || !floating.has(tensor.dtype) ? {} : { dtype }),
    ...(memoryFormat === undefined || tensor.ndim !== 4 ? {} : { memoryFormat }),
  });
}
