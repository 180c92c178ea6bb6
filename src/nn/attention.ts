import { expectTensors } from '../torch/expect.js';
import { ConfigError, empty, type Generator, ops, ShapeError, type Tensor } from '../torch/index.js';
import { attentionWeights, checkMask, scaledDotProductAttention } from './functional/attention.js';
import { dropout } from './functional/dropout.js';
import { xavierUniform_, zeros_ } from './init.js';
import { Linear } from './linear.js';
import { type FactoryOptions, Module } from './module.js';
import { Parameter } from './parameter.js';
import * as signature from './signatures.js';

export interface MultiheadAttentionOptions extends FactoryOptions {
  /** Dropout on the attention weights, in training. Default 0. */
  readonly dropout?: number;
  readonly bias?: boolean;
  /** Width of keys and of values where they differ from the queries'. */
  readonly kdim?: number | null;
  readonly vdim?: number | null;
  /** Tensors are [B, L, E] instead of [L, B, E]. Default false. */
  readonly batchFirst?: boolean;
}

export interface AttendOptions {
  /** [B, S]: boolean, true marks keys to ignore; or a number added to the scores of each. */
  readonly keyPaddingMask?: Tensor | null;
  /** [L, S] or [B · heads, L, S]: boolean, true marks pairs to ignore; or a number added to each score. */
  readonly attnMask?: Tensor | null;
  /** Whether to return the weights too. Default true, as PyTorch's; false is faster. */
  readonly needWeights?: boolean;
  /** Whether the weights are averaged over the heads. Default true. */
  readonly averageAttnWeights?: boolean;
  /** Query i sees keys 0..i only. With `attnMask` it is a hint, as PyTorch's: that mask is what counts. Default false. */
  readonly isCausal?: boolean;
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
    options?: MultiheadAttentionOptions,
  ) {
    super();
    const values = signature.attention.read(this.typeName, [embedDim, numHeads], options);
    if (embedDim % numHeads !== 0) {
      throw new ConfigError(
        `Expected numHeads that divides embedDim, got ${numHeads} heads and a width of ${embedDim}`,
      );
    }
    this.dropout = values.dropout;
    this.batchFirst = values.batchFirst;
    this.headDim = embedDim / numHeads;
    const { bias, device, dtype } = values;
    const [kdim, vdim] = [values.kdim ?? embedDim, values.vdim ?? embedDim];
    const same = kdim === embedDim && vdim === embedDim;
    const made = (...shape: number[]) => new Parameter(empty(shape, { device, dtype }));
    this.in_proj_weight = same ? made(3 * embedDim, embedDim) : null;
    this.q_proj_weight = same ? null : made(embedDim, embedDim);
    this.k_proj_weight = same ? null : made(embedDim, kdim);
    this.v_proj_weight = same ? null : made(embedDim, vdim);
    this.in_proj_bias = bias ? made(3 * embedDim) : null;
    this.out_proj = new NonDynamicallyQuantizableLinear(embedDim, embedDim, { device, dtype, bias });
    this.initSelf({ device, dtype });
  }

  override resetParameters(g: Generator): void {
    const weights = [this.in_proj_weight, this.q_proj_weight, this.k_proj_weight, this.v_proj_weight];
    for (const weight of weights) if (weight) xavierUniform_(weight, { generator: g });
    if (this.in_proj_bias) zeros_(this.in_proj_bias);
  }

  /**
   * Query [L, B, E], key [S, B, kdim], value [S, B, vdim] (or batch first, or all three without a batch); output as the
   * query, weights [B, L, S], or [B, heads, L, S] where they are not averaged.
   */
  forward(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    options?: AttendOptions,
  ): [output: Tensor, weights: Tensor | null] {
    expectTensors(this.typeName, query, key, value);
    const o = signature.attend.read('MultiheadAttention.forward', [], options);
    if (query.ndim === 2) return this.single([query, key, value], o);
    const [q, k, v] = this.project(query, key, value);
    const mask = this.mask(o, q, k);
    const p = this.training ? this.dropout : 0;
    if (!o.needWeights) {
      const given = { attnMask: mask, dropoutP: p, generator: this.generator };
      return [this.merge(scaledDotProductAttention(q, k, v, given)), null];
    }
    const weights = dropout(attentionWeights(q, k, { attnMask: mask }), p, p > 0, this.generator);
    return [this.merge(weights.matmul(v)), o.averageAttnWeights ? weights.mean([1]) : weights];
  }

  /** The pass of one sequence without a batch. */
  private single(inputs: readonly Tensor[], o: Required<AttendOptions>): [output: Tensor, weights: Tensor | null] {
    const at = this.batchFirst ? 0 : 1;
    const [query, key, value] = inputs as [Tensor, Tensor, Tensor];
    const lifted = new Map([...new Set(inputs)].map((x) => [x, x.unsqueeze(at)]));
    const [q, k, v] = [query, key, value].map((x) => lifted.get(x)) as [Tensor, Tensor, Tensor];
    const keyPaddingMask = o.keyPaddingMask?.unsqueeze(0) ?? null;
    // The class's own forward: hooks see one call, as it was made.
    const forward = MultiheadAttention.prototype.forward.bind(this);
    const [output, weights] = forward(q, k, v, { ...o, keyPaddingMask });
    return [output.squeeze(at), weights?.squeeze(0) ?? null];
  }

  /** The three projections, each [B, heads, length, headDim]. */
  private project(query: Tensor, key: Tensor, value: Tensor): [Tensor, Tensor, Tensor] {
    const shape = query.shape;
    if (shape.length !== 3 || shape[2] !== this.embedDim) {
      const order = this.batchFirst ? 'batch, length' : 'length, batch';
      throw new ShapeError(`Expected a query [${order}, ${this.embedDim}], got [${shape}] in ${this.typeName}`);
    }
    if (this.in_proj_weight && query === key && key === value) {
      const joint = ops.linear(query, this.in_proj_weight, this.in_proj_bias);
      return joint.chunk(3, -1).map((part) => this.split(part)) as [Tensor, Tensor, Tensor];
    }
    const weights = this.in_proj_weight
      ? this.in_proj_weight.chunk(3)
      : [this.q_proj_weight, this.k_proj_weight, this.v_proj_weight];
    const biases = this.in_proj_bias?.chunk(3) ?? [null, null, null];
    const each = [query, key, value].map((x, i) => this.split(ops.linear(x, weights[i] as Tensor, biases[i])));
    return each as [Tensor, Tensor, Tensor];
  }

  private split(x: Tensor): Tensor {
    const heads = x.unflatten(-1, [this.numHeads, this.headDim]);
    return this.batchFirst ? heads.transpose(1, 2) : heads.permute([1, 2, 0, 3]);
  }

  private merge(x: Tensor): Tensor {
    const joined = (this.batchFirst ? x.transpose(1, 2) : x.permute([2, 0, 1, 3])).flatten(2);
    return this.out_proj.forward(joined);
  }

  /** Both masks as one number to add to the scores [B, heads, L, S], or null. */
  private mask({ keyPaddingMask, attnMask, isCausal }: Required<AttendOptions>, q: Tensor, k: Tensor): Tensor | null {
    const [batch = 0, heads = 0, length = 0] = q.shape;
    const keyCount = k.shape[2] as number;
    const added = (name: string, mask: Tensor, ...shapes: number[][]) => {
      if (!shapes.some((shape) => shape.join() === mask.shape.join())) {
        const expected = shapes.map((shape) => `[${shape}]`).join(' or ');
        throw new ShapeError(`Expected ${name} of shape ${expected}, got [${mask.shape}] in ${this.typeName}`);
      }
      const whole = checkMask(name, mask).dtype !== 'bool';
      return whole ? mask : ops.zerosLike(mask, { dtype: q.dtype }).maskedFill_(mask, -Infinity);
    };
    const causal = () => ops.ones([length, keyCount], { dtype: 'bool', device: q.device }).triu(1);
    const given = attnMask ?? (isCausal ? causal() : null);
    const keys = keyPaddingMask
      ? added('keyPaddingMask', keyPaddingMask, [batch, keyCount]).unsqueeze(1).unsqueeze(2)
      : null;
    const own = given && added('attnMask', given, [length, keyCount], [batch * heads, length, keyCount]);
    const pairs = own && own.ndim === 3 ? own.unflatten(0, [-1, this.numHeads]) : own;
    return keys && pairs ? keys.add(pairs) : (keys ?? pairs);
  }
}
