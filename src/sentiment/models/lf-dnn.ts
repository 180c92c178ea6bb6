/** Late fusion by concatenation: MMSA's LF-DNN (after Cambria et al., Benchmarking Multimodal Sentiment Analysis, 2017). */
import { cat, type Tensor } from '../../torch/index.js';
import type { ModelContext } from './model.js';
import { Head } from './parts.js';
import { type Partially, withDefaults } from './settings.js';
import { SubnetModel, type SubnetSettings, type Vectors } from './subnets.js';

/** What is left out is MMSA's for MOSI. */
export interface LfDnnSettings extends SubnetSettings {
  /** Default text 128, audio 16, vision 128. */
  readonly hidden: SubnetSettings['hidden'];
  /** Default 256. */
  readonly textOut: number;
  /** Default audio and vision 0.2. MMSA's text subnet has one layer, and so none, whatever its configuration says. */
  readonly dropout: SubnetSettings['dropout'];
  /** Hidden width of the head, and the dropout before it. Default 128, 0.2. */
  readonly post: { readonly hidden: number; readonly dropout: number };
}

export type LfDnnOptions = Partially<LfDnnSettings>;

const defaults: LfDnnSettings = {
  hidden: { text: 128, audio: 16, vision: 128 },
  textOut: 256,
  dropout: { text: 0, audio: 0.2, vision: 0.2 },
  post: { hidden: 128, dropout: 0.2 },
};

/** One modality or more. Keys: those of {@link SubnetModel}, and `fusion.*`. */
export class LfDnn extends SubnetModel {
  fusion: Head;

  constructor(context: ModelContext, options: LfDnnOptions = {}) {
    const settings = withDefaults('lf-dnn', defaults, options);
    super(context, settings);
    const total = Object.values(this.widths).reduce((sum, width) => sum + width, 0);
    this.fusion = new Head(total, settings.post.hidden, context.outputs, settings.post.dropout);
  }

  protected override fuse(vectors: Vectors): Tensor {
    return this.fusion.forward(cat(Object.values(vectors), 1)).prediction;
  }
}
