/** Recurrent layers of the plain kind, and single steps of every kind. */
import { expectList, expectTensor } from '../torch/expect.js';
import { empty, type Generator, ops, ShapeError, type Tensor, zeros } from '../torch/index.js';
import { uniform_ } from './init.js';
import { type FactoryOptions, Module } from './module.js';
import * as signature from './more-signatures.js';
import { Parameter } from './parameter.js';
import { pyBool } from './repr.js';
import { type LayerRange, type LstmState, RecurrentNet, type RnnOptions, type SequenceOptions } from './rnn.js';
import { sequence } from './signatures.js';

export type RnnNonlinearity = 'tanh' | 'relu';

export interface PlainRnnOptions extends RnnOptions {
  /** Default `'tanh'`. */
  readonly nonlinearity?: RnnNonlinearity;
}

/** Elman's recurrent net, h' = tanh(W x + b + U h + c): as {@link GRU}, with one gate. Keys as {@link LSTM}'s, [H, ...]. */
export class RNN extends RecurrentNet {
  readonly nonlinearity: RnnNonlinearity;

  constructor(inputSize: number, hiddenSize: number, options?: PlainRnnOptions) {
    const values = signature.rnn.read('RNN', [inputSize, hiddenSize], options);
    const { numLayers, bias, batchFirst, dropout, bidirectional, device, dtype } = values;
    super(1, inputSize, hiddenSize, { numLayers, bias, batchFirst, dropout, bidirectional, device, dtype });
    this.nonlinearity = values.nonlinearity;
  }

  /** `state` [layers · directions, B, H] is zero by default. Returns the last layer's outputs and the final state of all. */
  forward(x: Tensor, state?: Tensor | null, options?: SequenceOptions): [output: Tensor, state: Tensor] {
    const { lengths } = sequence.read('RNN.forward', [], options);
    const [output, [final]] = this.recur(x, state ? [state] : null, 1, lengths);
    return [output, final as Tensor];
  }

  protected override run(x: Tensor, sizes: Tensor | null, state: Tensor[], part: LayerRange): Tensor[] {
    const { bias, training, bidirectional, batchFirst } = this;
    const { weights, numLayers, dropout: p } = part;
    const h = state[0] as Tensor;
    const run = this.nonlinearity === 'tanh' ? ops.rnnTanh : ops.rnnRelu;
    return sizes
      ? run(x, sizes, h, weights, bias, numLayers, p, training, bidirectional)
      : run(x, h, weights, bias, numLayers, p, training, bidirectional, batchFirst);
  }
}

export interface RnnCellOptions extends FactoryOptions {
  /** Default true. */
  readonly bias?: boolean;
}

/** What the cells share: parameters `weight_ih` [gates · H, in], `weight_hh` [gates · H, H], `bias_ih`, `bias_hh`. */
abstract class RecurrentCell extends Module {
  weight_ih: Parameter;
  weight_hh: Parameter;
  bias_ih: Parameter | null;
  bias_hh: Parameter | null;

  protected constructor(
    gates: number,
    readonly inputSize: number,
    readonly hiddenSize: number,
    options: Required<RnnCellOptions>,
  ) {
    super();
    const { bias, device, dtype } = options;
    const factory = { device, dtype };
    const rows = gates * hiddenSize;
    const made = (...shape: number[]) => new Parameter(empty(shape, factory));
    this.weight_ih = made(rows, inputSize);
    this.weight_hh = made(rows, hiddenSize);
    this.bias_ih = bias ? made(rows) : null;
    this.bias_hh = bias ? made(rows) : null;
    this.initSelf(factory);
  }

  override resetParameters(g: Generator): void {
    const bound = this.hiddenSize > 0 ? 1 / Math.sqrt(this.hiddenSize) : 0;
    for (const weight of [this.weight_ih, this.weight_hh, this.bias_ih, this.bias_hh]) {
      if (weight) uniform_(weight, -bound, bound, { generator: g });
    }
  }

