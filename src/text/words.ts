/** The small text encoder: word vectors, what reads them in their order, attention pooling. */
import type { TensorBatch } from '../data/index.js';
import {
  Conv1d,
  Dropout,
  Embedding,
  type FactoryOptions,
  functional,
  LayerNorm,
  Linear,
  LSTM,
  Module,
  ModuleList,
  Parameter,
  TransformerEncoder,
  TransformerEncoderLayer,
} from '../nn/index.js';
import { ConfigError, cat, empty, type Generator, noGrad, ops, type Tensor, where, zeros } from '../torch/index.js';
import { checkOptions } from '../torch/options.js';
import { type EncodedText, type RowShift, TextEncoder } from './encoder.js';
import { someRow } from './rows.js';

export interface WordEncoderOptions extends FactoryOptions {
  /** Width of the word vectors. Default 100. */
  readonly dims?: number;
  /** Of what comes out. Default 128. */
  readonly width?: number;
  /** What reads the words in their order; `cnn`: filters over runs of words (arXiv 1408.5882). Default `'transformer'`. */
  readonly reader?: 'transformer' | 'lstm' | 'cnn';
  /** Layers of a transformer or an LSTM. Default 1. */
  readonly depth?: number;
  /** Words that the filters of a `cnn` span; each length has an equal share of `width`. Default 1, 2, 3, 4. */
  readonly spans?: readonly number[];
  /** Whether words come with their scores in a list, see {@link WordEncoder.setScores}. Default false. */
  readonly scores?: boolean;
  /** Attention heads of a transformer. Default 4. */
  readonly heads?: number;
  /** Default 0.3. */
  readonly dropout?: number;
  /** Share of words that are hidden from the encoder in training. Default 0.1. */
  readonly wordDropout?: number;
  /** Positions that a transformer can tell apart; later words share the last one. Default 128. */
  readonly positions?: number;
  /** Whether training changes the word vectors. Default false: few texts would spoil them. */
  readonly tuneVectors?: boolean;
}

const wordEncoderOptionNames = [
  'dims',
  'width',
  'reader',
  'depth',
  'spans',
  'scores',
  'heads',
  'dropout',
  'wordDropout',
  'positions',
  'tuneVectors',
  'device',
  'dtype',
] as const;

const UNKNOWN = 1;

/** One vector from a sequence: a weighted mean whose weights are learnt, beside the greatest value of each column. */
export class AttentionPool extends Module {
  score: Linear;

  constructor(readonly width: number) {
    super();
    this.score = new Linear(width, 1);
  }

  /** [B, L, width] and bool [B, L] to [B, 2 width]. */
  forward(sequence: Tensor, mask: Tensor): Tensor {
    const hidden = mask.logicalNot().unsqueeze(2);
    const weights = this.score.forward(sequence).maskedFill(hidden, -1e9).softmax(1);
    const mean = sequence.mul(weights).sum([1]);
    const greatest = sequence.maskedFill(hidden, -1e9).amax([1]);
    return cat([mean, greatest], 1);
  }
}

/** Filters over runs of words of several lengths, side by side. Keys: `convs`. */
export class SpanFilters extends Module {
  convs: ModuleList<Conv1d>;

  constructor(dims: number, width: number, spans: readonly number[]) {
    super();
    const share = width / spans.length;
    if (!Number.isInteger(share)) {
      throw new ConfigError(`Expected a width that ${spans.length} spans of a cnn share evenly, got ${width}`);
    }
    this.convs = new ModuleList(spans.map((span) => new Conv1d(dims, share, span, { padding: 'same' })));
  }

  /** [B, L, dims], 0 where there is no word, to [B, L, width]. */
  forward(words: Tensor): Tensor {
    const rows = words.transpose(1, 2);
    const found = Array.from(this.convs, (conv) => conv.forward(rows));
    return cat(found, 1).relu().transpose(1, 2);
  }
}

/** Columns that a word's score in a list adds to its vector: the score, and whether the list has the word. */
const SCORE_COLUMNS = 2;

/** Keys: `embedding`, `scores`, `input` (not of a cnn), `position`, `encoder`, `lstm` or `filters`, `pool`, `norm`, `output`. */
export class WordEncoder extends TextEncoder {
  readonly width: number;
  embedding: Embedding;
  input: Linear | null = null;
  position: Parameter | null = null;
  encoder: TransformerEncoder | null = null;
  lstm: LSTM | null = null;
  filters: SpanFilters | null = null;
  /** [vocabulary, 2], a buffer. */
  scores!: Tensor | null;
  pool: AttentionPool;
  output: Linear;
  norm: LayerNorm;
  dropout: Dropout;
  /** Source of hidden words, and of nothing else. */
  generator: Generator | null = null;
  readonly #wordDropout: number;

