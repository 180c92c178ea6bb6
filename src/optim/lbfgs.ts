import type { Parameter } from '../nn/index.js';
import { choice, number, orNull, type RulesOf, Signature, whole } from '../nn/signature.js';
import {
  ConfigError,
  cat,
  enableGrad,
  gradsOf,
  keep,
  noGrad,
  ops,
  ShapeError,
  scope,
  stack,
  Tensor,
  tensor,
} from '../torch/index.js';
import { expectRange, type Hyperparameters, Optimizer, type OptimizerState, type Params } from './optimizer.js';
import { strongWolfe } from './strong-wolfe.js';
import { fromTorchState, type TorchOptimizerState } from './torch-state.js';

export interface LbfgsHyperparameters extends Hyperparameters {
  /** Most iterations of a step. */
  maxIter: number;
  /** Most calls of the closure in a step. */
  maxEval: number;
  /** Ends a step where no gradient is greater. */
  toleranceGrad: number;
  /** Ends a step where parameters or the loss change less. */
  toleranceChange: number;
  /** How many changes are remembered, each of the size of all parameters twice. */
  historySize: number;
  /** Null goes `lr` along each direction. */
  lineSearchFn: 'strong_wolfe' | null;
}

/** Null as `maxEval` is its default. */
export type LbfgsOptions = Partial<Omit<LbfgsHyperparameters, 'maxEval'>> & { readonly maxEval?: number | null };

/** What is remembered from one iteration to the next; tensors hold all parameters in a row. */
interface Memory {
  /** The last direction, and how far it was gone. */
  direction: Tensor;
  t: number;
  /** Gradient and loss where the direction began. */
  gradient: Tensor;
  loss: number;
  /** Scale of the first guess of the inverse Hessian. */
  scale: number;
  /** Changes of gradient and parameters, and 1 / (their product). */
  readonly history: { readonly y: Tensor; readonly s: Tensor; readonly rho: number }[];
}

/** The loss and its gradient, all parameters in a row. */
interface Place {
  readonly loss: number;
  readonly gradient: Tensor;
}

const lbfgs = new Signature('LBFGS', {}, {
  lr: number(1, { min: 0 }),
  maxIter: whole(20, 1),
  maxEval: orNull(whole(undefined, 1)),
  toleranceGrad: number(1e-7, { min: 0 }),
  toleranceChange: number(1e-9, { min: 0 }),
  historySize: whole(100, 1),
  lineSearchFn: orNull(choice(undefined, 'strong_wolfe')),
} satisfies RulesOf<LbfgsOptions>);

/**
 * L-BFGS, a quasi-Newton method for losses without noise. A step calls its closure many times. Defaults: lr 1, maxIter
 * 20, maxEval 1.25 · maxIter, toleranceGrad 1e-7, toleranceChange 1e-9, historySize 100, no line search; most problems
 * are better off with `lineSearchFn: 'strong_wolfe'`. One group of parameters, on one device.
 */
export class LBFGS extends Optimizer<LbfgsHyperparameters> {
  protected override readonly countsSteps = false;
  #memory: Memory | null = null;
  #iterations = 0;
  #evaluations = 0;

  constructor(params: Params, options?: LbfgsOptions) {
    const values = lbfgs.read('LBFGS', [], options);
    super(params, { ...values, maxEval: values.maxEval ?? Math.floor((values.maxIter * 5) / 4) });
    if (this.paramGroups.length !== 1) {
      throw new ConfigError(`Expected one group of parameters for LBFGS, got ${this.paramGroups.length}`);
    }
  }

  protected override validate(group: Readonly<LbfgsHyperparameters>): void {
    super.validate(group);
    for (const name of ['maxIter', 'maxEval', 'historySize'] as const) expectRange(name, group[name], 1, Infinity);
    for (const name of ['toleranceGrad', 'toleranceChange'] as const) expectRange(name, group[name], 0, Infinity);
    if (group.lineSearchFn !== null && group.lineSearchFn !== 'strong_wolfe') {
      throw new ConfigError(`Expected lineSearchFn 'strong_wolfe' or null, got '${group.lineSearchFn}'`);
    }
  }

  protected override update(): never {
    throw new ConfigError('Expected step(closure) of LBFGS, where closure computes the loss and its gradients');
  }

  /** @returns what the closure has returned first: the loss before the step */
  override step<T = Tensor>(closure?: () => T): T {
    if (!closure) return this.update();
    return noGrad(() =>
      scope(() => {
        const first = scope(() => enableGrad(closure));
        this.#evaluations += 1;
        this.#iterate({ loss: numberOf(first), gradient: this.#gradient() }, () => this.#evaluate(closure));
        return first;
      }),
    );
  }

