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

/** Encodes the texts of a batch, from its `tokens` or its `text` features. */
export abstract class TextEncoder extends Module {
  /** Of each vector that comes out. */
  abstract readonly width: number;

  /** @throws ConfigError when the batch lacks what the encoder reads */
  abstract override forward(batch: TensorBatch): EncodedText;
}
