/** What the hyperparameters of several optimizers have in common. */
import { number } from '../nn/signature.js';

/** A number >= 0. */
export const atLeastZero = (fallback: number) => number(fallback, { min: 0 });

/** PyTorch's choices of how a step is computed, which is not a matter of choice here. */
export const WAYS: readonly string[] = ['foreach', 'fused', 'capturable', 'differentiable'];

/** What PyTorch's optimizers take and these refuse by name. */
export const UNSUPPORTED: readonly string[] = ['maximize', ...WAYS];