  #iterate(start: Place, evaluate: () => Place): void {
    const { maxIter, maxEval, toleranceGrad, toleranceChange } = this.#group;
    let here = start;
    if (greatest(here.gradient) <= toleranceGrad) return;
    let evaluations = 1;
    for (let iteration = 1; iteration <= maxIter; iteration += 1) {
      const memory = this.#turn(here);
      const slope = dot(here.gradient, memory.direction);
      if (slope > -toleranceChange) return;
      const last = iteration === maxIter;
      const next = this.#advance(memory, here, slope, evaluate, last);
      evaluations += next.evaluations;
      this.#evaluations += next.evaluations;
      const change = Math.abs(next.loss - here.loss);
      here = next;
      if (last || evaluations >= maxEval || greatest(here.gradient) <= toleranceGrad) return;
      if (memory.t * greatest(memory.direction) <= toleranceChange || change < toleranceChange) return;
    }
  }

  /** Takes up the change since the last direction, and turns to the next. */
  #turn({ loss, gradient }: Place): Memory {
    const { lr, historySize } = this.#group;
    this.#iterations += 1;
    const before = this.#memory;
    if (!before) {
      const t = Math.min(1, 1 / gradient.abs().sum().item()) * lr;
      this.#memory = {
        direction: keep(gradient.neg()),
        t,
        gradient: keep(gradient.clone()),
        loss,
        scale: 1,
        history: [],
      };
      return this.#memory;
    }
    const y = gradient.sub(before.gradient);
    const s = before.direction.mul(before.t);
    const product = dot(y, s);
    if (product > 1e-10) {
      if (before.history.length >= historySize) forget(before.history.shift());
      before.history.push({ y: keep(y), s: keep(s), rho: 1 / product });
      before.scale = product / dot(y, y);
    }
    for (const old of [before.direction, before.gradient]) old.dispose();
    before.direction = keep(newton(gradient, before));
    before.gradient = keep(gradient.clone());
    before.loss = loss;
    before.t = lr;
    return before;
  }

  /** Goes along the direction: by `t`, or to where the search leads, which `t` is then. */
  #advance(
    memory: Memory,
    here: Place,
    slope: number,
    evaluate: () => Place,
    last: boolean,
  ): Place & { readonly evaluations: number } {
    const { direction } = memory;
    if (this.#group.lineSearchFn === null) {
      this.#move(direction, memory.t);
      // Nobody would look at the loss after the last step.
      return last ? { ...here, evaluations: 0 } : { ...evaluate(), evaluations: 1 };
    }
    const origin = this.#params.map((p) => p.clone());
    const at = (t: number) => {
      this.#move(direction, t);
      const place = evaluate();
      for (const [i, p] of this.#params.entries()) p.copy_(origin[i] as Tensor);
      return { t, ...place, slope: dot(place.gradient, direction) };
    };
    const { found, evaluations } = strongWolfe(at, { t: 0, ...here, slope }, memory.t, greatest(direction));
    this.#move(direction, found.t);
    memory.t = found.t;
    return { loss: found.loss, gradient: found.gradient, evaluations };
  }

  #evaluate(closure: () => unknown): Place {
    const loss = scope(() => numberOf(enableGrad(closure)));
    return { loss, gradient: this.#gradient() };
  }

  get #group(): LbfgsHyperparameters {
    return this.paramGroups[0] as LbfgsHyperparameters;
  }

  get #params(): readonly Parameter[] {
    return this.paramGroups[0]?.params as readonly Parameter[];
  }

  #gradient(): Tensor {
    const params = this.#params;
    const grads = gradsOf(params);
    if (grads.every((grad) => grad === null)) {
      throw new ConfigError('Expected gradients after the closure of LBFGS, got none: call backward() in it');
    }
    return cat(grads.map((grad, i) => (grad ?? ops.zerosLike(params[i] as Parameter)).reshape([-1])));
  }

  #move(direction: Tensor, t: number): void {
    let offset = 0;
    for (const p of this.#params) {
      p.add_(direction.narrow(0, offset, p.numel).viewAs(p), { alpha: t });
      offset += p.numel;
    }
  }

  /** As of all optimizers; PyTorch's state, which it keeps with the first parameter. */
  override stateDict(): OptimizerState {
    const { groups } = super.stateDict();
    const state = new Map<string, Tensor>();
    const put = (name: string, value: Tensor | number) =>
      state.set(this.#key(name), value instanceof Tensor ? value : tensor(value, { dtype: 'float64' }));
    put('func_evals', this.#evaluations);
    put('n_iter', this.#iterations);
    if (!this.#memory) return { groups, state };
    const { direction, t, gradient, loss, scale, history } = this.#memory;
    put('d', direction);
    put('t', t);
    put('prev_flat_grad', gradient);
    put('prev_loss', loss);
    put('H_diag', scale);
    if (history.length > 0) {
      put('old_dirs', stack(history.map(({ y }) => y)));
      put('old_stps', stack(history.map(({ s }) => s)));
      put(
        'ro',
        tensor(
          history.map(({ rho }) => rho),
          { dtype: 'float64' },
        ),
      );
    }
    return { groups, state };
  }

  override loadStateDict(given: OptimizerState | TorchOptimizerState): void {
    const names = this.paramGroups.map((group) => group.names);
    const { groups, state } = 'param_groups' in given ? fromTorchState(stacked(given), names) : given;
    super.loadStateDict({ groups, state: new Map() });
    const size = this.#params.reduce((sum, p) => sum + p.numel, 0);
    for (const name of ['d', 'prev_flat_grad', 'old_dirs', 'old_stps']) {
      const shape = state.get(this.#key(name))?.shape;
      if (shape && shape.at(-1) !== size) {
        throw new ShapeError(`Expected ${this.#key(name)} of ${size} columns, got [${shape}]`);
      }
    }
    const number = (name: string) => state.get(this.#key(name))?.item() ?? 0;
    this.#evaluations = number('func_evals');
    this.#iterations = number('n_iter');
    forget(this.#memory, ...(this.#memory?.history ?? []));
    this.#memory = noGrad(() => scope(() => this.#remembered((name) => state.get(this.#key(name)), number)));
  }

  #remembered(of: (name: string) => Tensor | undefined, number: (name: string) => number): Memory | null {
    const [direction, gradient] = [of('d'), of('prev_flat_grad')];
    if (!direction || !gradient) return null;
    const like = this.#params[0] as Parameter;
    const copy = (x: Tensor) => keep(x.to({ dtype: like.dtype, device: like.device }).clone());
    const [ys, ss, rhos] = ['old_dirs', 'old_stps', 'ro'].map((name) => of(name)?.unbind(0) ?? []) as [
      Tensor[],
      Tensor[],
      Tensor[],
    ];
    return {
      direction: copy(direction),
      gradient: copy(gradient),
      t: number('t'),
      loss: number('prev_loss'),
      scale: number('H_diag'),
      history: ys.map((y, i) => ({ y: copy(y), s: copy(ss[i] as Tensor), rho: (rhos[i] as Tensor).item() })),
    };
  }

  #key(name: string): string {
    return `${this.paramGroups[0]?.names[0]}.${name}`;
  }
}

/** PyTorch's state with its lists of tensors, all of one shape, as tensors; `al` is scratch. */
function stacked(saved: TorchOptimizerState): TorchOptimizerState {
  const state = Object.entries(saved.state).map(([position, values]) => {
    const lists = Object.entries(values).filter(([name]) => name !== 'al');
    const joined = lists.map(([name, value]) => [name, Array.isArray(value) ? joinedList(value) : value]);
    return [position, Object.fromEntries(joined)];
  });
  return { ...saved, state: Object.fromEntries(state) };
}

function joinedList(list: readonly (Tensor | number)[]): Tensor | null {
  if (list.length === 0) return null;
  return stack(list.map((each) => (each instanceof Tensor ? each : tensor(each, { dtype: 'float64' }))));
}

/** The direction of Newton's step, with the inverse Hessian that the history tells of (the two-loop recursion). */
function newton(gradient: Tensor, { history, scale }: Memory): Tensor {
  const d = gradient.neg();
  const weights = new Array<number>(history.length);
  for (const [i, { y, s, rho }] of [...history.entries()].reverse()) {
    weights[i] = dot(s, d) * rho;
    d.add_(y, { alpha: -weights[i] });
  }
  d.mul_(scale);
  for (const [i, { y, s, rho }] of history.entries()) d.add_(s, { alpha: (weights[i] as number) - dot(y, d) * rho });
  return d;
}

function forget(...memories: (object | null | undefined)[]): void {
  for (const memory of memories)
    for (const value of Object.values(memory ?? {})) if (value instanceof Tensor) value.dispose();
}

function dot(a: Tensor, b: Tensor): number {
  return a.dot(b).item();
}

function greatest(x: Tensor): number {
  return x.abs().max().item();
}

function numberOf(loss: unknown): number {
  if (typeof loss === 'number') return loss;
  if (loss instanceof Tensor && loss.numel === 1) return loss.item();
  const got = loss instanceof Tensor ? `a tensor [${loss.shape}]` : typeof loss;
  throw new ConfigError(`Expected the closure of LBFGS to return the loss, a number or a tensor of one, got ${got}`);
}
