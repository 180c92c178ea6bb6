import { expectList, expectTensor, misfit } from '../torch/expect.js';
import {
  ConfigError,
  defaultGenerator,
  empty,
  type Generator,
  noGrad,
  ops,
  randn,
  randperm,
  ShapeError,
  scope,
  type Tensor,
} from '../torch/index.js';
import * as signature from './init-signatures.js';

/** Every function here writes into its tensor, in place and unrecorded, and returns it; null, which `layer.bias` may be, is refused when it comes. Formulas are PyTorch's `torch.nn.init`. */
export interface InitOptions {
  /** Source of the draws. Default: the default generator. One on another device draws there and the values are copied: the same on every device. */
  readonly generator?: Generator | null | undefined;
}

export interface GainOptions extends InitOptions {
  /** Factor of the spread. Default 1. */
  readonly gain?: number;
}

export type Nonlinearity =
  | 'linear'
  | 'conv1d'
  | 'conv2d'
  | 'conv3d'
  | 'convTranspose1d'
  | 'convTranspose2d'
  | 'convTranspose3d'
  | 'sigmoid'
  | 'tanh'
  | 'relu'
  | 'leakyRelu'
  | 'selu';

export type FanMode = 'fanIn' | 'fanOut';

export interface KaimingOptions extends InitOptions {
  /** Negative slope of the leaky ReLU that follows; used with `nonlinearity: 'leakyRelu'` only. Default 0. */
  readonly a?: number;
  /** Default `'fanIn'`. */
  readonly mode?: FanMode;
  /** Default `'leakyRelu'`. */
  readonly nonlinearity?: Nonlinearity;
}

/** The recommended gain of a nonlinearity. `param` is the leaky ReLU's negative slope (default 0.01). */
export function calculateGain(nonlinearity: Nonlinearity, param: number | null = null): number {
  const slope = signature.gain.read('calculateGain', [nonlinearity, param]).param ?? 0.01;
  switch (nonlinearity) {
    case 'tanh':
      return 5 / 3;
    case 'relu':
      return Math.SQRT2;
    case 'leakyRelu':
      return Math.sqrt(2 / (1 + slope * slope));
    case 'selu':
      return 3 / 4;
    default:
      return 1;
  }
}

/** Inputs and outputs of one unit of a weight [out, in, ...kernel]. */
export function fans(shape: readonly number[]): { fanIn: number; fanOut: number } {
  expectList('fans', shape, 'a shape in a list');
  if (shape.length < 2) {
    throw new ShapeError(`Expected a weight of at least 2 dimensions to count its inputs and outputs, got [${shape}]`);
  }
  const receptive = shape.slice(2).reduce((product, size) => product * size, 1);
  return { fanIn: (shape[1] as number) * receptive, fanOut: (shape[0] as number) * receptive };
}

export function uniform_<T extends Tensor>(t: T | null, a = 0, b = 1, options?: InitOptions): T {
  expectWeight('uniform_', t);
  const { generator: source } = signature.uniform.read('uniform_', [a, b], options);
  return fill(t, source, (into, generator) => into.uniform_(a, b, { generator }));
}

export function normal_<T extends Tensor>(t: T | null, mean = 0, std = 1, options?: InitOptions): T {
  expectWeight('normal_', t);
  const { generator: source } = signature.normal.read('normal_', [mean, std], options);
  return fill(t, source, (into, generator) => into.normal_(mean, std, { generator }));
}

/** A normal distribution cut off at `a` and `b` (in the values' own unit), by inversion. */
export function truncNormal_<T extends Tensor>(
  t: T | null,
  mean = 0,
  std = 1,
  a = -2,
  b = 2,
  options?: InitOptions,
): T {
  expectWeight('truncNormal_', t);
  const { generator: source } = signature.truncNormal.read('truncNormal_', [mean, std, a, b], options);
  const cumulative = (x: number) => (1 + erf((x - mean) / std / Math.SQRT2)) / 2;
  const [low, high] = [cumulative(a), cumulative(b)];
  return fill(t, source, (into, generator) => {
    into.uniform_(2 * low - 1, 2 * high - 1, { generator });
    into
      .erfinv_()
      .mul_(std * Math.SQRT2)
      .add_(mean)
      .clamp_(a, b);
  });
}

