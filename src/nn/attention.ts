import { ConfigError, empty, type Generator, ops, ShapeError, type Tensor } from '../torch/index.js';
import { attentionWeights, scaledDotProductAttention } from './functional/attention.js';
import { dropout } from './functional/dropout.js';
import { xavierUniform_, zeros_ } from './init.js';
import { factory, Linear } from './linear.js';
import { type FactoryOptions, Module } from './module.js';
import { Parameter } from './parameter.js';

export interface MultiheadAttentionOptions extends FactoryOptions {
  /** Dropout on the attention weights, in training. Default 0. */
  readonly dropout?: number;
  readonly bias?: boolean;
  /** Width of keys and of values where they differ from the queries'. */
  readonly kdim?: number;
  readonly vdim?: number;
  /** Tensors are [B, L, E] instead of [L, B, E]. Default false. */
  readonly batchFirst?: boolean;
}

export interface AttendOptions {
  /** [B, S], boolean: true marks keys to ignore. */
  readonly keyPaddingMask?: Tensor | null;
  /** [L, S] or [B · heads, L, S]: boolean, true marks pairs to ignore; or a number added to each score. */
  readonly attnMask?: Tensor | null;
  /** Whether to return the weights too. Default true, as PyTorch's; false is faster. */
  readonly needWeights?: boolean;
  /** Whether the weights are averaged over the heads. Default true. */
  readonly averageAttnWeights?: boolean;
}

/** PyTorch's name for the output projection, which prints so; its bias starts at zero. */
export class NonDynamicallyQuantizableLinear extends Linear {
  override resetParameters(g: Generator): void {
    super.resetParameters(g);
    if (this.bias) zeros_(this.bias);
  }
}

/**
 * Attention in `numHeads` subspaces. Keys: `in_proj_weight` [3E, E] (or `q_proj_weight`, `k_proj_weight`,
 * `v_proj_weight` where widths differ), `in_proj_bias` [3E], `out_proj.weight`, `out_proj.bias`.
 */
export class MultiheadAttention extends Module {
  in_proj_weight: Parameter | null;
  q_proj_weight: Parameter | null;
  k_proj_weight: Parameter | null;
  v_proj_weight: Parameter | null;
  in_proj_bias: Parameter | null;
  out_proj: NonDynamicallyQuantizableLinear;
  /** Source of the dropout; null for the default generator. */
  generator: Generator | null = null;
  readonly dropout: number;
  readonly batchFirst: boolean;
  readonly headDim: number;

  constructor(
    readonly embedDim: number,
    readonly numHeads: number,
    options: MultiheadAttentionOptions = {},
  ) {
    super();
    if (embedDim % numHeads !== 0) {
      throw new ConfigError(
        `Expected numHeads that divides embedDim, got ${numHeads} heads and a width of ${embedDim}`,
      );
    }
    this.dropout = options.dropout ?? 0;
    this.batchFirst = options.batchFirst ?? false;
    this.headDim = embedDim / numHeads;
    const { kdim = embedDim, vdim = embedDim } = options;
    const same = kdim === embedDim && vdim === embedDim;
    const bias = options.bias ?? true;
    const made = (...shape: number[]) => new Parameter(empty(shape, factory(options)));
    this.in_proj_weight = same ? made(3 * embedDim, embedDim) : null;
    this.q_proj_weight = same ? null : made(embedDim, embedDim);
    this.k_proj_weight = same ? null : made(embedDim, kdim);
    this.v_proj_weight = same ? null : made(embedDim, vdim);
    this.in_proj_bias = bias ? made(3 * embedDim) : null;
    this.out_proj = new NonDynamicallyQuantizableLinear(embedDim, embedDim, { ...factory(options), bias });
    this.initSelf(options);
  }

  override resetParameters(g: Generator): void {
    const weights = [this.in_proj_weight, this.q_proj_weight, this.k_proj_weight, this.v_proj_weight];
    for (const weight of weights) if (weight) xavierUniform_(weight, { generator: g });
    if (this.in_proj_bias) zeros_(this.in_proj_bias);
  }

  /** Query [L, B, E], key [S, B, kdim], value [S, B, vdim] (or batch first); output as the query. */
  forward(query: Tensor, key: Tensor, value: Tensor, o: AttendOptions = {}): [output: Tensor, weights: Tensor | null] {
    const [q, k, v] = this.#project(query, key, value);
    const mask = this.#mask(o, q);
    const p = this.training ? this.dropout : 0;
    if (!(o.needWeights ?? true)) {
      const options = { mask, dropoutP: p, generator: this.generator };
      return [this.#merge(scaledDotProductAttention(q, k, v, options)), null];
    }
    const weights = dropout(attentionWeights(q, k, { mask }), p, p > 0, this.generator);
    const returned = (o.averageAttnWeights ?? true) ? weights.mean([1]) : weights;
    return [this.#merge(weights.matmul(v)), returned];
  }

  /** The three projections, each [B, heads, length, headDim]. */
  #project(query: Tensor, key: Tensor, value: Tensor): [Tensor, Tensor, Tensor] {
    const shape = query.shape;
    if (shape.length !== 3 || shape[2] !== this.embedDim) {
      const order = this.batchFirst ? 'batch, length' : 'length, batch';
      throw new ShapeError(`Expected a query [${order}, ${this.embedDim}], got [${shape}] in ${this.typeName}`);
    }
    if (this.in_proj_weight && query === key && key === value) {
      const joint = ops.linear(query, this.in_proj_weight, this.in_proj_bias);
      return joint.chunk(3, -1).map((part) => this.#split(part)) as [Tensor, Tensor, Tensor];
    }
    const weights = this.in_proj_weight
      ? this.in_proj_weight.chunk(3)
      : [this.q_proj_weight, this.k_proj_weight, this.v_proj_weight];
    const biases = this.in_proj_bias?.chunk(3) ?? [null, null, null];
    const each = [query, key, value].map((x, i) => this.#split(ops.linear(x, weights[i] as Tensor, biases[i])));
    return each as [Tensor, Tensor, Tensor];
  }

  #split(x: Tensor): Tensor {
    const heads = x.unflatten(-1, [this.numHeads, this.headDim]);
    return this.batchFirst ? heads.transpose(1, 2) : heads.permute([1, 2, 0, 3]);
  }

  #merge(x: Tensor): Tensor {
    const joined = (this.batchFirst ? x.transpose(1, 2) : x.permute([2, 0, 1, 3])).flatten(2);
    return this.out_proj.forward(joined);
  }

  /** Both masks as one number to add to the scores [B, heads, L, S], or null. */
  #mask({ keyPaddingMask, attnMask }: AttendOptions, q: Tensor): Tensor | null {
    const added = (mask: Tensor) =>
      mask.dtype === 'bool' ? ops.zerosLike(mask, { dtype: q.dtype }).maskedFill_(mask, -Infinity) : mask;
    const keys = keyPaddingMask ? added(keyPaddingMask).unsqueeze(1).unsqueeze(2) : null;
    const own = attnMask ? added(attnMask) : null;
    const pairs = own && own.ndim === 3 ? own.unflatten(0, [-1, this.numHeads]) : own;
    return keys && pairs ? keys.add(pairs) : (keys ?? pairs);
  }
}
