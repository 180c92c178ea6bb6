import { makeSyntheticSet } from '../talkinghead/index.js';
import { ConfigError } from '../torch/index.js';
import { ReadingProgress } from './reading.js';
import { exitCodes, onInterrupt, print, say } from './report.js';
import type { TalkSynthFlags } from './talk-program.js';

/** `headrace talk synth`. */
export async function synthTalk(flags: TalkSynthFlags): Promise<void> {
  const { seed, count, out, size, people, frames, clips, fps, depth, json } = flags;
  if (frames !== undefined && !clips) throw new ConfigError('--frames counts the pictures of clips: give --clips, too');
  const each = clips ? (frames ?? 50) : 1;
  const progress = new ReadingProgress('drawing');
  let stopped = false;
  const release = onInterrupt(() => {
    stopped = true;
    say('headrace: stopping after this picture; Ctrl-C again ends at once');
  });
  try {
    const result = await makeSyntheticSet(out, {
      seed,
      count,
      size,
      frames: each,
      fps,
      depth,
      ...(people !== undefined && { people }),
      progress: (done, total) => progress.update(done * each, total * each),
      stopped: () => stopped,
    });
    progress.finish();
    const what = clips ? 'clips' : 'stills';
    const whole = result.labels !== null;
    const before = result.before > 0 ? ` (${result.before} were there before)` : '';
    const text = whole
      ? `${result.items} ${what}, ${result.pictures} pictures${before}, in ${out}: ${result.labels}, ${result.sheet}`
      : `stopped after ${result.items} of ${count} ${what}; the same command goes on from there`;
    print(json, result, text);
    if (!whole) process.exitCode = exitCodes.interrupted;
  } finally {
    progress.finish();
    release();
  }
}
