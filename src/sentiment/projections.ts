/** Modalities of different widths on a common one, where their statistics can be compared. */
import { type FactoryOptions, init, Linear, Module } from '../nn/index.js';
import { ConfigError, type Generator, type Tensor } from '../torch/index.js';
import { checkOptions } from '../torch/options.js';
import type { FeatureMatrices } from './alignment.js';

export interface SharedProjectionsOptions extends FactoryOptions {
  /** Default true: the projections stay as drawn, and only the encoders can lower the loss. */
  readonly frozen?: boolean;
}

class Projection extends Linear {
  override resetParameters(g: Generator): void {
    init.orthogonal_(this.weight, { generator: g });
  }
}

/**
 * A linear map without bias for each modality, to `width`: keys `audio.weight` [width, in], and so on.
 *
 * Free projections that feed the alignment loss alone learn to cancel it by themselves and leave the encoders as they
 * are. So they are (semi-)orthogonal and frozen unless told otherwise; give trained ones a weight decay.
 */
export class SharedProjections extends Module {
  readonly #names: readonly string[];

  /** @param widths - of each modality's features */
  constructor(widths: Readonly<Record<string, number>>, width: number, options: SharedProjectionsOptions = {}) {
    super();
    checkOptions('SharedProjections', options, ['frozen', 'device', 'dtype']);
    const { frozen = true, ...factory } = options;
    this.#names = Object.keys(widths);
    const registry = this as unknown as Record<string, Projection>;
    for (const name of this.#names) {
      if (name in this || name === '')
        throw new ConfigError(`Expected another name for a modality, '${name}' is taken`);
      registry[name] = new Projection(widths[name]!, width, { ...factory, bias: false });
    }
    if (frozen) this.requiresGrad_(false);
  }

  /**
   * Each modality's [batch, in] as [batch, width]. Modalities without a projection are an error, absent ones are not.
   * @throws ConfigError for a modality that has no projection
   */
  forward(features: FeatureMatrices): Record<string, Tensor> {
    return Object.fromEntries(
      Object.entries(features).map(([name, matrix]) => {
        if (!this.#names.includes(name)) {
          throw new ConfigError(`Expected features of ${this.#names.join(', ')} to project, got those of '${name}'`);
        }
        return [name, (this as unknown as Record<string, Projection>)[name]!.forward(matrix)];
      }),
    );
  }
}
