import { number, type RulesOf, rule, Signature } from '../nn/signature.js';
import { ConfigError, ops, tensor, where } from '../torch/index.js';
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

export interface RpropHyperparameters extends Hyperparameters {
  /** By what a step shrinks where the gradient's sign has changed, and grows where it has not. */
  etas: readonly [number, number];
  /** The smallest and the greatest step. */
  stepSizes: readonly [number, number];
}

const isPair = (value: unknown) => Array.isArray(value) && value.length === 2 && value.every((x) => x >= 0);
const rprop = new Signature(
  'Rprop',
  {},
  {
    lr: atLeastZero(0.01),
    etas: rule<readonly [number, number]>([0.5, 1.2], 'two numbers, below and above 1', isPair),
    stepSizes: rule<readonly [number, number]>([1e-6, 50], 'two numbers, the smallest and the greatest step', isPair),
  } satisfies RulesOf<RpropHyperparameters>,
  UNSUPPORTED,
);

/** Steps by the gradients' signs alone, for whole batches. Defaults: lr 0.01, etas 0.5 and 1.2, stepSizes 1e-6 and 50. */
export class Rprop extends Optimizer<RpropHyperparameters> {
  constructor(
    params: Params | readonly GroupOptions<RpropHyperparameters>[],
    options: Partial<RpropHyperparameters> = {},
  ) {
    super(params, rprop.read('Rprop', [], options));
  }

  protected override validate(group: Readonly<RpropHyperparameters>): void {
    super.validate(group);
    const [down, up] = group.etas;
    if (!(0 < down && down < 1 && 1 < up)) {
      throw new ConfigError(`Expected etas below and above 1, got ${down} and ${up}`);
    }
  }

  protected override update({ group, params, grads }: Update<RpropHyperparameters>): void {
    const { lr, etas, stepSizes } = group;
    const before = this.states('prev', params);
    const sizes = this.states('step_size', params, (p) => ops.fullLike(p, lr));
    for (const [i, grad] of grads.entries()) {
      const [previous, size] = [before[i]!, sizes[i]!];
      const agreement = grad.mul(previous).sign();
      const factor = (value: number) => tensor(value, { dtype: grad.dtype, device: grad.device });
      const turned = agreement.lt(0);
      const growth = where(agreement.gt(0), factor(etas[1]), where(turned, factor(etas[0]), factor(1)));
      size.mul_(growth).clamp_(stepSizes[0], stepSizes[1]);
      // Where the sign has changed there is no step, and the next one counts as agreeing with nothing.
      const used = grad.maskedFill(turned, 0);
      params[i]!.addcmul_(used.sign(), size, { value: -1 });
      previous.copy_(used);
    }
  }
}

export interface AsgdHyperparameters extends Hyperparameters {
  /** Decay of the parameters. */
  lambd: number;
  /** Power by which the rate falls. */
  alpha: number;
  /** The step after which the parameters are averaged. */
  t0: number;
  weightDecay: number;
}

const asgd = new Signature(
  'ASGD',
  {},
  {
    lr: atLeastZero(0.01),
    lambd: number(1e-4),
    alpha: number(0.75),
    t0: number(1e6),
    weightDecay: atLeastZero(0),
  } satisfies RulesOf<AsgdHyperparameters>,
  UNSUPPORTED,
);

/**
 * Averaged stochastic gradient descent (Polyak and Juditsky, 1992); the averages are the state `ax`. Defaults: lr 0.01,
 * lambd 1e-4, alpha 0.75, t0 1e6, weightDecay 0.
 */
export class ASGD extends Optimizer<AsgdHyperparameters> {
  protected override readonly scalarStates = ['eta', 'mu'];

  constructor(
    params: Params | readonly GroupOptions<AsgdHyperparameters>[],
    options: Partial<AsgdHyperparameters> = {},
  ) {
    super(params, asgd.read('ASGD', [], options));
  }

  protected override validate(group: Readonly<AsgdHyperparameters>): void {
    super.validate(group);
    expectRange('weightDecay', group.weightDecay, 0, Infinity);
  }

  protected override update(update: Update<AsgdHyperparameters>): void {
    const { group, params, step } = update;
    const { lr, lambd, alpha, t0 } = group;
    const grads = withDecay(update);
    const etas = this.states('eta', params, () => tensor(lr));
    const weights = this.states('mu', params, () => tensor(1));
    const averages = this.states('ax', params);
    for (const [i, p] of params.entries()) {
      const eta = etas[i]!.item();
      p.mul_(1 - lambd * eta).add_(grads[i]!, { alpha: -eta });
      const weight = weights[i]!.item();
      if (weight === 1) averages[i]!.copy_(p);
      else averages[i]!.add_(p.sub(averages[i]!), { alpha: weight });
      etas[i]!.fill_(lr / (1 + lambd * lr * step) ** alpha);
      weights[i]!.fill_(1 / Math.max(1, step - t0));
    }
  }
}