export function constant_<T extends Tensor>(t: T | null, value: number): T {
  expectWeight('constant_', t);
  signature.constant.read('constant_', [value]);
  return unrecorded(t, (into) => into.fill_(value));
}

export function zeros_<T extends Tensor>(t: T | null): T {
  expectWeight('zeros_', t);
  return constant_(t, 0);
}

export function ones_<T extends Tensor>(t: T | null): T {
  expectWeight('ones_', t);
  return constant_(t, 1);
}

/** The identity matrix, in a tensor of 2 dimensions. */
export function eye_<T extends Tensor>(t: T | null): T {
  expectWeight('eye_', t);
  return unrecorded(t, (into) => {
    into.zero_();
    into.fillDiagonal_(1);
  });
}

export function xavierUniform_<T extends Tensor>(t: T | null, gain?: number | GainOptions, options?: InitOptions): T {
  expectWeight('xavierUniform_', t);
  const { gain: factor, generator } = signature.gained.read('xavierUniform_', [gain], options);
  const { fanIn, fanOut } = fans(t.shape);
  const bound = factor * Math.sqrt(6 / (fanIn + fanOut));
  return uniform_(t, -bound, bound, { generator });
}

export function xavierNormal_<T extends Tensor>(t: T | null, gain?: number | GainOptions, options?: InitOptions): T {
  expectWeight('xavierNormal_', t);
  const { gain: factor, generator } = signature.gained.read('xavierNormal_', [gain], options);
  const { fanIn, fanOut } = fans(t.shape);
  return normal_(t, 0, factor * Math.sqrt(2 / (fanIn + fanOut)), { generator });
}

export function kaimingUniform_<T extends Tensor>(t: T | null, options?: KaimingOptions): T {
  expectWeight('kaimingUniform_', t);
  const o = signature.kaiming.read('kaimingUniform_', [], options);
  if (t.numel === 0) return t;
  const bound = Math.sqrt(3) * kaimingStd(t, o);
  return uniform_(t, -bound, bound, { generator: o.generator });
}

export function kaimingNormal_<T extends Tensor>(t: T | null, options?: KaimingOptions): T {
  expectWeight('kaimingNormal_', t);
  const o = signature.kaiming.read('kaimingNormal_', [], options);
  if (t.numel === 0) return t;
  return normal_(t, 0, kaimingStd(t, o), { generator: o.generator });
}

function kaimingStd(t: Tensor, { a, mode, nonlinearity }: Required<KaimingOptions>): number {
  return calculateGain(nonlinearity, a) / Math.sqrt(fans(t.shape)[mode]);
}

/** A (semi-)orthogonal matrix [rows, everything else], by QR of a normal one. */
export function orthogonal_<T extends Tensor>(t: T | null, gain?: number | GainOptions, options?: InitOptions): T {
  expectWeight('orthogonal_', t);
  const { gain: factor, generator: source } = signature.gained.read('orthogonal_', [gain], options);
  const shape = t.shape;
  if (shape.length < 2) throw new ShapeError(`Expected a tensor of at least 2 dimensions, got [${shape}]`);
  if (t.numel === 0) return t;
  const rows = shape[0] as number;
  const cols = t.numel / rows;
  return unrecorded(t, (into) => {
    const generator = source ?? defaultGenerator;
    // Drawn as what it shall be; libtorch has no QR of 16 bits.
    const dtype = t.dtype === 'float64' ? 'float64' : 'float32';
    const drawn = randn([rows, cols], { generator, device: generator.device, dtype });
    const [q, r] = ops.linalgQr(rows < cols ? drawn.t() : drawn);
    const signed = q.mul(r.diagonal().sign());
    into.copy_((rows < cols ? signed.t() : signed).reshape(shape).mul(factor));
  });
}

