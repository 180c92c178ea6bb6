import { Module, Parameter } from '../nn/index.js';
import { expectItems, expectObject, misfit } from '../torch/expect.js';
import {
  ConfigError,
  checkOptions,
  clearGrads,
  DataError,
  enableGrad,
  gradsOf,
  keep,
  noGrad,
  ops,
  ShapeError,
  scope,
  Tensor,
  tensor,
} from '../torch/index.js';
import { guardSpelling, spellingGuard } from '../torch/python-names.js';
import { fromTorchState, hyperparametersOf, type TorchOptimizerState } from './torch-state.js';

/** Parameters, best with their names (`model.namedParameters()`): the state is saved under them. */
export type Params = Iterable<Parameter | readonly [name: string, parameter: Parameter]>;

/** Parameters with their own hyperparameters; those left out are the optimizer's. */
export type GroupOptions<H> = Partial<H> & { readonly params: Params };

/** Hyperparameters that every optimizer has. Plain numbers, to be changed at will between steps. */
export interface Hyperparameters {
  lr: number;
}

/** A group as an optimizer holds it. */
export type ParamGroup<H> = H & {
  readonly params: readonly Parameter[];
  /** The parameters' names, or their positions where none were given. */
  readonly names: readonly string[];
  /** The rate that schedulers start from. */
  initialLr?: number;
};

export interface OptimizerState {
  /** Hyperparameters and parameter names of each group: plain JSON. */
  readonly groups: readonly Record<string, unknown>[];
  /** `${parameter name}.${state name}` to tensor: live, not copies. */
  readonly state: ReadonlyMap<string, Tensor>;
}

/** What an optimizer remembers of one parameter. */
interface Memory {
  /** Steps this parameter has seen. */
  step: number;
  readonly tensors: Map<string, Tensor>;
}

/** A list of parameters with gradients that have seen the same number of steps, this one included. */
export interface Update<H> {
  readonly group: ParamGroup<H>;
  readonly params: readonly Parameter[];
  readonly grads: readonly Tensor[];
  readonly step: number;
}

/**
 * The base of all optimizers. A step runs unrecorded and in its own scope, through libtorch's list operators; a parameter
 * without a gradient is left alone. State outlives every scope.
 */
export abstract class Optimizer<H extends Hyperparameters> {
  readonly paramGroups: ParamGroup<H>[] = [];
  readonly #memory = new Map<Parameter, Memory>();
  readonly #defaults: H;
  /** Names of hyperparameters. */
  readonly #known: readonly string[];
  /** Whether the step count is part of the state. */
  protected readonly countsSteps: boolean = true;
  /** State tensors that hold one number, not one for each of the parameter's. */
  protected readonly scalarStates: readonly string[] = [];

  protected constructor(params: Params | readonly GroupOptions<H>[], defaults: H) {
    this.#defaults = Object.freeze({ ...defaults });
    this.#known = [...Object.keys(defaults), 'initialLr'];
    expectParameters(this.constructor.name, params);
    const list = [...(params as Iterable<unknown>)];
    if (list.length === 0) throw new ConfigError('Expected parameters to optimise, got none');
    const grouped = list.every((entry) => isGroup<H>(entry));
    for (const group of grouped ? (list as GroupOptions<H>[]) : [{ params: list as Params } as GroupOptions<H>]) {
      this.addParamGroup(group);
    }
  }

  /** Updates the parameters of `update` in place from their gradients, which it leaves as they are. */
  protected abstract update(update: Update<H>): void;

  /** Throws a ConfigError where a hyperparameter makes no sense. */
  protected validate(group: Readonly<H>): void {
    expectRange('lr', group.lr, 0, Infinity);
  }

