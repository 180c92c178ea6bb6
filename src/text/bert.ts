/**
 * BERT (Devlin et al., arXiv 1810.04805), with the keys of Hugging Face's `BertModel`: weights saved by either load into
 * the other.
 */
import {
  Dropout,
  Embedding,
  type EmbeddingOptions,
  type FactoryOptions,
  functional,
  init,
  LayerNorm,
  Linear,
  Module,
  ModuleList,
} from '../nn/index.js';
import { type Generator, ops, ShapeError, type Tensor } from '../torch/index.js';
import { checkOptions } from '../torch/options.js';
import type { BertConfig } from './bert-config.js';
import type { RowShift } from './encoder.js';

/** Initial weights of every matrix: BERT's `initializer_range`. */
const SPREAD = 0.02;

/** A parameter in the type that another tensor has. */
function as(parameter: Tensor, { dtype }: Tensor): Tensor {
  return parameter.dtype === dtype ? parameter : parameter.to({ dtype });
}

/** A linear layer with BERT's initial values. Like all layers here it computes in the type of its input. */
export class BertLinear extends Linear {
  override forward(x: Tensor): Tensor {
    return functional.linear(x, as(this.weight, x), this.bias && as(this.bias, x));
  }

  override resetParameters(g: Generator): void {
    init.normal_(this.weight, 0, SPREAD, { generator: g });
    if (this.bias) init.zeros_(this.bias);
  }
}

/** A norm that computes in the type of its input. */
export class BertNorm extends LayerNorm {
  override forward(x: Tensor): Tensor {
    if (this.weight!.dtype === x.dtype) return super.forward(x);
    return functional.layerNorm(x, this.normalizedShape, as(this.weight!, x), as(this.bias!, x), this.eps);
  }
}

/** An embedding with BERT's initial values. */
class BertEmbedding extends Embedding {
  override resetParameters(g: Generator): void {
    init.normal_(this.weight, 0, SPREAD, { generator: g });
    if (this.paddingIdx !== null) this.weight.detach().select(0, this.paddingIdx).zero_();
  }
}

/** Pieces, places and segments as one vector each. Keys: `word_embeddings`, `position_embeddings`, `token_type_embeddings`, `LayerNorm`. */
export class BertEmbeddings extends Module {
  word_embeddings: Embedding;
  position_embeddings: Embedding;
  token_type_embeddings: Embedding;
  LayerNorm: LayerNorm;
  dropout: Dropout;

  constructor(config: BertConfig, options: FactoryOptions = {}) {
    super();
    const width = config.hiddenSize;
    const table = (rows: number, more: EmbeddingOptions = {}): Embedding =>
      new BertEmbedding(rows, width, { ...options, ...more });
    this.word_embeddings = table(config.vocabSize, { paddingIdx: config.padTokenId });
    this.position_embeddings = table(config.maxPositionEmbeddings);
    this.token_type_embeddings = table(config.typeVocabSize);
    this.LayerNorm = new BertNorm(width, { eps: config.layerNormEps, ...options });
    this.dropout = new Dropout(config.hiddenDropoutProb);
  }

  forward(ids: Tensor, segments: Tensor): Tensor {
    const length = ids.shape[1]!;
    const places = this.position_embeddings.numEmbeddings;
    if (length > places) {
      throw new ShapeError(
        `Expected texts of at most ${places} word pieces, which the model has places for, got ${length}`,
      );
    }
    const words = this.word_embeddings.forward(ids).add(this.token_type_embeddings.forward(segments));
    const placed = words.add(this.position_embeddings.weight.narrow(0, 0, length));
    return this.dropout.forward(this.LayerNorm.forward(placed));
  }
}

/** Attention of several heads. Keys: `query`, `key`, `value`. */
class BertSelfAttention extends Module {
  query: Linear;
  key: Linear;
  value: Linear;
  dropout: Dropout;
  readonly #heads: number;

  constructor(config: BertConfig, options: FactoryOptions) {
    super();
    const width = config.hiddenSize;
    this.#heads = config.numAttentionHeads;
    this.query = new BertLinear(width, width, options);
    this.key = new BertLinear(width, width, options);
    this.value = new BertLinear(width, width, options);
    this.dropout = new Dropout(config.attentionProbsDropoutProb);
  }

