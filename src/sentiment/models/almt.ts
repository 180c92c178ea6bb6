/** ALMT, an adaptive language-guided multimodal transformer: Zhang et al., EMNLP 2023 (arXiv 2310.05804). */

import type { Modality } from '../../features/specs.js';
import { Linear, ModuleList } from '../../nn/index.js';
import type { TextEncoder } from '../../text/encoder.js';
import { ConfigError, type Tensor } from '../../torch/index.js';
import type { SentimentBatch } from '../datasets/index.js';
import { CrossFusion, HyperLayer, LanguageScales, LearntTokens, TokenEmbedding } from './almt-layers.js';
import {
  asPrediction,
  type ModelContext,
  SentimentModel,
  type SentimentOutput,
  sequenceOf,
  textOf,
  widthOf,
} from './model.js';
import { expectTextAndOthers, textRows } from './rows.js';
import { type Partially, withDefaults } from './settings.js';

/** What is left out is MMSA's for MOSI. */
export interface AlmtSettings {
  /** Of every token. Default 128. */
  readonly width: number;
  /** Within the feed-forward nets. Default 128. */
  readonly hidden: number;
  /** Tokens that stand for a modality. Default 8. */
  readonly tokens: number;
  /** Of attention; must divide the width. Default 8. */
  readonly heads: number;
  /** Of each head of the transformers. Default 64. */
  readonly headWidth: number;
  /** Layers that make tokens, layers of the hyper-modality, layers of fusion. Default 1, 3, 2. */
  readonly depth: Readonly<Record<'embedding' | 'hyper' | 'fusion', number>>;
  /** Places of rows that can be told apart; later rows share the last one. Default text 50, audio 375, vision 500. */
  readonly positions: Readonly<Record<Modality, number>>;
}

export type AlmtOptions = Partially<AlmtSettings>;

const defaults: AlmtSettings = {
  width: 128,
  hidden: 128,
  tokens: 8,
  heads: 8,
  headWidth: 64,
  depth: { embedding: 1, hyper: 3, fusion: 2 },
  positions: { text: 50, audio: 375, vision: 500 },
};

/**
 * Text with one other modality or two. `features` are the means of each modality's tokens, equally wide. Keys: `text.*`, `text_net.*`,
 * `audio.*`, `vision.*`, `scales.*`, `hyper.*`, `hyper_layers.<i>.*`, `fusion.*`, `head.*`.
 */
export class Almt extends SentimentModel {
  text: TextEncoder;
  text_net: TokenEmbedding;
  audio: TokenEmbedding | null = null;
  vision: TokenEmbedding | null = null;
  scales: LanguageScales;
  hyper: LearntTokens;
  hyper_layers: ModuleList<HyperLayer>;
  fusion: CrossFusion;
  head: Linear;
  readonly #others: readonly ('audio' | 'vision')[];

  /** @throws ConfigError without text, without another modality, and for heads that do not divide the width */
  constructor(context: ModelContext, options: AlmtOptions = {}) {
    super();
    const { tokens, depth, positions, ...shape } = withDefaults('almt', defaults, options);
    const { width, heads } = shape;
    if (width % heads !== 0)
      throw new ConfigError(`Expected heads of almt that divide its width ${width}, got ${heads}`);
    if (depth.hyper < 1) throw new ConfigError('Expected at least 1 for depth.hyper of almt, got 0');
    this.#others = expectTextAndOthers(context, 'ALMT') as ('audio' | 'vision')[];
    this.text = textOf(context);
    const embedding = (name: Modality, rows: number): TokenEmbedding =>
      new TokenEmbedding(rows, tokens, positions[name], depth.embedding, shape);
    this.text_net = embedding('text', this.text.width);
    for (const name of this.#others) this[name] = embedding(name, widthOf(context, name));
    this.scales = new LanguageScales(tokens, depth.hyper - 1, shape);
    this.hyper = new LearntTokens(tokens, width, 1);
    const narrow = { ...shape, headWidth: width / heads };
    this.hyper_layers = new ModuleList(Array.from({ length: depth.hyper }, () => new HyperLayer(this.#others, narrow)));
    this.fusion = new CrossFusion(tokens, depth.fusion, shape);
    this.head = new Linear(width, context.outputs);
  }

  forward(batch: SentimentBatch): SentimentOutput {
    const text = this.text_net.forward(textRows(this.text.forward(batch)));
    const others: Readonly<Partial<Record<Modality, Tensor>>> = Object.fromEntries(
      this.#others.map((name) => [name, this[name]!.forward(sequenceOf(batch, name))]),
    );
    const scales = this.scales.forward(text);
    let hyper = this.hyper.forward(text.shape[0]!);
    for (const [i, layer] of [...this.hyper_layers].entries()) hyper = layer.forward(hyper, scales[i]!, others);
    const prediction = asPrediction(this.head.forward(this.fusion.forward(hyper, scales.at(-1)!)));
    const means = Object.entries({ text, ...others }).map(([name, tokens]) => [name, tokens.mean([1])] as const);
    return { prediction, unimodal: {}, features: Object.fromEntries(means), hidden: {}, losses: {} };
  }
}
