import { ConfigError, cat, empty, type Generator, ops, ShapeError, type Tensor, zeros } from '../torch/index.js';
import { drawFrom, dropout } from './functional/dropout.js';
import { uniform_ } from './init.js';
import { factory } from './linear.js';
import { type FactoryOptions, Module, slots } from './module.js';
import { Parameter } from './parameter.js';
import { pyFloat } from './repr.js';

export interface RnnOptions extends FactoryOptions {
  /** Layers stacked. Default 1. */
  readonly numLayers?: number;
  readonly bias?: boolean;
  /** Input and output are [B, T, ...] instead of [T, B, ...]. Default false. */
  readonly batchFirst?: boolean;
  /** Dropout between layers, in training. Default 0. */
  readonly dropout?: number;
  readonly bidirectional?: boolean;
}

/** What LSTM and GRU share: parameters `weight_ih_l0`, `weight_hh_l0`, `bias_ih_l0`, `bias_hh_l0`, `..._reverse`, `..._l1`. */
abstract class RecurrentNet extends Module {
  readonly numLayers: number;
  readonly bias: boolean;
  readonly batchFirst: boolean;
  readonly dropout: number;
  readonly bidirectional: boolean;
  /** Source of the dropout between layers; null for the default generator. */
  generator: Generator | null = null;
  /** Parameter names, in the order in which libtorch takes them. */
  readonly #names: string[] = [];

  protected constructor(
    gates: number,
    readonly inputSize: number,
    readonly hiddenSize: number,
    options: RnnOptions,
  ) {
    super();
    this.numLayers = options.numLayers ?? 1;
    this.bias = options.bias ?? true;
    this.batchFirst = options.batchFirst ?? false;
    this.dropout = options.dropout ?? 0;
    this.bidirectional = options.bidirectional ?? false;
    if (!(this.dropout >= 0 && this.dropout <= 1)) {
      throw new ConfigError(`Expected a dropout probability in 0..1, got ${this.dropout}`);
    }
    const rows = gates * hiddenSize;
    for (let layer = 0; layer < this.numLayers; layer += 1) {
      const width = layer === 0 ? inputSize : hiddenSize * this.directions;
      for (const suffix of this.bidirectional ? ['', '_reverse'] : ['']) {
        this.#add(`weight_ih_l${layer}${suffix}`, [rows, width], options);
        this.#add(`weight_hh_l${layer}${suffix}`, [rows, hiddenSize], options);
        if (!this.bias) continue;
        this.#add(`bias_ih_l${layer}${suffix}`, [rows], options);
        this.#add(`bias_hh_l${layer}${suffix}`, [rows], options);
      }
    }
    this.initSelf(options);
  }

  #add(name: string, shape: number[], options: FactoryOptions): void {
    slots(this)[name] = new Parameter(empty(shape, factory(options)));
    this.#names.push(name);
  }

  override resetParameters(g: Generator): void {
    const bound = this.hiddenSize > 0 ? 1 / Math.sqrt(this.hiddenSize) : 0;
    for (const weight of this.weights()) uniform_(weight, -bound, bound, { generator: g });
  }

  protected get directions(): number {
    return this.bidirectional ? 2 : 1;
  }

  /** The parameters of all layers, or of one. */
  protected weights(layer?: number): Parameter[] {
    const each = (this.bias ? 4 : 2) * this.directions;
    const names = layer === undefined ? this.#names : this.#names.slice(layer * each, (layer + 1) * each);
    return names.map((name) => slots(this)[name] as Parameter);
  }

  /** Whether dropout between layers must come from a generator, which libtorch's operator cannot do. */
  protected drawsOwnDropout(x: Tensor): boolean {
    return this.training && this.dropout > 0 && this.numLayers > 1 && (this.generator ?? drawFrom(x)) !== null;
  }

  protected drop(x: Tensor): Tensor {
    return dropout(x, this.dropout, true, this.generator);
  }

  /** Checks [B, T, inputSize] or [T, B, inputSize] and returns zeros for a state, [layers · directions, B, hiddenSize]. */
  protected zeroState(x: Tensor): Tensor {
    const shape = this.checked(x);
    const batch = shape[this.batchFirst ? 0 : 1] as number;
    const size = [this.numLayers * this.directions, batch, this.hiddenSize];
    return zeros(size, { dtype: x.dtype, device: x.device });
  }

  protected checked(x: Tensor): number[] {
    const shape = x.shape;
    if (shape.length !== 3 || shape[2] !== this.inputSize) {
      const order = this.batchFirst ? 'batch, time' : 'time, batch';
      throw new ShapeError(`Expected [${order}, ${this.inputSize}], got [${shape}] in ${this.toString()}`);
    }
    return shape;
  }

  override extraRepr(): string {
    const parts = [`${this.inputSize}, ${this.hiddenSize}`];
    if (this.numLayers !== 1) parts.push(`num_layers=${this.numLayers}`);
    if (!this.bias) parts.push('bias=False');
    if (this.batchFirst) parts.push('batch_first=True');
    if (this.dropout !== 0) parts.push(`dropout=${pyFloat(this.dropout)}`);
    if (this.bidirectional) parts.push('bidirectional=True');
    return parts.join(', ');
  }
}