  /** @param keys - bool [B, 1, 1, L], true for what is attended to; null: all */
  forward(x: Tensor, keys: Tensor | null): Tensor {
    const split = (part: Tensor): Tensor => part.unflatten(-1, [this.#heads, -1]).transpose(1, 2);
    const [q, k, v] = [this.query, this.key, this.value].map((layer) => split(layer.forward(x))) as [
      Tensor,
      Tensor,
      Tensor,
    ];
    const { p, generator } = this.dropout;
    const options = { mask: keys, dropoutP: this.training ? p : 0, generator };
    return functional.scaledDotProductAttention(q, k, v, options).transpose(1, 2).flatten(2);
  }
}

/** A linear layer, dropout, the residual connection and its norm. Keys: `dense`, `LayerNorm`. */
class BertOutput extends Module {
  dense: Linear;
  LayerNorm: LayerNorm;
  dropout: Dropout;

  constructor(from: number, config: BertConfig, options: FactoryOptions) {
    super();
    this.dense = new BertLinear(from, config.hiddenSize, options);
    this.LayerNorm = new BertNorm(config.hiddenSize, { eps: config.layerNormEps, ...options });
    this.dropout = new Dropout(config.hiddenDropoutProb);
  }

  forward(x: Tensor, residual: Tensor): Tensor {
    return this.LayerNorm.forward(this.dropout.forward(this.dense.forward(x)).add(residual));
  }
}

/** Keys: `self`, `output`. */
class BertAttention extends Module {
  self: BertSelfAttention;
  output: BertOutput;

  constructor(config: BertConfig, options: FactoryOptions) {
    super();
    this.self = new BertSelfAttention(config, options);
    this.output = new BertOutput(config.hiddenSize, config, options);
  }

  forward(x: Tensor, keys: Tensor | null): Tensor {
    return this.output.forward(this.self.forward(x, keys), x);
  }
}

const activations: Readonly<Record<BertConfig['hiddenAct'], (x: Tensor) => Tensor>> = {
  gelu: (x) => functional.gelu(x),
  gelu_new: (x) => functional.gelu(x, { approximate: 'tanh' }),
  relu: (x) => functional.relu(x),
};

/** The first half of the feed-forward part. Key: `dense`. */
class BertIntermediate extends Module {
  dense: Linear;
  readonly #activation: (x: Tensor) => Tensor;

  constructor(config: BertConfig, options: FactoryOptions) {
    super();
    this.dense = new BertLinear(config.hiddenSize, config.intermediateSize, options);
    this.#activation = activations[config.hiddenAct];
  }

  forward(x: Tensor): Tensor {
    return this.#activation(this.dense.forward(x));
  }
}

/** Keys: `attention`, `intermediate`, `output`. */
export class BertLayer extends Module {
  attention: BertAttention;
  intermediate: BertIntermediate;
  output: BertOutput;

  constructor(config: BertConfig, options: FactoryOptions = {}) {
    super();
    this.attention = new BertAttention(config, options);
    this.intermediate = new BertIntermediate(config, options);
    this.output = new BertOutput(config.intermediateSize, config, options);
  }

  /** @param keys - bool [B, 1, 1, L], true for what is attended to; null: all */
  forward(x: Tensor, keys: Tensor | null): Tensor {
    const attended = this.attention.forward(x, keys);
    return this.output.forward(this.intermediate.forward(attended), attended);
  }
}

/** Key: `layer`. */
class BertLayers extends Module {
  layer: ModuleList<BertLayer>;

  constructor(config: BertConfig, options: FactoryOptions) {
    super();
    this.layer = new ModuleList(Array.from({ length: config.numHiddenLayers }, () => new BertLayer(config, options)));
  }

  forward(x: Tensor, keys: Tensor | null): Tensor {
    for (const layer of this.layer) x = layer.forward(x, keys);
    return x;
  }
}

/** Key: `dense`. */
class BertPooler extends Module {
  dense: Linear;

  constructor(config: BertConfig, options: FactoryOptions) {
    super();
    this.dense = new BertLinear(config.hiddenSize, config.hiddenSize, options);
  }

  forward(sequence: Tensor): Tensor {
    return this.dense.forward(sequence.select(1, 0)).tanh();
  }
}

export interface BertOptions extends FactoryOptions {
  /** Whether there is a pooler: `tanh` of a linear layer over the first row. Default true. */
  readonly pooler?: boolean;
}

export interface BertInput {
  /** Ids of word pieces, int64 [B, L], L at most the configuration's `maxPositionEmbeddings`. */
  readonly ids: Tensor;
  /** bool [B, L], true for pieces that are attended to; at least one in each text. Default: all. */
  readonly mask?: Tensor;
  /** int64 [B, L]. Default: all 0. */
  readonly segments?: Tensor;
  /** Changes the embedded pieces before the first layer. */
  readonly shift?: RowShift | undefined;
}

export interface BertResult {
  /** Last hidden states [B, L, hiddenSize]. */
  readonly sequence: Tensor;
  /** What the pooler makes of the first row [B, hiddenSize]; null where there is none. */
  readonly pooled: Tensor | null;
}

/** Keys: `embeddings.*`, `encoder.layer.<n>.*`, `pooler.*`. Initial values are BERT's own; weights come by {@link loadBertWeights}. */
export class BertModel extends Module {
  embeddings: BertEmbeddings;
  encoder: BertLayers;
  pooler: BertPooler | null;

  constructor(
    readonly config: BertConfig,
    options: BertOptions = {},
  ) {
    super();
    checkOptions('BertModel', options, ['pooler', 'device', 'dtype']);
    const { pooler = true, ...made } = options;
    this.embeddings = new BertEmbeddings(config, made);
    this.encoder = new BertLayers(config, made);
    this.pooler = pooler ? new BertPooler(config, made) : null;
  }

  forward({ ids, mask, segments, shift }: BertInput): BertResult {
    if (ids.ndim !== 2) throw new ShapeError(`Expected ids of word pieces [B, L], got [${ids.shape}]`);
    const attended = mask ?? ops.onesLike(ids, { dtype: 'bool' });
    const embedded = this.embeddings.forward(ids, segments ?? ops.zerosLike(ids));
    const rows = shift ? shift(embedded, attended) : embedded;
    const sequence = this.encoder.forward(rows, attended.unsqueeze(1).unsqueeze(1));
    return { sequence, pooled: this.pooler?.forward(sequence) ?? null };
  }
}
