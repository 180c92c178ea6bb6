import { flag, number, type RulesOf, Signature } from '../nn/signature.js';
import { ConfigError, ops, type Tensor } from '../torch/index.js';
import {
  expectRange,
  type GroupOptions,
  type Hyperparameters,
  Optimizer,
  type Params,
  type Update,
} from './optimizer.js';
import { atLeastZero, UNSUPPORTED } from './rules.js';

export interface SgdHyperparameters extends Hyperparameters {
  momentum: number;
  dampening: number;
  weightDecay: number;
  nesterov: boolean;
}

/** `lr` is required; the others are 0 and false by default. */
export type SgdOptions = Pick<SgdHyperparameters, 'lr'> & Partial<SgdHyperparameters>;

const known = new Signature(
  'SGD',
  {},
  {
    lr: number(undefined, { min: 0 }),
    momentum: atLeastZero(0),
    dampening: number(0),
    weightDecay: atLeastZero(0),
    nesterov: flag(false),
  } satisfies RulesOf<SgdHyperparameters>,
  UNSUPPORTED,
);

/**
 * Stochastic gradient descent, with PyTorch's momentum: a parameter's first buffer is its first gradient, undamped, also
 * where momentum is switched on in the middle.
 */
export class SGD extends Optimizer<SgdHyperparameters> {
  protected override readonly countsSteps = false;

  constructor(params: Params | readonly GroupOptions<SgdHyperparameters>[], options: SgdOptions) {
    super(params, known.read('SGD', [], options));
  }

  protected override validate(group: Readonly<SgdHyperparameters>): void {
    super.validate(group);
    expectRange('momentum', group.momentum, 0, Infinity);
    expectRange('weightDecay', group.weightDecay, 0, Infinity);
    if (group.nesterov && (group.momentum <= 0 || group.dampening !== 0)) {
      throw new ConfigError(
        `Expected momentum > 0 and dampening 0 with nesterov, got ${group.momentum} and ${group.dampening}`,
      );
    }
  }

  protected override update({ group, params, grads }: Update<SgdHyperparameters>): void {
    const { lr, momentum, dampening, weightDecay, nesterov } = group;
    let change: readonly Tensor[] = weightDecay === 0 ? grads : ops._foreachAdd(grads, params, { alpha: weightDecay });
    if (momentum !== 0) {
      const decayed = change;
      const begun = params.map((parameter) => this.hasState('momentum_buffer', parameter));
      const buffers = this.states('momentum_buffer', params, (_, i) => (decayed[i] as Tensor).clone());
      const going = buffers.filter((_, i) => begun[i]);
      if (going.length > 0) {
        ops._foreachMul_(going, momentum);
        ops._foreachAdd_(
          going,
          decayed.filter((_, i) => begun[i]),
          { alpha: 1 - dampening },
        );
      }
      change = nesterov ? ops._foreachAdd(change, buffers, { alpha: momentum }) : buffers;
    }
    ops._foreachAdd_(params, change, { alpha: -lr });
  }
}
