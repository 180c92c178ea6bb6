/** Pieces read both ways by LSTMs: what a transformer is compared with. Its `config.json` has Hugging Face's names where they mean the same. */
import { isAtLeast, isObject, isOneOf, isWhole } from '../io/json-file.js';
import { Dropout, Embedding, LayerNorm, LSTM, Module } from '../nn/index.js';
import { DataError, type Tensor } from '../torch/index.js';

/** How its `config.json` calls it. */
export const lstmType = 'bilstm';

const fields = {
  vocab_size: isWhole(1),
  embedding_size: isWhole(1),
  hidden_size: isWhole(2),
  num_hidden_layers: isWhole(1),
  max_position_embeddings: isWhole(1),
  hidden_dropout_prob: isAtLeast(0),
  pad_token_id: isWhole(0),
};
const shape = isObject({ model_type: isOneOf([lstmType]), ...fields });

/** The content of its `config.json`. */
export type LstmConfig = { readonly model_type: typeof lstmType } & Readonly<Record<keyof typeof fields, number>>;

/** @param where - names the source in errors. @throws DataError for another kind of model, and values that none has */
export function parseLstmConfig(json: unknown, where: string): LstmConfig {
  const faults = shape(json, '');
  if (faults.length > 0) throw new DataError(`${where}: expected ${faults.join('; ')}`);
  const config = json as LstmConfig;
  if (config.hidden_size % 2 === 0) return config;
  throw new DataError(`${where}: expected an even hidden_size, half for each way, got ${config.hidden_size}`);
}

/** Vectors of pieces, brought to one scale, as they may come from another encoder. Keys: `word_embeddings`, `norm`. */
export class LstmEmbeddings extends Module {
  word_embeddings: Embedding;
  norm: LayerNorm;
  dropout: Dropout;

  constructor(config: LstmConfig) {
    super();
    this.word_embeddings = new Embedding(config.vocab_size, config.embedding_size, { paddingIdx: config.pad_token_id });
    this.norm = new LayerNorm(config.embedding_size);
    this.dropout = new Dropout(config.hidden_dropout_prob);
  }

  /** int64 [B, L] to [B, L, embedding_size] */
  forward(ids: Tensor): Tensor {
    return this.dropout.forward(this.norm.forward(this.word_embeddings.forward(ids)));
  }
}

/** A two-way LSTM over the pieces without the padding. It computes in float32. Key: `rnn`. */
export class LstmLayer extends Module {
  rnn: LSTM;
  dropout: Dropout;

  /** @param from - width of the rows that come in */
  constructor(config: LstmConfig, from: number) {
    super();
    this.rnn = new LSTM(from, config.hidden_size / 2, { batchFirst: true, bidirectional: true });
    this.dropout = new Dropout(config.hidden_dropout_prob);
  }

  /** @param keys - bool [B, 1, 1, L], true for pieces; null: all */
  forward(rows: Tensor, keys: Tensor | null): Tensor {
    const lengths = keys && (keys.flatten(1).sum([1]).clampMin(1).tolist() as number[]);
    const [read] = this.rnn.forward(rows.to({ dtype: 'float32' }), null, { lengths });
    return this.dropout.forward(read).to({ dtype: rows.dtype });
  }
}
