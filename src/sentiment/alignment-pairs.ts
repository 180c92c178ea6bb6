/**
 * Alignment that knows which row of one modality goes with which of the other, as covariances do not: by canonical correlation
 * (Hotelling, 1936; Deep CCA: Andrew et al., ICML 2013) and by contrast (InfoNCE: van den Oord et al., arXiv 1807.03748).
 */
import { functional } from '../nn/index.js';
import { ops, ShapeError, scope, type Tensor } from '../torch/index.js';

/** Added to the variances, as a share of their mean: a batch has hardly more rows than columns, and correlates by chance. */
const RIDGE = 0.1;

/** Divides cosines before the softmax. */
const TEMPERATURE = 0.1;

/**
 * One less the mean squared canonical correlation: 0 where each is a linear map of the other, 1 where they have nothing linear in common,
 * 1 - tr(Caa⁻¹ Cab Cbb⁻¹ Cba) / d, d the smaller width. A tenth of the mean variance is added to both covariances' diagonals.
 * @throws ShapeError unless both have the same number of rows, two or more
 */
export function canonicalLoss(a: Tensor, b: Tensor): Tensor {
  return scope(() => {
    expectPairs(a, b);
    const [x, y] = [a.sub(a.mean([0], true)), b.sub(b.mean([0], true))];
    const rows = a.shape[0]! - 1;
    const between = x.t().matmul(y).div(rows);
    const left = ops.linalgSolve(withRidge(x, rows), between);
    const right = ops.linalgSolve(withRidge(y, rows), between.t());
    const width = Math.min(a.shape[1]!, b.shape[1]!);
    return left.mul(right.t()).sum().div(width).neg().add(1);
  });
}

function withRidge(centred: Tensor, rows: number): Tensor {
  const own = centred.t().matmul(centred).div(rows);
  const width = own.shape[0]!;
  const mean = own.diagonal().mean().clampMin(1e-12);
  return own.add(ops.eye(width, { device: own.device, dtype: own.dtype }).mul(mean.mul(RIDGE)));
}

/**
 * How badly a row of one finds its own among the rows of the other by their cosine, both ways: cross-entropy of the softmax of cosines
 * over 0.1. log(n) where nothing is told apart.
 * @throws ShapeError unless both have the same shape, with two rows or more
 */
export function contrastiveLoss(a: Tensor, b: Tensor): Tensor {
  return scope(() => {
    expectPairs(a, b);
    const unit = (rows: Tensor): Tensor => functional.normalize(rows, { dim: 1 });
    const cosines = unit(a).matmul(unit(b).t()).div(TEMPERATURE);
    const own = ops.arange(a.shape[0]!, { device: a.device });
    const both = functional.crossEntropy(cosines, own).add(functional.crossEntropy(cosines.t(), own));
    return both.div(2);
  });
}

function expectPairs(a: Tensor, b: Tensor): void {
  if (a.shape[0] === b.shape[0] && a.shape[0]! >= 2) return;
  throw new ShapeError(`Expected rows in pairs, two or more, got [${a.shape}] and [${b.shape}]`);
}