  /** One step of a batch, or of a single row [in] with states [H]. */
  protected advance(
    x: Tensor,
    given: readonly Tensor[] | null,
    count: number,
    run: (x: Tensor, state: Tensor[]) => Tensor[],
  ): Tensor[] {
    expectTensor(this.typeName, x);
    if (given !== null) expectList(this.typeName, given, 'a state in a list');
    const shape = x.shape;
    if (shape.length < 1 || shape.length > 2 || shape.at(-1) !== this.inputSize) {
      throw new ShapeError(
        `Expected [batch, ${this.inputSize}] or [${this.inputSize}], got [${shape}] in ${this.toString()}`,
      );
    }
    const single = shape.length === 1;
    const rows = single ? x.unsqueeze(0) : x;
    const batch = single ? 1 : (shape[0] as number);
    const zero = () => zeros([batch, this.hiddenSize], { dtype: x.dtype, device: x.device });
    const state = given ? given.map((s) => this.rowsOf(s, single, batch)) : new Array<Tensor>(count).fill(zero());
    const next = run(rows, state);
    return single ? next.map((s) => s.squeeze(0)) : next;
  }

  private rowsOf(state: Tensor, single: boolean, batch: number): Tensor {
    const expected = single ? [this.hiddenSize] : [batch, this.hiddenSize];
    expectTensor(this.typeName, state, 'the state');
    const shape = state.shape;
    if (shape.length !== expected.length || shape.some((size, i) => size !== expected[i])) {
      throw new ShapeError(`Expected a state [${expected.join(', ')}], got [${shape}] in ${this.toString()}`);
    }
    return single ? state.unsqueeze(0) : state;
  }

  override extraRepr(): string {
    const bias = this.bias_ih === null ? `, bias=${pyBool(false)}` : '';
    return `${this.inputSize}, ${this.hiddenSize}${bias}`;
  }
}

/** One step of {@link RNN}: [B, in] and the state [B, H], zero by default, to the next state. */
export class RNNCell extends RecurrentCell {
  readonly nonlinearity: RnnNonlinearity;

  constructor(
    inputSize: number,
    hiddenSize: number,
    options?: RnnCellOptions & { readonly nonlinearity?: RnnNonlinearity },
  ) {
    const { nonlinearity, ...others } = signature.rnnCell.read('RNNCell', [inputSize, hiddenSize], options);
    super(1, inputSize, hiddenSize, others);
    this.nonlinearity = nonlinearity;
  }

  forward(x: Tensor, state: Tensor | null = null): Tensor {
    const step = this.nonlinearity === 'tanh' ? ops.rnnTanhCell : ops.rnnReluCell;
    const [next] = this.advance(x, state && [state], 1, (rows, [h]) => [
      step(rows, h as Tensor, this.weight_ih, this.weight_hh, this.bias_ih, this.bias_hh),
    ]);
    return next as Tensor;
  }

  override extraRepr(): string {
    return `${super.extraRepr()}${this.nonlinearity === 'tanh' ? '' : `, nonlinearity=${this.nonlinearity}`}`;
  }
}

/** One step of {@link LSTM}: [B, in] and both states [B, H], zero by default, to the next states. */
export class LSTMCell extends RecurrentCell {
  constructor(inputSize: number, hiddenSize: number, options?: RnnCellOptions) {
    super(4, inputSize, hiddenSize, signature.cell.read('LSTMCell', [inputSize, hiddenSize], options));
  }

  forward(x: Tensor, state: LstmState | null = null): [h: Tensor, c: Tensor] {
    return this.advance(x, state, 2, (rows, states) =>
      ops.lstmCell(rows, states, this.weight_ih, this.weight_hh, this.bias_ih, this.bias_hh),
    ) as [Tensor, Tensor];
  }
}

/** One step of {@link GRU}: [B, in] and the state [B, H], zero by default, to the next state. */
export class GRUCell extends RecurrentCell {
  constructor(inputSize: number, hiddenSize: number, options?: RnnCellOptions) {
    super(3, inputSize, hiddenSize, signature.cell.read('GRUCell', [inputSize, hiddenSize], options));
  }

  forward(x: Tensor, state: Tensor | null = null): Tensor {
    const [next] = this.advance(x, state && [state], 1, (rows, [h]) => [
      ops.gruCell(rows, h as Tensor, this.weight_ih, this.weight_hh, this.bias_ih, this.bias_hh),
    ]);
    return next as Tensor;
  }
}
