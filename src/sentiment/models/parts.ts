/** What several sentiment models are made of. */
import { Dropout, Linear, LSTM, Module } from '../../nn/index.js';
import type { Tensor } from '../../torch/index.js';
import { asPrediction, type SequenceInput } from './model.js';

/**
 * A one-way LSTM over the true rows, its last state through dropout and a linear layer: [B, T, D] to [B, out]. Self-MM's
 * encoder of audio and vision (there `AuViSubNet`). Keys: `rnn`, `linear_1`.
 */
export class SequenceEncoder extends Module {
  rnn: LSTM;
  dropout: Dropout;
  linear_1: Linear;

  constructor(rows: number, hidden: number, out: number, dropout = 0) {
    super();
    this.rnn = new LSTM(rows, hidden, { batchFirst: true });
    this.dropout = new Dropout(dropout);
    this.linear_1 = new Linear(hidden, out);
  }

  forward({ values, lengths }: SequenceInput): Tensor {
    const [, [last]] = this.rnn.forward(values, null, { lengths });
    return this.linear_1.forward(this.dropout.forward(last.squeeze(0)));
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
