import { type RulesOf, rule, Signature } from '../nn/signature.js';
import { ones, ops, type Tensor } from '../torch/index.js';
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

export interface AdamVariantHyperparameters extends Hyperparameters {
  /** Decay of the means of gradient and squared gradient. */
  betas: readonly [number, number];
  eps: number;
  /** Is added to the gradient. */
  weightDecay: number;
}

const unsupported = [...UNSUPPORTED, 'decoupledWeightDecay'];
const rules = {
  lr: atLeastZero(2e-3),
  betas: rule<readonly [number, number]>(
    [0.9, 0.999],
    'two numbers >= 0 and < 1',
    (value) => Array.isArray(value) && value.length === 2 && value.every((beta) => beta >= 0 && beta < 1),
  ),
  eps: atLeastZero(1e-8),
  weightDecay: atLeastZero(0),
} satisfies RulesOf<AdamVariantHyperparameters>;
const adamax = new Signature('Adamax', {}, rules, unsupported);
const radam = new Signature('RAdam', {}, { ...rules, lr: atLeastZero(1e-3) }, unsupported);
const nadam = new Signature('NAdam', {}, { ...rules, momentumDecay: atLeastZero(4e-3) }, unsupported);

/** What variants of Adam share. */
abstract class AdamVariant<H extends AdamVariantHyperparameters> extends Optimizer<H> {
  protected override validate(group: Readonly<H>): void {
    super.validate(group);
    expectRange('betas[0]', group.betas[0], 0, 1);
    expectRange('betas[1]', group.betas[1], 0, 1);
    expectRange('eps', group.eps, 0, Infinity);
    expectRange('weightDecay', group.weightDecay, 0, Infinity);
  }

  /** The decaying means of the gradients, this step's included. */
  protected means({ group, params }: Update<H>, grads: readonly Tensor[]): Tensor[] {
    const means = this.states('exp_avg', params);
    ops._foreachMul_(means, group.betas[0]);
    ops._foreachAdd_(means, grads, { alpha: 1 - group.betas[0] });
    return means;
  }

  /** The decaying means of the squared gradients, this step's included. */
  protected squares({ group, params }: Update<H>, grads: readonly Tensor[]): Tensor[] {
    const squares = this.states('exp_avg_sq', params);
    ops._foreachMul_(squares, group.betas[1]);
    ops._foreachAddcmul_(squares, grads, grads, 1 - group.betas[1]);
    return squares;
  }
}

/** Adam by the greatest gradient (Kingma and Ba, 2014). Defaults: lr 2e-3, betas 0.9 and 0.999, eps 1e-8, weightDecay 0. */
export class Adamax extends AdamVariant<AdamVariantHyperparameters> {
  constructor(
    params: Params | readonly GroupOptions<AdamVariantHyperparameters>[],
    options: Partial<AdamVariantHyperparameters> = {},
  ) {
    super(params, adamax.read('Adamax', [], options));
  }

  protected override update(update: Update<AdamVariantHyperparameters>): void {
    const { group, params, step } = update;
    const grads = withDecay(update);
    const means = this.means(update, grads);
    const greatest = this.states('exp_inf', params);
    ops._foreachMul_(greatest, group.betas[1]);
    const sizes = ops._foreachAbs(grads);
    ops._foreachAdd_(sizes, group.eps);
    ops._foreachMaximum_(greatest, sizes);
    ops._foreachAddcdiv_(params, means, greatest, -group.lr / (1 - group.betas[0] ** step));
  }
}

/**
 * Adam whose step is rectified while the variance is uncertain (Liu et al., 2019). Defaults: lr 1e-3, betas 0.9 and
 * 0.999, eps 1e-8, weightDecay 0.
 */
export class RAdam extends AdamVariant<AdamVariantHyperparameters> {
  constructor(
    params: Params | readonly GroupOptions<AdamVariantHyperparameters>[],
    options: Partial<AdamVariantHyperparameters> = {},
  ) {
    super(params, radam.read('RAdam', [], options));
  }

  protected override update(update: Update<AdamVariantHyperparameters>): void {
    const { group, params, step } = update;
    const [beta1, beta2] = group.betas;
    const grads = withDecay(update);
    const means = this.means(update, grads);
    const squares = this.squares(update, grads);
    const rate = -group.lr / (1 - beta1 ** step);
    const correction = 1 - beta2 ** step;
    // The length of a simple mean that is as certain as the decaying one: at the end, and by now.
    const longest = 2 / (1 - beta2) - 1;
    const length = longest - (2 * step * beta2 ** step) / correction;
    if (length <= 5) {
      ops._foreachAdd_(params, means, { alpha: rate });
      return;
    }
    const certainty = ((length - 4) * (length - 2) * longest) / ((longest - 4) * (longest - 2) * length);
    const denominators = ops._foreachSqrt(squares);
    ops._foreachAdd_(denominators, group.eps);
    ops._foreachAddcdiv_(params, means, denominators, rate * Math.sqrt(correction) * Math.sqrt(certainty));
  }
}

export interface NadamHyperparameters extends AdamVariantHyperparameters {
  /** How fast the momentum reaches betas[0]. */
  momentumDecay: number;
}

/** Adam with Nesterov's momentum (Dozat, 2016). Defaults: as {@link Adamax}'s, momentumDecay 4e-3. */
export class NAdam extends AdamVariant<NadamHyperparameters> {
  protected override readonly scalarStates = ['mu_product'];

  constructor(
    params: Params | readonly GroupOptions<NadamHyperparameters>[],
    options: Partial<NadamHyperparameters> = {},
  ) {
    super(params, nadam.read('NAdam', [], options));
  }

  protected override validate(group: Readonly<NadamHyperparameters>): void {
    super.validate(group);
    expectRange('momentumDecay', group.momentumDecay, 0, Infinity);
  }

  protected override update(update: Update<NadamHyperparameters>): void {
    const { group, params, step } = update;
    const { lr, betas, eps, momentumDecay } = group;
    const grads = withDecay(update);
    const means = this.means(update, grads);
    const denominators = ops._foreachDiv(this.squares(update, grads), 1 - betas[1] ** step);
    ops._foreachSqrt_(denominators);
    ops._foreachAdd_(denominators, eps);
    const momentum = (at: number) => betas[0] * (1 - 0.5 * 0.96 ** (at * momentumDecay));
    const [now, next] = [momentum(step), momentum(step + 1)];
    const products = this.states('mu_product', params, () => ones([])).map((product) => product.mul_(now).item());
    const ofGrads = products.map((product) => (-lr * (1 - now)) / (1 - product));
    const ofMeans = products.map((product) => (-lr * next) / (1 - product * next));
    ops._foreachAddcdiv_(params, grads, denominators, ofGrads);
    ops._foreachAddcdiv_(params, means, denominators, ofMeans);
  }
}
