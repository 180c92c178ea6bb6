import type { Parameter } from '../nn/index.js';
import { flag, number, type RulesOf, Signature } from '../nn/signature.js';
import { gradsOf, noGrad, ops, scope, type Tensor, TorchError, zeros } from '../torch/index.js';
import { expectParameters } from './optimizer.js';

export interface ClipOptions {
  /** Default 2; `Infinity` for the greatest element. */
  readonly normType?: number;
  /** Whether an infinite or NaN norm is an error (it costs a wait for the device). Default false. */
  readonly errorIfNonfinite?: boolean;
}

const clipNorm = new Signature('clipGradNorm_', { maxNorm: number() }, {
  normType: number(2),
  errorIfNonfinite: flag(false),
} satisfies RulesOf<ClipOptions>);
const clipValueOf = new Signature('clipGradValue_', { clipValue: number() }, {});

/**
 * Scales all gradients together so that their joint norm is at most `maxNorm`. Returns the norm before, a tensor.
 *
 * @throws TorchError where the norm is not finite and `errorIfNonfinite` is set
 */
export function clipGradNorm_(params: Iterable<Parameter>, maxNorm: number, options?: ClipOptions): Tensor {
  const { normType, errorIfNonfinite } = clipNorm.read('clipGradNorm_', [maxNorm], options);
  expectParameters('clipGradNorm_', params);
  return noGrad(() =>
    scope(() => {
      const grads = gradsOf([...params]).filter((grad) => grad !== null);
      if (grads.length === 0) return zeros([]);
      const norms = ops._foreachNorm(grads, normType);
      const total = ops.linalgVectorNorm(ops.stack(norms), normType);
      if (errorIfNonfinite && !Number.isFinite(total.item())) {
        throw new TorchError(`Expected a finite gradient norm, got ${total.item()}`, { code: 'NONFINITE' });
      }
      // The quotient stays a tensor: reading it would make the host wait for the device.
      const factor = total.add(1e-6).reciprocal().mul(maxNorm).clamp(null, 1);
      for (const grad of grads) grad.mul_(factor);
      return total;
    }),
  );
}

/** Clamps every element of every gradient to -clipValue..clipValue. */
export function clipGradValue_(params: Iterable<Parameter>, clipValue: number): void {
  clipValueOf.read('clipGradValue_', [clipValue]);
  expectParameters('clipGradValue_', params);
  noGrad(() =>
    scope(() => {
      for (const grad of gradsOf([...params])) grad?.clamp_(-clipValue, clipValue);
    }),
  );
}
