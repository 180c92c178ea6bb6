/** What LF-DNN, TFN and LMF share: one vector a modality, each from a network of its own that sees no other. */

import type { Modality } from '../../features/specs.js';
import { Dropout, Linear, Module } from '../../nn/index.js';
import type { TextEncoder } from '../../text/encoder.js';
import type { Tensor } from '../../torch/index.js';
import type { SentimentBatch } from '../datasets/index.js';
import {
  type ModelContext,
  SentimentModel,
  type SentimentOutput,
  type SequenceInput,
  sequenceOf,
  textOf,
  widthOf,
} from './model.js';
import { SequenceEncoder } from './parts.js';
import { meanRow, textRows } from './rows.js';

/** Vectors by modality, [B, d] each. */
export type Vectors = Readonly<Partial<Record<Modality, Tensor>>>;

/**
 * The mean of the rows, dropout, three linear layers with a ReLU each: [B, T, rows] to [B, width]. MMSA's `SubNet`
 * without its batch normalisation: features are standardised before they come here, and a batch of one is possible.
 * Keys: `linear_1`, `linear_2`, `linear_3`.
 */
export class MeanSubnet extends Module {
  drop: Dropout;
  linear_1: Linear;
  linear_2: Linear;
  linear_3: Linear;

  constructor(rows: number, width: number, dropout = 0) {
    super();
    this.drop = new Dropout(dropout);
    this.linear_1 = new Linear(rows, width);
    this.linear_2 = new Linear(width, width);
    this.linear_3 = new Linear(width, width);
  }

  forward(input: SequenceInput): Tensor {
    const first = this.linear_1.forward(this.drop.forward(meanRow(input))).relu();
    return this.linear_3.forward(this.linear_2.forward(first).relu()).relu();
  }
}

/** Widths and dropout of the networks of the single modalities. */
export interface SubnetSettings {
  /** Of the LSTM over the text, and of the layers of audio and vision, whose vectors are as wide. */
  readonly hidden: Readonly<Record<Modality, number>>;
  /** Width of the text's vector. */
  readonly textOut: number;
  readonly dropout: Readonly<Record<Modality, number>>;
}

/**
 * Text through an LSTM over its encoded words, audio and vision through a {@link MeanSubnet}; how the vectors are joined
 * is the model's. Keys: `text.*`, `text_net.*`, `audio.*`, `vision.*`.
 */
export abstract class SubnetModel extends SentimentModel {
  text: TextEncoder | null = null;
  text_net: SequenceEncoder | null = null;
  audio: MeanSubnet | null = null;
  vision: MeanSubnet | null = null;
  /** Of the vectors. */
  protected readonly widths: Readonly<Partial<Record<Modality, number>>>;
  readonly #modalities: readonly Modality[];

  protected constructor(context: ModelContext, { hidden, textOut, dropout }: SubnetSettings) {
    super();
    this.#modalities = context.modalities;
    for (const name of this.#modalities) {
      if (name === 'text') {
        this.text = textOf(context);
        this.text_net = new SequenceEncoder(this.text.width, hidden.text, textOut, dropout.text);
      } else this[name] = new MeanSubnet(widthOf(context, name), hidden[name], dropout[name]);
    }
    this.widths = Object.fromEntries(
      this.#modalities.map((name) => [name, name === 'text' ? textOut : hidden[name]] as const),
    );
  }

  /** The prediction, as heads give it. */
  protected abstract fuse(vectors: Vectors): Tensor;

  forward(batch: SentimentBatch): SentimentOutput {
    const features: Vectors = Object.fromEntries(this.#modalities.map((name) => [name, this.#encode(name, batch)]));
    return { prediction: this.fuse(features), unimodal: {}, features, hidden: {}, losses: {} };
  }

  #encode(name: Modality, batch: SentimentBatch): Tensor {
    if (name === 'text') return this.text_net!.forward(textRows(this.text!.forward(batch)));
    return this[name]!.forward(sequenceOf(batch, name));
  }
}
