/**
 * The model of arXiv 2305.08473: an encoder and a head for each modality, a head over all of them. With the alignment of
 * modalities off it is Self-MM (Yu et al., AAAI 2021), whose released code decides where its paper is silent.
 */

import type { Modality } from '../../features/specs.js';
import { ModuleDict } from '../../nn/index.js';
import type { TextEncoder } from '../../text/encoder.js';
import { cat, type Tensor } from '../../torch/index.js';
import type { SentimentBatch } from '../datasets/index.js';
import { type ModelContext, SentimentModel, type SentimentOutput, sequenceOf, textOf, widthOf } from './model.js';
import { Head, SequenceEncoder } from './parts.js';
import { type Partially, withDefaults } from './settings.js';

/** Widths and dropout; what is left out is Self-MM's for MOSI (MMSA's configuration). */
export interface SharedPrivateSettings {
  /** Of the LSTMs. Default audio 16, vision 32. */
  readonly hidden: Readonly<Record<'audio' | 'vision', number>>;
  /** Of the features of audio and vision. Default 16, 32. Equal widths let `alignment.on: 'feature'` align them. */
  readonly out: Readonly<Record<'audio' | 'vision', number>>;
  /** Hidden width of each head. Default multimodal 128, text 32, audio 16, vision 32. */
  readonly post: Readonly<Record<'multimodal' | Modality, number>>;
  /** Before each head. Default text and audio 0.1, the others 0. */
  readonly dropout: Readonly<Record<'multimodal' | Modality, number>>;
  /** After the LSTMs. Default as before the heads; MMSA's `a_lstm_dropout` and `v_lstm_dropout` are 0. */
  readonly rnnDropout: Readonly<Record<'audio' | 'vision', number>>;
  /** Means and deviations of the rows of audio and vision beside their LSTMs' last states: for few utterances of many rows. Default false. */
  readonly statistics: boolean;
}

export type SharedPrivateOptions = Partially<SharedPrivateSettings>;

const defaults: Omit<SharedPrivateSettings, 'rnnDropout'> = {
  hidden: { audio: 16, vision: 32 },
  out: { audio: 16, vision: 32 },
  post: { multimodal: 128, text: 32, audio: 16, vision: 32 },
  dropout: { multimodal: 0, text: 0.1, audio: 0.1, vision: 0 },
  statistics: false,
};

function settingsOf(options: SharedPrivateOptions): SharedPrivateSettings {
  const { audio, vision } = { ...defaults.dropout, ...options.dropout };
  return withDefaults('shared-private', { ...defaults, rnnDropout: { audio, vision } }, options);
}

/** Keys: `text.*`, `audio.*`, `vision.*`, `fusion.*`, and `heads.<modality>.*`, which prediction does not need. */
export class SharedPrivate extends SentimentModel {
  text: TextEncoder | null = null;
  audio: SequenceEncoder | null = null;
  vision: SequenceEncoder | null = null;
  heads: ModuleDict<Head>;
  fusion: Head;
  readonly #modalities: readonly Modality[];

  constructor(context: ModelContext, options: SharedPrivateOptions = {}) {
    super();
    this.#modalities = context.modalities;
    const { hidden, out, post, dropout, rnnDropout, statistics } = settingsOf(options);
    const widths = this.#modalities.map((name): [Modality, number] => {
      if (name === 'text') {
        this.text = textOf(context);
        return [name, this.text.width];
      }
      this[name] = new SequenceEncoder(widthOf(context, name), hidden[name], out[name], rnnDropout[name], statistics);
      return [name, out[name]];
    });
    const head = (name: Modality, width: number): Head => new Head(width, post[name], context.outputs, dropout[name]);
    this.heads = new ModuleDict(Object.fromEntries(widths.map(([name, width]) => [name, head(name, width)])));
    const total = widths.reduce((sum, [, width]) => sum + width, 0);
    this.fusion = new Head(total, post.multimodal, context.outputs, dropout.multimodal);
  }

  forward(batch: SentimentBatch): SentimentOutput {
    const features = Object.fromEntries(this.#modalities.map((name) => [name, this.#encode(name, batch)]));
    const whole = this.fusion.forward(cat(Object.values(features), 1));
    const alone = this.#modalities.map((name) => [name, this.heads.get(name).forward(features[name]!)] as const);
    return {
      prediction: whole.prediction,
      unimodal: Object.fromEntries(alone.map(([name, { prediction }]) => [name, prediction])),
      features,
      hidden: { multimodal: whole.hidden, ...Object.fromEntries(alone.map(([name, head]) => [name, head.hidden])) },
      losses: {},
    };
  }

  #encode(name: Modality, batch: SentimentBatch): Tensor {
    return name === 'text' ? this.text!.forward(batch).pooled : this[name]!.forward(sequenceOf(batch, name));
  }
}