/** Hidden and cell state, each [layers · directions, B, hiddenSize]. */
export type LstmState = readonly [h: Tensor, c: Tensor];

/**
 * Long short-term memory. Input [T, B, inputSize] (or [B, T, inputSize] with `batchFirst`), output
 * [T, B, directions · hiddenSize]. Keys as PyTorch's: `weight_ih_l0` [4H, in], `weight_hh_l0` [4H, H], `bias_ih_l0`, ...
 */
export class LSTM extends RecurrentNet {
  constructor(inputSize: number, hiddenSize: number, options: RnnOptions = {}) {
    super(4, inputSize, hiddenSize, options);
  }

  /** `state` is zero by default. Returns the outputs of the last layer and the final state of all. */
  forward(x: Tensor, state?: LstmState | null): [output: Tensor, state: [h: Tensor, c: Tensor]] {
    if (state) this.checked(x);
    const zero = state ? null : this.zeroState(x);
    const [h, c] = state ?? [zero as Tensor, zero as Tensor];
    if (this.drawsOwnDropout(x)) return this.#layerwise(x, h, c);
    const { bias, numLayers, dropout: p, training, bidirectional, batchFirst } = this;
    const [output, hn, cn] = ops.lstm(
      x,
      [h, c],
      this.weights(),
      bias,
      numLayers,
      p,
      training,
      bidirectional,
      batchFirst,
    );
    return [output, [hn, cn]];
  }

  #layerwise(x: Tensor, h: Tensor, c: Tensor): [Tensor, [Tensor, Tensor]] {
    const n = this.directions;
    const finals: [Tensor[], Tensor[]] = [[], []];
    let y = x;
    for (let layer = 0; layer < this.numLayers; layer += 1) {
      const state = [h.narrow(0, layer * n, n), c.narrow(0, layer * n, n)];
      const weights = this.weights(layer);
      const input = layer === 0 ? y : this.drop(y);
      const out = ops.lstm(input, state, weights, this.bias, 1, 0, true, this.bidirectional, this.batchFirst);
      y = out[0];
      finals[0].push(out[1]);
      finals[1].push(out[2]);
    }
    return [y, [cat(finals[0], 0), cat(finals[1], 0)]];
  }
}

/** Gated recurrent unit: as {@link LSTM}, with one state and 3 gates. */
export class GRU extends RecurrentNet {
  constructor(inputSize: number, hiddenSize: number, options: RnnOptions = {}) {
    super(3, inputSize, hiddenSize, options);
  }

  forward(x: Tensor, state?: Tensor | null): [output: Tensor, state: Tensor] {
    if (state) this.checked(x);
    const h = state ?? this.zeroState(x);
    if (this.drawsOwnDropout(x)) return this.#layerwise(x, h);
    const { bias, numLayers, dropout: p, training, bidirectional, batchFirst } = this;
    return ops.gru(x, h, this.weights(), bias, numLayers, p, training, bidirectional, batchFirst);
  }

  #layerwise(x: Tensor, h: Tensor): [Tensor, Tensor] {
    const n = this.directions;
    const finals: Tensor[] = [];
    let y = x;
    for (let layer = 0; layer < this.numLayers; layer += 1) {
      const state = h.narrow(0, layer * n, n);
      const input = layer === 0 ? y : this.drop(y);
      const weights = this.weights(layer);
      const out = ops.gru(input, state, weights, this.bias, 1, 0, true, this.bidirectional, this.batchFirst);
      y = out[0];
      finals.push(out[1]);
    }
    return [y, cat(finals, 0)];
  }
}
