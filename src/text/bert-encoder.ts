/** BERT as a text encoder. */
import type { TensorBatch } from '../data/index.js';
import { skipInit } from '../nn/index.js';
import { ConfigError, ShapeError } from '../torch/index.js';
import { checkOptions } from '../torch/options.js';
import { BertModel } from './bert.js';
import { type BertConfig, readBertConfig } from './bert-config.js';
import { loadBertWeights } from './bert-weights.js';
import { type EncodedText, type RowShift, TextEncoder } from './encoder.js';
import { someRow } from './rows.js';

export interface BertEncoderOptions {
  /** Whether the weights stay as they are: no gradients, no dropout in training. Default false. */
  readonly frozen?: boolean;
}

/**
 * Reads `tokens` [B, 3, L]: the sequence is the last hidden states, the vector of the whole text that of the first piece,
 * `[CLS]` (as Self-MM; there is no pooler). Columns that are padding in every text of the batch are left out, so that
 * the sequence may be shorter than L. Keys: `bert.*`.
 */
export class BertEncoder extends TextEncoder {
  readonly width: number;
  bert: BertModel;
  readonly #frozen: boolean;

  constructor(config: BertConfig, options: BertEncoderOptions = {}) {
    super();
    checkOptions('BertEncoder', options, ['frozen']);
    this.width = config.hiddenSize;
    this.#frozen = options.frozen ?? false;
    this.bert = new BertModel(config, { pooler: false });
    if (this.#frozen) this.bert.requiresGrad_(false);
  }

  /**
   * @param folder - with config.json and model.safetensors, or the latter's shards
   * @throws DataError when they are not a BERT's, or do not fit each other
   */
  static fromFolder(folder: string, options: BertEncoderOptions = {}): BertEncoder {
    const encoder = skipInit(() => new BertEncoder(readBertConfig(folder), options));
    loadBertWeights(encoder.bert, folder);
    return encoder;
  }

  forward(batch: TensorBatch, shift?: RowShift): EncodedText {
    const { tokens } = batch;
    if (!tokens) throw new ConfigError(`Expected tokens in the batch, got ${Object.keys(batch).join(', ')}`);
    if (tokens.ndim !== 3 || tokens.shape[1] !== 3) {
      throw new ShapeError(`Expected tokens [B, 3, L]: ids, mask, segments; got [${tokens.shape}]`);
    }
    // Whoever sets the whole model to training does not mean this part of it.
    if (this.#frozen) this.bert.eval();
    const all = someRow(tokens.select(1, 1).ne(0));
    const length = (all.any(0).data() as Uint8Array).lastIndexOf(1) + 1;
    const used = tokens.narrow(2, 0, length);
    const mask = all.narrow(1, 0, length);
    const { sequence } = this.bert.forward({ ids: used.select(1, 0), mask, segments: used.select(1, 2), shift });
    return { sequence, mask, pooled: sequence.select(1, 0) };
  }
}
