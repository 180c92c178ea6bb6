import { number, type RulesOf, Signature } from '../nn/signature.js';
import { ops } from '../torch/index.js';
import {
  expectRange,
  type GroupOptions,
  type Hyperparameters,
  Optimizer,
  type Params,
  type Update,
  withDecay,
} from './optimizer.js';
import { atLeastZero, UNSUPPORTED } from './rules.js';

export interface AdagradHyperparameters extends Hyperparameters {
  /** The rate is divided by 1 + lrDecay · (steps before). */
  lrDecay: number;
  weightDecay: number;
  /** Where the sums of squared gradients start. */
  initialAccumulatorValue: number;
  eps: number;
}

const adagrad = new Signature(
  'Adagrad',
  {},
  {
    lr: atLeastZero(0.01),
    lrDecay: atLeastZero(0),
    weightDecay: atLeastZero(0),
    initialAccumulatorValue: atLeastZero(0),
    eps: atLeastZero(1e-10),
  } satisfies RulesOf<AdagradHyperparameters>,
  UNSUPPORTED,
);

/** Adagrad (Duchi et al., 2011). Defaults: lr 0.01, eps 1e-10, the others 0. */
export class Adagrad extends Optimizer<AdagradHyperparameters> {
  constructor(
    params: Params | readonly GroupOptions<AdagradHyperparameters>[],
    options: Partial<AdagradHyperparameters> = {},
  ) {
    super(params, adagrad.read('Adagrad', [], options));
  }

  protected override validate(group: Readonly<AdagradHyperparameters>): void {
    super.validate(group);
    for (const name of ['lrDecay', 'weightDecay', 'initialAccumulatorValue', 'eps'] as const)
      expectRange(name, group[name], 0, Infinity);
  }

  protected override update(update: Update<AdagradHyperparameters>): void {
    const { group, params, step } = update;
    const grads = withDecay(update);
    const sums = this.states('sum', params, (p) => ops.fullLike(p, group.initialAccumulatorValue));
    ops._foreachAddcmul_(sums, grads, grads, 1);
    const denominators = ops._foreachSqrt(sums);
    ops._foreachAdd_(denominators, group.eps);
    ops._foreachAddcdiv_(params, grads, denominators, -group.lr / (1 + (step - 1) * group.lrDecay));
  }
}

export interface AdadeltaHyperparameters extends Hyperparameters {
  /** Decay of the means of squared gradients and squared changes. */
  rho: number;
  eps: number;
  weightDecay: number;
}

const adadelta = new Signature(
  'Adadelta',
  {},
  {
    lr: atLeastZero(1),
    rho: number(0.9, { min: 0, max: 1 }),
    eps: atLeastZero(1e-6),
    weightDecay: atLeastZero(0),
  } satisfies RulesOf<AdadeltaHyperparameters>,
  UNSUPPORTED,
);

/** Adadelta (Zeiler, 2012). Defaults: lr 1, rho 0.9, eps 1e-6, weightDecay 0. */
export class Adadelta extends Optimizer<AdadeltaHyperparameters> {
  constructor(
    params: Params | readonly GroupOptions<AdadeltaHyperparameters>[],
    options: Partial<AdadeltaHyperparameters> = {},
  ) {
    super(params, adadelta.read('Adadelta', [], options));
  }

  protected override validate(group: Readonly<AdadeltaHyperparameters>): void {
    super.validate(group);
    if (group.rho !== 1) expectRange('rho', group.rho, 0, 1);
    expectRange('eps', group.eps, 0, Infinity);
    expectRange('weightDecay', group.weightDecay, 0, Infinity);
  }

  protected override update(update: Update<AdadeltaHyperparameters>): void {
    const { lr, rho, eps } = update.group;
    const grads = withDecay(update);
    const squares = this.states('square_avg', update.params);
    const changes = this.states('acc_delta', update.params);
    ops._foreachMul_(squares, rho);
    ops._foreachAddcmul_(squares, grads, grads, 1 - rho);
    const deviations = ops._foreachSqrt(ops._foreachAdd(squares, eps));
    const deltas = ops._foreachSqrt(ops._foreachAdd(changes, eps));
    ops._foreachDiv_(deltas, deviations);
    ops._foreachMul_(deltas, grads);
    ops._foreachMul_(changes, rho);
    ops._foreachAddcmul_(changes, deltas, deltas, 1 - rho);
    ops._foreachAdd_(update.params, deltas, { alpha: -lr });
  }
}
