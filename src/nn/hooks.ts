/** Hooks on modules: functions that see, and may change, what goes in and out, forward and backward. */
import { ConfigError, isGradEnabled, type RemovableHandle, removable, Tensor, watchGrads } from '../torch/index.js';
import type { Module } from './module.js';

/**
 * Runs before a module's forward. What it returns takes the inputs' place: all of them in an array, or a single one;
 * nothing (undefined or null) leaves them.
 */
export type ForwardPreHook<M = Module, Inputs = Tensor[]> = (module: M, inputs: Inputs) => unknown;

/** Runs after a module's forward. What it returns takes the output's place, unless it is undefined or null. */
export type ForwardHook<M = Module, Inputs = Tensor[], Output = Tensor> = (
  module: M,
  inputs: Inputs,
  output: Output,
) => unknown;

/**
 * Runs in backward, when a module's gradients are known: those of its inputs and outputs, null where there is none.
 * Inputs and outputs in lists and plain objects count tensor by tensor, in order. A list that it returns takes the place
 * of the inputs' gradients, null entries leaving theirs.
 */
export type FullBackwardHook<M = Module> = (
  module: M,
  gradInputs: readonly (Tensor | null)[],
  gradOutputs: readonly (Tensor | null)[],
  // biome-ignore lint/suspicious/noConfusingVoidType: a hook that returns nothing is the usual one
) => readonly (Tensor | null)[] | null | undefined | void;

type Forward = (...inputs: unknown[]) => unknown;
type Grads = readonly (Tensor | null)[];

/** A module's hooks, in the order of their registration. */
class Hooks {
  readonly before = new Set<{ readonly run: ForwardPreHook<unknown, unknown> }>();
  readonly after = new Set<{ readonly run: ForwardHook<unknown, unknown, unknown> }>();
  readonly backward = new Set<{ readonly run: FullBackwardHook<unknown> }>();
  /** The module's own forward beneath the hooks, where it is not its class's. */
  beneath: PropertyDescriptor | undefined;
  /** The forward that runs the hooks, while it stands in the module. */
  wrapper: Forward | null = null;

  get empty(): boolean {
    return this.before.size + this.after.size + this.backward.size === 0;
  }
}

/**
 * What can have hooks. A module is called by its `forward`, so the first hook puts a `forward` of the module's own in
 * front of its class's, and the last one's removal takes it away: a module without hooks pays nothing.
 */
export abstract class Hookable {
  #hooks: Hooks | null = null;

  abstract forward(...inputs: never[]): unknown;

  /** Has `hook` run before every forward, see {@link ForwardPreHook}. Its inputs are taken for tensors; or say their type. */
  registerForwardPreHook<Inputs = Tensor[]>(hook: ForwardPreHook<this, Inputs>): RemovableHandle {
    return this.#register((hooks) => hooks.before, hook as ForwardPreHook<unknown, unknown>);
  }

  /** Has `hook` run after every forward, see {@link ForwardHook}. What goes in and out is taken for tensors; or say its type. */
  registerForwardHook<Inputs = Tensor[], Output = Tensor>(hook: ForwardHook<this, Inputs, Output>): RemovableHandle {
    return this.#register((hooks) => hooks.after, hook as ForwardHook<unknown, unknown, unknown>);
  }

  /**
   * Has `hook` run in every backward through the module, see {@link FullBackwardHook}. As in PyTorch, inputs and outputs
   * must not be changed in place then.
   */
  registerFullBackwardHook(hook: FullBackwardHook<this>): RemovableHandle {
    return this.#register((hooks) => hooks.backward, hook as FullBackwardHook<unknown>);
  }

  /** Whether a hook is registered: a shortcut past `forward` must not be taken then. */
  get hasHooks(): boolean {
    return this.#hooks !== null && !this.#hooks.empty;
  }

  /** The forward that an object of its own has instead of its class's, hooks aside; for this package's use. */
  protected get ownForward(): unknown {
    const own = Object.getOwnPropertyDescriptor(this, 'forward');
    return own !== undefined && own.value === this.#hooks?.wrapper ? this.#hooks?.beneath?.value : own?.value;
  }

  #register<Run>(choose: (hooks: Hooks) => Set<{ readonly run: Run }>, run: Run): RemovableHandle {
    if (typeof run !== 'function') throw new ConfigError(`Expected a hook to be a function, got ${typeof run}`);
    this.#hooks ??= new Hooks();
    const hooks = this.#hooks;
    const entry = { run };
    choose(hooks).add(entry);
    if (hooks.wrapper === null) wrapForward(this, hooks);
    return removable(() => {
      choose(hooks).delete(entry);
      if (hooks.empty) unwrapForward(this, hooks);
    });
  }
}

function wrapForward(module: Hookable, hooks: Hooks): void {
  hooks.beneath = Object.getOwnPropertyDescriptor(module, 'forward');
  const plain: Forward = (...inputs) =>
    ((hooks.beneath?.value ?? Object.getPrototypeOf(module).forward) as Forward).apply(module, inputs);
  hooks.wrapper = (...inputs) => callWithHooks(module, hooks, plain, inputs);
  Object.defineProperty(module, 'forward', {
    value: hooks.wrapper,
    enumerable: false,
    configurable: true,
    writable: true,
  });
}

