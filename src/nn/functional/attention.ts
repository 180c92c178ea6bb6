import { expectTensors } from '../../torch/expect.js';
import { ConfigError, type Generator, hasOp, op, ops, type Tensor } from '../../torch/index.js';
import * as signature from '../signatures.js';
import { drawFrom, dropout } from './dropout.js';

export interface AttentionOptions {
  /** Floating, added to the scores, or boolean with true where a key takes part; broadcast to [..., L, S]. */
  readonly attnMask?: Tensor | null;
  /** The same by its short name. */
  readonly mask?: Tensor | null;
  readonly dropoutP?: number;
  /** Query i sees keys 0..i only. Not together with a mask. */
  readonly isCausal?: boolean;
  /** Default 1/√E. */
  readonly scale?: number | null;
  /** Source of the dropout mask. */
  readonly generator?: Generator | null;
}

// Not in the typings, which may come from a libtorch older than the operator.
const fused = hasOp('scaledDotProductAttention') ? op('scaledDotProductAttention') : null;

/**
 * softmax(q kᵀ · scale + mask) v. Query [..., L, E], key [..., S, E], value [..., S, Ev]; output [..., L, Ev].
 * Uses libtorch's fused operator where there is one (2.0 and later), else {@link attentionWeights} and a product.
 */
export function scaledDotProductAttention(q: Tensor, k: Tensor, v: Tensor, options?: AttentionOptions): Tensor {
  expectTensors('scaledDotProductAttention', q, k, v);
  const o = signature.dotProduct.read('scaledDotProductAttention', [], options);
  if (fused && (o.dropoutP === 0 || (o.generator ?? drawFrom(q)) === null)) {
    const scale = o.scale === null ? {} : { scale: o.scale };
    return fused(q, k, v, maskOf(o), o.dropoutP, o.isCausal, scale) as Tensor;
  }
  return dropout(attentionWeights(q, k, options), o.dropoutP, true, o.generator).matmul(v);
}

/** softmax(q kᵀ · scale + mask): [..., L, S]. */
export function attentionWeights(q: Tensor, k: Tensor, options?: AttentionOptions): Tensor {
  expectTensors('attentionWeights', q, k);
  const o = signature.dotProduct.read('attentionWeights', [], options);
  const given = maskOf(o);
  // The query is scaled, not the scores: E is smaller than S.
  const scores = q.mul(o.scale ?? 1 / Math.sqrt(q.shape.at(-1) as number)).matmul(k.transpose(-2, -1));
  const mask = o.isCausal ? causalMask(scores) : given;
  if (mask === null) return scores.softmax(-1);
  return (mask.dtype === 'bool' ? scores.maskedFill(mask.logicalNot(), -Infinity) : scores.add(mask)).softmax(-1);
}

/** The one mask that was given. */
function maskOf(o: { attnMask: Tensor | null; mask: Tensor | null; isCausal: boolean }): Tensor | null {
  if ((o.mask && o.attnMask) || ((o.mask || o.attnMask) && o.isCausal)) {
    throw new ConfigError('Expected one of attnMask (or mask, the same) and isCausal, got two.');
  }
  const mask = o.attnMask ?? o.mask;
  return mask && checkMask('attnMask', mask);
}

/** Refuses a mask of whole numbers: neither a choice nor something to add to a score. */
export function checkMask(name: string, mask: Tensor): Tensor {
  const { dtype } = mask;
  if (dtype === 'bool' || dtype.startsWith('float') || dtype === 'bfloat16') return mask;
  throw new ConfigError(
    `Expected ${name} to be boolean, or floating to be added to the scores, got ${dtype}: say mask.ne(0), or mask.eq(0).`,
  );
}

function causalMask(scores: Tensor): Tensor {
  const [rows, columns] = scores.shape.slice(-2) as [number, number];
  return ops.ones([rows, columns], { dtype: 'bool', device: scores.device }).tril();
}
