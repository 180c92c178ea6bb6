import { flag, type RulesOf, Signature } from '../nn/signature.js';
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

export interface RmspropHyperparameters extends Hyperparameters {
  /** Decay of the mean squared gradient. */
  alpha: number;
  eps: number;
  weightDecay: number;
  momentum: number;
  /** Divides by the standard deviation instead of the root mean square. */
  centered: boolean;
}

const known = new Signature(
  'RMSprop',
  {},
  {
    lr: atLeastZero(0.01),
    alpha: atLeastZero(0.99),
    eps: atLeastZero(1e-8),
    weightDecay: atLeastZero(0),
    momentum: atLeastZero(0),
    centered: flag(false),
  } satisfies RulesOf<RmspropHyperparameters>,
  UNSUPPORTED,
);

/** Defaults: lr 0.01, alpha 0.99, eps 1e-8, the others 0 and false. */
export class RMSprop extends Optimizer<RmspropHyperparameters> {
  constructor(
    params: Params | readonly GroupOptions<RmspropHyperparameters>[],
    options?: Partial<RmspropHyperparameters>,
  ) {
    super(params, known.read('RMSprop', [], options));
  }

  protected override validate(group: Readonly<RmspropHyperparameters>): void {
    super.validate(group);
    for (const name of ['alpha', 'eps', 'weightDecay', 'momentum'] as const)
      expectRange(name, group[name], 0, Infinity);
  }

  protected override update({ group, params, grads }: Update<RmspropHyperparameters>): void {
    const { lr, alpha, eps, weightDecay, momentum, centered } = group;
    const slopes: readonly Tensor[] =
      weightDecay === 0 ? grads : ops._foreachAdd(grads, params, { alpha: weightDecay });
    const squares = this.states('square_avg', params);
    ops._foreachMul_(squares, alpha);
    ops._foreachAddcmul_(squares, slopes, slopes, 1 - alpha);
    let variances = squares;
    if (centered) {
      const means = this.states('grad_avg', params);
      ops._foreachMul_(means, alpha);
      ops._foreachAdd_(means, slopes, { alpha: 1 - alpha });
      variances = ops._foreachAddcmul(squares, means, means, -1);
    }
    const denominators = ops._foreachSqrt(variances);
    ops._foreachAdd_(denominators, eps);
    if (momentum === 0) {
      ops._foreachAddcdiv_(params, slopes, denominators, -lr);
      return;
    }
    const buffers = this.states('momentum_buffer', params);
    ops._foreachMul_(buffers, momentum);
    ops._foreachAddcdiv_(buffers, slopes, denominators);
    ops._foreachAdd_(params, buffers, { alpha: -lr });
  }
}
