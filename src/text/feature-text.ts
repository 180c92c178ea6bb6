/** Texts that come as features: the data set's own rows instead of an encoder. */
import type { TensorBatch } from '../data/index.js';
import { ConfigError, ShapeError, type Tensor } from '../torch/index.js';
import { checkOptions } from '../torch/options.js';
import { type EncodedText, type RowShift, TextEncoder } from './encoder.js';
import { someRow } from './rows.js';

/** How rows become one vector. */
export type FeaturePool = 'first' | 'mean';

export interface FeatureTextOptions {
  /**
   * `first`: the first row. That is `[CLS]` in the rows of a frozen BERT (MMSA's files), and the only row where there is
   * one for each utterance. `mean`: of the real rows, for vectors of words, whose first stands for one word alone.
   * Default `first`.
   */
  readonly pool?: FeaturePool;
}

/** Passes on the batch's `text` rows [B, T, width] and their mask. It has no weights. */
export class FeatureText extends TextEncoder {
  readonly pool: FeaturePool;

  /** @param width - of the rows */
  constructor(
    readonly width: number,
    options: FeatureTextOptions = {},
  ) {
    super();
    checkOptions('FeatureText', options, ['pool']);
    this.pool = options.pool ?? 'first';
    if (!Number.isInteger(width) || width < 1)
      throw new ConfigError(`Expected a width of text rows from 1, got ${width}`);
    if (!['first', 'mean'].includes(this.pool)) {
      throw new ConfigError(`Expected text features pooled by 'first' or 'mean', got '${String(this.pool)}'`);
    }
  }

  forward(batch: TensorBatch, shift?: RowShift): EncodedText {
    const { text: rows, textMask } = batch;
    if (!rows || !textMask) {
      throw new ConfigError(`Expected text features in the batch, got ${Object.keys(batch).join(', ')}`);
    }
    if (rows.ndim !== 3 || rows.shape[2] !== this.width) {
      throw new ShapeError(`Expected text features [B, T, ${this.width}], got [${rows.shape}]`);
    }
    const mask = someRow(textMask);
    const sequence = shift ? shift(rows, mask) : rows;
    return { sequence, mask, pooled: this.pool === 'first' ? sequence.select(1, 0) : meanOf(sequence, mask) };
  }
}

/** Of the real rows: [B, T, D] to [B, D]. */
function meanOf(sequence: Tensor, mask: Tensor): Tensor {
  const real = mask.unsqueeze(2).to({ dtype: sequence.dtype });
  return sequence
    .mul(real)
    .sum([1])
    .div(real.sum([1]));
}
