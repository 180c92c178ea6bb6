/** How a batch is shared out: cut into microbatches, and each of these among the replicas of a stage. */
import type { BatchMessage, GradientMessage } from './messages.js';

/** One of so many parts, as equal as can be. */
export interface Part {
  readonly index: number;
  readonly of: number;
}

/** Whole numbers as equal as can be that sum to `total`. */
export function splitEvenly(total: number, parts: number): number[] {
  return Array.from(
    { length: parts },
    (_, i) => startOf(total, { index: i + 1, of: parts }) - startOf(total, { index: i, of: parts }),
  );
}

function startOf(total: number, { index, of }: Part): number {
  return Math.floor((index * total) / of);
}

/** Whether two parts of the same thing have something in common, whatever its size. */
export function overlap(a: Part, b: Part): boolean {
  return a.index * b.of < (b.index + 1) * a.of && b.index * a.of < (a.index + 1) * b.of;
}

/**
 * The samples of a microbatch that are a replica's: from one up to, not including, another. Held-out batches are the first
 * replica's whole: it judges what a checkpoint holds.
 */
export function samplesOf(part: Part, meta: BatchMessage | GradientMessage): readonly [from: number, to: number] {
  const size = splitEvenly(meta.samples, meta.microbatches)[meta.microbatch]!;
  if (meta.kind === 'batch' && meta.split !== 'train') return part.index === 0 ? [0, size] : [size, size];
  return [startOf(size, part), startOf(size, { ...part, index: part.index + 1 })];
}

/** How many samples a message brings. */
export function rowsOf({ rows, samples }: BatchMessage): number {
  return rows ?? samples;
}
