/** What every sentiment model is: a module from a batch of utterances to predictions and what losses may want besides. */

import type { Modality } from '../../features/specs.js';
import { Module } from '../../nn/index.js';
import type { TextEncoder } from '../../text/encoder.js';
import { ConfigError, type Tensor } from '../../torch/index.js';
import type { SentimentBatch } from '../datasets/index.js';

/** What a model is built for. */
export interface ModelContext {
  /** The modalities that it uses. */
  readonly modalities: readonly Modality[];
  /** Width of the rows of each modality that comes as features. */
  readonly widths: Readonly<Partial<Record<Modality, number>>>;
  /** 1 for a score, otherwise the number of classes. */
  readonly outputs: number;
  /** Null for models that do not read text. The model takes it over as its child `text`. */
  readonly text: TextEncoder | null;
}

/** B is the batch. A head's output is [B] for a score, [B, classes] for classes. */
export interface SentimentOutput {
  readonly prediction: Tensor;
  /** Of the heads that see one modality alone. */
  readonly unimodal: Readonly<Partial<Record<Modality, Tensor>>>;
  /** [B, d] of each modality, before any fusion: what alignment works on. */
  readonly features: Readonly<Partial<Record<Modality, Tensor>>>;
  /** [B, p] after the first hidden layer of each head: what unimodal labels are made from. */
  readonly hidden: Readonly<Partial<Record<'multimodal' | Modality, Tensor>>>;
  /** The model's own parts of the objective, weighted; empty for most. */
  readonly losses: Readonly<Record<string, Tensor>>;
}

/** Its children `text`, `audio` and `vision` are the encoders: their parameters train with learning rates of their own. */
export abstract class SentimentModel extends Module {
  abstract override forward(batch: SentimentBatch): SentimentOutput;
}

/** A modality's rows in a batch. */
export interface SequenceInput {
  /** [B, T, D], zeros at the end. */
  readonly values: Tensor;
  /** Of each utterance, at least 1. */
  readonly lengths: readonly number[];
  /** bool [B, T], true for real rows. */
  readonly mask: Tensor;
}

/** @throws ConfigError when the batch has no features of that modality */
export function sequenceOf(batch: SentimentBatch, modality: Modality): SequenceInput {
  const [values, lengths, mask] = [batch[modality], batch[`${modality}Lengths`], batch[`${modality}Mask`]];
  if (!values || !lengths || !mask) {
    throw new ConfigError(`Expected ${modality} features in the batch, got ${Object.keys(batch).join(', ')}`);
  }
  return { values, lengths: lengths.tolist() as number[], mask };
}

/** A head's last layer gives [B, outputs]; a score is [B]. */
export function asPrediction(output: Tensor): Tensor {
  return output.shape[1] === 1 ? output.squeeze(1) : output;
}

/** The width of a modality's rows. @throws ConfigError when the data has no such features */
export function widthOf(context: ModelContext, modality: Modality): number {
  const width = context.widths[modality];
  if (width === undefined) {
    throw new ConfigError(
      `The model wants ${modality} features, and the data has ${Object.keys(context.widths).join(', ') || 'none'}`,
    );
  }
  return width;
}

/** The text encoder. @throws ConfigError when there is none */
export function textOf(context: ModelContext): TextEncoder {
  if (context.text === null) throw new ConfigError('The model reads text, and was given no text encoder');
  return context.text;
}
