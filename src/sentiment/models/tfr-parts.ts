/** What TFR-Net is made of: rows that are hidden, the loss of telling them, gated units that read a sequence. */
import { Conv1d, Dropout, functional, GRU, Linear, Module } from '../../nn/index.js';
import { cat, type Generator, ops, scope, type Tensor } from '../../torch/index.js';
import { centralMomentDiscrepancy } from './misa-losses.js';
import type { SequenceInput } from './model.js';
import { greatestRow } from './rows.js';

/** Draws which rows are missing. It has no parameters. */
export class MissingRows extends Module {
  /** Source of the draws, and of nothing else. */
  generator: Generator | null = null;

  /**
   * The first row stays, which is a text's `[CLS]`, so that no utterance is empty.
   * @param real - bool [B, T] @param share - of the real rows @returns bool [B, T], true for what is missing
   */
  forward(real: Tensor, share: number): Tensor {
    const drawn = ops.rand(real.shape, { generator: this.generator, device: real.device }).lt(share);
    const later = ops.arange(real.shape[1]!, { device: real.device }).gt(0);
    return drawn.logicalAnd(real).logicalAnd(later);
  }
}

/**
 * Smooth mean absolute error over the missing rows, and so many times the distance of their distributions (three moments, over the
 * number of values). Null where none is missing.
 * @param told - [B, T, D] @param whole - [B, T, D], what stood there @param missing - bool [B, T]
 */
export function missingLoss(told: Tensor, whole: Tensor, missing: Tensor, similarity: number): Tensor | null {
  const places = missing.flatten().nonzero().flatten();
  if (places.numel === 0) return null;
  return scope(() => {
    const [guess, truth] = [told, whole].map((x) => x.flatten(0, 1).indexSelect(0, places)) as [Tensor, Tensor];
    const apart = functional.smoothL1Loss(guess, truth);
    if (similarity === 0) return apart;
    return apart.add(centralMomentDiscrepancy(guess, truth, 3).mul(similarity / truth.numel));
  });
}

/**
 * A sequence as one vector: gated recurrent units both ways, a gate over them from their neighbours, the greatest of each column. Keys:
 * `gru.*`, `cnn.*`, `fc.*`.
 */
export class GatedRows extends Module {
  gru: GRU;
  cnn: Conv1d;
  fc: Linear;
  dropout: Dropout;

  constructor(rows: number, hidden: number, layers: number, dropout: number) {
    super();
    this.gru = new GRU(rows, hidden, { numLayers: layers, batchFirst: true, bidirectional: true });
    this.cnn = new Conv1d(2 * hidden, 1, 3, { padding: 'same' });
    this.fc = new Linear(2 * hidden + rows, hidden);
    this.dropout = new Dropout(dropout);
  }

  /** [B, T, rows] to [B, hidden] */
  forward(input: SequenceInput): Tensor {
    const [states] = this.gru.forward(input.values, null, { lengths: input.lengths });
    const gate = this.cnn.forward(states.transpose(1, 2)).sigmoid().transpose(1, 2);
    const values = this.fc.forward(cat([input.values, states.tanh().mul(gate)], 2)).tanh();
    return this.dropout.forward(greatestRow({ ...input, values }));
  }
}
