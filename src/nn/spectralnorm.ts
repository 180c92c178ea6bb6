import { ConfigError, defaultGenerator, type Generator, noGrad, randn, scope, type Tensor } from '../torch/index.js';
import { type Module, slots } from './module.js';
import { Parameter } from './parameter.js';

export interface SpectralNormOptions {
  /** Parameter to normalise. Default `'weight'`. */
  readonly name?: string;
  /** Power iterations at each training forward. Default 1. */
  readonly nPowerIterations?: number;
  /** Default 1e-12. */
  readonly eps?: number;
  /** Dimension of the outputs: 0, or 1 for transposed convolutions. */
  readonly dim?: number;
  /** Source of the first singular vectors. */
  readonly generator?: Generator;
}

/**
 * Divides a layer's weight by its largest singular value at every forward, as PyTorch's `nn.utils.spectral_norm`, with its
 * keys: parameter `weight_orig`, buffers `weight_u`, `weight_v`. Returns the same module.
 */
export function spectralNorm<M extends Module>(module: M, options: SpectralNormOptions = {}): M {
  const { name = 'weight', nPowerIterations = 1, eps = 1e-12, dim = 0, generator = defaultGenerator } = options;
  const registry = slots(module);
  const weight = registry[name];
  if (!(weight instanceof Parameter)) {
    throw new ConfigError(`Expected a parameter '${name}' in ${module.toString()}, got ${typeof weight}`);
  }
  delete registry[name];
  registry[`${name}_orig`] = weight;
  const [rows, columns] = asMatrix(weight, dim).shape as [number, number];
  const { dtype, device } = weight;
  const unit = (size: number) =>
    noGrad(() => scope(() => normalized(randn([size], { generator }).to({ dtype, device }), eps)));
  module.registerBuffer(`${name}_u`, unit(rows));
  module.registerBuffer(`${name}_v`, unit(columns));

  const compute = (): Tensor => {
    // Looked up each time: `toEmpty` puts other tensors in their place.
    const original = registry[`${name}_orig`] as Parameter;
    const matrix = asMatrix(original, dim);
    const [u, v] = [registry[`${name}_u`], registry[`${name}_v`]] as [Tensor, Tensor];
    if (module.training) {
      noGrad(() => {
        for (let i = 0; i < nPowerIterations; i += 1) {
          v.copy_(normalized(matrix.t().mv(u), eps));
          u.copy_(normalized(matrix.mv(v), eps));
        }
      });
    }
    // Copies, because the next forward overwrites the buffers that this one's backward still needs.
    const sigma = u.clone().dot(matrix.mv(v.clone()));
    return original.div(sigma);
  };
  const forward = module.forward.bind(module) as (...inputs: unknown[]) => unknown;
  hide(module, 'forward', (...inputs: unknown[]) => {
    hide(module, name, compute());
    return forward(...inputs);
  });
  return module;
}

/** A property outside of the registry. */
function hide(module: Module, name: string, value: unknown): void {
  Object.defineProperty(module, name, { value, enumerable: false, configurable: true, writable: true });
}

function asMatrix(weight: Tensor, dim: number): Tensor {
  return (dim === 0 ? weight : weight.transpose(0, dim)).flatten(1);
}

function normalized(x: Tensor, eps: number): Tensor {
  return x.div(x.norm().clampMin(eps));
}
