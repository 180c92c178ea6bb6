/** Between file arrays and tensors. */

import { DTYPES, type DType } from '../torch/dtype.js';
import { expectTensor } from '../torch/expect.js';
import { empty, scope, type Tensor, tensorFromBytes } from '../torch/index.js';
import type { ByteSource } from './bytes.js';
import { countElements, type RawArray } from './raw.js';

/** A CPU tensor that holds a copy of the array. */
export function rawToTensor(array: RawArray): Tensor {
  return tensorFromBytes(array.bytes, array.dtype, [...array.shape]);
}

/** A row-major copy of the tensor's values (from any device). */
export function tensorToRaw(tensor: Tensor): RawArray {
  expectTensor('Saving', tensor);
  return { dtype: tensor.dtype, shape: tensor.shape, bytes: tensor.bytes() };
}

/** What is read at once: a large tensor is not held twice. */
const pieceBytes = 2 ** 24;

/** A CPU tensor of the little-endian, row-major numbers at a place in a file, which is checked to hold them. */
export function readTensor(source: ByteSource, offset: number, dtype: DType, shape: readonly number[]): Tensor {
  const { bytes: width } = DTYPES[dtype];
  const count = countElements(shape, source.path);
  if (count * width <= pieceBytes) return tensorFromBytes(source.read(offset, count * width), dtype, shape);
  if (offset + count * width > source.size) source.read(offset, count * width); // its own error, before memory is taken
  const whole = empty([count], { dtype });
  const step = pieceBytes / width;
  scope(() => {
    for (let at = 0; at < count; at += step) {
      const length = Math.min(step, count - at);
      const piece = tensorFromBytes(source.read(offset + at * width, length * width), dtype, [length]);
      whole.narrow(0, at, length).copy_(piece);
      piece.dispose();
    }
  });
  const shaped = whole.view([...shape]);
  whole.dispose();
  return shaped;
}
