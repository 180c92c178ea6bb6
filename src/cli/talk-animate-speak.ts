import { existsSync } from 'node:fs';
import { extname } from 'node:path';
import { MotionTrack, parseEmotion, type SpeakAnimateOptions, SpeakHead } from '../talkinghead/index.js';
import { ConfigError, DataError } from '../torch/index.js';
import { perSecond, ReadingProgress } from './reading.js';
import { inFlags, say } from './report.js';
import type { Opened } from './talk-animate.js';
import type { TalkAnimateFlags } from './talk-program.js';

/** What the portrait mode alone can do. */
const portraitOnly = ['photo', 'full', 'size', 'preview', 'transcript', 'mouthScale'] as const;

/** @throws ConfigError for what a trained model cannot do, before anything is loaded */
export function checkSpeakFlags(flags: TalkAnimateFlags): void {
  if (flags.model === 'speak')
    throw new ConfigError(
      'No model of SPEAK comes with Headrace yet: train one (headrace talk train speak), and give its run: --model runs/speak',
    );
  if (!existsSync(flags.model))
    throw new ConfigError(`Expected --model portrait or a run of headrace talk train speak, got ${flags.model}`);
  const used = portraitOnly.filter((name) => flags[name] !== undefined && flags[name] !== false);
  const dashed = (name: string): string => `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
  if (used.length > 0)
    throw new ConfigError(
      `A trained model cannot take ${used.map(dashed).join(', ')}: leave it out, or take --model portrait`,
    );
  if (flags.emotion !== undefined && !isFile(flags.emotion)) parseEmotion(flags.emotion);
}

/** A head that a trained model makes speak. */
export async function openSpeak(flags: TalkAnimateFlags, signal: AbortSignal): Promise<Opened> {
  const { model, portrait, face, audio, seed, mark, allowTruncated, emotionScale, poseScale, fps } = flags;
  const head = await SpeakHead.load(model, portrait, { ...(face !== undefined && { face }) });
  if (fps !== undefined && fps !== head.model.fps)
    throw new ConfigError(`${model} speaks at ${head.model.fps} frames a second, got --fps ${fps}: leave it out`);
  let progress: { readonly file: string; readonly line: ReadingProgress } | null = null;
  const onFollow = (file: string, done: number, all: number): void => {
    if (progress?.file !== file) {
      progress?.line.finish();
      const line = new ReadingProgress(`following the face of ${file}:`, process.stderr, Date.now, perSecond('frames'));
      progress = { file, line };
    }
    progress.line.update(done, all);
  };
  const [felt, turned] = [source(flags.emotion), source(flags.pose)];
  if (felt instanceof MotionTrack)
    throw new ConfigError(
      'A trained model follows the emotion of a picture or a video, not of a track: give the video',
    );
  const film = await head.animate({
    speech: audio,
    seed,
    mark,
    allowTruncated,
    signal,
    onFollow,
    note: (remark) => say(`note: ${inFlags(remark)}`),
    ...(felt !== undefined && { emotion: felt }),
    ...(turned !== undefined && { pose: turned }),
    ...(emotionScale !== undefined && { emotionScale }),
    ...(poseScale !== undefined && { poseScale }),
  });
  (progress as { readonly line: ReadingProgress } | null)?.line.finish();
  return { film, still: head.frame(), model };
}

/** Endings of names are a file's; anything else is a plan in words. */
const isFile = (text: string): boolean => /\.[a-z]\w{1,4}$/i.test(text);

function source(text: string | undefined): SpeakAnimateOptions['pose'] {
  if (text === undefined || !isFile(text)) return text;
  if (!existsSync(text)) throw new DataError(`No such file: ${text}`);
  return ['.csv', '.json'].includes(extname(text).toLowerCase()) ? MotionTrack.load(text) : { file: text };
}
