import { expectTensor, misfit } from '../torch/expect.js';
import { ConfigError, empty, type Generator, ops, ShapeError, type Tensor, zeros } from '../torch/index.js';
import * as functional from './functional/norm.js';
import { ones_, zeros_ } from './init.js';
import { type FactoryOptions, Module } from './module.js';
import { syncBatchNorm as syncSignature } from './more-signatures.js';
import { Parameter } from './parameter.js';
import { pyBool, pyFloat, pyTuple } from './repr.js';
import * as signature from './signatures.js';
import { type SumGroup, syncBatchNorm } from './sync-norm.js';

export interface BatchNormOptions extends FactoryOptions {
  /** Default 1e-5. */
  readonly eps?: number;
  /** Weight of the newest batch in the running statistics; null for the plain mean of all batches. Default 0.1. */
  readonly momentum?: number | null;
  /** Whether there are `weight` and `bias`. Default true. */
  readonly affine?: boolean;
  /** Whether there are `running_mean`, `running_var` and `num_batches_tracked`, used in evaluation. Default true. */
  readonly trackRunningStats?: boolean;
}

/** The numbers of dimensions that a layer takes. */
type Dimensions = readonly number[];

abstract class BatchNormNd extends Module {
  weight: Parameter | null;
  bias: Parameter | null;
  running_mean!: Tensor | null;
  running_var!: Tensor | null;
  num_batches_tracked!: Tensor | null;
  readonly eps: number;
  readonly momentum: number | null;
  readonly affine: boolean;
  readonly trackRunningStats: boolean;
  /** Those with whom it takes its statistics in training; null where it is alone. */
  processGroup: SumGroup | null = null;
  private readonly dimensions: Dimensions;

  protected constructor(
    readonly numFeatures: number,
    options: BatchNormOptions | undefined,
    dimensions: Dimensions,
  ) {
    super();
    const { device, dtype, ...values } = signature.batchNorm.read(this.typeName, [numFeatures], options);
    this.eps = values.eps;
    this.momentum = values.momentum;
    this.affine = values.affine;
    this.trackRunningStats = values.trackRunningStats;
    this.dimensions = dimensions;
    const made = { device, dtype };
    const tracked = this.trackRunningStats;
    this.weight = this.affine ? new Parameter(empty([numFeatures], made)) : null;
    this.bias = this.affine ? new Parameter(empty([numFeatures], made)) : null;
    this.registerBuffer('running_mean', tracked ? empty([numFeatures], made) : null);
    this.registerBuffer('running_var', tracked ? empty([numFeatures], made) : null);
    this.registerBuffer('num_batches_tracked', tracked ? zeros([], { device, dtype: 'int64' }) : null);
    this.initSelf(made);
  }

  override resetParameters(_g?: Generator): void {
    if (this.weight) ones_(this.weight);
    if (this.bias) zeros_(this.bias);
    this.running_mean?.zero_();
    this.running_var?.fill_(1);
    this.num_batches_tracked?.zero_();
  }

  forward(x: Tensor): Tensor {
    const { weight, bias, running_mean: mean, running_var: variance, eps } = this;
    return this.normalise(x, (training, momentum) => {
      if (training && this.processGroup) {
        const given = { runningMean: mean, runningVar: variance, weight, bias, momentum, eps };
        return syncBatchNorm(x, this.processGroup, given);
      }
      return functional.batchNorm(x, mean, variance, weight, bias, { training, momentum, eps });
    });
  }

