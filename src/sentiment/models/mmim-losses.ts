/** Bounds of mutual information, as MMIM (Han et al., EMNLP 2021, arXiv 2109.00412) and its released code have them. */
import { functional } from '../../nn/index.js';
import type { Tensor } from '../../torch/index.js';

/**
 * The mean log-likelihood of rows under normal distributions (equation 3), but for constants and, as in the released code, for the
 * logarithm of the deviations. All [n, d].
 */
export function gaussianLikelihood(rows: Tensor, mean: Tensor, logVariance: Tensor): Tensor {
  return rows.sub(mean).square().div(-2).div(logVariance.exp()).sum([1]).mean();
}

/**
 * The entropy of rows, but for constants: half the log-determinant of their covariance (equation 5), which is taken over n. Null where there
 * are no more rows than columns: their covariance is singular.
 * @param rows - [n, d]
 */
export function gaussianEntropy(rows: Tensor): Tensor | null {
  const [n, d] = rows.shape as [number, number];
  if (n <= d) return null;
  const apart = rows.sub(rows.mean([0]));
  return apart.t().matmul(apart).div(n).logdet().div(2);
}

/**
 * Contrastive predictive coding (equation 8): the cross-entropy of telling whose row is predicted, by cosines. One row gives 0.
 * @param rows - [n, d] @param predicted - [n, d], of row i from what fusion made of sample i
 */
export function predictiveCoding(rows: Tensor, predicted: Tensor): Tensor {
  const [x, guess] = [functional.normalize(rows), functional.normalize(predicted)];
  const all = x.matmul(guess.t());
  return all
    .logsumexp([1])
    .sub(x.mul(guess).sum([1]))
    .mean();
}
