import { expectTensor } from '../torch/expect.js';
import { cat, empty, type Generator, op, ops, ShapeError, type Tensor, tensor, zeros } from '../torch/index.js';
import { drawFrom, dropout } from './functional/dropout.js';
import { uniform_ } from './init.js';
import { type FactoryOptions, Module, slots } from './module.js';
import { Parameter } from './parameter.js';
import { pyFloat } from './repr.js';
import * as signature from './signatures.js';

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

/** Which layers one call of the operator runs, and with what. */
export interface LayerRange {
  readonly weights: readonly Parameter[];
  readonly numLayers: number;
  readonly dropout: number;
}

/** What LSTM and GRU share: parameters `weight_ih_l0`, `weight_hh_l0`, `bias_ih_l0`, `bias_hh_l0`, `..._reverse`, `..._l1`. */
export abstract class RecurrentNet extends Module {
  readonly numLayers: number;
  readonly bias: boolean;
  readonly batchFirst: boolean;
  readonly dropout: number;
  readonly bidirectional: boolean;
  /** Source of the dropout between layers; null for the default generator. */
  generator: Generator | null = null;
  /** Parameter names, in the order in which libtorch takes them. */
  private readonly names: string[] = [];

  protected constructor(
    gates: number,
    readonly inputSize: number,
    readonly hiddenSize: number,
    options: RnnOptions | undefined,
  ) {
    super();
    const values = signature.recurrent.read(this.typeName, [inputSize, hiddenSize], options);
    this.numLayers = values.numLayers;
    this.bias = values.bias;
    this.batchFirst = values.batchFirst;
    this.dropout = values.dropout;
    this.bidirectional = values.bidirectional;
    const made = { device: values.device, dtype: values.dtype };
    const rows = gates * hiddenSize;
    for (let layer = 0; layer < this.numLayers; layer += 1) {
      const width = layer === 0 ? inputSize : hiddenSize * this.directions;
      for (const suffix of this.bidirectional ? ['', '_reverse'] : ['']) {
        this.add(`weight_ih_l${layer}${suffix}`, [rows, width], made);
        this.add(`weight_hh_l${layer}${suffix}`, [rows, hiddenSize], made);
        if (!this.bias) continue;
        this.add(`bias_ih_l${layer}${suffix}`, [rows], made);
        this.add(`bias_hh_l${layer}${suffix}`, [rows], made);
      }
    }
    this.initSelf(made);
  }

  private add(name: string, shape: number[], options: FactoryOptions): void {
    slots(this)[name] = new Parameter(empty(shape, options));
    this.names.push(name);
  }

  override resetParameters(g: Generator): void {
    const bound = this.hiddenSize > 0 ? 1 / Math.sqrt(this.hiddenSize) : 0;
    for (const weight of this.weights()) uniform_(weight, -bound, bound, { generator: g });
  }

  /** One call of the operator: of one layer or of all; packed where `sizes` is given. Returns [output, ...states]. */
  protected abstract run(x: Tensor, sizes: Tensor | null, state: Tensor[], part: LayerRange): Tensor[];

  /** The whole pass: checks, packs, runs all layers, unpacks. `count` is the number of state tensors. */
  protected recur(
    x: Tensor,
    given: readonly Tensor[] | null,
    count: number,
    lengths: readonly number[] | null,
  ): [Tensor, Tensor[]] {
    const [time, batch] = this.checked(x);
    const state = given ? [...given] : new Array<Tensor>(count).fill(this.zeroState(x, batch));
    if (lengths === null) return this.layers(x, null, state);
    const packing = pack(x, lengths, this.batchFirst, { time, batch });
    const sorted = given ? state.map((s) => s.indexSelect(1, packing.order)) : state;
    const [data, finals] = this.layers(packing.data, packing.sizes, sorted);
    const [padded] = ops._padPackedSequence(data, packing.sizes, this.batchFirst, 0, time);
    const output = padded.indexSelect(this.batchFirst ? 0 : 1, packing.inverse);
    return [output, finals.map((final) => final.indexSelect(1, packing.inverse))];
  }

  private layers(x: Tensor, sizes: Tensor | null, state: Tensor[]): [Tensor, Tensor[]] {
    const { numLayers, dropout: p } = this;
    // libtorch's operator cannot take the dropout between layers from a generator: then layer by layer.
    const own = this.training && p > 0 && numLayers > 1 && (this.generator ?? drawFrom(x)) !== null;
    if (!own) {
      const [output, ...finals] = this.run(x, sizes, state, { weights: this.weights(), numLayers, dropout: p });
      return [output as Tensor, finals];
    }
    const n = this.directions;
    const finals: Tensor[][] = state.map(() => []);
    let y = x;
    for (let layer = 0; layer < numLayers; layer += 1) {
      const input = layer === 0 ? y : dropout(y, p, true, this.generator);
      const here = state.map((s) => s.narrow(0, layer * n, n));
      const part = { weights: this.weights(layer), numLayers: 1, dropout: 0 };
      const [output, ...ends] = this.run(input, sizes, here, part);
      y = output as Tensor;
      for (const [i, end] of ends.entries()) finals[i]?.push(end);
    }
    return [y, finals.map((each) => cat(each, 0))];
  }

  private get directions(): number {
    return this.bidirectional ? 2 : 1;
  }

