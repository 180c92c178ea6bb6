/** Early fusion: the rows of all modalities side by side under one LSTM. MMSA's EF-LSTM (after Williams et al., ACL 2018). */

import type { Modality } from '../../features/specs.js';
import { Dropout, Linear, LSTM } from '../../nn/index.js';
import type { TextEncoder } from '../../text/encoder.js';
import { ConfigError, cat, ops, type Tensor, tensor } from '../../torch/index.js';
import type { SentimentBatch } from '../datasets/index.js';
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
import { lengthsOf, textRows, withoutPadding } from './rows.js';
import { type Partially, withDefaults } from './settings.js';

/** What is left out is MMSA's for MOSI. */
export interface EfLstmSettings {
  /** Default 128. */
  readonly hidden: number;
  /** Layers of the LSTM. Default 4. */
  readonly layers: number;
  /** Between the layers, after them, and before the last linear layer. Default 0.5. */
  readonly dropout: number;
  /**
   * How the modalities get equally many rows. `'pool'` (default): the rows of the others are averaged into as many
   * segments, equally long, as the text has words (or tokens); without text, as the first modality has rows. Words are
   * taken to last equally long, which real alignment would know better. `'none'`: the data is aligned, and anything else
   * an error.
   */
  readonly align: 'pool' | 'none';
}

export type EfLstmOptions = Partially<EfLstmSettings>;

const defaults: EfLstmSettings = { hidden: 128, layers: 4, dropout: 0.5, align: 'pool' };

/**
 * Averages an utterance's n rows into m segments, as adaptive average pooling does: segment i is the mean of the rows from
 * ⌊i n / m⌋ to ⌈(i + 1) n / m⌉. Fewer rows than segments are repeated. Padding is not read.
 * @param segments - of each utterance
 * @returns [B, rows, D], zeros behind an utterance's last segment
 */
export function poolRows(input: SequenceInput, segments: readonly number[], rows: number): Tensor {
  const { device, shape, dtype } = input.values;
  const from = lengthsOf(input).view([-1, 1, 1]);
  const to = tensor([...segments], { dtype: 'int64', device }).view([-1, 1, 1]);
  const segment = ops.arange(rows, { device }).view([1, -1, 1]);
  const row = ops.arange(shape[1]!, { device }).view([1, 1, -1]);
  const floor = (a: Tensor, b: Tensor): Tensor => a.div(b, { roundingMode: 'floor' });
  const start = floor(segment.mul(from), to);
  const end = floor(segment.add(1).mul(from).add(to).sub(1), to);
  const inside = row.ge(start).logicalAnd(row.lt(end)).logicalAnd(segment.lt(to));
  const weights = inside.to({ dtype }).div(end.sub(start));
  return weights.matmul(withoutPadding(input));
}

/** One modality or more. It has no features before fusion, so that nothing can align them. Keys: `text.*`, `lstm.*`, ... */
export class EfLstm extends SentimentModel {
  text: TextEncoder | null = null;
  lstm: LSTM;
  dropout: Dropout;
  linear: Linear;
  out: Linear;
  readonly #modalities: readonly Modality[];
  readonly #align: 'pool' | 'none';

  constructor(context: ModelContext, options: EfLstmOptions = {}) {
    super();
    const { hidden, layers, dropout, align } = withDefaults('ef-lstm', defaults, options);
    if (align !== 'pool' && align !== 'none') {
      throw new ConfigError(`Expected the option align of ef-lstm to be 'pool' or 'none', got '${String(align)}'`);
    }
    this.#align = align;
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
    const rest = others.map((input, i) => {
      if (this.#align === 'pool') return poolRows(input, lengths, rows);
      const wrong = lengths.findIndex((length, b) => length !== input.lengths[b]);
      if (wrong < 0) return input.values.narrow(1, 0, rows);
      const [a, b] = [this.#modalities[0], this.#modalities[i + 1]];
      throw new ConfigError(
        `Expected as many rows of ${b} as of ${a}, got ${input.lengths[wrong]} and ${lengths[wrong]} (utterance ${wrong} of ` +
          `a batch): use aligned features, or the option align 'pool' of ef-lstm`,
      );
    });
    return [values.narrow(1, 0, rows), ...rest];
  }
}
