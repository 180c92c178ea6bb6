import { expectTensor } from '../torch/expect.js';
import { empty, type Generator, ops, ShapeError, type Tensor, zeros } from '../torch/index.js';
import { expectSeveralPlaces } from './functional/norm.js';
import { ones_, zeros_ } from './init.js';
import { Module } from './module.js';
import type { BatchNormOptions } from './norm.js';
import { Parameter } from './parameter.js';
import { pyBool, pyFloat } from './repr.js';
import * as signature from './signatures.js';

/** Unlike batch normalisation, `affine` and `trackRunningStats` are false by default, as in PyTorch. */
export interface InstanceNormOptions extends Omit<BatchNormOptions, 'momentum'> {
  /** Weight of the newest batch in the running statistics. Default 0.1. */
  readonly momentum?: number;
}

abstract class InstanceNormNd extends Module {
  weight: Parameter | null;
  bias: Parameter | null;
  running_mean!: Tensor | null;
  running_var!: Tensor | null;
  num_batches_tracked!: Tensor | null;
  readonly eps: number;
  readonly momentum: number;
  readonly affine: boolean;
  readonly trackRunningStats: boolean;
  /** Dimensions of one image. */
  private readonly n: number;

  protected constructor(
    readonly numFeatures: number,
    options: InstanceNormOptions | undefined,
    n: number,
  ) {
    super();
    this.n = n;
    const { device, dtype, ...values } = signature.instanceNorm.read(this.typeName, [numFeatures], options);
    this.eps = values.eps;
    this.momentum = values.momentum;
    this.affine = values.affine;
    this.trackRunningStats = values.trackRunningStats;
    const made = { device, dtype };
    const tracked = this.trackRunningStats;
    this.weight = this.affine ? new Parameter(empty([numFeatures], made)) : null;
    this.bias = this.affine ? new Parameter(empty([numFeatures], made)) : null;
    this.registerBuffer('running_mean', tracked ? empty([numFeatures], made) : null);
    this.registerBuffer('running_var', tracked ? empty([numFeatures], made) : null);
    this.registerBuffer('num_batches_tracked', tracked ? zeros([], { ...made, dtype: 'int64' }) : null);
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
    expectTensor(this.typeName, x);
    const shape = x.shape;
    const batched = shape.length === this.n + 2;
    if ((!batched && shape.length !== this.n + 1) || shape.at(-this.n - 1) !== this.numFeatures) {
      const sizes = ['length', 'height, width', 'depth, height, width'][this.n - 1];
      throw new ShapeError(`Expected [batch, ${this.numFeatures}, ${sizes}], got [${shape}] in ${this.toString()}`);
    }
    const { weight, bias, running_mean, running_var, momentum, eps } = this;
    const own = this.training || running_mean === null;
    if (own) expectSeveralPlaces(batched ? shape : [1, ...shape]);
    const batch = batched ? x : x.unsqueeze(0);
    const y = ops.instanceNorm(batch, weight, bias, running_mean, running_var, own, momentum, eps, true);
    return batched ? y : y.squeeze(0);
  }

  override extraRepr(): string {
    return (
      `${this.numFeatures}, eps=${pyFloat(this.eps)}, momentum=${pyFloat(this.momentum)}, ` +
      `affine=${pyBool(this.affine)}, track_running_stats=${pyBool(this.trackRunningStats)}`
    );
  }
}

/** Normalises each channel of each image. Input [B, C, L] or [C, L]. */
export class InstanceNorm1d extends InstanceNormNd {
  constructor(numFeatures: number, options?: InstanceNormOptions) {
    super(numFeatures, options, 1);
  }
}

/** Normalises each channel of each image. Input [B, C, H, W] or [C, H, W]. */
export class InstanceNorm2d extends InstanceNormNd {
  constructor(numFeatures: number, options?: InstanceNormOptions) {
    super(numFeatures, options, 2);
  }
}

/** Normalises each channel of each image. Input [B, C, D, H, W] or [C, D, H, W]. */
export class InstanceNorm3d extends InstanceNormNd {
  constructor(numFeatures: number, options?: InstanceNormOptions) {
    super(numFeatures, options, 3);
  }
}
