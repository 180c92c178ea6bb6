/** The small text encoder: word vectors, a transformer or a recurrent net over them, attention pooling. */
import {
  Dropout,
  Embedding,
  type FactoryOptions,
  functional,
  LayerNorm,
  Linear,
  LSTM,
  Module,
  Parameter,
  TransformerEncoder,
  TransformerEncoderLayer,
} from '../../nn/index.js';
import { ConfigError, cat, empty, type Generator, noGrad, ops, type Tensor } from '../../torch/index.js';
import type { SentimentBatch } from '../datasets/index.js';
import { type EncodedText, TextEncoder } from './encoder.js';
import { someRow } from './rows.js';

export interface WordEncoderOptions extends FactoryOptions {
  /** Width of the word vectors. Default 100. */
  readonly dims?: number;
  /** Of what comes out. Default 128. */
  readonly width?: number;
  /** What reads the words in their order. Default `'transformer'`. */
  readonly reader?: 'transformer' | 'lstm';
  /** Layers of the reader. Default 1. */
  readonly depth?: number;
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

const UNKNOWN = 1;

/** One vector from a sequence: a weighted mean whose weights are learnt, beside the greatest value of each column. */
class AttentionPool extends Module {
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

/** Keys: `embedding`, `input`, `position`, `encoder` or `lstm`, `pool`, `output`. */
export class WordEncoder extends TextEncoder {
  readonly width: number;
  embedding: Embedding;
  input: Linear;
  position: Parameter | null = null;
  encoder: TransformerEncoder | null = null;
  lstm: LSTM | null = null;
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
    const { dims = 100, width = 128, reader = 'transformer', depth = 1, heads = 4, dropout = 0.3 } = options;
    this.width = width;
    this.#wordDropout = options.wordDropout ?? 0.1;
    this.embedding = new Embedding(vocabulary, dims, { paddingIdx: 0 });
    this.embedding.weight.requiresGrad = options.tuneVectors ?? false;
    this.input = new Linear(dims, width);
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
    } else throw new ConfigError(`Expected a reader 'transformer' or 'lstm', got '${String(reader)}'`);
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

  forward(batch: SentimentBatch): EncodedText {
    const tokens = batch.tokens;
    if (!tokens) throw new ConfigError(`Expected tokens in the batch, got ${Object.keys(batch).join(', ')}`);
    const mask = someRow(tokens.select(1, 1).ne(0));
    const ids = this.#hideWords(tokens.select(1, 0));
    const x = this.input.forward(this.dropout.forward(this.embedding.forward(ids)));
    const sequence = this.#read(x, mask);
    const pooled = this.norm.forward(this.pool.forward(sequence, mask));
    return { sequence, mask, pooled: functional.gelu(this.output.forward(this.dropout.forward(pooled))) };
  }

  #read(x: Tensor, mask: Tensor): Tensor {
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
