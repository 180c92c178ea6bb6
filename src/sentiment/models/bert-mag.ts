/** A BERT whose words are shifted by how they are said: MAG (Rahman et al., ACL 2020, arXiv 1908.05787). */

import type { Modality } from '../../features/specs.js';
import { Dropout, LayerNorm, Linear, Module, ModuleDict } from '../../nn/index.js';
import type { TextEncoder } from '../../text/encoder.js';
import { cat, type Tensor, where } from '../../torch/index.js';
import type { SentimentBatch } from '../datasets/index.js';
import { alignedTo, checkAlignment, type RowAlignment } from './aligned.js';
import {
  asPrediction,
  type ModelContext,
  SentimentModel,
  type SentimentOutput,
  sequenceOf,
  textOf,
  widthOf,
} from './model.js';
import { expectTextAndOthers } from './rows.js';
import { type Partially, withDefaults } from './settings.js';

/** What is left out is MMSA's for MOSI. */
export interface BertMagSettings {
  /** The longest that a shift may be, of the length of a word's own vector. Default 1. */
  readonly betaShift: number;
  /** After the gate, and before the last layer. Default 0.3, 0.1. */
  readonly dropout: { readonly gate: number; readonly head: number };
  /** How audio and vision get as many rows as the text. Default `'pool'`. */
  readonly align: RowAlignment;
}

export type BertMagOptions = Partially<BertMagSettings>;

const defaults: BertMagSettings = { betaShift: 1, dropout: { gate: 0.3, head: 0.1 }, align: 'pool' };

/**
 * Multimodal adaptation gate (section 4): g_m = relu(W_gm [m; z] + b), H = Σ_m g_m · (W_m m), and z + α H with
 * α = min(β ‖z‖ / ‖H‖, 1), normalised. Keys: `gates.<modality>.*`, `shifts.<modality>.*`, `LayerNorm.*`.
 */
export class AdaptationGate extends Module {
  gates: ModuleDict<Linear>;
  shifts: ModuleDict<Linear>;
  LayerNorm: LayerNorm;
  dropout: Dropout;

  /** @param width - of the words' rows @param widths - of the rows of the other modalities */
  constructor(
    width: number,
    widths: Readonly<Partial<Record<Modality, number>>>,
    readonly betaShift: number,
    dropout: number,
  ) {
    super();
    const each = (from: (rows: number) => number): ModuleDict<Linear> =>
      new ModuleDict(
        Object.fromEntries(Object.entries(widths).map(([name, rows]) => [name, new Linear(from(rows), width)])),
      );
    this.gates = each((rows) => rows + width);
    this.shifts = each((rows) => rows);
    this.LayerNorm = new LayerNorm(width);
    this.dropout = new Dropout(dropout);
  }

  /** @param words - [B, L, width] @param others - [B, L, D] each @returns [B, L, width] */
  forward(words: Tensor, others: Readonly<Partial<Record<Modality, Tensor>>>): Tensor {
    const shift = Object.entries(others)
      .map(([name, rows]) => {
        const gate = this.gates
          .get(name)
          .forward(cat([rows, words], 2))
          .relu();
        return gate.mul(this.shifts.get(name).forward(rows));
      })
      .reduce((sum, part) => sum.add(part));
    const length = shift.norm(2, [2], true);
    // Nothing is divided by the length of no shift.
    const some = where(length.eq(0), 1, length);
    const alpha = words.norm(2, [2], true).div(some.add(1e-6)).mul(this.betaShift).clampMax(1);
    return this.dropout.forward(this.LayerNorm.forward(words.add(shift.mul(alpha))));
  }
}

/**
 * Text with one other modality or two. The gate stands before the first layer of the text's encoder, of whichever kind. There are no
 * features before fusion, so that nothing can align them. Keys: `text.*`, `gate.*`, `pooler.*`, `classifier.*`.
 */
export class BertMag extends SentimentModel {
  text: TextEncoder;
  gate: AdaptationGate;
  pooler: Linear;
  dropout: Dropout;
  classifier: Linear;
  readonly #others: readonly Modality[];
  readonly #align: RowAlignment;

  /** @throws ConfigError without text, and without another modality */
  constructor(context: ModelContext, options: BertMagOptions = {}) {
    super();
    const { betaShift, dropout, align } = withDefaults('bert-mag', defaults, options);
    this.#align = checkAlignment('bert-mag', align);
    this.#others = expectTextAndOthers(context, 'BERT-MAG');
    this.text = textOf(context);
    const widths = Object.fromEntries(this.#others.map((name) => [name, widthOf(context, name)]));
    this.gate = new AdaptationGate(this.text.rowWidth, widths, betaShift, dropout.gate);
    this.pooler = new Linear(this.text.width, this.text.width);
    this.dropout = new Dropout(dropout.head);
    this.classifier = new Linear(this.text.width, context.outputs);
  }

  forward(batch: SentimentBatch): SentimentOutput {
    const { pooled } = this.text.forward(batch, (words, mask) => this.gate.forward(words, this.#beside(batch, mask)));
    const hidden = this.dropout.forward(this.pooler.forward(pooled).tanh());
    const prediction = asPrediction(this.classifier.forward(hidden));
    return { prediction, unimodal: {}, features: {}, hidden: {}, losses: {} };
  }

  /** The rows of the others, one a word. */
  #beside(batch: SentimentBatch, mask: Tensor): Readonly<Partial<Record<Modality, Tensor>>> {
    const lengths = mask.sum([1]).tolist() as number[];
    const order = { name: 'text', lengths, rows: mask.shape[1]! } as const;
    return Object.fromEntries(
      this.#others.map((name) => [name, alignedTo(order, name, sequenceOf(batch, name), this.#align, 'bert-mag')]),
    );
  }
}
