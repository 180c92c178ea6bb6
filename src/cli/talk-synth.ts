import {
  makeSpeechClips,
  makeSyntheticSet,
  type SpeechClipsResult,
  type SyntheticSetResult,
} from '../talkinghead/index.js';
import { ConfigError } from '../torch/index.js';
import { perSecond, ReadingProgress } from './reading.js';
import { exitCodes, onInterrupt, print, say } from './report.js';
import type { TalkSynthFlags } from './talk-program.js';

/** `headrace talk synth`. */
export async function synthTalk(flags: TalkSynthFlags): Promise<void> {
  const { frames, clips, speech, depth } = flags;
  if (speech !== undefined && (clips || depth))
    throw new ConfigError('--speech makes clips of another form: leave --clips and --depth out');
  if (frames !== undefined && !clips && speech === undefined)
    throw new ConfigError('--frames counts the pictures of clips: give --clips or --speech, too');
  const progress = new ReadingProgress('drawing', process.stderr, Date.now, perSecond(speech ? 'clips' : 'images'));
  let stopped = false;
  const release = onInterrupt(() => {
    stopped = true;
    say(`headrace: stopping after this ${speech ? 'clip' : 'picture'}; Ctrl-C again ends at once`);
  });
  try {
    const watching = { progress: progress.update.bind(progress), stopped: () => stopped };
    const [result, text] = await (speech ? spoken(flags, speech, watching) : drawn(flags, watching));
    progress.finish();
    print(flags.json, result, text);
    if (stopped && result.items < result.count) process.exitCode = exitCodes.interrupted;
  } finally {
    progress.finish();
    release();
  }
}

interface Watching {
  readonly progress: (done: number, total: number) => void;
  readonly stopped: () => boolean;
}

async function drawn(
  { seed, count, out, size, people, frames, clips, fps, depth }: TalkSynthFlags,
  { progress, stopped }: Watching,
): Promise<[SyntheticSetResult, string]> {
  const each = clips ? (frames ?? 50) : 1;
  const result = await makeSyntheticSet(out, {
    seed,
    count,
    size,
    frames: each,
    fps,
    depth,
    ...(people !== undefined && { people }),
    progress: (done, total) => progress(done * each, total * each),
    stopped,
  });
  const what = clips ? 'clips' : 'stills';
  if (result.labels === null) return [result, broken(result, what)];
  const { items, pictures, labels, sheet } = result;
  return [result, `${items} ${what}, ${pictures} pictures${earlier(result)}, in ${out}: ${labels}, ${sheet}`];
}

async function spoken(
  { seed, count, out, size, people, frames, fps, place }: TalkSynthFlags,
  speech: readonly string[],
  watching: Watching,
): Promise<[SpeechClipsResult, string]> {
  const result = await makeSpeechClips(out, {
    seed,
    count,
    size,
    fps,
    place,
    speech,
    ...(people !== undefined && { people }),
    ...(frames !== undefined && { frames }),
    ...watching,
  });
  if (!result.whole) return [result, broken(result, 'clips')];
  return [result, `${result.items} clips of people who speak${earlier(result)}, in ${out}`];
}

const earlier = ({ before }: { readonly before: number }): string =>
  before > 0 ? ` (${before} were there before)` : '';

const broken = ({ items, count }: { readonly items: number; readonly count: number }, what: string): string =>
  `stopped after ${items} of ${count} ${what}; the same command goes on from there`;
