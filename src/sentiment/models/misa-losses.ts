/** The two losses that keep what modalities share apart from what they do not (Hazarika et al., MISA, "Learning"). */
import { ShapeError, scope, type Tensor } from '../../torch/index.js';

/**
 * Central moment discrepancy of two distributions of rows, on [0, 1] (Zellinger et al., ICLR 2017): the distance of the
 * means plus those of the central moments from the second to the highest. Of rows that are equal it is 0, with gradient 0.
 * @param a - [n, d]
 * @param b - [m, d]
 * @param moments - the highest. Default 5, as published.
 */
export function centralMomentDiscrepancy(a: Tensor, b: Tensor, moments = 5): Tensor {
  expectSameWidth(a, b);
  return scope(() => {
    const [meanA, meanB] = [a.mean([0]), b.mean([0])];
    const [centredA, centredB] = [a.sub(meanA), b.sub(meanB)];
    let sum = distance(meanA, meanB);
    let [powerA, powerB] = [centredA, centredB];
    for (let order = 2; order <= moments; order += 1) {
      powerA = powerA.mul(centredA);
      powerB = powerB.mul(centredB);
      sum = sum.add(distance(powerA.mean([0]), powerB.mean([0])));
    }
    return sum;
  });
}

/** Its gradient is 0 where both are equal, as that of the norm is; the square root of a sum of squares has none there. */
function distance(a: Tensor, b: Tensor): Tensor {
  return a.sub(b).norm(2, [0]);
}

/**
 * How far two sets of vectors of the same samples are from orthogonal: columns are centred over the batch, rows brought to
 * length 1, and the d × d products of columns squared and averaged. (The paper adds them up; its code and MMSA's average.)
 * The lengths count as constants in the gradient. A batch of one gives 0.
 * @param a - [n, d]
 * @param b - [n, e]
 */
export function differenceLoss(a: Tensor, b: Tensor): Tensor {
  if (a.shape[0] !== b.shape[0]) {
    throw new ShapeError(`Expected the vectors of the same samples, got [${a.shape}] and [${b.shape}]`);
  }
  return scope(() => unitRows(a).t().matmul(unitRows(b)).square().mean());
}

function unitRows(x: Tensor): Tensor {
  const centred = x.sub(x.mean([0], true));
  return centred.div(centred.detach().norm(2, [1], true).add(1e-6));
}

function expectSameWidth(a: Tensor, b: Tensor): void {
  if (a.shape[1] === b.shape[1]) return;
  throw new ShapeError(`Expected two sets of rows of the same width, got [${a.shape}] and [${b.shape}]`);
}