  /**
   * Counts the batch, and says to `compute` whether it is normalised by its own statistics, and how much it weighs in
   * the running ones, which are given in evaluation, or updated in training.
   */
  protected normalise(x: Tensor, compute: (batchStatistics: boolean, momentum: number) => Tensor): Tensor {
    expectTensor(this.typeName, x);
    if (!this.dimensions.includes(x.ndim)) {
      const expected = this.dimensions.join(' or ');
      throw new ShapeError(`Expected an input of ${expected} dimensions, got [${x.shape}] in ${this.toString()}`);
    }
    const batchStatistics = this.training || this.running_mean === null;
    if (batchStatistics && !this.processGroup) functional.expectSeveral(x.shape);
    let momentum = this.momentum ?? 0;
    if (this.training && this.num_batches_tracked) {
      this.num_batches_tracked.add_(1);
      if (this.momentum === null) momentum = 1 / this.num_batches_tracked.item();
    }
    try {
      return compute(batchStatistics, momentum);
    } catch (error) {
      throw this.shapeError(error, x, `[batch, ${this.numFeatures}, ...]`, (s) => s[1] === this.numFeatures);
    }
  }

  override extraRepr(): string {
    return (
      `${this.numFeatures}, eps=${pyFloat(this.eps)}, momentum=${this.momentum === null ? 'None' : pyFloat(this.momentum)}, ` +
      `affine=${pyBool(this.affine)}, track_running_stats=${pyBool(this.trackRunningStats)}`
    );
  }
}

/** Input [B, C] or [B, C, L]. Keys: `weight`, `bias`, `running_mean`, `running_var` [C], `num_batches_tracked`. */
export class BatchNorm1d extends BatchNormNd {
  constructor(numFeatures: number, options?: BatchNormOptions) {
    super(numFeatures, options, [2, 3]);
  }
}

/** Input [B, C, H, W]. Keys as {@link BatchNorm1d}. */
export class BatchNorm2d extends BatchNormNd {
  constructor(numFeatures: number, options?: BatchNormOptions) {
    super(numFeatures, options, [4]);
  }

  /**
   * relu(forward(x) + residual) in one operator where there is one ({@link functional.batchNormRelu}).
   * @param residual - of x's shape
   */
  forwardRelu(x: Tensor, residual: Tensor | null = null): Tensor {
    if (this.hasHooks || this.processGroup) return (residual ? this.forward(x).add(residual) : this.forward(x)).relu();
    const { weight, bias, running_mean: mean, running_var: variance, eps } = this;
    return this.normalise(x, (training, momentum) =>
      functional.batchNormRelu(x, mean, variance, weight, bias, { residual, training, momentum, eps }),
    );
  }
}

/** Input [B, C, D, H, W]. Keys as {@link BatchNorm1d}. */
export class BatchNorm3d extends BatchNormNd {
  constructor(numFeatures: number, options?: BatchNormOptions) {
    super(numFeatures, options, [5]);
  }
}

export interface SyncBatchNormOptions extends BatchNormOptions {
  /** Those with whom it takes its statistics in training. Default null: it is alone. */
  readonly processGroup?: SumGroup | null;
}

/**
 * Batch normalisation by the mean and variance over the shares of a batch that all of a group have. Input [B, C, ...]; every
 * member has samples, and all run their layers in the same order. Keys as {@link BatchNorm1d}.
 */
export class SyncBatchNorm extends BatchNormNd {
  constructor(numFeatures: number, options?: SyncBatchNormOptions) {
    const { processGroup, numFeatures: count, ...rest } = syncSignature.read(new.target.name, [numFeatures], options);
    super(count, rest, [2, 3, 4, 5]);
    this.processGroup = processGroup;
  }

  /** Has every batch normalisation of a module take its statistics over a group: the layers stay what they are. */
  static convertSyncBatchnorm<M extends Module>(module: M, processGroup: SumGroup): M {
    const where = 'SyncBatchNorm.convertSyncBatchnorm';
    if (!((module as unknown) instanceof Module)) throw misfit(where, 'a module', module);
    if (typeof processGroup?.sum !== 'function') throw misfit(where, 'a group with a sum(tensors)', processGroup);
    for (const each of module.modules()) if (each instanceof BatchNormNd) each.processGroup = processGroup;
    return module;
  }
}

