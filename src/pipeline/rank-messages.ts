/** What ranks tell each other of a run: values as threads post them, and tensors. */
import { deserialize, serialize } from 'node:v8';
import type { ProcessGroup, RankChannel, RankEnvelope } from '../distributed/index.js';
import { scope, type Tensor, tensorFromBytes } from '../torch/index.js';

/** A run over ranks, and its number among those of their group: each has borders of its own. */
export interface RankRun {
  readonly group: ProcessGroup;
  readonly number: number;
}

/** Borders of a run: the first is for what ranks tell each other, the others are its edges. */
const BORDERS = 4096;

export const firstBorder = ({ number }: Pick<RankRun, 'number'>): number => number * BORDERS + 1;

/** Told by a rank that does not see the run's folder, before all else: it waits for what it needs instead. */
export interface ApartNotice {
  readonly kind: 'apart';
  readonly peer: number;
}

/** A rank may have nothing to tell for long; one that is lost ends the wait. */
const optionsOf = ({ number }: RankRun) => ({ number: number * BORDERS, capacity: 16, timeoutMs: 1e12 });

export const toRank = (run: RankRun, peer: number): RankChannel => run.group.channelTo(peer, optionsOf(run));

export const fromRank = (run: RankRun, peer: number): RankChannel => run.group.channelFrom(peer, optionsOf(run));

export function tell(border: RankChannel, value: unknown, tensors: readonly Tensor[] = []): void {
  scope(() => border.put(envelopeOf(value, tensors)));
}

/** @returns false where there was no room for a moment: nothing was told */
export function tryTell(border: RankChannel, value: unknown): boolean {
  return scope(() => border.tryPut(envelopeOf(value, []), 1));
}

function envelopeOf(value: unknown, tensors: readonly Tensor[]): RankEnvelope {
  const bytes = serialize(value);
  return { meta: null, tensors: [tensorFromBytes(bytes, 'uint8', [bytes.length]), ...tensors] };
}

/** A value, and the tensors that came with it. */
export function hear(border: RankChannel): { readonly value: unknown; readonly tensors: readonly Tensor[] } {
  const [bytes, ...tensors] = border.get().tensors as [Tensor, ...Tensor[]];
  const value: unknown = deserialize(bytes.bytes());
  bytes.dispose();
  return { value, tensors };
}
