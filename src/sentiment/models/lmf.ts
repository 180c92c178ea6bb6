/** Low-rank Multimodal Fusion: Liu et al., ACL 2018 (arXiv 1806.00064). */

import type { Modality } from '../../features/specs.js';
import { init, Module, Parameter } from '../../nn/index.js';
import { empty, type Generator, type Tensor } from '../../torch/index.js';
import { asPrediction, type ModelContext } from './model.js';
import { expectSeveral } from './rows.js';
import { type Partially, withDefaults } from './settings.js';
import { SubnetModel, type SubnetSettings, type Vectors } from './subnets.js';
import { withOne } from './tfn.js';

/** What is left out is MMSA's for MOSI, except the rank, which is the paper's and that of MMSA's other data sets. */
export interface LmfSettings extends SubnetSettings {
  /** Default text 128, audio 16, vision 128. */
  readonly hidden: SubnetSettings['hidden'];
  /** Default 64. */
  readonly textOut: number;
  /** Default audio and vision 0.3. MMSA's text subnet has one layer, and so none, whatever its configuration says. */
  readonly dropout: SubnetSettings['dropout'];
  /** Terms of the sum that stands for the whole tensor of weights. Default 4. */
  readonly rank: number;
}

export type LmfOptions = Partially<LmfSettings>;

const defaults: LmfSettings = {
  hidden: { text: 128, audio: 16, vision: 128 },
  textOut: 64,
  dropout: { text: 0, audio: 0.3, vision: 0.3 },
  rank: 4,
};

/**
 * A linear map of the products of {@link tensorFusion} whose weight is a sum of `rank` outer products, computed without
 * either (section 3.2): h = Σᵣ wᵣ · Πₘ ([1; zₘ] Fₘᵣ) + b. Keys: `text_factor`, `audio_factor`, `vision_factor`
 * [rank, d + 1, outputs], `fusion_weights` [1, rank], `fusion_bias` [1, outputs].
 */
export class LowRankFusion extends Module {
  text_factor: Parameter | null = null;
  audio_factor: Parameter | null = null;
  vision_factor: Parameter | null = null;
  fusion_weights: Parameter;
  fusion_bias: Parameter;
  readonly #modalities: readonly Modality[];

  /** @param widths - of the vectors */
  constructor(widths: Readonly<Partial<Record<Modality, number>>>, rank: number, outputs: number) {
    super();
    this.#modalities = Object.keys(widths) as Modality[];
    for (const name of this.#modalities) {
      this[`${name}_factor`] = new Parameter(empty([rank, widths[name]! + 1, outputs]));
    }
    this.fusion_weights = new Parameter(empty([1, rank]));
    this.fusion_bias = new Parameter(empty([1, outputs]));
    this.initSelf();
  }

  override resetParameters(generator: Generator): void {
    for (const name of this.#modalities) init.xavierNormal_(this[`${name}_factor`]!, { generator });
    init.xavierNormal_(this.fusion_weights, { generator });
    init.zeros_(this.fusion_bias);
  }

  /** To [B, outputs]. */
  forward(vectors: Vectors): Tensor {
    const maps = this.#modalities.map((name) => withOne(vectors[name]!).matmul(this[`${name}_factor`]!));
    const product = maps.reduce((a, b) => a.mul(b));
    return product
      .mul(this.fusion_weights.view([-1, 1, 1]))
      .sum([0])
      .add(this.fusion_bias);
  }
}

/**
 * Two modalities or three. The fusion's output is the prediction, as in MMSA, without the sigmoid that fits it to the
 * labels' range. Keys: those of {@link SubnetModel}, and `fusion.*`.
 */
export class Lmf extends SubnetModel {
  fusion: LowRankFusion;

  /** @throws ConfigError for one modality */
  constructor(context: ModelContext, options: LmfOptions = {}) {
    expectSeveral(context, 'LMF');
    const settings = withDefaults('lmf', defaults, options);
    super(context, settings);
    this.fusion = new LowRankFusion(this.widths, settings.rank, context.outputs);
  }

  protected override fuse(vectors: Vectors): Tensor {
    return asPrediction(this.fusion.forward(vectors));
  }
}
