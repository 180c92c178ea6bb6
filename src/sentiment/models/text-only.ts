/** The baseline that says what audio and vision are worth: a head on the text's vector. */
import type { TextEncoder } from '../../text/encoder.js';
import { ConfigError } from '../../torch/index.js';
import type { SentimentBatch } from '../datasets/index.js';
import { type ModelContext, SentimentModel, type SentimentOutput, textOf } from './model.js';
import { Head } from './parts.js';
import { type Partially, withDefaults } from './settings.js';

export interface TextOnlySettings {
  /** Of the head. Default 128. */
  readonly hidden: number;
  /** Before the head. Default 0.1. */
  readonly dropout: number;
}

export type TextOnlyOptions = Partially<TextOnlySettings>;

const defaults: TextOnlySettings = { hidden: 128, dropout: 0.1 };

/** Keys: `text.*`, `head.*`. */
export class TextOnly extends SentimentModel {
  text: TextEncoder;
  head: Head;

  /** @throws ConfigError when the context has other modalities than text: the model would not look at them */
  constructor(context: ModelContext, options: TextOnlyOptions = {}) {
    super();
    const { hidden, dropout } = withDefaults('text-only', defaults, options);
    if (context.modalities.join() !== 'text') {
      throw new ConfigError(
        `Expected modalities to be ['text'] for text-only, got [${context.modalities.join(', ')}]: leave out the others`,
      );
    }
    this.text = textOf(context);
    this.head = new Head(this.text.width, hidden, context.outputs, dropout);
  }

  forward(batch: SentimentBatch): SentimentOutput {
    const text = this.text.forward(batch).pooled;
    return { prediction: this.head.forward(text).prediction, unimodal: {}, features: { text }, hidden: {}, losses: {} };
  }
}
