/** Tensor Fusion Network: Zadeh et al., EMNLP 2017 (arXiv 1707.07250). */
import { ops, type Tensor } from '../../torch/index.js';
import type { ModelContext } from './model.js';
import { Head } from './parts.js';
import { expectSeveral } from './rows.js';
import { type Partially, withDefaults } from './settings.js';
import { SubnetModel, type SubnetSettings, type Vectors } from './subnets.js';

/** What is left out is MMSA's for MOSI. */
export interface TfnSettings extends SubnetSettings {
  /** Default text 128, audio 32, vision 128. */
  readonly hidden: SubnetSettings['hidden'];
  /** Default 32. */
  readonly textOut: number;
  /** Default audio and vision 0.3. MMSA's text subnet has one layer, and so none, whatever its configuration says. */
  readonly dropout: SubnetSettings['dropout'];
  /** Hidden width of the head, and the dropout before it. Default 64, 0.5. */
  readonly post: { readonly hidden: number; readonly dropout: number };
}

export type TfnOptions = Partially<TfnSettings>;

const defaults: TfnSettings = {
  hidden: { text: 128, audio: 32, vision: 128 },
  textOut: 32,
  dropout: { text: 0, audio: 0.3, vision: 0.3 },
  post: { hidden: 64, dropout: 0.5 },
};

/**
 * Every product of one element of each vector, a 1 put before each, so that products of fewer vectors, and the vectors
 * themselves, are among them (section 4.2): [B, d], [B, e], ... to [B, (d + 1)(e + 1)...], the last vector's index
 * changing fastest.
 */
export function tensorFusion(vectors: readonly Tensor[]): Tensor {
  return vectors.map(withOne).reduce((product, vector) => product.unsqueeze(2).mul(vector.unsqueeze(1)).flatten(1));
}

/** [B, d] to [B, 1 + d]. */
export function withOne(vector: Tensor): Tensor {
  return ops.constantPadNd(vector, [1, 0], 1);
}

/**
 * Two modalities or three. The head is that of section 4.3 without the sigmoid that fits its output to the labels' range,
 * as for every other model here. The head's first layer is large: width · Π (d + 1). Keys: those of {@link SubnetModel},
 * and `fusion.*`.
 */
export class Tfn extends SubnetModel {
  fusion: Head;

  /** @throws ConfigError for one modality */
  constructor(context: ModelContext, options: TfnOptions = {}) {
    expectSeveral(context, 'TFN');
    const settings = withDefaults('tfn', defaults, options);
    super(context, settings);
    const products = Object.values(this.widths).reduce((product, width) => product * (width + 1), 1);
    this.fusion = new Head(products, settings.post.hidden, context.outputs, settings.post.dropout);
  }

  protected override fuse(vectors: Vectors): Tensor {
    return this.fusion.forward(tensorFusion(Object.values(vectors))).prediction;
  }
}
