/** What every text encoder gives a model. */
import type { TensorBatch } from '../data/index.js';
import { Module } from '../nn/index.js';
import type { Tensor } from '../torch/index.js';

/** A batch of encoded texts. */
export interface EncodedText {
  /** [B, L, width] */
  readonly sequence: Tensor;
  /** bool [B, L], true for real rows. */
  readonly mask: Tensor;
  /** [B, width]: one vector for the whole text. */
  readonly pooled: Tensor;
}

/**
 * Changes the rows of words or pieces before an encoder reads them, as models do that let words mean something else by how they
 * are said: [B, L, rowWidth] and their mask, bool [B, L], to as many rows of the same width.
 */
export type RowShift = (rows: Tensor, mask: Tensor) => Tensor;

/** Encodes the texts of a batch, from its `tokens` or its `text` features. */
export abstract class TextEncoder extends Module {
  /** Of each vector that comes out. */
  abstract readonly width: number;

  /** Of the rows that a {@link RowShift} changes. */
  get rowWidth(): number {
    return this.width;
  }

  /** @throws ConfigError when the batch lacks what the encoder reads */
  abstract override forward(batch: TensorBatch, shift?: RowShift): EncodedText;
}
