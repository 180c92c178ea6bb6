/**
 * Deep modal shared information: modalities are drawn together by their second-order statistics (arXiv 2305.08473).
 * The loss is Deep CORAL's (Sun and Saenko, arXiv 1607.01719), summed over pairs of modalities with a weight each. It
 * needs feature matrices and nothing else, so that any model can add it; at prediction it costs nothing.
 */
import { ConfigError, noGrad, ShapeError, scope, type Tensor, TorchError, where, zeros } from '../torch/index.js';
import { checkOptions } from '../torch/options.js';
import { canonicalLoss, contrastiveLoss } from './alignment-pairs.js';

/** Features by modality, [batch, width] each. */
export type FeatureMatrices = Readonly<Record<string, Tensor>>;

export interface AlignmentOptions {
  /**
   * Weights of the pairs, named `'audio-vision'` in either order; a pair that is not named has weight 0. Without
   * `weights` every pair has weight 1. A positive weight makes two modalities share their statistics, 0 leaves both
   * their own, a negative one pushes them apart (without a bound: such a loss has no minimum).
   */
  readonly weights?: Readonly<Record<string, number>>;
  /**
   * `'none'` (default) aligns covariances, which depend on the features' scale: features twice as large have 16 times
   * the loss. `'correlation'` divides each column by its standard deviation first.
   */
  readonly normalise?: 'none' | 'correlation';
  /**
   * `'covariance'` (default) compares the statistics of both, whichever row goes with which. `'cca'` and `'contrastive'` draw the rows
   * of one utterance together: see {@link canonicalLoss}, {@link contrastiveLoss}.
   */
  readonly loss?: AlignmentLossName;
}

export type AlignmentLossName = (typeof alignmentLossNames)[number];
export const alignmentLossNames = ['covariance', 'cca', 'contrastive'] as const;

const alignmentOptionNames = ['weights', 'normalise', 'loss'] as const;

/** The loss of one pair before it is weighted. */
export interface AlignmentTerm {
  /** As `'audio-vision'`. */
  readonly pair: string;
  readonly weight: number;
  /** A scalar. */
  readonly loss: Tensor;
}

/** What to log of the features of a batch. */
export interface AlignmentReport {
  /** Mean Euclidean norm of a modality's rows. */
  readonly norms: Readonly<Record<string, number>>;
  /** Every pair of equal width, those of weight 0 too. */
  readonly pairs: Readonly<Record<string, { weight: number; loss: number; weighted: number }>>;
}

/**
 * The covariance of columns, 1/(n-1) · (M - mean)ᵀ (M - mean): [n, d] to [d, d]. Half-precision input is taken to
 * float32 first.
 * @throws ShapeError unless there are two rows or more
 */
export function covariance(matrix: Tensor): Tensor {
  return scope(() => {
    const { centred, rows } = centre(matrix);
    return centred
      .t()
      .matmul(centred)
      .div(rows - 1);
  });
}

/**
 * The correlation of columns: the covariance of columns that were divided by their standard deviations. A constant
 * column has no correlation with any other nor itself: zeros stand in its row and column, and it gets no gradient.
 * @throws ShapeError unless there are two rows or more
 */
export function correlation(matrix: Tensor): Tensor {
  return scope(() => {
    const { centred, mean, rows } = centre(matrix);
    const variance = centred
      .square()
      .sum([0], true)
      .div(rows - 1);
    // What is left of a constant column after its mean is taken off is rounding, which must not be scaled up to 1.
    const rounding = mean
      .detach()
      .abs()
      .mul(centred.dtype === 'float64' ? 1e-14 : 1e-5);
    const varies = variance.detach().gt(rounding.square());
    const scale = where(varies, variance, variance.onesLike()).rsqrt();
    const unit = centred.mul(scale).mul(varies);
    return unit
      .t()
      .matmul(unit)
      .div(rows - 1);
  });
}

/**
 * The loss of one pair, 1/(4d²) · ‖C(a) - C(b)‖² (Frobenius), d the width of both. The order of rows does not matter,
 * nor does a constant added to a column; the numbers of rows may differ.
 * @throws ShapeError where the widths differ, or one has fewer than two rows
 */
