import { misfit } from '../torch/expect.js';
import { ConfigError, type Generator, noGrad, ops, randn, scope, type Tensor } from '../torch/index.js';
import { onClone } from './clone.js';
import { ConvTranspose1d, ConvTranspose2d, ConvTranspose3d } from './conv.js';
import { initialSource, initSkipped, isUntouched, markWritten } from './initial.js';
import { type Module, slots } from './module.js';
import { Parameter } from './parameter.js';
import * as signature from './signatures.js';

/** A weight that is computed from other parameters at every forward. */
interface Scheme {
  /** The weight for this forward. */
  compute(): Tensor;
  /** Where the layer's own initialisation may write a weight. */
  blank(): Tensor;
  /** Sets the stored parts from a weight just drawn. */
  reset(weight: Tensor, g: Generator): void;
}

/** Takes a parameter out of the registry. */
function takeOut(module: Module, name: string): Parameter {
  if (typeof module !== 'object' || module === null || !('namedParameters' in module)) {
    throw misfit('weightNorm and spectralNorm', 'a layer', module);
  }
  const weight = slots(module)[name];
  if (!(weight instanceof Parameter)) {
    throw new ConfigError(`Expected a parameter '${name}' in ${module.toString()}, got ${typeof weight}`);
  }
  delete slots(module)[name];
  return weight;
}

/** A property outside of the registry. */
function hide(module: Module, name: string, value: unknown): void {
  Object.defineProperty(module, name, { value, enumerable: false, configurable: true, writable: true });
}

/** Has `schemeOf(module)` give the weight, in the module and in its clones. */
function install(module: Module, name: string, schemeOf: (module: Module) => Scheme): void {
  onClone(module, (copy) => install(copy, name, schemeOf));
  const scheme = schemeOf(module);
  const forward = module.forward.bind(module) as (...inputs: unknown[]) => unknown;
  hide(module, 'forward', (...inputs: unknown[]) => {
    hide(module, name, scheme.compute());
    return forward(...inputs);
  });
  const draw = module.resetParameters?.bind(module);
  hide(module, 'resetParameters', (g: Generator) => {
    const weight = scheme.blank();
    hide(module, name, weight);
    draw?.(g);
    scheme.reset(weight, g);
  });
}

export interface SpectralNormOptions {
  /** Parameter to normalise. Default `'weight'`. */
  readonly name?: string;
  /** Power iterations at each training forward. Default 1. */
  readonly nPowerIterations?: number;
  /** Default 1e-12. */
  readonly eps?: number;
  /** Dimension of the outputs. Default: 1 for transposed convolutions, else 0. */
  readonly dim?: number | null;
  /** Source of the first singular vectors. */
  readonly generator?: Generator | null;
}

/**
 * Divides a layer's weight by its largest singular value at every forward, as PyTorch's `nn.utils.spectral_norm`, with its
 * keys: parameter `weight_orig`, buffers `weight_u`, `weight_v`. Returns the same module.
 */
export function spectralNorm<M extends Module>(module: M, options?: SpectralNormOptions): M {
  const { name, nPowerIterations, eps, generator, ...given } = signature.spectralNorm.read('spectralNorm', [], options);
  const transposed = [ConvTranspose1d, ConvTranspose2d, ConvTranspose3d].some((type) => module instanceof type);
  const dim = given.dim ?? (transposed ? 1 : 0);
  const weight = takeOut(module, name);
  slots(module)[`${name}_orig`] = weight;
  // Looked up each time, because `toEmpty` puts other tensors in their place.
  const vectors = (of: Module) => [slots(of)[`${name}_u`], slots(of)[`${name}_v`]] as [Tensor, Tensor];
  const drawVectors = (of: Module, g: Generator) => {
    for (const x of vectors(of)) x.copy_(normalized(randn(x.shape, { generator: g, device: g.device }), eps));
  };
  const [rows, columns] = asMatrix(weight, dim).shape as [number, number];
  module.registerBuffer(`${name}_u`, weight.detach().newEmpty([rows]));
  module.registerBuffer(`${name}_v`, weight.detach().newEmpty([columns]));
  if (weight.device !== 'meta' && !initSkipped())
    noGrad(() => scope(() => drawVectors(module, generator ?? initialSource())));

  install(module, name, (of) => {
    const original = () => slots(of)[`${name}_orig`] as Parameter;
    return {
      compute() {
        const matrix = asMatrix(original(), dim);
        const [u, v] = vectors(of);
        if (of.training) {
          noGrad(() => {
            for (let i = 0; i < nPowerIterations; i += 1) {
              v.copy_(normalized(matrix.t().mv(u), eps));
              u.copy_(normalized(matrix.mv(v), eps));
            }
          });
        }
        // Copies, because the next forward overwrites the buffers that this one's backward still needs.
        return original().div(u.clone().dot(matrix.mv(v.clone())));
      },
      blank: original,
      reset: (_, g) => drawVectors(of, g),
    };
  });
  return module;
}

export interface WeightNormOptions {
  /** Parameter to split. Default `'weight'`. */
  readonly name?: string;
  /** The dimension that keeps a length for each entry; null for one length of the whole weight. Default 0. */
  readonly dim?: number | null;
}

/**
 * Splits a layer's weight into direction and length, as PyTorch's `nn.utils.weight_norm`, with its keys: parameters
 * `weight_g` (1 in all dimensions but `dim`) and `weight_v`. Returns the same module.
 */
export function weightNorm<M extends Module>(module: M, options?: WeightNormOptions): M {
  const { name, ...given } = signature.weightNorm.read('weightNorm', [], options);
  const dim = given.dim ?? -1;
  const weight = takeOut(module, name);
  const lengths = (w: Tensor) => ops.normExceptDim(w, 2, dim);
  const own = new Parameter(noGrad(() => lengths(weight)));
  // Lengths of a weight that somebody has set are as set as the weight.
  if (!isUntouched(weight)) markWritten(own);
  slots(module)[`${name}_g`] = own;
  slots(module)[`${name}_v`] = weight;
  install(module, name, (of) => {
    const parts = () => [slots(of)[`${name}_g`], slots(of)[`${name}_v`]] as [Parameter, Parameter];
    return {
      compute() {
        const [g, v] = parts();
        return ops._weightNorm(v, g, dim);
      },
      blank: () => parts()[1],
      reset: (drawn) => {
        parts()[0].copy_(lengths(drawn));
      },
    };
  });
  return module;
}

function asMatrix(weight: Tensor, dim: number): Tensor {
  return (dim === 0 ? weight : weight.transpose(0, dim)).flatten(1);
}

function normalized(x: Tensor, eps: number): Tensor {
  return x.div(x.norm().clampMin(eps));
}
