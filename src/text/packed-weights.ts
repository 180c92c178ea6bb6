/** Weights in a byte each: rows of matrices as whole numbers from -127 to 127, with a scale for each row beside them. */
import { DataError, type Tensor } from '../torch/index.js';

/** What is added to the key of a matrix for the key of its scales. */
export const SCALES = '.scales';
/** Smaller ones stay as they are: there is nothing to win. */
const LEAST = 4096;

/** Matrices as int8 and scales float32 [rows], the rest as float16. */
export function packWeights(weights: Iterable<readonly [string, Tensor]>): [string, Tensor][] {
  return [...weights].flatMap(([key, value]): [string, Tensor][] => {
    if (value.ndim < 2 || value.numel < LEAST) return [[key, value.to({ dtype: 'float16' })]];
    const rows = value.detach().to({ dtype: 'float32' }).flatten(1);
    const scales = rows.abs().amax([1]).div(127).clampMin(1e-12);
    const bytes = rows.div(scales.unsqueeze(1)).round().to({ dtype: 'int8' });
    return [
      [key, bytes.reshape([...value.shape])],
      [`${key}${SCALES}`, scales],
    ];
  });
}

/** The weights that were packed, float32. What was not is given as it is. */
export function unpackWeights(weights: ReadonlyMap<string, Tensor>): Map<string, Tensor> {
  const all = [...weights].filter(([key]) => !key.endsWith(SCALES));
  return new Map(
    all.map(([key, value]) => {
      if (value.dtype !== 'int8') return [key, value];
      const scales = weights.get(`${key}${SCALES}`);
      return [key, unpackRows(key, value, scales)];
    }),
  );
}

/** A matrix that was packed, float32. @throws DataError where there is no scale for each row */
export function unpackRows(key: string, bytes: Tensor, scales: Tensor | undefined): Tensor {
  if (scales === undefined || scales.shape.join() !== String(bytes.shape[0])) {
    throw new DataError(`Expected scales of the ${bytes.shape[0]} rows of ${key}, ${key}${SCALES}, beside its bytes`);
  }
  const rows = bytes.to({ dtype: 'float32' }).flatten(1).mul(scales.unsqueeze(1));
  return rows.reshape([...bytes.shape]);
}
