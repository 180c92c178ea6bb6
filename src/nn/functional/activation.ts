import { expectTensor, expectTensors } from '../../torch/expect.js';
import { type DType, op, ops, type Tensor } from '../../torch/index.js';
import * as signature from '../signatures.js';

export interface InplaceOption {
  /** Overwrite the input, to save memory: only where nothing else needs it. Default false. */
  readonly inplace?: boolean;
}

/** The slope is the second argument, or among the options. */
export interface LeakyReLUOptions extends InplaceOption {
  /** Default 0.01. */
  readonly negativeSlope?: number;
}

export interface ELUOptions extends InplaceOption {
  /** Default 1. */
  readonly alpha?: number;
}

export interface HardtanhOptions extends InplaceOption {
  /** Default -1. */
  readonly minVal?: number;
  /** Default 1. */
  readonly maxVal?: number;
}

export interface SoftplusOptions {
  /** Default 1. */
  readonly beta?: number;
  /** Where βx is above, the function is x. Default 20. */
  readonly threshold?: number;
}

export interface ShrinkOptions {
  /** Default 0.5. */
  readonly lambd?: number;
}

export interface GELUOptions {
  /** `'tanh'` is the form that GPT-2 was trained with. Default `'none'`, the exact one. */
  readonly approximate?: 'none' | 'tanh';
}

export interface SoftmaxOptions {
  /** Converts the input first. */
  readonly dtype?: DType | null;
}

export function relu(x: Tensor, options?: InplaceOption): Tensor {
  expectTensor('relu', x);
  return signature.overwriting.read('relu', [], options).inplace ? x.relu_() : x.relu();
}

export function relu6(x: Tensor, options?: InplaceOption): Tensor {
  expectTensor('relu6', x);
  return signature.overwriting.read('relu6', [], options).inplace ? x.clamp_(0, 6) : x.clamp(0, 6);
}

export function leakyRelu(x: Tensor, negativeSlope?: number | LeakyReLUOptions, options?: InplaceOption): Tensor {
  const { negativeSlope: slope, inplace } = signature.leakyRelu.read('leakyRelu', [negativeSlope], options);
  return inplace ? ops.leakyRelu_(x, slope) : ops.leakyRelu(x, slope);
}

export function prelu(x: Tensor, weight: Tensor): Tensor {
  expectTensors('prelu', x, weight);
  return x.prelu(weight);
}

export function elu(x: Tensor, alpha?: number | ELUOptions, options?: InplaceOption): Tensor {
  const { alpha: a, inplace } = signature.elu.read('elu', [alpha], options);
  return inplace ? ops.elu_(x, a) : ops.elu(x, a);
}

export function selu(x: Tensor, options?: InplaceOption): Tensor {
  return signature.overwriting.read('selu', [], options).inplace ? ops.selu_(x) : ops.selu(x);
}

export function celu(x: Tensor, alpha?: number | ELUOptions, options?: InplaceOption): Tensor {
  const { alpha: a, inplace } = signature.elu.read('celu', [alpha], options);
  return inplace ? ops.celu_(x, a) : ops.celu(x, a);
}

/**
 * `approximate: 'tanh'` is the form that GPT-2 was trained with; the default is exact. On the CPU in float32 that is an
 * operator of this package's, with an error of the last digits only.
 */
export function gelu(x: Tensor, options?: GELUOptions): Tensor {
  const { approximate } = signature.gelu.read('gelu', [], options);
  return approximate === 'none' ? (op('headrace::gelu')(x) as Tensor) : ops.gelu(x, { approximate });
}

/** x · sigmoid(x). */
export function silu(x: Tensor, options?: InplaceOption): Tensor {
  return signature.overwriting.read('silu', [], options).inplace ? ops.silu_(x) : ops.silu(x);
}

export function mish(x: Tensor, options?: InplaceOption): Tensor {
  return signature.overwriting.read('mish', [], options).inplace ? ops.mish_(x) : ops.mish(x);
}

export function tanh(x: Tensor): Tensor {
  expectTensor('tanh', x);
  return x.tanh();
}

export function sigmoid(x: Tensor): Tensor {
  expectTensor('sigmoid', x);
  return x.sigmoid();
}

export function logsigmoid(x: Tensor): Tensor {
  return ops.logSigmoid(x);
}

export function hardsigmoid(x: Tensor, options?: InplaceOption): Tensor {
  return signature.overwriting.read('hardsigmoid', [], options).inplace ? ops.hardsigmoid_(x) : ops.hardsigmoid(x);
}

export function hardswish(x: Tensor, options?: InplaceOption): Tensor {
  return signature.overwriting.read('hardswish', [], options).inplace ? ops.hardswish_(x) : ops.hardswish(x);
}

export function hardtanh(
  x: Tensor,
  minVal?: number | HardtanhOptions,
  maxVal?: number,
  options?: InplaceOption,
): Tensor {
  const { minVal: low, maxVal: high, inplace } = signature.hardtanh.read('hardtanh', [minVal, maxVal], options);
  return inplace ? ops.hardtanh_(x, low, high) : ops.hardtanh(x, low, high);
}

/** log(1 + e^(βx)) / β, linear where βx is above the threshold. */
export function softplus(x: Tensor, beta?: number | SoftplusOptions, threshold?: number): Tensor {
  const { beta: b, threshold: limit } = signature.softplus.read('softplus', [beta, threshold]);
  return ops.softplus(x, b, limit);
}

export function hardshrink(x: Tensor, lambd?: number | ShrinkOptions): Tensor {
  return ops.hardshrink(x, signature.hardshrink.read('hardshrink', [lambd]).lambd);
}

export function softshrink(x: Tensor, lambd?: number | ShrinkOptions): Tensor {
  return ops.softshrink(x, signature.softshrink.read('softshrink', [lambd]).lambd);
}

export function softsign(x: Tensor): Tensor {
  expectTensor('softsign', x);
  return x.div(x.abs().add(1));
}

export function tanhshrink(x: Tensor): Tensor {
  expectTensor('tanhshrink', x);
  return x.sub(x.tanh());
}

export function threshold(x: Tensor, limit: number, value: number, options?: InplaceOption): Tensor {
  const { inplace } = signature.threshold.read('threshold', [limit, value], options);
  return inplace ? ops.threshold_(x, limit, value) : ops.threshold(x, limit, value);
}

/** Halves the dimension: the first half times the sigmoid of the second. */
export function glu(x: Tensor, dim?: number | { readonly dim?: number }): Tensor {
  return ops.glu(x, signature.glu.read('glu', [dim]).dim);
}

export function softmax(x: Tensor, dim: number, options?: SoftmaxOptions): Tensor {
  expectTensor('softmax', x);
  return x.softmax(dim, signature.softmaxOf.read('softmax', [dim], options).dtype);
}

export function softmin(x: Tensor, dim: number, options?: SoftmaxOptions): Tensor {
  expectTensor('softmin', x);
  return x.neg().softmax(dim, signature.softmaxOf.read('softmin', [dim], options).dtype);
}

export function logSoftmax(x: Tensor, dim: number, options?: SoftmaxOptions): Tensor {
  expectTensor('logSoftmax', x);
  return x.logSoftmax(dim, signature.softmaxOf.read('logSoftmax', [dim], options).dtype);
}
