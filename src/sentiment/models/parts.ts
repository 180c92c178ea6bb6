/** What several sentiment models are made of. */
import { Dropout, Linear, LSTM, Module } from '../../nn/index.js';
import { cat, type Tensor } from '../../torch/index.js';
import { asPrediction, type SequenceInput } from './model.js';
import { rowStatistics } from './rows.js';

/**
 * A one-way LSTM over the true rows, its last state through dropout and a linear layer: [B, T, D] to [B, out]. Self-MM's
 * encoder of audio and vision (there `AuViSubNet`). With `statistics` the layer reads the rows' means and deviations beside
 * the state, which a few hundred utterances can teach it from, where an LSTM over long rows learns nothing. Keys: `rnn`,
 * `linear_1`.
 */
export class SequenceEncoder extends Module {
  rnn: LSTM;
  dropout: Dropout;
  linear_1: Linear;

  constructor(
    rows: number,
    hidden: number,
    out: number,
    dropout = 0,
    readonly statistics = false,
  ) {
    super();
    this.rnn = new LSTM(rows, hidden, { batchFirst: true });
    this.dropout = new Dropout(dropout);
    this.linear_1 = new Linear(statistics ? hidden + 2 * rows : hidden, out);
  }

  forward(input: SequenceInput): Tensor {
    const [, [last]] = this.rnn.forward(input.values, null, { lengths: input.lengths });
    const state = last.squeeze(0);
    return this.linear_1.forward(this.dropout.forward(this.statistics ? cat([state, rowStatistics(input)], 1) : state));
  }
}

/**
 * Dropout, then three linear layers with ReLU between: [B, d] to a prediction. What leaves the first one, [B, hidden], is
 * what unimodal labels are made from. Keys: `layer_1`, `layer_2`, `layer_3`.
 */
export class Head extends Module {
  dropout: Dropout;
  layer_1: Linear;
  layer_2: Linear;
  layer_3: Linear;

  constructor(width: number, hidden: number, outputs: number, dropout = 0) {
    super();
    this.dropout = new Dropout(dropout);
    this.layer_1 = new Linear(width, hidden);
    this.layer_2 = new Linear(hidden, hidden);
    this.layer_3 = new Linear(hidden, outputs);
  }

  forward(features: Tensor): { hidden: Tensor; prediction: Tensor } {
    const hidden = this.layer_1.forward(this.dropout.forward(features)).relu();
    return { hidden, prediction: asPrediction(this.layer_3.forward(this.layer_2.forward(hidden).relu())) };
  }
}
