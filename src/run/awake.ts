/** Patience with others, in a process that may be suspended itself. */
import { setTimeout as sleep } from 'node:timers/promises';

const SLICE_MS = 100;

/**
 * Waits for so many milliseconds, in slices: however long the process was suspended, or kept from its work, counts as one.
 * @param signal - ends it, as it ends `timers/promises`
 */
export async function awake(ms: number, signal?: AbortSignal): Promise<void> {
  const options = signal === undefined ? {} : { signal };
  for (let left = ms; left > 0; left -= SLICE_MS) await sleep(Math.min(left, SLICE_MS), undefined, options);
}
