/** A model with all that it needs to read a batch: its text encoder, its tokenizer, its scaling. */

import type { Modality } from '../features/specs.js';
import { Module, StepGenerators } from '../nn/index.js';
import type { TextEncoder } from '../text/encoder.js';
import type { SentimentConfig } from './config.js';
import type { SentimentBatch } from './datasets/index.js';
import { buildSentimentModel } from './models/index.js';
import type { ModelContext, SentimentModel, SentimentOutput } from './models/model.js';
import { Standardise } from './models/standardise.js';

/** What the network's shape depends on besides its configuration. */
export interface NetworkShape {
  /** Width of the rows of each modality that comes as features. */
  readonly widths: Readonly<Partial<Record<Modality, number>>>;
  readonly outputs: number;
}

/** Keys: `scale.*`, and the model's own under `model.`. */
export class SentimentNetwork extends Module {
  scale: Standardise;
  model: SentimentModel;
  readonly #generators: StepGenerators;

  /** @param text - the encoder with its weights, where the model reads text */
  constructor(config: SentimentConfig, shape: NetworkShape, text: TextEncoder | null, seed: number) {
    super();
    const { text: _, ...scaled } = shape.widths;
    this.scale = new Standardise(scaled);
    const context: ModelContext = { modalities: config.modalities, text, ...shape };
    this.model = buildSentimentModel(config.model, context, config.modelOptions, seed);
    this.#generators = new StepGenerators(seed, this.model.namedChildren(), config.device);
  }

  override forward(batch: SentimentBatch): SentimentOutput {
    return this.model.forward(this.scale.forward(batch));
  }

  /** Everything that draws in this step does so from the seed, its name and the step: a resumed run goes on bit for bit. */
  beginStep(step: number): void {
    this.#generators.begin(step);
  }
}
