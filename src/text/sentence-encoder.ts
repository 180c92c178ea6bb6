/**
 * The transformer of the Universal Sentence Encoder (arXiv 1803.11175) in the shape of its "lite" variant: norms before
 * attention and the feed-forward part, places as sines (arXiv 1706.03762), a first layer that widens.
 */
import { Dropout, Embedding, functional, Module, ModuleList } from '../nn/index.js';
import { cat, ops, type Tensor } from '../torch/index.js';
import { BertLinear, BertNorm } from './bert.js';
import type { SentenceConfig } from './sentence-config.js';

/** Pieces and their places. Key: `word_embeddings`. */
export class SentenceEmbeddings extends Module {
  word_embeddings: Embedding;
  dropout: Dropout;

  constructor(config: SentenceConfig) {
    super();
    this.word_embeddings = new Embedding(config.vocabSize, config.embeddingSize, { paddingIdx: config.padTokenId });
    this.dropout = new Dropout(config.hiddenDropoutProb);
  }

  /** int64 [B, L] to [B, L, embeddingSize] */
  forward(ids: Tensor): Tensor {
    const rows = this.word_embeddings.forward(ids);
    return this.dropout.forward(rows.add(sines(ids.shape[1]!, rows.shape[2]!)));
  }
}

/** The places of a text as numbers: sines in the first half of the columns, cosines in the other. */
function sines(length: number, width: number): Tensor {
  const half = width / 2;
  const rates = ops
    .arange(half)
    .to({ dtype: 'float32' })
    .mul(-Math.log(1e4) / (half - 1))
    .exp();
  const angles = ops.arange(length).to({ dtype: 'float32' }).unsqueeze(1).mul(rates);
  return cat([angles.sin(), angles.cos()], 1);
}

/** Keys: `norm`, `qkv`, `out`, `adjust` (where the width changes), `inner_norm`, `inner`, `outer`. */
export class SentenceLayer extends Module {
  norm: BertNorm;
  qkv: BertLinear;
  out: BertLinear;
  /** Takes the rows to the layer's width, beside attention. */
  adjust: BertLinear | null;
  inner_norm: BertNorm;
  inner: BertLinear;
  outer: BertLinear;
  dropout: Dropout;
  attentionDropout: Dropout;
  readonly #heads: number;

  /** @param from - width of the rows that come in */
  constructor(config: SentenceConfig, from: number) {
    super();
    const { hiddenSize: width, intermediateSize, layerNormEps: eps } = config;
    this.#heads = config.numAttentionHeads;
    this.norm = new BertNorm(from, { eps });
    this.qkv = new BertLinear(from, 3 * from);
    this.out = new BertLinear(from, width);
    this.adjust = from === width ? null : new BertLinear(from, width);
    this.inner_norm = new BertNorm(width, { eps });
    this.inner = new BertLinear(width, intermediateSize);
    this.outer = new BertLinear(intermediateSize, width);
    this.dropout = new Dropout(config.hiddenDropoutProb);
    this.attentionDropout = new Dropout(config.attentionProbsDropoutProb);
  }

  /** @param keys - bool [B, 1, 1, L], true for what is attended to; null: all */
  forward(x: Tensor, keys: Tensor | null): Tensor {
    const attended = this.dropout.forward(this.out.forward(this.#attend(this.norm.forward(x), keys)));
    const rows = attended.add(this.adjust ? this.adjust.forward(x) : x);
    const inner = this.inner.forward(this.inner_norm.forward(rows)).relu();
    return rows.add(this.dropout.forward(this.outer.forward(inner)));
  }

  #attend(x: Tensor, keys: Tensor | null): Tensor {
    const parts = this.qkv.forward(x).chunk(3, -1);
    const [q, k, v] = parts.map((part) => part.unflatten(-1, [this.#heads, -1]).transpose(1, 2));
    const { p, generator } = this.attentionDropout;
    const options = { mask: keys, dropoutP: this.training ? p : 0, generator };
    return functional.scaledDotProductAttention(q!, k!, v!, options).transpose(1, 2).flatten(2);
  }
}

/** One vector of a text: a layer over the mean of its rows. Key: `dense`. */
export class SentenceVector extends Module {
  dense: BertLinear;

  constructor(width: number) {
    super();
    this.dense = new BertLinear(width, width);
  }

  /** [B, L, width] and bool [B, L] to [B, width] */
  forward(rows: Tensor, mask: Tensor): Tensor {
    const kept = rows.maskedFill(mask.logicalNot().unsqueeze(2), 0);
    const counts = mask.sum([1]).clampMin(1).to({ dtype: rows.dtype }).unsqueeze(1);
    return this.dense.forward(kept.sum([1]).div(counts)).tanh();
  }
}

/** Keys: `embeddings`, `layer.<n>`, `summary`. */
export class SentenceEncoder extends Module {
  embeddings: SentenceEmbeddings;
  layer: ModuleList<SentenceLayer>;
  summary: SentenceVector;

  constructor(readonly config: SentenceConfig) {
    super();
    this.embeddings = new SentenceEmbeddings(config);
    this.layer = new ModuleList(sentenceLayers(config));
    this.summary = new SentenceVector(config.hiddenSize);
  }

  /**
   * @param ids - int64 [B, L], padding where the configuration's id says so
   * @returns vectors of length 1, [B, hiddenSize]: the nearer two texts, the greater their product
   */
  forward(ids: Tensor): Tensor {
    const mask = ids.ne(this.config.padTokenId);
    const keys = mask.unsqueeze(1).unsqueeze(1);
    let rows = this.embeddings.forward(ids);
    for (const layer of this.layer) rows = layer.forward(rows, keys);
    return functional.normalize(this.summary.forward(rows, mask));
  }
}

/** Its layers, the first of which begins with the width of the pieces. */
export function sentenceLayers(config: SentenceConfig): SentenceLayer[] {
  return Array.from({ length: config.numHiddenLayers }, (_, n) => {
    return new SentenceLayer(config, n === 0 ? config.embeddingSize : config.hiddenSize);
  });
}
