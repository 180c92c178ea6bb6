/** Angles to the code of a pose: a small map, fitted on frames whose poses are known. */
import { ops, scope, type Tensor, tensor } from '../../../torch/index.js';

/** Where a head is: yaw, pitch and roll in degrees, and cm to the right, up and towards the viewer. */
export type HeadNumbers = readonly [yaw: number, pitch: number, roll: number, x: number, y: number, z: number];

/** Degrees, and cm, that count as 1. */
const units = [20, 20, 20, 3, 3, 3] as const;
const numbers = units.length;
/** A constant, the six, and their products. */
const featureCount = 1 + numbers + (numbers * (numbers + 1)) / 2;
/** What keeps the map small where poses say little. */
const ridge = 1e-3;

function featuresOf(heads: readonly HeadNumbers[]): Tensor {
  const rows = heads.flatMap((head) => {
    const scaled = head.map((value, i) => value / units[i]!);
    const products = scaled.flatMap((a, i) => scaled.slice(i).map((b) => a * b));
    return [1, ...scaled, ...products];
  });
  return tensor(Float64Array.from(rows), { shape: [heads.length, featureCount] });
}

export class PoseMap {
  /** @param weight - [features, code] */
  constructor(readonly weight: Tensor) {}

  /** By least squares. @param codes - [N, size], the codes of pictures with these heads */
  static fit(heads: readonly HeadNumbers[], codes: Tensor): PoseMap {
    return new PoseMap(
      scope(() => {
        const x = featuresOf(heads);
        const squares = x.t().matmul(x).div(heads.length);
        const held = squares.add(ops.eye(featureCount, { dtype: 'float64' }).mul(ridge));
        const products = x
          .t()
          .matmul(codes.to({ dtype: 'float64' }))
          .div(heads.length);
        return ops.linalgSolve(held, products).to({ dtype: 'float32' }).keep();
      }),
    );
  }

  /** @returns [N, size] */
  code(heads: readonly HeadNumbers[]): Tensor {
    return featuresOf(heads).to({ dtype: 'float32' }).matmul(this.weight);
  }
}
