/** A trained second stage beside the portrait mode: both are driven by clips of people left out, and measured against them alike. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, extname, join } from 'node:path';
import { type ExpressionName, expressionNames, type RgbImage } from '../../../media/index.js';
import { ConfigError, checkOptions, HeadraceError } from '../../../torch/index.js';
import { meanFigures } from '../../evaluate/evaluate.js';
import { type Evaluation, evaluateTalk, type VideoResult } from '../../evaluate/index.js';
import { trackMotion } from '../../fit/index.js';
import { Portrait } from '../../portrait/index.js';
import { personOf } from '../../prepare/clips.js';
import { clipFile, clipFiles } from '../../prepare/records.js';
import { checkClips, type UsableClips } from '../clips/speak-clips.js';
import { checkRate } from '../sync/sync-run.js';
import { loadTalking } from '../talking/talking-model.js';
import { SpeakHead } from './speak-head.js';

export interface SpeakEvaluateOptions {
  /** Clips, evenly from those of the people left out; each takes some seconds. Default 8. */
  readonly clips?: number;
  readonly onProgress?: (what: 'making' | 'measuring', done: number, all: number) => void;
  /** Told of clips that a mode could not make, and why. */
  readonly note?: (remark: string) => void;
  readonly shouldStop?: () => boolean;
}

/** The figures of both modes, over the clips that both could make and in which a face is found; where there is none, of each its own. */
export interface SpeakEvaluation {
  readonly clips: number;
  /** Clips that each could not make, or in which no face was found then. */
  readonly failed: { readonly speak: number; readonly portrait: number };
  readonly speak: Evaluation | null;
  readonly portrait: Evaluation | null;
}

const modes = ['speak', 'portrait'] as const;
type Mode = (typeof modes)[number];

/**
 * Self-driven, as published: of each clip the first frame is the portrait, its sound is said, and head and emotion follow its video.
 * @param run - a run of `headrace talk train speak`, or its model @param data - the clips that it was trained on
 * @returns null where it was asked to stop
 * @throws ConfigError, DataError
 */
export async function evaluateSpeak(
  run: string,
  data: string,
  options: SpeakEvaluateOptions = {},
): Promise<SpeakEvaluation | null> {
  checkOptions('evaluateSpeak', options, ['clips', 'onProgress', 'note', 'shouldStop']);
  const { clips = 8, onProgress, note, shouldStop } = options;
  const { config, fps } = loadTalking(run);
  if (config.testPeople === 0)
    throw new ConfigError('Expected a model that left people out (testPeople), got one that was trained on all');
  const found = checkClips(data, { testPeople: config.testPeople, leastFrames: config.frames });
  checkRate(fps, found.prepared.settings.fps, data);
  const chosen = evenly(heldOut(found), clips);
  const folder = mkdtempSync(join(tmpdir(), 'headrace-evaluate-'));
  try {
    const failed = { speak: 0, portrait: 0 };
    const made: Record<Mode, string[]> = { speak: [], portrait: [] };
    for (const mode of modes) mkdirSync(join(folder, mode));
    for (const [i, index] of chosen.entries()) {
      for (const [k, mode] of modes.entries()) {
        if (shouldStop?.()) return null;
        onProgress?.('making', 2 * i + k, 2 * chosen.length);
        const id = found.prepared.clips[index]!.id;
        try {
          await makers[mode](run, found, index, join(folder, mode, `${id}.mp4`));
          made[mode].push(id);
        } catch (error) {
          if (!(error instanceof HeadraceError)) throw error;
          failed[mode]++;
          note?.(`${id}, ${mode}: ${error.message}`);
        }
      }
    }
    const measured = async (mode: Mode): Promise<readonly VideoResult[]> => {
      if (made[mode].length === 0) return [];
      const { videos } = await evaluateTalk(join(folder, mode), join(data, clipFiles.folder), {
        emotion: (reference) => emotionOf(found, reference),
        onVideo: (_, done, all) => onProgress?.('measuring', done, all),
        onFailure: ({ generated }, error) => {
          failed[mode]++;
          note?.(`${idOf(generated)}, ${mode}: ${error.message}`);
        },
      });
      return videos;
    };
    const [speak, portrait] = [await measured('speak'), await measured('portrait')];
    // Beside each other stand the figures of the clips that both could make, where there is any.
    const ids = new Set(speak.map(({ reference }) => reference));
    const both = portrait.filter(({ reference }) => ids.has(reference)).map(({ reference }) => reference);
    const shared = (videos: readonly VideoResult[]): Evaluation | null => {
      const some = both.length > 0 ? videos.filter(({ reference }) => both.includes(reference)) : videos;
      return some.length === 0 ? null : { videos: some, mean: meanFigures(some) };
    };
    return { clips: chosen.length, failed, speak: shared(speak), portrait: shared(portrait) };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The clips of the people left out, by their numbers in the folder. */
function heldOut({ prepared, usable, testPeople }: UsableClips): number[] {
  return usable.filter((i) => testPeople.has(personOf(prepared.clips[i]!)));
}

function evenly<T>(all: readonly T[], count: number): T[] {
  const few = Math.min(all.length, count);
  return Array.from({ length: few }, (_, i) => all[Math.floor(((i + 0.5) * all.length) / few)]!);
}

const idOf = (path: string): string => basename(path, extname(path));

function emotionOf({ prepared }: UsableClips, reference: string): ExpressionName | null {
  const emotion = prepared.clips.find((clip) => clip.id === idOf(reference))?.emotion;
  return expressionNames.find((name) => name === emotion) ?? null;
}

const makers: Readonly<Record<Mode, (run: string, clips: UsableClips, index: number, out: string) => Promise<void>>> = {
  speak: async (run, { prepared }, index, out) => {
    const { video, sound, first } = await partsOf(prepared, index);
    const head = await SpeakHead.load(run, first);
    const film = await head.animate({ speech: sound, pose: { file: video }, emotion: { file: video } });
    await film.write(out);
  },
  portrait: async (_, { prepared }, index, out) => {
    const { video, sound, first } = await partsOf(prepared, index);
    const portrait = await Portrait.load(first, { crop: 'full' });
    const track = await trackMotion(video);
    const { fps } = prepared.settings;
    await portrait.animate({ speech: sound, pose: track, emotion: track, fps }).write(out);
  },
};

async function partsOf(
  prepared: UsableClips['prepared'],
  index: number,
): Promise<{ video: string; sound: string; first: RgbImage }> {
  const { id } = prepared.clips[index]!;
  let first: RgbImage | null = null;
  for await (const frame of prepared.frames(index, 0, 1)) first = frame;
  return { video: clipFile(prepared.folder, id, 'mp4'), sound: clipFile(prepared.folder, id, 'wav'), first: first! };
}