export function coral(a: Tensor, b: Tensor, normalise: AlignmentOptions['normalise'] = 'none'): Tensor {
  const statistic = statisticOf(normalise);
  return scope(() => {
    expectEqualWidths('a', a, 'b', b);
    return distance(statistic(a), statistic(b));
  });
}

/**
 * The alignment loss, the sum over pairs of weight · {@link coral}. Zero, and without gradients, where no pair is left:
 * all weights 0, or a batch of one, which has no covariance.
 *
 * @example
 * const shared = alignmentLoss({ audio, vision });
 * const three = alignmentLoss({ text, audio, vision }, { weights: { 'audio-vision': 1, 'text-audio': 0.1 } });
 * @throws ShapeError where the widths of a pair differ or a matrix is none; ConfigError for a pair that is unknown
 */
export function alignmentLoss(features: FeatureMatrices, options: AlignmentOptions = {}): Tensor {
  checkOptions('alignmentLoss', options, alignmentOptionNames);
  return scope(() => {
    const weighted = alignmentTerms(features, options).map(({ weight, loss }) => loss.mul(weight));
    if (weighted.length > 0) return weighted.reduce((sum, term) => sum.add(term));
    const some = Object.values(features)[0]!;
    return zeros([], { device: some.device, dtype: computeDtype(some) });
  });
}

/**
 * The pairs' losses one by one, in the order of the features' names. Pairs of weight 0 are not computed and their widths
 * may differ; nor are pairs with a batch of one.
 */
export function alignmentTerms(features: FeatureMatrices, options: AlignmentOptions = {}): AlignmentTerm[] {
  checkOptions('alignmentTerms', options, alignmentOptionNames);
  const lossOf = pairLossOf(features, options);
  return pairsOf(features, options.weights).flatMap(({ a, b, weight }) => {
    if (weight === 0) return [];
    const [left, right] = [features[a]!, features[b]!];
    if (options.loss !== 'cca') expectEqualWidths(a, left, b, right);
    if (left.shape[0]! < 2 || right.shape[0]! < 2) return [];
    return [{ pair: `${a}-${b}`, weight, loss: lossOf(a, b) }];
  });
}

/** The loss of two modalities by their names. */
function pairLossOf(features: FeatureMatrices, options: AlignmentOptions): (a: string, b: string) => Tensor {
  const { loss = 'covariance', normalise } = options;
  if (!alignmentLossNames.includes(loss))
    throw new ConfigError(`Expected loss to be ${alignmentLossNames.join(', ')}, got '${String(loss)}'`);
  if (loss !== 'covariance') {
    if (normalise === 'correlation')
      throw new ConfigError(`Expected normalise with the loss covariance alone: ${loss} does not depend on scales`);
    const paired = loss === 'cca' ? canonicalLoss : contrastiveLoss;
    const exact = (name: string): Tensor => features[name]!.to({ dtype: computeDtype(features[name]!) });
    return (a, b) => paired(exact(a), exact(b));
  }
  const statistic = statisticOf(normalise);
  const known = new Map<string, Tensor>();
  const statisticsOf = (name: string): Tensor => {
    if (!known.has(name)) known.set(name, statistic(features[name]!));
    return known.get(name)!;
  };
  return (a, b) => distance(statisticsOf(a), statisticsOf(b));
}

/** The numbers to watch while a model is aligned: shrinking features lower the loss without sharing anything. */
export function alignmentReport(features: FeatureMatrices, options: AlignmentOptions = {}): AlignmentReport {
  checkOptions('alignmentReport', options, alignmentOptionNames);
  return noGrad(() =>
    scope(() => {
      const lossOf = pairLossOf(features, options);
      const norms: Record<string, number> = {};
      for (const [name, matrix] of Object.entries(features)) {
        expectMatrix(name, matrix);
        norms[name] = matrix
          .to({ dtype: computeDtype(matrix) })
          .norm(2, [1])
          .mean()
          .item();
      }
      const pairs: Record<string, { weight: number; loss: number; weighted: number }> = {};
      for (const { a, b, weight } of pairsOf(features, options.weights)) {
        const [left, right] = [features[a]!, features[b]!];
        const comparable = options.loss === 'cca' || left.shape[1] === right.shape[1];
        if (!comparable || left.shape[0]! < 2 || right.shape[0]! < 2) continue;
        const loss = lossOf(a, b).item();
        pairs[`${a}-${b}`] = { weight, loss, weighted: weight * loss };
      }
      return { norms, pairs };
    }),
  );
}