/** Convolutions' weight [out, in, ...kernel] that passes as many channels on as it can, in each of `groups` groups. */
export function dirac_<T extends Tensor>(t: T | null, groups = 1): T {
  expectWeight('dirac_', t);
  signature.dirac.read('dirac_', [groups]);
  const shape = t.shape;
  const [out, channels, ...kernel] = shape as [number, number, ...number[]];
  if (shape.length < 3 || shape.length > 5) {
    throw new ShapeError(`Expected a convolution's weight of 3, 4 or 5 dimensions, got [${shape}]`);
  }
  if (out % groups !== 0) throw new ConfigError(`Expected groups that divide the ${out} outputs, got ${groups}`);
  const each = out / groups;
  return unrecorded(t, (into) => {
    into.zero_();
    for (let group = 0; group < groups; group += 1) {
      for (let i = 0; i < Math.min(each, channels); i += 1) {
        const middle = kernel.map((size) => Math.floor(size / 2));
        into.index(group * each + i, i, ...middle).fill_(1);
      }
    }
  });
}

/** A matrix, normal with deviation `std`, of whose every column the share `sparsity`, rounded up, is zero. */
export function sparse_<T extends Tensor>(t: T | null, sparsity: number, std = 0.01, options?: InitOptions): T {
  expectWeight('sparse_', t);
  const [rows, columns, ...more] = t.shape;
  if (rows === undefined || columns === undefined || more.length > 0) {
    throw new ShapeError(`Expected a tensor of 2 dimensions, got [${t.shape}]`);
  }
  const { generator: source } = signature.sparse.read('sparse_', [sparsity, std], options);
  const generator = source ?? defaultGenerator;
  normal_(t, 0, std, { generator });
  return unrecorded(t, (into) => {
    for (let column = 0; column < columns; column += 1) {
      const zero = randperm(rows, { generator, device: generator.device }).narrow(0, 0, Math.ceil(sparsity * rows));
      into.select(1, column).indexFill_(0, zero.to({ device: t.device }), 0);
    }
  });
}

/** A layer's bias may be null for the compiler; for one that is, this says so. */
function expectWeight(where: string, t: Tensor | null): asserts t is Tensor {
  if (t === null) throw misfit(where, 'a tensor', t, 'The layer was made without it, as with { bias: false }.');
  expectTensor(where, t);
}

/** Draws into `t`, unrecorded; where the generator lives on another device, there first. */
function fill<T extends Tensor>(
  t: T,
  source: Generator | null,
  write: (into: Tensor, generator: Generator) => void,
): T {
  const generator = source ?? defaultGenerator;
  return unrecorded(t, () => {
    if (deviceType(generator.device) === deviceType(t.device)) {
      write(t, generator);
      return;
    }
    const drawn = empty(t.shape, { dtype: t.dtype, device: generator.device });
    write(drawn, generator);
    t.copy_(drawn);
  });
}

function unrecorded<T extends Tensor>(t: T, write: (into: Tensor) => void): T {
  noGrad(() => scope(() => void write(t)));
  return t;
}

function deviceType(device: string): string {
  return device.split(':')[0] as string;
}

/** The error function, to 1e-15 or so: its Taylor series near zero, a continued fraction beyond. */
function erf(x: number): number {
  const z = Math.abs(x);
  if (z > 6) return Math.sign(x);
  if (z < 2.5) {
    let term = z;
    let sum = z;
    for (let n = 1; Math.abs(term) > 1e-17 * sum; n += 1) {
      term *= (-z * z) / n;
      sum += term / (2 * n + 1);
    }
    return (Math.sign(x) * 2 * sum) / Math.sqrt(Math.PI);
  }
  let fraction = 0;
  for (let k = 60; k >= 1; k -= 1) fraction = k / 2 / (z + fraction);
  return Math.sign(x) * (1 - Math.exp(-z * z) / Math.sqrt(Math.PI) / (z + fraction));
}