  /** @param vocabulary - number of ids: 0 is padding, 1 an unknown word */
  constructor(vocabulary: number, options: WordEncoderOptions = {}) {
    super();
    checkOptions('WordEncoder', options, wordEncoderOptionNames);
    const { dims = 100, width = 128, reader = 'transformer', depth = 1, heads = 4, dropout = 0.3 } = options;
    this.width = width;
    this.#wordDropout = options.wordDropout ?? 0.1;
    this.embedding = new Embedding(vocabulary, dims, { paddingIdx: 0 });
    this.embedding.weight.requiresGrad = options.tuneVectors ?? false;
    this.registerBuffer('scores', options.scores ? zeros([vocabulary, SCORE_COLUMNS]) : null);
    const columns = dims + (options.scores ? SCORE_COLUMNS : 0);
    if (reader !== 'cnn') this.input = new Linear(columns, width);
    if (reader === 'transformer') {
      this.position = new Parameter(empty([options.positions ?? 128, width]));
      const layer = {
        dimFeedforward: 2 * width,
        dropout,
        activation: 'gelu',
        batchFirst: true,
        normFirst: true,
      } as const;
      this.encoder = new TransformerEncoder(() => new TransformerEncoderLayer(width, heads, layer), depth);
    } else if (reader === 'lstm') {
      if (width % 2 !== 0) throw new ConfigError(`Expected an even width of a two-way LSTM, got ${width}`);
      this.lstm = new LSTM(width, width / 2, { numLayers: depth, batchFirst: true, bidirectional: true });
    } else if (reader === 'cnn') {
      this.filters = new SpanFilters(columns, width, options.spans ?? [1, 2, 3, 4]);
    } else throw new ConfigError(`Expected a reader 'transformer', 'lstm' or 'cnn', got '${String(reader)}'`);
    this.pool = new AttentionPool(width);
    this.norm = new LayerNorm(2 * width);
    this.output = new Linear(2 * width, width);
    this.dropout = new Dropout(dropout);
    this.initSelf(options);
  }

  override resetParameters(g: Generator): void {
    if (this.position) noGrad(() => this.position!.normal_(0, 0.02, { generator: g }));
  }

  /** Sets the vectors of all words; rows 0 and 1, padding and unknown, become 0. @param vectors - [words, dims] */
  setVectors(vectors: Tensor): void {
    noGrad(() => {
      const { weight } = this.embedding;
      weight.zero_();
      weight.narrow(0, 2, vectors.shape[0]!).copy_(vectors);
    });
  }

  /** Sets the score of each word; it is part of what is read, and is not trained. @param scores - [words, 2]: score, known */
  setScores(scores: Tensor): void {
    if (!this.scores) throw new ConfigError('Expected an encoder made with scores: true');
    noGrad(() => this.scores!.narrow(0, 2, scores.shape[0]!).copy_(scores));
  }

  override get rowWidth(): number {
    return this.embedding.embeddingDim + (this.scores ? SCORE_COLUMNS : 0);
  }

  forward(batch: TensorBatch, shift?: RowShift): EncodedText {
    const tokens = batch.tokens;
    if (!tokens) throw new ConfigError(`Expected tokens in the batch, got ${Object.keys(batch).join(', ')}`);
    const mask = someRow(tokens.select(1, 1).ne(0));
    const ids = this.#hideWords(tokens.select(1, 0));
    const vectors = this.embedding.forward(ids);
    const words = this.scores ? cat([vectors, ops.embedding(this.scores, ids)], 2) : vectors;
    // Where there is no word, filters want zeros.
    const rows = shift ? where(mask.unsqueeze(2), shift(words, mask), 0) : words;
    const sequence = this.#read(this.dropout.forward(rows), mask);
    const pooled = this.norm.forward(this.pool.forward(sequence, mask));
    return { sequence, mask, pooled: functional.gelu(this.output.forward(this.dropout.forward(pooled))) };
  }

  #read(words: Tensor, mask: Tensor): Tensor {
    if (this.filters) return this.filters.forward(words);
    const x = this.input!.forward(words);
    if (this.lstm) {
      const lengths = mask.sum([1]).tolist() as number[];
      return this.dropout.forward(this.lstm.forward(x, null, { lengths })[0]);
    }
    const positions = this.position!.shape[0]!;
    const places = ops.arange(x.shape[1]!, { device: x.device }).clampMax(positions - 1);
    const placed = x.add(this.position!.indexSelect(0, places));
    return this.encoder!.forward(placed, { srcKeyPaddingMask: mask.logicalNot() });
  }

  #hideWords(ids: Tensor): Tensor {
    if (!this.training || this.#wordDropout === 0) return ids;
    const hidden = ops.rand(ids.shape, { generator: this.generator, device: ids.device }).lt(this.#wordDropout);
    return ids.maskedFill(hidden.logicalAnd(ids.ne(0)), UNKNOWN);
  }
}
