// Long work on talking heads: how far it is, what it remarks, and Ctrl-C.

import type { StepRecord } from '../talkinghead/index.js';
import { PartsProgress } from './reading.js';
import { exitCodes, onInterrupt, say } from './report.js';

/** What work is told by, and how it is asked to stop. */
export interface Watching {
  readonly onProgress: (what: string, done: number, all: number) => void;
  readonly onRecord: (record: StepRecord) => void;
  readonly note: (text: string) => void;
  readonly shouldStop: () => boolean;
}

export interface Watched {
  /** Steps of a training, for its records. */
  readonly steps?: number;
  /** Said when it is asked to stop. */
  readonly stopping: string;
  /** Said when it has stopped. */
  readonly stopped: string;
}

/** Runs what Ctrl-C ends. @returns what it came to; null where it stopped, which the exit code then says */
export async function watched<Result>(
  { steps, stopping, stopped }: Watched,
  work: (watching: Watching) => Promise<Result | null>,
): Promise<Result | null> {
  const progress = new PartsProgress();
  let asked = false;
  const release = onInterrupt(() => {
    say(`\nheadrace: ${stopping}; Ctrl-C again ends at once`);
    asked = true;
  });
  try {
    const result = await work({
      onProgress: (what, done, all) => progress.update(what, done, all),
      onRecord: ({ step, loss }) => progress.keep(`step ${step}${steps ? ` of ${steps}` : ''}: ${partsText(loss)}`),
      note: (text) => progress.keep(`note: ${text}`),
      shouldStop: () => asked,
    });
    progress.finish();
    if (result === null) {
      say(`headrace: ${stopped}`);
      process.exitCode = exitCodes.interrupted;
    }
    return result;
  } finally {
    progress.finish();
    release();
  }
}

/** Parts of a loss in words. */
function partsText(loss: Readonly<Record<string, number>>): string {
  return Object.entries(loss)
    .map(([name, value]) => `${name} ${value.toFixed(3)}`)
    .join(', ');
}