/**
 * What {@link coral} gives on average for two batches of `rows` that share their statistics perfectly: independent
 * standard normal columns. A loss near it says nothing more can be learnt. E ‖C(a) - C(b)‖² = 2 (d² + d) / (n - 1).
 */
export function alignmentNoiseFloor(rows: number, width: number): number {
  return (1 + 1 / width) / (2 * (rows - 1));
}

interface Pair {
  readonly a: string;
  readonly b: string;
  readonly weight: number;
}

/** Every pair with its weight. */
function pairsOf(features: FeatureMatrices, weights: AlignmentOptions['weights']): Pair[] {
  const names = Object.keys(features);
  if (names.length < 2) {
    throw new ConfigError(`Expected the features of two modalities or more to align, got ${names.join() || 'none'}`);
  }
  const left = new Map(Object.entries(weights ?? {}));
  const pairs = names.flatMap((a, i) =>
    names.slice(i + 1).map((b): Pair => {
      const given = [`${a}-${b}`, `${b}-${a}`].filter((key) => left.has(key));
      if (given.length > 1) throw new ConfigError(`Expected one weight for a pair, got two: ${given.join(' and ')}`);
      const weight = weights === undefined ? 1 : given.length > 0 ? left.get(given[0]!)! : 0;
      if (!Number.isFinite(weight)) throw new ConfigError(`Expected a finite weight of ${given[0]}, got ${weight}`);
      for (const key of given) left.delete(key);
      return { a, b, weight };
    }),
  );
  if (left.size > 0) {
    const known = pairs.map(({ a, b }) => `${a}-${b}`).join(', ');
    throw new ConfigError(`Expected weights of pairs among ${known}, got ${[...left.keys()].join(', ')}`);
  }
  return pairs;
}

function statisticOf(normalise: AlignmentOptions['normalise'] = 'none'): (matrix: Tensor) => Tensor {
  const statistic = { none: covariance, correlation }[normalise];
  if (statistic === undefined) {
    throw new ConfigError(`Expected normalise to be 'none' or 'correlation', got '${String(normalise)}'`);
  }
  return statistic;
}

function distance(a: Tensor, b: Tensor): Tensor {
  const width = a.shape[0]!;
  return scope(() =>
    a
      .sub(b)
      .square()
      .sum()
      .div(4 * width * width),
  );
}

function centre(matrix: Tensor): { centred: Tensor; mean: Tensor; rows: number } {
  expectMatrix('the matrix', matrix);
  const rows = matrix.shape[0]!;
  if (rows < 2) throw new ShapeError(`Expected two rows or more for a covariance, got [${matrix.shape}]`);
  const exact = matrix.to({ dtype: computeDtype(matrix) });
  const mean = exact.mean([0], true);
  return { centred: exact.sub(mean), mean, rows };
}

/** Sums of products of many samples need float32 at least, mixed precision or not. */
function computeDtype(matrix: Tensor): 'float32' | 'float64' {
  return matrix.dtype === 'float64' ? 'float64' : 'float32';
}

function expectMatrix(name: string, matrix: Tensor): void {
  if (matrix.ndim !== 2) {
    throw new ShapeError(`Expected features [batch, width] of ${name}, got [${matrix.shape}]: pool over time first`);
  }
  if (!matrix.dtype.includes('float')) {
    throw new TorchError(`Expected floating-point features of ${name}, got ${matrix.dtype}`);
  }
}

function expectEqualWidths(a: string, left: Tensor, b: string, right: Tensor): void {
  expectMatrix(a, left);
  expectMatrix(b, right);
  if (left.shape[1] === right.shape[1]) return;
  throw new ShapeError(
    `Expected ${a} and ${b} of equal width to align them, got [${left.shape}] and [${right.shape}]: ` +
      'make the encoders equally wide, or put SharedProjections before the loss',
  );
}
