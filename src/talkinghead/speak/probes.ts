/** What codes tell, and what they should not: linear maps by least squares, in closed form. */
import { ops, scope, type Tensor, tensor } from '../../torch/index.js';

/** A linear map with a constant. */
export interface LinearProbe {
  /** @param x - [N, features] @returns [N, outputs] */
  predict(x: Tensor): Tensor;
}

/** On features of mean 0 and variance 1: what keeps the map small. */
const ridge = 1e-2;

/**
 * Least squares with a small penalty on the map (ridge regression) of standardised features.
 * @param x - [N, features] @param y - [N, outputs]
 */
export function fitProbe(x: Tensor, y: Tensor): LinearProbe {
  const wide = x.to({ dtype: 'float64' });
  const mean = wide.mean(0, true);
  const deviation = wide.sub(mean).square().mean(0, true).sqrt().add(1e-9);
  const seen = (rows: Tensor): Tensor => rows.to({ dtype: 'float64' }).sub(mean).div(deviation);
  const features = seen(x);
  const targets = y.to({ dtype: 'float64' });
  const middle = targets.mean(0, true);
  const count = x.shape[0]!;
  const squares = features
    .t()
    .matmul(features)
    .div(count)
    .add(ops.eye(x.shape[1]!, { dtype: 'float64' }).mul(ridge));
  const map = ops.linalgSolve(squares, features.t().matmul(targets.sub(middle)).div(count));
  return { predict: (rows) => seen(rows).matmul(map).add(middle) };
}

/** [N, classes] with a 1 in each row. */
export function oneHot(classes: readonly number[], count: number): Tensor {
  const rows = new Float32Array(classes.length * count);
  for (const [i, name] of classes.entries()) rows[i * count + name] = 1;
  return tensor(rows, { shape: [classes.length, count] });
}

/** Of rows of scores, in how many the greatest is that of the class. */
export function accuracy(scores: Tensor, classes: readonly number[]): number {
  const chosen = scope(() => Array.from(scores.argmax(1).data() as BigInt64Array, Number));
  return chosen.filter((name, i) => name === classes[i]).length / Math.max(1, classes.length);
}

/** The share of the truth's variance that is told, the mean over columns; 0 says no more than the mean does, below is worse. */
export function explained(predicted: Tensor, truth: Tensor): number {
  return scope(() => {
    const wide = truth.to({ dtype: 'float64' });
    const rest = wide.sub(predicted).square().mean(0);
    return rest
      .div(wide.sub(wide.mean(0, true)).square().mean(0))
      .neg()
      .add(1)
      .mean()
      .item();
  });
}

/** The share of the most frequent class: what one gets right without looking. */
export function chanceOf(classes: readonly number[]): number {
  const counts = new Map<number, number>();
  for (const name of classes) counts.set(name, (counts.get(name) ?? 0) + 1);
  return Math.max(...counts.values()) / classes.length;
}