export interface LayerNormOptions extends FactoryOptions {
  /** Default 1e-5. */
  readonly eps?: number;
  /** Whether there are `weight` and `bias`. Default true. */
  readonly elementwiseAffine?: boolean;
  /** Whether there is a `bias` beside the `weight`. Default true. */
  readonly bias?: boolean;
}

/** Normalises over the last dimensions. Input [..., *normalizedShape]. Keys: `weight`, `bias`, of that shape. */
export class LayerNorm extends Module {
  weight: Parameter | null;
  bias: Parameter | null;
  readonly normalizedShape: readonly number[];
  readonly eps: number;
  readonly elementwiseAffine: boolean;

  constructor(normalizedShape: number | readonly number[], options?: LayerNormOptions) {
    super();
    const { device, dtype, ...values } = signature.layerNorm.read(this.typeName, [normalizedShape], options);
    this.normalizedShape = typeof normalizedShape === 'number' ? [normalizedShape] : [...normalizedShape];
    this.eps = values.eps;
    this.elementwiseAffine = values.elementwiseAffine;
    const made = () => new Parameter(empty([...this.normalizedShape], { device, dtype }));
    this.weight = this.elementwiseAffine ? made() : null;
    this.bias = this.elementwiseAffine && values.bias ? made() : null;
    this.initSelf({ device, dtype });
  }

  override resetParameters(_g?: Generator): void {
    if (this.weight) ones_(this.weight);
    if (this.bias) zeros_(this.bias);
  }

  forward(x: Tensor): Tensor {
    const own = this.normalizedShape;
    try {
      return ops.layerNorm(x, own, this.weight, this.bias, this.eps, true);
    } catch (error) {
      throw this.shapeError(error, x, `[..., ${own}]`, (s) => own.every((size, i) => s.at(i - own.length) === size));
    }
  }

  override extraRepr(): string {
    const affine = pyBool(this.elementwiseAffine);
    return `${pyTuple(this.normalizedShape)}, eps=${pyFloat(this.eps)}, elementwise_affine=${affine}`;
  }
}

export interface GroupNormOptions extends FactoryOptions {
  /** Default 1e-5. */
  readonly eps?: number;
  /** Whether there are `weight` and `bias`. Default true. */
  readonly affine?: boolean;
}

/** Normalises each group of channels. Input [B, C, ...]. Keys: `weight`, `bias` [C]. */
export class GroupNorm extends Module {
  weight: Parameter | null;
  bias: Parameter | null;
  readonly eps: number;
  readonly affine: boolean;

  constructor(
    readonly numGroups: number,
    readonly numChannels: number,
    options?: GroupNormOptions,
  ) {
    super();
    const sizes = [numGroups, numChannels];
    const { device, dtype, eps, affine } = signature.groupNorm.read(this.typeName, sizes, options);
    if (numChannels % numGroups !== 0) {
      throw new ConfigError(
        `Expected groups that divide the channels, got ${numGroups} groups of ${numChannels} channels`,
      );
    }
    this.eps = eps;
    this.affine = affine;
    const made = () => new Parameter(empty([numChannels], { device, dtype }));
    this.weight = this.affine ? made() : null;
    this.bias = this.affine ? made() : null;
    this.initSelf({ device, dtype });
  }

  override resetParameters(_g?: Generator): void {
    if (this.weight) ones_(this.weight);
    if (this.bias) zeros_(this.bias);
  }

  forward(x: Tensor): Tensor {
    try {
      // The function checks the number of values.
      return functional.groupNorm(x, this.numGroups, this.weight, this.bias, this.eps);
    } catch (error) {
      throw this.shapeError(error, x, `[batch, ${this.numChannels}, ...]`, (s) => s[1] === this.numChannels);
    }
  }

  override extraRepr(): string {
    return `${this.numGroups}, ${this.numChannels}, eps=${pyFloat(this.eps)}, affine=${pyBool(this.affine)}`;
  }
}
