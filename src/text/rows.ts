/** Rows of padded sequences. */
import { ops, type Tensor } from '../torch/index.js';

/**
 * Which rows count, bool [B, L]: a text without any has its first all the same, since attention and means need one.
 * @param mask - bool [B, L], true for real rows
 */
export function someRow(mask: Tensor): Tensor {
  const first = ops.arange(mask.shape[1]!, { device: mask.device }).eq(0);
  return mask.logicalOr(first.logicalAnd(mask.any(1, true).logicalNot()));
}
