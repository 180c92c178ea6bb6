import { duration } from '../report/index.js';
import { Preparation, type PrepareProgress, type VideoOutcome } from '../talkinghead/index.js';
import { exitCodes, onInterrupt, print, say } from './report.js';
import type { TalkPrepareFlags } from './talk-program.js';

/** Milliseconds between lines of progress. */
const every = 10_000;

/** `headrace talk prepare`. Ctrl-C keeps what is done, and the same command goes on from there. */
export async function prepareClips(
  inputs: readonly string[],
  { out, json, ...options }: TalkPrepareFlags,
): Promise<void> {
  const begun = Date.now();
  let [shown, clips] = [begun, 0];
  const preparation = new Preparation(inputs, out, {
    ...options,
    onVideo: (outcome, progress) => {
      for (const line of rejections(outcome)) say(line);
      for (const note of outcome.notes ?? []) say(`note: ${note}`);
      clips += outcome.clips.length;
      if (Date.now() - shown < every && progress.done < progress.total) return;
      shown = Date.now();
      say(progressLine(progress, clips, (Date.now() - begun) / 1000));
    },
  });
  const release = onInterrupt(() => {
    say('headrace: stopping; what is done is kept');
    preparation.stop();
  });
  try {
    const found = await preparation.run();
    const counts = `${found.clips.length} clips of ${found.videos} videos, ${found.rejected.length} rejected`;
    const summary = { out, videos: found.videos, clips: found.clips.length, rejected: found.rejected };
    if (found.stopped) {
      say(`headrace: stopped: ${counts} so far; the same command goes on`);
      process.exitCode = exitCodes.interrupted;
    }
    const clipLists = found.clips.length > 0 ? ['clips.jsonl', 'sheet.jpg'] : [];
    const lists = [...clipLists, ...(found.rejected.length > 0 ? ['rejected.jsonl'] : []), 'README.md'];
    print(json, { ...summary, stopped: found.stopped }, `${counts}\nkept in ${out}: ${lists.join(', ')}`);
  } finally {
    release();
  }
}

function rejections({ rejected }: VideoOutcome): string[] {
  return rejected.map(({ video, from, to, reason }) => {
    const part = from === null || to === null ? '' : ` from ${from.toFixed(2)} to ${to.toFixed(2)} s`;
    // Errors of files name them.
    return `rejected: ${reason.startsWith(video) ? reason : `${video}${part}: ${reason}`}`;
  });
}

function progressLine({ done, total, before }: PrepareProgress, clips: number, seconds: number): string {
  const left = ((total - done) * seconds) / Math.max(1, done - before);
  return `${done}/${total} videos  ${clips} new clips  ETA ${duration(left)}`;
}
