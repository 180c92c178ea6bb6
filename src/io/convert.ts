/** Between file arrays and tensors. */
import { type Tensor, tensorFromBytes } from '../torch/index.js';
import type { RawArray } from './raw.js';

/** A CPU tensor that holds a copy of the array. */
export function rawToTensor(array: RawArray): Tensor {
  return tensorFromBytes(array.bytes, array.dtype, [...array.shape]);
}

/** A row-major copy of the tensor's values (from any device). */
export function tensorToRaw(tensor: Tensor): RawArray {
  return { dtype: tensor.dtype, shape: tensor.shape, bytes: tensor.bytes() };
}
