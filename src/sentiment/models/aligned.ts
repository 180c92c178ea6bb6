/** Modalities with equally many rows, for models that read them side by side. */
import type { Modality } from '../../features/specs.js';
import { ConfigError, ops, type Tensor, tensor } from '../../torch/index.js';
import type { SequenceInput } from './model.js';
import { lengthsOf, withoutPadding } from './rows.js';

/**
 * `'pool'`: the rows of the others are averaged into as many segments, equally long, as the first modality (the text, where there is
 * one) has. Words are taken to last equally long, which real alignment would know better. `'none'`: the data is aligned, and
 * anything else an error.
 */
export type RowAlignment = 'pool' | 'none';

/** @throws ConfigError for another value */
export function checkAlignment(model: string, align: unknown): RowAlignment {
  if (align === 'pool' || align === 'none') return align;
  throw new ConfigError(`Expected the option align of ${model} to be 'pool' or 'none', got '${String(align)}'`);
}

/** A modality whose rows the others are brought to. */
export interface RowOrder {
  readonly name: Modality;
  readonly lengths: readonly number[];
  /** Of the batch, at least as many as the longest. */
  readonly rows: number;
}

/** A modality's rows in the order of another's: [B, rows, D]. @throws ConfigError where they are not aligned and should be */
export function alignedTo(
  order: RowOrder,
  name: Modality,
  input: SequenceInput,
  align: RowAlignment,
  model: string,
): Tensor {
  const { lengths, rows } = order;
  if (align === 'pool') return poolRows(input, lengths, rows);
  const wrong = lengths.findIndex((length, b) => length !== input.lengths[b]);
  if (wrong < 0) {
    const values = withoutPadding(input);
    const here = values.shape[1]!;
    return here >= rows ? values.narrow(1, 0, rows) : ops.constantPadNd(values, [0, 0, 0, rows - here], 0);
  }
  throw new ConfigError(
    `Expected as many rows of ${name} as of ${order.name}, got ${input.lengths[wrong]} and ${lengths[wrong]} (utterance ${wrong} of ` +
      `a batch): use aligned features, or the option align 'pool' of ${model}`,
  );
}

/**
 * Averages an utterance's n rows into m segments, as adaptive average pooling does: segment i is the mean of the rows from
 * ⌊i n / m⌋ to ⌈(i + 1) n / m⌉. Fewer rows than segments are repeated. Padding is not read.
 * @param segments - of each utterance
 * @returns [B, rows, D], zeros behind an utterance's last segment
 */
export function poolRows(input: SequenceInput, segments: readonly number[], rows: number): Tensor {
  const { device, shape, dtype } = input.values;
  const from = lengthsOf(input).view([-1, 1, 1]);
  const to = tensor([...segments], { dtype: 'int64', device }).view([-1, 1, 1]);
  const segment = ops.arange(rows, { device }).view([1, -1, 1]);
  const row = ops.arange(shape[1]!, { device }).view([1, 1, -1]);
  const floor = (a: Tensor, b: Tensor): Tensor => a.div(b, { roundingMode: 'floor' });
  const start = floor(segment.mul(from), to);
  const end = floor(segment.add(1).mul(from).add(to).sub(1), to);
  const inside = row.ge(start).logicalAnd(row.lt(end)).logicalAnd(segment.lt(to));
  const weights = inside.to({ dtype }).div(end.sub(start));
  return weights.matmul(withoutPadding(input));
}
