import { ConfigError, ops, type Tensor } from '../torch/index.js';
import {
  expectRange,
  type GroupOptions,
  type Hyperparameters,
  Optimizer,
  type Params,
  type Update,
} from './optimizer.js';

export interface SgdHyperparameters extends Hyperparameters {
  momentum: number;
  dampening: number;
  weightDecay: number;
  nesterov: boolean;
}

/** `lr` is required; the others are 0 and false by default. */
export type SgdOptions = Pick<SgdHyperparameters, 'lr'> & Partial<SgdHyperparameters>;

/** Stochastic gradient descent, with PyTorch's momentum: the first buffer is the first gradient, undamped. */
export class SGD extends Optimizer<SgdHyperparameters> {
  protected override readonly countsSteps = false;

  constructor(params: Params | readonly GroupOptions<SgdHyperparameters>[], options: SgdOptions) {
    super(params, { momentum: 0, dampening: 0, weightDecay: 0, nesterov: false, ...options });
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

  protected override update({ group, params, grads, step }: Update<SgdHyperparameters>): void {
    const { lr, momentum, dampening, weightDecay, nesterov } = group;
    let change: readonly Tensor[] = weightDecay === 0 ? grads : ops._foreachAdd(grads, params, { alpha: weightDecay });
    if (momentum !== 0) {
      const decayed = change;
      const buffers = this.states('momentum_buffer', params, (_, i) => (decayed[i] as Tensor).clone());
      if (step > 1) {
        ops._foreachMul_(buffers, momentum);
        ops._foreachAdd_(buffers, change, { alpha: 1 - dampening });
      }
      change = nesterov ? ops._foreachAdd(change, buffers, { alpha: momentum }) : buffers;
    }
    ops._foreachAdd_(params, change, { alpha: -lr });
  }
}
