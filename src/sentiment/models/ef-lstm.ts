/** Early fusion: the rows of all modalities side by side under one LSTM. MMSA's EF-LSTM (after Williams et al., ACL 2018). */

import type { Modality } from '../../features/specs.js';
import { Dropout, Linear, LSTM } from '../../nn/index.js';
import type { TextEncoder } from '../../text/encoder.js';
import { cat, type Tensor } from '../../torch/index.js';
import type { SentimentBatch } from '../datasets/index.js';
import { alignedTo, checkAlignment, type RowAlignment } from './aligned.js';
import {
  asPrediction,
  type ModelContext,
  SentimentModel,
  type SentimentOutput,
  type SequenceInput,
  sequenceOf,
  textOf,
  widthOf,
} from './model.js';
import { textRows } from './rows.js';
import { type Partially, withDefaults } from './settings.js';

/** What is left out is MMSA's for MOSI. */
export interface EfLstmSettings {
  /** Default 128. */
  readonly hidden: number;
  /** Layers of the LSTM. Default 4. */
  readonly layers: number;
  /** Between the layers, after them, and before the last linear layer. Default 0.5. */
  readonly dropout: number;
  /** How the modalities get equally many rows. Default `'pool'`. */
  readonly align: RowAlignment;
}

export type EfLstmOptions = Partially<EfLstmSettings>;

const defaults: EfLstmSettings = { hidden: 128, layers: 4, dropout: 0.5, align: 'pool' };

/** One modality or more. It has no features before fusion, so that nothing can align them. Keys: `text.*`, `lstm.*`, ... */
export class EfLstm extends SentimentModel {
  text: TextEncoder | null = null;
  lstm: LSTM;
  dropout: Dropout;
  linear: Linear;
  out: Linear;
  readonly #modalities: readonly Modality[];
  readonly #align: RowAlignment;

  constructor(context: ModelContext, options: EfLstmOptions = {}) {
    super();
    const { hidden, layers, dropout, align } = withDefaults('ef-lstm', defaults, options);
    this.#align = checkAlignment('ef-lstm', align);
    // Text first: its words are what the other rows are brought to.
    this.#modalities = [...context.modalities].sort((a, b) => Number(b === 'text') - Number(a === 'text'));
    const widths = this.#modalities.map((name) => {
      if (name !== 'text') return widthOf(context, name);
      this.text = textOf(context);
      return this.text.width;
    });
    const total = widths.reduce((sum, width) => sum + width, 0);
    this.lstm = new LSTM(total, hidden, { numLayers: layers, dropout, batchFirst: true });
    this.dropout = new Dropout(dropout);
    this.linear = new Linear(hidden, hidden);
    this.out = new Linear(hidden, context.outputs);
  }

  forward(batch: SentimentBatch): SentimentOutput {
    const inputs = this.#modalities.map((name) => this.#rows(name, batch));
    const { lengths } = inputs[0]!;
    const [, [last]] = this.lstm.forward(cat(this.#aligned(inputs), 2), null, { lengths });
    const hidden = this.linear.forward(this.dropout.forward(last.select(0, -1))).relu();
    const prediction = asPrediction(this.out.forward(this.dropout.forward(hidden)));
    return { prediction, unimodal: {}, features: {}, hidden: {}, losses: {} };
  }

  #rows(name: Modality, batch: SentimentBatch): SequenceInput {
    return name === 'text' ? textRows(this.text!.forward(batch)) : sequenceOf(batch, name);
  }

  /** The values of all modalities, equally long. */
  #aligned([first, ...others]: SequenceInput[]): Tensor[] {
    const { values, lengths } = first!;
    const rows = Math.max(...lengths);
    const order = { name: this.#modalities[0]!, lengths, rows };
    const rest = others.map((input, i) => alignedTo(order, this.#modalities[i + 1]!, input, this.#align, 'ef-lstm'));
    return [values.narrow(1, 0, rows), ...rest];
  }
}
