/** Training step by step: the loop that all models of this folder have in common, and what it takes to go on later. */
import type { Parameter } from '../../nn/index.js';
import type { Replicas } from '../../pipeline/replicas.js';
import { HeadraceError, keep, scope, type Tensor } from '../../torch/index.js';

/** What a stretch of steps came to: means of the parts of the loss, and of what else a step tells. */
export interface StepRecord {
  readonly step: number;
  readonly loss: Readonly<Record<string, number>>;
  readonly seconds: number;
}

/** All that it takes to go on. */
export interface TrainState {
  readonly step: number;
  readonly history: readonly StepRecord[];
  readonly tensors: ReadonlyMap<string, Tensor>;
}

export interface StepHooks {
  readonly onStep?: (done: number, all: number) => void;
  readonly onRecord?: (record: StepRecord) => void;
  readonly save?: (state: TrainState) => void | Promise<void>;
  /** What an earlier session saved; the learner has taken it already. */
  readonly from?: TrainState | null;
  readonly shouldStop?: () => boolean;
}

export interface StepLearner {
  /**
   * One step, within a scope. What it draws must follow from its number alone, so that a run that goes on draws the same.
   * @param step - from 0
   * @returns parts of the loss, `total` among them, and other numbers worth a mean
   */
  step(step: number): Readonly<Record<string, number>>;
  /** All that changes. */
  tensors(): ReadonlyMap<string, Tensor>;
}

/**
 * Steps until there are `steps` of them; every `keepEvery` there is a record and a state to save.
 * @returns the course of the training, or null where it was asked to stop: then `save` has been called
 */
export async function trainSteps(
  learner: StepLearner,
  { steps, keepEvery }: { readonly steps: number; readonly keepEvery: number },
  hooks: StepHooks,
): Promise<readonly StepRecord[] | null> {
  const history = [...(hooks.from?.history ?? [])];
  // Of each number its sum, and in how many steps it was told: a part may begin late.
  const sums = new Map<string, readonly [sum: number, count: number]>();
  let since = performance.now();
  for (let step = hooks.from?.step ?? 0; step < steps; ) {
    const parts = scope(() => learner.step(step));
    for (const [name, value] of Object.entries(parts)) {
      const [sum, count] = sums.get(name) ?? [0, 0];
      sums.set(name, [sum + value, count + 1]);
    }
    step++;
    hooks.onStep?.(step, steps);
    // Signals are heard between steps.
    await new Promise(setImmediate);
    const stop = hooks.shouldStop?.() ?? false;
    if (step % keepEvery !== 0 && step !== steps && !stop) continue;
    const loss = Object.fromEntries([...sums].map(([name, [sum, count]]) => [name, sum / count]));
    const record = { step, loss, seconds: (performance.now() - since) / 1000 };
    since = performance.now();
    sums.clear();
    history.push(record);
    hooks.onRecord?.(record);
    await hooks.save?.({ step, history, tensors: learner.tensors() });
    if (stop) return null;
  }
  return history;
}

/**
 * One step of an optimizer down a loss.
 * @param between - done once there are gradients, such as to clip them
 * @returns the loss
 * @throws HeadraceError for a loss that is not finite, before the weights are touched
 */
export function descend(
  loss: Tensor,
  optimizer: { step(): unknown; zeroGrad(): void },
  step: number,
  between: () => void = () => {},
): number {
  const value = loss.item();
  if (!Number.isFinite(value))
    throw new HeadraceError(`step ${step}: the loss is not finite; lower the learning rate (lr)`, { code: 'NAN' });
  loss.backward();
  between();
  optimizer.step();
  optimizer.zeroGrad();
  return value;
}

/**
 * One step of an optimizer down a loss, of which replicas each have a part.
 * @param parameters - the optimizer's
 * @param told - what is worth telling, each this replica's part of it
 * @param replicas - null for one alone
 * @returns the whole of what is told
 */
export function descendTogether(
  loss: Tensor,
  optimizer: { step(): unknown; zeroGrad(): void },
  step: number,
  parameters: readonly Parameter[],
  told: Readonly<Record<string, Tensor>>,
  replicas: Replicas | null,
): Record<string, number> {
  const sums = new Map(Object.entries(told).map(([name, value]) => [name, value.detach()]));
  descend(loss, optimizer, step, () => replicas?.sumGradients(parameters, sums));
  return Object.fromEntries([...sums].map(([name, value]) => [name, value.item()]));
}

/** What of a learning rate is left: half a cosine, from the step's number alone, so that a run that goes on has the same. */
export function cosineShare(step: number, steps: number): number {
  return 0.5 + 0.5 * Math.cos((Math.PI * step) / steps);
}

/** The tensors of several things under one roof: `NAME.KEY`. */
export function gathered(parts: Readonly<Record<string, Iterable<readonly [string, Tensor]>>>): Map<string, Tensor> {
  const tensors = new Map<string, Tensor>();
  for (const [name, part] of Object.entries(parts))
    for (const [key, value] of part) tensors.set(`${name}.${key}`, value);
  return tensors;
}

/** One of them again. */
export function partOf(tensors: ReadonlyMap<string, Tensor>, name: string): Map<string, Tensor> {
  const own = [...tensors].filter(([key]) => key.startsWith(`${name}.`));
  return new Map(own.map(([key, value]) => [key.slice(name.length + 1), keep(value)]));
}
