import { ConfigError, Tensor } from '../torch/index.js';
import { markMade, markWritten } from './initial.js';

/**
 * A tensor that is trained. A module finds its parameters by this class among its own properties.
 * It outlives every scope; the collector frees it with its module.
 */
export class Parameter extends Tensor {
  /** The object whose native tensor this is: it must not be collected earlier, or the tensor would go with it. */
  readonly #source: Tensor;

  /** Takes `data` over: same storage, no copy. Use only the parameter from then on. */
  constructor(data: Tensor, requiresGrad = true) {
    if (!(data instanceof Tensor)) {
      throw new ConfigError(
        `Expected a tensor for a Parameter, got ${typeof data}: say tensor(...), zeros(...) first.`,
      );
    }
    const leaf = data.isLeaf ? data : data.detach();
    super(leaf.handle);
    this.#source = leaf;
    this.keep();
    this.requiresGrad = requiresGrad;
    markMade(this);
  }

  override setData(other: Tensor): this {
    super.setData(other);
    markWritten(this);
    return this;
  }

  override dispose(): void {
    this.#source.dispose();
  }
}