  /**
   * Adds parameters, with hyperparameters of their own.
   * @throws ConfigError for an unknown hyperparameter, and for a parameter that is here already: it would be stepped twice
   */
  addParamGroup(options: GroupOptions<H>): void {
    checkOptions(`a group of ${this.constructor.name}`, options, ['params', ...this.#known]);
    const before = this.paramGroups.reduce((count, group) => count + group.params.length, 0);
    const params: Parameter[] = [];
    const names: string[] = [];
    const taken = new Set(this.paramGroups.flatMap((group) => group.names));
    const owned = new Map(this.paramGroups.flatMap((group) => group.params.map((p, i) => [p, group.names[i]!])));
    expectParameters(`a group of ${this.constructor.name}`, options.params);
    for (const entry of options.params) {
      const [name, parameter] = Array.isArray(entry)
        ? (entry as [string, Parameter])
        : [String(before + params.length), entry as Parameter];
      if (!(parameter instanceof Parameter)) {
        throw misfit(this.constructor.name, 'a Parameter or a [name, Parameter] pair', parameter);
      }
      if (taken.has(name)) throw new ConfigError(`Expected each parameter once, got two named '${name}'`);
      const earlier = owned.get(parameter);
      if (earlier !== undefined) {
        throw new ConfigError(
          `Expected each parameter once, got '${name}', which is '${earlier}' too: it would be stepped twice.`,
        );
      }
      taken.add(name);
      owned.set(parameter, name);
      params.push(parameter);
      names.push(name);
    }
    const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
    const group: ParamGroup<H> = Object.assign(Object.create(groupPrototype), this.#defaults, given, { params, names });
    this.#check(group);
    this.paramGroups.push(group);
  }

  /** Refuses hyperparameters of another kind than the defaults', and what {@link validate} refuses. */
  #check(group: Readonly<H>): void {
    for (const [name, value] of Object.entries(this.#defaults)) {
      const got = (group as Readonly<Record<string, unknown>>)[name];
      if (value !== undefined && typeof got !== typeof value) {
        throw new ConfigError(
          `Expected ${name} of ${this.constructor.name} to be a ${typeof value}, got ${String(got)}.`,
        );
      }
    }
    this.validate(group);
  }

  /**
   * Updates all parameters that have gradients.
   * @param closure - computes the gradients first; the step gives back what it returns
   */
  step(): void;
  step<T>(closure: () => T): T;
  step<T>(closure?: () => T): T | undefined {
    const result = closure && enableGrad(closure);
    noGrad(() =>
      scope(() => {
        for (const group of this.paramGroups) for (const update of this.#updates(group)) this.update(update);
      }),
    );
    return result;
  }

  /** The group's parameters that have gradients, apart where they have seen different numbers of steps. */
  #updates(group: ParamGroup<H>): Iterable<Update<H>> {
    const bySteps = new Map<number, { group: ParamGroup<H>; params: Parameter[]; grads: Tensor[]; step: number }>();
    for (const [i, grad] of gradsOf(group.params).entries()) {
      if (!grad) continue;
      const parameter = group.params[i] as Parameter;
      const memory = this.#remember(parameter);
      memory.step += 1;
      const update = bySteps.get(memory.step) ?? { group, params: [], grads: [], step: memory.step };
      bySteps.set(memory.step, update);
      update.params.push(parameter);
      update.grads.push(grad);
    }
    return bySteps.values();
  }

  #remember(parameter: Parameter): Memory {
    let memory = this.#memory.get(parameter);
    if (!memory) {
      memory = { step: 0, tensors: new Map() };
      this.#memory.set(parameter, memory);
    }
    return memory;
  }

  /** The state tensor `name` of each parameter, made by `initial` where it is new. */
  protected states(
    name: string,
    params: readonly Parameter[],
    initial: (parameter: Parameter, index: number) => Tensor = (parameter) => ops.zerosLike(parameter),
  ): Tensor[] {
    return params.map((parameter, i) => {
      const { tensors } = this.#remember(parameter);
      let state = tensors.get(name);
      if (!state) {
        state = keep(initial(parameter, i));
        tensors.set(name, state);
      }
      return state;
    });
  }

  /** Whether there is a state tensor `name` of a parameter. */
  protected hasState(name: string, parameter: Parameter): boolean {
    return this.#memory.get(parameter)?.tensors.has(name) ?? false;
  }

  /** Forgets the gradients, or with `setToNone` false fills them with zeros. */
  zeroGrad(setToNone = true): void {
    if (typeof setToNone !== 'boolean') {
      throw new ConfigError(`Expected zeroGrad(true) or zeroGrad(false), got ${typeof setToNone}.`);
    }
    for (const { params } of this.paramGroups) {
      if (setToNone) {
        clearGrads(params);
        continue;
      }
      const grads = gradsOf(params).filter((grad) => grad !== null);
      if (grads.length > 0) noGrad(() => ops._foreachZero_(grads));
    }
  }

  stateDict(): OptimizerState {
    const state = new Map<string, Tensor>();
    const groups = this.paramGroups.map(({ params, names, ...hyper }) => {
      params.forEach((parameter, i) => {
        const memory = this.#memory.get(parameter);
        if (!memory) return;
        for (const [slot, value] of memory.tensors) state.set(`${names[i]}.${slot}`, value);
        if (this.countsSteps) state.set(`${names[i]}.step`, tensor(memory.step));
      });
      return { ...hyper, params: [...names] };
    });
    return { groups, state };
  }

  /**
   * Takes over a state saved by {@link stateDict}, copying its tensors. Entries of parameters that are not here are ignored,
   * so that a stage loads its part of a whole model's state; a group takes the hyperparameters of the group that held its
   * parameters. A state as PyTorch saves it loads too, its parameters taken in order.
   *
   * @throws DataError naming all parameters that the saved groups lack, and all wrong shapes
   */
  loadStateDict(given: OptimizerState | TorchOptimizerState): void {
    expectState(`${this.constructor.name}.loadStateDict`, given);
    const { groups, state } =
      'param_groups' in given
        ? fromTorchState(
            given,
            this.paramGroups.map((group) => group.names),
          )
        : given;
    const saved = new Map<string, Record<string, unknown>>();
    for (const group of groups) for (const name of group.params as string[]) saved.set(name, group);
    const names = this.paramGroups.flatMap((group) => group.names);
    const missing = names.filter((name) => !saved.has(name));
    if (missing.length > 0) {
      throw new DataError(`Expected optimizer state of every parameter, got none of:\n  ${missing.join('\n  ')}`);
    }
    const byName = slotsByName(state, new Set(names));
    this.#checkShapes(byName);
    noGrad(() =>
      scope(() => {
        for (const group of this.paramGroups) {
          Object.assign(group, hyperparametersOf(saved.get(group.names[0] as string) ?? {}, this.#known));
          this.#check(group);
          group.names.forEach((name, i) => {
            this.#restore(group.params[i] as Parameter, byName.get(name) ?? new Map());
          });
        }
      }),
    );
  }

  #checkShapes(byName: ReadonlyMap<string, ReadonlyMap<string, Tensor>>): void {
    const wrong: string[] = [];
    for (const { names, params } of this.paramGroups) {
      names.forEach((name, i) => {
        const expected = (params[i] as Parameter).shape.join();
        for (const [slot, value] of byName.get(name) ?? []) {
          const got = value.shape.join();
          const wanted = slot === 'step' || this.scalarStates.includes(slot) ? '' : expected;
          if (got !== wanted) wrong.push(`${name}.${slot}: expected [${wanted}], got [${got}]`);
        }
      });
    }
    if (wrong.length > 0) {
      throw new ShapeError(`Expected optimizer state shaped as its parameters, got:\n  ${wrong.join('\n  ')}`);
    }
  }

  #restore(parameter: Parameter, slots: ReadonlyMap<string, Tensor>): void {
    const memory = this.#remember(parameter);
    for (const old of memory.tensors.values()) old.dispose();
    memory.tensors.clear();
    memory.step = 0;
    for (const [slot, value] of slots) {
      if (slot === 'step') memory.step = value.item();
      else if (this.scalarStates.includes(slot)) memory.tensors.set(slot, keep(value.clone()));
      else memory.tensors.set(slot, keep(ops.emptyLike(parameter).copy_(value)));
    }
  }
}

guardSpelling(Optimizer);

/** Groups are plain but for this: `group.weight_decay = 0.1` would change nothing. */
const groupPrototype = spellingGuard(Object.prototype);

/** @throws ConfigError unless they can be looped over: given a model or one parameter, it says what to write */
export function expectParameters(where: string, params: unknown): void {
  const advice =
    params instanceof Module
      ? 'Pass its parameters(), or namedParameters().'
      : params instanceof Tensor
        ? 'Put it into a list.'
        : '';
  expectItems(where, params, 'parameters, as model.parameters() gives them', advice);
}

/** @throws ConfigError unless this has the parts of an optimizer's state */
function expectState(where: string, given: unknown): void {
  const expected = 'what stateDict() of an optimizer gives, { groups, state }';
  expectObject(where, given, expected);
  const { groups, state, param_groups: theirs } = given as Record<string, unknown>;
  if (!Array.isArray(theirs) && !(Array.isArray(groups) && state instanceof Map)) throw misfit(where, expected, given);
}

function isGroup<H>(entry: unknown): entry is GroupOptions<H> {
  return typeof entry === 'object' && entry !== null && 'params' in entry && !(entry instanceof Parameter);
}

function slotsByName(state: ReadonlyMap<string, Tensor>, names: ReadonlySet<string>): Map<string, Map<string, Tensor>> {
  const found = new Map<string, Map<string, Tensor>>();
  for (const [key, value] of state) {
    const dot = key.lastIndexOf('.');
    const name = key.slice(0, dot);
    if (!names.has(name)) continue;
    const slots = found.get(name) ?? new Map<string, Tensor>();
    found.set(name, slots.set(key.slice(dot + 1), value));
  }
  return found;
}

/** @throws ConfigError unless min <= value < max (or <= where `max` is infinite). */
export function expectRange(name: string, value: number, min: number, max: number): void {
  if (typeof value === 'number' && value >= min && value < max) return;
  throw new ConfigError(
    `Expected ${name} to be a number >= ${min}${max < Infinity ? ` and < ${max}` : ''}, got ${value}`,
  );
}

/** The gradients with the parameters' decay added to them, as most optimizers have it. */
export function withDecay({ group, params, grads }: Update<{ lr: number; weightDecay: number }>): readonly Tensor[] {
  return group.weightDecay === 0 ? grads : ops._foreachAdd(grads, params, { alpha: group.weightDecay });
}
