/** Batch normalisation of several as one: replicas of a model each see a share of a batch, and take statistics of all of it. */
import { customFunction, noGrad, ops, scope, type Tensor } from '../torch/index.js';
import { expectSeveral } from './functional/norm.js';

/** Those who compute the same on shares of a batch. */
export interface SumGroup {
  /** Adds up tensors over all of them, in place. All call it in the same order. */
  sum(tensors: readonly Tensor[]): void;
}

export interface SyncStatistics {
  readonly runningMean: Tensor | null;
  readonly runningVar: Tensor | null;
  readonly weight: Tensor | null;
  readonly bias: Tensor | null;
  readonly momentum: number;
  readonly eps: number;
}

/** Gradients of all come back to all: what is a sum in forward is one in backward. */
function sumOver(group: SumGroup, x: Tensor): Tensor {
  const summed = (values: Tensor): Tensor => {
    const sum = values.clone();
    group.sum([sum]);
    return sum;
  };
  return customFunction({
    name: 'the sum over replicas',
    forward: (_, values: Tensor) => summed(values),
    backward: (_, gradient) => summed(gradient),
  })(x);
}

/**
 * Batch normalisation of [B, C, ...] by the mean and variance over all of a group; the running statistics are updated. Two
 * sums over the group in forward, and two in backward. Statistics of numbers of 16 bits are taken in float32.
 * @throws ShapeError where all together have one value for each channel
 */
export function syncBatchNorm(given: Tensor, group: SumGroup, statistics: SyncStatistics): Tensor {
  const { dtype } = given;
  const x = dtype === 'bfloat16' || dtype === 'float16' ? given.to({ dtype: 'float32' }) : given;
  const { runningMean, runningVar, weight, bias, momentum, eps } = statistics;
  const channels = x.shape[1]!;
  const others = x.shape.map((_, i) => i).filter((i) => i !== 1);
  const across = (values: Tensor): Tensor => values.view(x.shape.map((_, i) => (i === 1 ? channels : 1)));
  return scope(() => {
    const own = ops.full([1], x.numel / channels, { dtype: x.dtype, device: x.device });
    const [sums, count] = sumOver(group, ops.cat([x.sum(others), own])).split([channels, 1]) as [Tensor, Tensor];
    const values = count.item();
    if (values <= 1) expectSeveral([1], x.shape);
    const mean = sums.div(values);
    const centred = x.sub(across(mean));
    const squares = sumOver(group, centred.square().sum(others));
    const scale = squares.div(values).add(eps).rsqrt();
    noGrad(() => {
      runningMean?.lerp_(mean, momentum);
      runningVar?.lerp_(squares.div(values - 1), momentum);
    });
    const y = centred.mul(across(weight ? scale.mul(weight) : scale));
    return (bias ? y.add(across(bias)) : y).to({ dtype });
  });
}
