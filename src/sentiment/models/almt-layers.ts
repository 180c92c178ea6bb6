/** What ALMT is made of: transformers over a few tokens that stand for a sequence (Zhang et al., EMNLP 2023, arXiv 2310.05804). */

import type { Modality } from '../../features/specs.js';
import { functional, init, LayerNorm, Linear, Module, ModuleDict, ModuleList, Parameter } from '../../nn/index.js';
import { cat, empty, type Generator, ops, type Tensor } from '../../torch/index.js';
import type { SequenceInput } from './model.js';
import { readableRows } from './rows.js';

/** Shape of a transformer. */
export interface AlmtShape {
  readonly width: number;
  readonly heads: number;
  /** Of each head. */
  readonly headWidth: number;
  /** Of the feed-forward net. */
  readonly hidden: number;
}

const split = (x: Tensor, heads: number): Tensor => x.unflatten(-1, [heads, -1]).transpose(1, 2);

/** @param keys - bool [B, 1, 1, S], true for what is attended to; null: all */
function attend(q: Tensor, k: Tensor, v: Tensor, heads: number, keys: Tensor | null): Tensor {
  const seen = functional.scaledDotProductAttention(split(q, heads), split(k, heads), split(v, heads), { mask: keys });
  return seen.transpose(1, 2).flatten(2);
}

const blind = (from: number, to: number): Linear => new Linear(from, to, { bias: false });

/**
 * Attention and a feed-forward net, each after norms and added to what came in. Keys: `norm_q`, `norm_k`, `norm_v`, `to_q`, `to_k`,
 * `to_v`, `to_out`, `norm`, `inner`, `outer`.
 */
export class AttentionBlock extends Module {
  norm_q: LayerNorm;
  norm_k: LayerNorm;
  norm_v: LayerNorm;
  to_q: Linear;
  to_k: Linear;
  to_v: Linear;
  to_out: Linear;
  norm: LayerNorm;
  inner: Linear;
  outer: Linear;
  readonly #heads: number;

  constructor({ width, heads, headWidth, hidden }: AlmtShape) {
    super();
    this.#heads = heads;
    const inside = heads * headWidth;
    [this.norm_q, this.norm_k, this.norm_v, this.norm] = [0, 0, 0, 0].map(() => new LayerNorm(width)) as Norms;
    [this.to_q, this.to_k, this.to_v] = [0, 0, 0].map(() => blind(width, inside)) as [Linear, Linear, Linear];
    this.to_out = new Linear(inside, width);
    this.inner = new Linear(width, hidden);
    this.outer = new Linear(hidden, width);
  }

