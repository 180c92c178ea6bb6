/** Which colours are where: mixtures of normal distributions, fitted by expectation and maximisation. */

import { mapInto } from '../../../media/map-into.js';
import { lowerTriangle } from './solve.js';

interface Component {
  logWeight: number;
  readonly mean: Float64Array;
  /** Of the covariance, Cholesky's lower triangle `[D * D]`. */
  lower: Float64Array;
  /** log of the density at the mean. */
  logPeak: number;
}

/** A density over points of `dimensions` numbers. */
export class ColourModel {
  private readonly scratch: Float64Array;

  private constructor(
    private readonly dimensions: number,
    private readonly components: readonly Component[],
  ) {
    this.scratch = new Float64Array(dimensions);
  }

  /**
   * @param points - `[n * dimensions]`
   * @param weights - `[n]`, not all 0
   * @param floor - `[dimensions]`: added to the variances of each component
   */
  static fit(
    points: Float32Array,
    weights: Float32Array,
    dimensions: number,
    count: number,
    floor: readonly number[],
    rounds: number,
  ): ColourModel {
    const members = nearestSeed(points, weights, dimensions, seeds(points, weights, dimensions, count));
    const share = new Float64Array(weights.length * count);
    for (const [i, k] of members.entries()) share[i * count + k] = 1;
    const model = new ColourModel(dimensions, maximise(points, weights, dimensions, count, share, floor));
    return model.improved(points, weights, floor, rounds);
  }

  /** Fitted further, or to other weights. */
  improved(points: Float32Array, weights: Float32Array, floor: readonly number[], rounds: number): ColourModel {
    const count = this.components.length;
    const share = new Float64Array(weights.length * count);
    let model: ColourModel | null = null;
    for (let round = 0; round < rounds; round++) {
      (model ?? this).shares(points, share);
      model = new ColourModel(this.dimensions, maximise(points, weights, this.dimensions, count, share, floor));
    }
    return model ?? this;
  }

  /** log of the density at `points[at * dimensions]` and on. */
  logDensity(points: Float32Array, at: number): number {
    let most = -Infinity;
    let sum = 0;
    for (const component of this.components) {
      const value = this.logTerm(component, points, at);
      if (value > most) {
        sum = sum * Math.exp(most - value) + 1;
        most = value;
      } else sum += Math.exp(value - most);
    }
    return most + Math.log(sum);
  }

  private logTerm({ logWeight, logPeak, mean, lower }: Component, points: Float32Array, at: number): number {
    const { dimensions: n, scratch } = this;
    let square = 0;
    for (let i = 0; i < n; i++) {
      let value = points[at * n + i]! - mean[i]!;
      for (let k = 0; k < i; k++) value -= lower[i * n + k]! * scratch[k]!;
      value /= lower[i * n + i]!;
      scratch[i] = value;
      square += value * value;
    }
    return logWeight + logPeak - square / 2;
  }

  /** How much of each point belongs to each component. */
  private shares(points: Float32Array, into: Float64Array): void {
    const count = this.components.length;
    for (let i = 0; i < into.length / count; i++) {
      let most = -Infinity;
      for (let k = 0; k < count; k++) {
        const value = this.logTerm(this.components[k]!, points, i);
        into[i * count + k] = value;
        if (value > most) most = value;
      }
      let sum = 0;
      for (let k = 0; k < count; k++) sum += into[i * count + k] = Math.exp(into[i * count + k]! - most);
      for (let k = 0; k < count; k++) into[i * count + k]! /= sum;
    }
  }
}

function maximise(
  points: Float32Array,
  weights: Float32Array,
  n: number,
  count: number,
  share: Float64Array,
  floor: readonly number[],
): Component[] {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return Array.from({ length: count }, (_, k) => {
    const mean = new Float64Array(n);
    let mass = 1e-9;
    for (let i = 0; i < weights.length; i++) {
      const weight = weights[i]! * share[i * count + k]!;
      mass += weight;
      for (let d = 0; d < n; d++) mean[d]! += weight * points[i * n + d]!;
    }
    for (let d = 0; d < n; d++) mean[d]! /= mass;
    const covariance = new Float64Array(n * n);
    for (let i = 0; i < weights.length; i++) {
      const weight = weights[i]! * share[i * count + k]!;
      if (weight < 1e-9) continue;
      for (let a = 0; a < n; a++)
        for (let b = 0; b <= a; b++)
          covariance[a * n + b]! += weight * (points[i * n + a]! - mean[a]!) * (points[i * n + b]! - mean[b]!);
    }
    for (let a = 0; a < n; a++) {
      for (let b = 0; b <= a; b++) covariance[a * n + b]! /= mass;
      covariance[a * n + a]! += floor[a]!;
    }
    const lower = lowerTriangle(covariance, n);
    let logPeak = (-n / 2) * Math.log(2 * Math.PI);
    for (let d = 0; d < n; d++) logPeak -= Math.log(lower[d * n + d]!);
    return { logWeight: Math.log(mass / total + 1e-6), mean, lower, logPeak };
  });
}

/** Points far from one another: each next one lies where most weight is far from all before. */
function seeds(points: Float32Array, weights: Float32Array, n: number, count: number): number[] {
  const first = weights.reduce((at, weight, i) => (weight > weights[at]! ? i : at), 0);
  const chosen = [first];
  const nearest = new Float64Array(weights.length).fill(Infinity);
  while (chosen.length < count) {
    const last = chosen.at(-1)!;
    for (let i = 0; i < weights.length; i++) nearest[i] = Math.min(nearest[i]!, squareDistance(points, i, last, n));
    // Not the furthest of all, which is an outlier: the one at the 90th percentile of weight times distance.
    const order = Array.from(weights.keys()).sort(
      (a, b) => nearest[a]! * weights[a]! - nearest[b]! * weights[b]! || a - b,
    );
    chosen.push(order[Math.floor(0.9 * (order.length - 1))]!);
  }
  return chosen;
}

function nearestSeed(points: Float32Array, weights: Float32Array, n: number, chosen: readonly number[]): Int32Array {
  return mapInto(new Int32Array(weights.length), weights, (_, i) => {
    let [best, least] = [0, Infinity];
    for (const [k, seed] of chosen.entries()) {
      const distance = squareDistance(points, i, seed, n);
      if (distance < least) [best, least] = [k, distance];
    }
    return best;
  });
}

function squareDistance(points: Float32Array, a: number, b: number, n: number): number {
  let sum = 0;
  for (let d = 0; d < n; d++) sum += (points[a * n + d]! - points[b * n + d]!) ** 2;
  return sum;
}
