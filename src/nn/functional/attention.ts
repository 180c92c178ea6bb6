import { ConfigError, type Generator, hasOp, op, ops, type Tensor } from '../../torch/index.js';
import { drawFrom, dropout } from './dropout.js';

export interface AttentionOptions {
  /** Added to the scores, or boolean with true where a key takes part; broadcast to [..., L, S]. */
  readonly mask?: Tensor | null;
  readonly dropoutP?: number;
  /** Query i sees keys 0..i only. Not together with `mask`. */
  readonly isCausal?: boolean;
  /** Default 1/√E. */
  readonly scale?: number;
  /** Source of the dropout mask. */
  readonly generator?: Generator | null;
}

// Not in the typings, which may come from a libtorch older than the operator.
const fused = hasOp('scaledDotProductAttention') ? op('scaledDotProductAttention') : null;

/**
 * softmax(q kᵀ · scale + mask) v. Query [..., L, E], key [..., S, E], value [..., S, Ev]; output [..., L, Ev].
 * Uses libtorch's fused operator where there is one (2.0 and later), else {@link attentionWeights} and a product.
 */
export function scaledDotProductAttention(q: Tensor, k: Tensor, v: Tensor, o: AttentionOptions = {}): Tensor {
  const dropoutP = o.dropoutP ?? 0;
  if (o.mask && o.isCausal) throw new ConfigError('Expected either mask or isCausal, got both');
  if (fused && (dropoutP === 0 || (o.generator ?? drawFrom(q)) === null)) {
    const scale = o.scale === undefined ? {} : { scale: o.scale };
    return fused(q, k, v, o.mask ?? null, dropoutP, o.isCausal ?? false, scale) as Tensor;
  }
  return dropout(attentionWeights(q, k, o), dropoutP, true, o.generator ?? null).matmul(v);
}

/** softmax(q kᵀ · scale + mask): [..., L, S]. */
export function attentionWeights(q: Tensor, k: Tensor, o: AttentionOptions = {}): Tensor {
  // The query is scaled, not the scores: E is smaller than S.
  const scores = q.mul(o.scale ?? 1 / Math.sqrt(q.shape.at(-1) as number)).matmul(k.transpose(-2, -1));
  const mask = o.isCausal ? causalMask(scores) : (o.mask ?? null);
  if (mask === null) return scores.softmax(-1);
  return (mask.dtype === 'bool' ? scores.maskedFill(mask.logicalNot(), -Infinity) : scores.add(mask)).softmax(-1);
}

function causalMask(scores: Tensor): Tensor {
  const [rows, columns] = scores.shape.slice(-2) as [number, number];
  return ops.ones([rows, columns], { dtype: 'bool', device: scores.device }).tril();
}