/** Gives the module its forward back, unless something else was put before it since: that goes on calling the wrapper. */
function unwrapForward(module: Hookable, hooks: Hooks): void {
  if (Object.getOwnPropertyDescriptor(module, 'forward')?.value !== hooks.wrapper) return;
  if (hooks.beneath) Object.defineProperty(module, 'forward', hooks.beneath);
  else delete (module as { forward?: unknown }).forward;
  hooks.wrapper = null;
}

function callWithHooks(module: Hookable, hooks: Hooks, plain: Forward, inputs: unknown[]): unknown {
  let given = inputs;
  for (const { run } of [...hooks.before]) {
    const changed = run(module, given);
    if (changed !== undefined && changed !== null) given = Array.isArray(changed) ? changed : [changed];
  }
  const crossing = hooks.backward.size > 0 && isGradEnabled() ? new Crossing(module, [...hooks.backward]) : null;
  if (crossing) given = crossing.enter(given);
  let output = plain(...given);
  for (const { run } of [...hooks.after]) {
    const changed = run(module, given, output);
    if (changed !== undefined && changed !== null) output = changed;
  }
  return crossing ? crossing.leave(output) : output;
}

/** One call of a module with backward hooks: gradients are seen where they leave it and where they enter it. */
class Crossing {
  /** For each entry of the inputs' gradients, its position among the tensors that require one, or -1. */
  #places: number[] = [];
  #gradOutputs: Grads | null = null;
  #watched = false;

  constructor(
    private readonly module: Hookable,
    private readonly hooks: readonly { readonly run: FullBackwardHook<unknown> }[],
  ) {}

  enter(inputs: readonly unknown[]): unknown[] {
    const entries = inputs.flatMap((input) => (isPlain(input) ? tensorsOf(input) : [input]));
    const wanted = entries.filter((entry): entry is Tensor => entry instanceof Tensor && entry.requiresGrad);
    this.#places = entries.map((entry) => wanted.indexOf(entry as Tensor));
    this.#watched = wanted.length > 0;
    if (!this.#watched) return [...inputs];
    const watched = watchGrads(wanted, this.#seesInputs());
    return replaceTensors(inputs, (x) => watched[wanted.indexOf(x)] ?? x) as unknown[];
  }

  leave(output: unknown): unknown {
    const wanted = tensorsOf(output).filter((x) => x.requiresGrad);
    if (wanted.length === 0) return output;
    const places = tensorsOf(output).map((x) => wanted.indexOf(x));
    const watched = watchGrads(wanted, this.#seesOutputs(places));
    return replaceTensors(output, (x) => watched[wanted.indexOf(x)] ?? x);
  }

  // Callbacks that the graph keeps hold no tensor of it, see registerHook: each is made by a function without any.

  #seesInputs(): (grads: Grads) => Grads {
    return (grads) => this.#inputGrads(grads);
  }

  #seesOutputs(places: readonly number[]): (grads: Grads) => null {
    return (grads) => {
      this.#gradOutputs = places.map((at) => grads[at] ?? null);
      if (!this.#watched) this.#withoutInputs();
      return null;
    };
  }

  /** The gradients of the watched inputs after all hooks; unchanged where they did not come through the outputs. */
  #inputGrads(grads: Grads): Grads {
    if (this.#gradOutputs === null) return grads;
    const seen = this.#run(this.#places.map((at) => grads[at] ?? null));
    const changed = [...grads];
    for (const [entry, at] of this.#places.entries()) if (at >= 0) changed[at] = seen[entry] ?? null;
    return changed;
  }

  #withoutInputs(): void {
    const none = this.#places.map(() => null);
    if (this.#run(none).some((grad) => grad !== null)) {
      throw new ConfigError(
        `Expected a backward hook of ${this.module.constructor.name} to return nothing, since no input requires grad`,
      );
    }
  }

  #run(gradInputs: Grads): Grads {
    const gradOutputs = this.#gradOutputs as Grads;
    this.#gradOutputs = null;
    let grads = gradInputs;
    for (const { run } of this.hooks) {
      const changed = run(this.module, grads, gradOutputs) ?? null;
      if (changed === null) continue;
      if (!Array.isArray(changed) || changed.length !== grads.length) {
        throw new ConfigError(
          `Expected a backward hook of ${this.module.constructor.name} to return nothing or ${grads.length} gradients ` +
            `in an array, got ${Array.isArray(changed) ? changed.length : typeof changed}`,
        );
      }
      grads = grads.map((grad, i) => (changed as Grads)[i] ?? grad);
    }
    return grads;
  }
}

/** Whether tensors are looked for inside. */
function isPlain(value: unknown): value is readonly unknown[] | Readonly<Record<string, unknown>> {
  return Array.isArray(value) || (typeof value === 'object' && value?.constructor === Object);
}

function tensorsOf(value: unknown): Tensor[] {
  if (value instanceof Tensor) return [value];
  return isPlain(value) ? Object.values(value).flatMap(tensorsOf) : [];
}

function replaceTensors(value: unknown, change: (x: Tensor) => Tensor): unknown {
  if (value instanceof Tensor) return change(value);
  if (Array.isArray(value)) return value.map((element) => replaceTensors(element, change));
  if (!isPlain(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, replaceTensors(each, change)]));
}