  /** The parameters of all layers, or of one. */
  private weights(layer?: number): Parameter[] {
    const each = (this.bias ? 4 : 2) * this.directions;
    const names = layer === undefined ? this.names : this.names.slice(layer * each, (layer + 1) * each);
    return names.map((name) => slots(this)[name] as Parameter);
  }

  private zeroState(x: Tensor, batch: number): Tensor {
    return zeros([this.numLayers * this.directions, batch, this.hiddenSize], { dtype: x.dtype, device: x.device });
  }

  /** Time steps and batch size of an input. */
  private checked(x: Tensor): [time: number, batch: number] {
    expectTensor(this.typeName, x);
    const [a, b, width, ...more] = x.shape;
    if (width !== this.inputSize || more.length > 0) {
      const order = this.batchFirst ? 'batch, time' : 'time, batch';
      throw new ShapeError(`Expected [${order}, ${this.inputSize}], got [${x.shape}] in ${this.toString()}`);
    }
    return (this.batchFirst ? [b, a] : [a, b]) as [number, number];
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

/** Sequences without their padding, longest first, as libtorch's recurrent operators take them. */
interface Packing {
  readonly data: Tensor;
  readonly sizes: Tensor;
  /** Positions in the batch, by falling length, and back. */
  readonly order: Tensor;
  readonly inverse: Tensor;
}

function pack(
  x: Tensor,
  lengths: readonly number[],
  batchFirst: boolean,
  { time, batch }: { readonly time: number; readonly batch: number },
): Packing {
  if (lengths.length !== batch || lengths.some((length) => !(length >= 1 && length <= time))) {
    throw new ShapeError(`Expected ${batch} lengths in 1..${time}, one a sequence, got [${lengths}]`);
  }
  const order = lengths.map((_, i) => i).sort((a, b) => (lengths[b] as number) - (lengths[a] as number));
  const inverse = new Array<number>(batch);
  for (const [place, i] of order.entries()) inverse[i] = place;
  const indices = (list: number[]) => tensor(list, { dtype: 'int64', device: x.device });
  const [forth, back] = [indices(order), indices(inverse)];
  const sortedLengths = tensor(
    order.map((i) => lengths[i] as number),
    { dtype: 'int64' },
  );
  const sorted = x.indexSelect(batchFirst ? 0 : 1, forth);
  const [data, sizes] = ops._packPaddedSequence(sorted, sortedLengths, batchFirst);
  return { data, sizes, order: forth, inverse: back };
}

/** Hidden and cell state, each [layers · directions, B, hiddenSize]. */
export type LstmState = readonly [h: Tensor, c: Tensor];

export interface SequenceOptions {
  /**
   * True lengths of the sequences of a padded batch. What lies behind them is not read: outputs there are zero, the final
   * states are those at the true ends, and the backward direction starts there (PyTorch's packed sequences).
   */
  readonly lengths?: readonly number[] | null;
}

/**
 * Long short-term memory. Input [T, B, inputSize] (or [B, T, inputSize] with `batchFirst`), output
 * [T, B, directions · hiddenSize]. Keys as PyTorch's: `weight_ih_l0` [4H, in], `weight_hh_l0` [4H, H], `bias_ih_l0`, ...
 */
export class LSTM extends RecurrentNet {
  constructor(inputSize: number, hiddenSize: number, options?: RnnOptions) {
    super(4, inputSize, hiddenSize, options);
  }

  /** `state` is zero by default. Returns the outputs of the last layer and the final state of all. */
  forward(
    x: Tensor,
    state?: LstmState | null,
    options?: SequenceOptions,
  ): [output: Tensor, state: [h: Tensor, c: Tensor]] {
    const [output, finals] = this.recur(
      x,
      state ?? null,
      2,
      signature.sequence.read('LSTM.forward', [], options).lengths,
    );
    return [output, finals as [Tensor, Tensor]];
  }

  protected override run(x: Tensor, sizes: Tensor | null, state: Tensor[], part: LayerRange): Tensor[] {
    const { bias, training, bidirectional, batchFirst } = this;
    const { weights, numLayers, dropout: p } = part;
    const run = op('headrace::lstm');
    return run(x, sizes, state, weights, bias, numLayers, p, training, bidirectional, batchFirst) as Tensor[];
  }
}

/** Gated recurrent unit: as {@link LSTM}, with one state and 3 gates. */
export class GRU extends RecurrentNet {
  constructor(inputSize: number, hiddenSize: number, options?: RnnOptions) {
    super(3, inputSize, hiddenSize, options);
  }

  forward(x: Tensor, state?: Tensor | null, options?: SequenceOptions): [output: Tensor, state: Tensor] {
    const [output, [final]] = this.recur(
      x,
      state ? [state] : null,
      1,
      signature.sequence.read('GRU.forward', [], options).lengths,
    );
    return [output, final as Tensor];
  }

  protected override run(x: Tensor, sizes: Tensor | null, state: Tensor[], part: LayerRange): Tensor[] {
    const { bias, training, bidirectional, batchFirst } = this;
    const { weights, numLayers, dropout: p } = part;
    const h = state[0] as Tensor;
    return sizes
      ? ops.gru(x, sizes, h, weights, bias, numLayers, p, training, bidirectional)
      : ops.gru(x, h, weights, bias, numLayers, p, training, bidirectional, batchFirst);
  }
}