  /** @param x - [B, T, width] @param source - [B, S, width] @param keys - as of {@link attend} */
  forward(x: Tensor, source: Tensor, keys: Tensor | null = null): Tensor {
    const q = this.to_q.forward(this.norm_q.forward(x));
    const k = this.to_k.forward(this.norm_k.forward(source));
    const v = this.to_v.forward(this.norm_v.forward(source));
    const seen = x.add(this.to_out.forward(attend(q, k, v, this.#heads, keys)));
    return seen.add(this.outer.forward(functional.gelu(this.inner.forward(this.norm.forward(seen)))));
  }
}

type Norms = [LayerNorm, LayerNorm, LayerNorm, LayerNorm];

/** Places of rows; those beyond the last have its vector. Key: `weight` [count, width]. */
class Places extends Module {
  weight: Parameter;

  constructor(count: number, width: number) {
    super();
    this.weight = new Parameter(empty([count, width]));
    this.initSelf();
  }

  override resetParameters(generator: Generator): void {
    init.normal_(this.weight, 0, 1, { generator });
  }

  forward(rows: Tensor): Tensor {
    const places = ops.arange(rows.shape[1]!, { device: rows.device }).clampMax(this.weight.shape[0]! - 1);
    return rows.add(this.weight.indexSelect(0, places));
  }
}

/** Tokens that are learnt, the same for all samples. Key: `weight` [count, width], all of one value at first. */
export class LearntTokens extends Module {
  weight: Parameter;

  constructor(
    count: number,
    width: number,
    private readonly value: number,
  ) {
    super();
    this.weight = new Parameter(empty([count, width]));
    this.initSelf();
  }

  override resetParameters(): void {
    init.constant_(this.weight, this.value);
  }

  /** [samples, count, width] */
  forward(samples: number): Tensor {
    return this.weight.unsqueeze(0).expand([samples, -1, -1]);
  }
}

/**
 * A sequence of any length as a few tokens (section 3.2): these stand before its rows, and look at them. Keys: `project.*`, `tokens.*`,
 * `token_places.*`, `places.*`, `layers.<i>.*`.
 */
export class TokenEmbedding extends Module {
  project: Linear;
  tokens: LearntTokens;
  token_places: Places;
  places: Places;
  layers: ModuleList<AttentionBlock>;

  constructor(rows: number, count: number, places: number, depth: number, shape: AlmtShape) {
    super();
    this.project = new Linear(rows, shape.width);
    this.tokens = new LearntTokens(count, shape.width, 0);
    this.token_places = new Places(count, shape.width);
    this.places = new Places(places, shape.width);
    this.layers = new ModuleList(Array.from({ length: depth }, () => new AttentionBlock(shape)));
  }

  /** To [B, count, width]. */
  forward(input: SequenceInput): Tensor {
    const rows = this.places.forward(this.project.forward(input.values));
    const tokens = this.token_places.forward(this.tokens.forward(rows.shape[0]!));
    const count = tokens.shape[1]!;
    const keys = ops.constantPadNd(readableRows(input), [count, 0], 1).unsqueeze(1).unsqueeze(1);
    let x = cat([tokens, rows], 1);
    for (const layer of this.layers) x = layer.forward(x, x, keys);
    return x.narrow(1, 0, count);
  }
}

/** The text's tokens at each of several scales: as they are, and after each layer. Keys: `places.*`, `layers.<i>.*`. */
export class LanguageScales extends Module {
  places: Places;
  layers: ModuleList<AttentionBlock>;

  constructor(count: number, depth: number, shape: AlmtShape) {
    super();
    this.places = new Places(count, shape.width);
    this.layers = new ModuleList(Array.from({ length: depth }, () => new AttentionBlock(shape)));
  }

  forward(tokens: Tensor): Tensor[] {
    const scales = [this.places.forward(tokens)];
    for (const layer of this.layers) scales.push(layer.forward(scales.at(-1)!, scales.at(-1)!));
    return scales;
  }
}

/**
 * Adaptive hyper-modality learning (section 3.3): the text's tokens look at those of the others, and what they find is added to the
 * hyper-modality. Keys: `norm_text`, `norm_hyper`, `norms.<modality>`, `to_q`, `to_k.<modality>`, `to_v.<modality>`, `to_out`.
 */
export class HyperLayer extends Module {
  norm_text: LayerNorm;
  norm_hyper: LayerNorm;
  norms: ModuleDict<LayerNorm>;
  to_q: Linear;
  to_k: ModuleDict<Linear>;
  to_v: ModuleDict<Linear>;
  to_out: Linear;
  readonly #heads: number;

  constructor(others: readonly Modality[], { width, heads, headWidth }: AlmtShape) {
    super();
    this.#heads = heads;
    const each = <M extends Module>(make: () => M): ModuleDict<M> =>
      new ModuleDict(Object.fromEntries(others.map((name) => [name, make()] as const)));
    const inside = heads * headWidth;
    this.norm_text = new LayerNorm(width);
    this.norm_hyper = new LayerNorm(width);
    this.norms = each(() => new LayerNorm(width));
    this.to_q = blind(width, inside);
    this.to_k = each(() => blind(width, inside));
    this.to_v = each(() => blind(width, inside));
    this.to_out = new Linear(inside, width);
  }

  /** All [B, tokens, width]. */
  forward(hyper: Tensor, text: Tensor, others: Readonly<Partial<Record<Modality, Tensor>>>): Tensor {
    const q = this.to_q.forward(this.norm_text.forward(text));
    const found = Object.entries(others).map(([name, tokens]) => {
      const source = this.norms.get(name).forward(tokens);
      return attend(q, this.to_k.get(name).forward(source), this.to_v.get(name).forward(source), this.#heads, null);
    });
    const all = found.reduce((sum, part) => sum.add(part));
    return this.norm_hyper.forward(hyper).add(this.to_out.forward(all));
  }
}

/**
 * A token that looks from the text's at the hyper-modality's: [B, count, width] twice to [B, width]. Keys: `token.*`, `places_s.*`,
 * `places_t.*`, `layers.<i>.*`.
 */
export class CrossFusion extends Module {
  token: LearntTokens;
  places_s: Places;
  places_t: Places;
  layers: ModuleList<AttentionBlock>;

  constructor(count: number, depth: number, shape: AlmtShape) {
    super();
    this.token = new LearntTokens(1, shape.width, 0);
    this.places_s = new Places(count + 1, shape.width);
    this.places_t = new Places(count + 1, shape.width);
    this.layers = new ModuleList(Array.from({ length: depth }, () => new AttentionBlock(shape)));
  }

  forward(source: Tensor, target: Tensor): Tensor {
    const token = this.token.forward(source.shape[0]!);
    const seen = this.places_s.forward(cat([token, source], 1));
    let x = this.places_t.forward(cat([token, target], 1));
    for (const layer of this.layers) x = layer.forward(x, seen);
    return x.select(1, 0);
  }
}
