import { flag, type RulesOf, rule, Signature } from '../nn/signature.js';
import { ops, type Tensor } from '../torch/index.js';
import {
  expectRange,
  type GroupOptions,
  type Hyperparameters,
  Optimizer,
  type Params,
  type Update,
} from './optimizer.js';
import { atLeastZero, UNSUPPORTED } from './rules.js';

export interface AdamHyperparameters extends Hyperparameters {
  /** Decay of the means of gradient and squared gradient. */
  betas: readonly [number, number];
  eps: number;
  weightDecay: number;
  /** Divides by the greatest mean squared gradient so far instead of the newest. */
  amsgrad: boolean;
}

const betas = rule<readonly [number, number]>(
  [0.9, 0.999],
  'two numbers >= 0 and < 1',
  (value) => Array.isArray(value) && value.length === 2 && value.every((beta) => beta >= 0 && beta < 1),
);
const rules = {
  lr: atLeastZero(1e-3),
  betas,
  eps: atLeastZero(1e-8),
  weightDecay: atLeastZero(0),
  amsgrad: flag(false),
} satisfies RulesOf<AdamHyperparameters>;
const unsupported = [...UNSUPPORTED, 'decoupledWeightDecay'];
const adam = new Signature('Adam', {}, rules, unsupported);
const adamW = new Signature('AdamW', {}, { ...rules, weightDecay: atLeastZero(0.01) }, unsupported);

abstract class AdamBase extends Optimizer<AdamHyperparameters> {
  protected override validate(group: Readonly<AdamHyperparameters>): void {
    super.validate(group);
    expectRange('betas[0]', group.betas[0], 0, 1);
    expectRange('betas[1]', group.betas[1], 0, 1);
    expectRange('eps', group.eps, 0, Infinity);
    expectRange('weightDecay', group.weightDecay, 0, Infinity);
  }

  /** The part that Adam and AdamW share, for gradients that are ready. */
  protected adapt({ group, params, step }: Update<AdamHyperparameters>, grads: readonly Tensor[]): void {
    const { lr, betas, eps, amsgrad } = group;
    const means = this.states('exp_avg', params);
    const squares = this.states('exp_avg_sq', params);
    ops._foreachMul_(means, betas[0]);
    ops._foreachAdd_(means, grads, { alpha: 1 - betas[0] });
    ops._foreachMul_(squares, betas[1]);
    ops._foreachAddcmul_(squares, grads, grads, 1 - betas[1]);
    let bound = squares;
    if (amsgrad) {
      bound = this.states('max_exp_avg_sq', params);
      ops._foreachMaximum_(bound, squares);
    }
    const denominators = ops._foreachSqrt(bound);
    ops._foreachDiv_(denominators, Math.sqrt(1 - betas[1] ** step));
    ops._foreachAdd_(denominators, eps);
    ops._foreachAddcdiv_(params, means, denominators, -lr / (1 - betas[0] ** step));
  }
}

/** Adam; `weightDecay` is added to the gradient. Defaults: lr 1e-3, betas 0.9 and 0.999, eps 1e-8, weightDecay 0. */
export class Adam extends AdamBase {
  constructor(params: Params | readonly GroupOptions<AdamHyperparameters>[], options?: Partial<AdamHyperparameters>) {
    super(params, adam.read('Adam', [], options));
  }

  protected override update(update: Update<AdamHyperparameters>): void {
    const { group, params, grads } = update;
    const decayed = group.weightDecay === 0 ? grads : ops._foreachAdd(grads, params, { alpha: group.weightDecay });
    this.adapt(update, decayed);
  }
}

/** Adam with decoupled weight decay. Defaults as {@link Adam}'s, but weightDecay 0.01. */
export class AdamW extends AdamBase {
  constructor(params: Params | readonly GroupOptions<AdamHyperparameters>[], options?: Partial<AdamHyperparameters>) {
    super(params, adamW.read('AdamW', [], options));
  }

  protected override update(update: Update<AdamHyperparameters>): void {
    const { lr, weightDecay } = update.group;
    if (weightDecay !== 0) ops._foreachMul_(update.params, 1 - lr * weightDecay);
    this.adapt(update, update.grads);
  }
}
