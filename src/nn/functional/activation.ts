import { op, ops, type Tensor } from '../../torch/index.js';

export interface InplaceOption {
  /** Overwrite the input, to save memory: only where nothing else needs it. Default false. */
  readonly inplace?: boolean;
}

export function relu(x: Tensor, { inplace = false }: InplaceOption = {}): Tensor {
  return inplace ? x.relu_() : x.relu();
}

export function relu6(x: Tensor, { inplace = false }: InplaceOption = {}): Tensor {
  return inplace ? x.clamp_(0, 6) : x.clamp(0, 6);
}

export function leakyRelu(x: Tensor, negativeSlope = 0.01, { inplace = false }: InplaceOption = {}): Tensor {
  return inplace ? ops.leakyRelu_(x, negativeSlope) : ops.leakyRelu(x, negativeSlope);
}

export function prelu(x: Tensor, weight: Tensor): Tensor {
  return x.prelu(weight);
}

export function elu(x: Tensor, alpha = 1, { inplace = false }: InplaceOption = {}): Tensor {
  return inplace ? ops.elu_(x, alpha) : ops.elu(x, alpha);
}

export function selu(x: Tensor): Tensor {
  return ops.selu(x);
}

export function celu(x: Tensor, alpha = 1): Tensor {
  return ops.celu(x, alpha);
}

/**
 * `approximate: 'tanh'` is the form that GPT-2 was trained with; the default is exact. On the CPU in float32 that is an
 * operator of this package's, with an error of the last digits only.
 */
export function gelu(x: Tensor, { approximate = 'none' }: { readonly approximate?: 'none' | 'tanh' } = {}): Tensor {
  return approximate === 'none' ? (op('headrace::gelu')(x) as Tensor) : ops.gelu(x, { approximate });
}

/** x · sigmoid(x). */
export function silu(x: Tensor, { inplace = false }: InplaceOption = {}): Tensor {
  return inplace ? ops.silu_(x) : ops.silu(x);
}

export function mish(x: Tensor): Tensor {
  return ops.mish(x);
}

export function tanh(x: Tensor): Tensor {
  return x.tanh();
}

export function sigmoid(x: Tensor): Tensor {
  return x.sigmoid();
}

export function logsigmoid(x: Tensor): Tensor {
  return ops.logSigmoid(x);
}

export function hardsigmoid(x: Tensor): Tensor {
  return ops.hardsigmoid(x);
}

export function hardswish(x: Tensor, { inplace = false }: InplaceOption = {}): Tensor {
  return inplace ? ops.hardswish_(x) : ops.hardswish(x);
}

export function hardtanh(x: Tensor, minVal = -1, maxVal = 1): Tensor {
  return ops.hardtanh(x, minVal, maxVal);
}

/** log(1 + e^(βx)) / β, linear where βx is above the threshold. */
export function softplus(x: Tensor, beta = 1, threshold = 20): Tensor {
  return ops.softplus(x, beta, threshold);
}

export function hardshrink(x: Tensor, lambd = 0.5): Tensor {
  return ops.hardshrink(x, lambd);
}

export function softshrink(x: Tensor, lambd = 0.5): Tensor {
  return ops.softshrink(x, lambd);
}

export function softsign(x: Tensor): Tensor {
  return x.div(x.abs().add(1));
}

export function tanhshrink(x: Tensor): Tensor {
  return x.sub(x.tanh());
}

export function threshold(x: Tensor, limit: number, value: number): Tensor {
  return ops.threshold(x, limit, value);
}

/** Halves the dimension: the first half times the sigmoid of the second. */
export function glu(x: Tensor, dim = -1): Tensor {
  return ops.glu(x, dim);
}

export function softmax(x: Tensor, dim: number): Tensor {
  return x.softmax(dim);
}

export function softmin(x: Tensor, dim: number): Tensor {
  return x.neg().softmax(dim);
}

export function logSoftmax(x: Tensor, dim: number): Tensor {
  return x.logSoftmax(dim);
}
