/** Sequences without their padding, for models that read more than the text's one vector. */
import type { Modality } from '../../features/specs.js';
import type { EncodedText } from '../../text/encoder.js';
import { ConfigError, cat, ops, type Tensor, tensor, where } from '../../torch/index.js';
import type { ModelContext, SequenceInput } from './model.js';

/** An encoded text as a sequence like those of audio and vision. */
export function textRows({ sequence, mask }: EncodedText): SequenceInput {
  const lengths = (mask.sum([1]).tolist() as number[]).map((length) => Math.max(1, length));
  return { values: sequence, lengths, mask };
}

/** int64 [B], on the device of the values. */
export function lengthsOf({ values, lengths }: SequenceInput): Tensor {
  return tensor([...lengths], { dtype: 'int64', device: values.device });
}

/**
 * bool [B, T], true for the first rows, as many as the lengths say. Unlike the batch's mask it has one row at least: an
 * utterance without any has a row of zeros, which attention needs.
 */
export function readableRows(input: SequenceInput): Tensor {
  return ops.arange(input.values.shape[1]!, { device: input.values.device }).lt(lengthsOf(input).unsqueeze(1));
}

/** The values, with zeros in place of whatever stands behind the last row. */
export function withoutPadding(input: SequenceInput): Tensor {
  return where(readableRows(input).unsqueeze(2), input.values, 0);
}

/** The mean of an utterance's rows: [B, T, D] to [B, D]. */
export function meanRow(input: SequenceInput): Tensor {
  return withoutPadding(input).sum([1]).div(lengthsOf(input).unsqueeze(1));
}

/** Mean and deviation of each column over an utterance's rows: [B, T, D] to [B, 2 D]. One row has no deviation. */
export function rowStatistics(input: SequenceInput): Tensor {
  const mean = meanRow(input);
  const apart = where(readableRows(input).unsqueeze(2), input.values.sub(mean.unsqueeze(1)), 0);
  const variance = apart.square().sum([1]).div(lengthsOf(input).unsqueeze(1));
  return cat([mean, variance.add(1e-8).sqrt()], 1);
}

/** The greatest of each column over an utterance's rows: [B, T, D] to [B, D]. */
export function greatestRow(input: SequenceInput): Tensor {
  return where(readableRows(input).unsqueeze(2), input.values, -Infinity).amax([1]);
}

/** The last row of each utterance: [B, T, D] to [B, D]. */
export function lastRow({ values, lengths }: Pick<SequenceInput, 'values' | 'lengths'>): Tensor {
  const longest = values.shape[1]!;
  const places = lengths.map((length, b) => b * longest + length - 1);
  return values.flatten(0, 1).indexSelect(0, tensor(places, { dtype: 'int64', device: values.device }));
}

/** @throws ConfigError for a model of one modality, where the method joins several */
export function expectSeveral(context: ModelContext, model: string): void {
  if (context.modalities.length > 1) return;
  throw new ConfigError(
    `Expected two or three modalities for ${model}, which is nothing but the way to join them, ` +
      `got ${context.modalities.join(', ') || 'none'}`,
  );
}

/** The modalities beside the text. @throws ConfigError without text, and where there are no others */
export function expectTextAndOthers({ modalities }: ModelContext, model: string): Modality[] {
  const others = modalities.filter((name) => name !== 'text');
  if (others.length > 0 && others.length < modalities.length) return others;
  throw new ConfigError(
    `Expected text and one modality or two besides for ${model}, whose middle the text is, got ${modalities.join(', ') || 'none'}`,
  );
}
