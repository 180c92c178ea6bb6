/**
 * People who do not exist and speak, in the form of prepared clips (`PreparedClips`), with numbers that are exact instead of read:
 * what networks of sound and pictures are trained and judged on.
 */
import { appendFileSync, existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import {
  FolderLock,
  isList,
  isObject,
  isOneOf,
  isText,
  isWhole,
  readJsonFile,
  saveNpz,
  writeFileAtomic,
} from '../../io/index.js';
import { expressionNames, landmarkCount, type RgbImage, writeVideo, writeWav } from '../../media/index.js';
import { ConfigError, checkOptions, deriveSeed, scope, tensor } from '../../torch/index.js';
import {
  type ClipRecord,
  clipFile,
  clipFiles,
  clipSoundRate,
  jsonLines,
  type PrepareSettings,
  readJsonLines,
} from '../prepare/records.js';
import { type ClipPlace, clipPlaces } from '../ranges.js';
import { checkChoice, checkWhole } from '../render/checks.js';
import { drawFeeling, drawPerformance, type Feeling } from './draw-motion.js';
import { faceOfItem } from './make-set.js';
import { LineSource, type SpokenLine } from './spoken-lines.js';
import { FaceStage } from './stage.js';
import type { SyntheticFace, SyntheticFrame } from './synthetic-face.js';

export interface SpeechClipsOptions {
  readonly seed: number;
  /** How many clips. */
  readonly count: number;
  /** Who says what: voices of synthesisers (`flite:slt`), recordings, or folders of them, in turn. */
  readonly speech: readonly string[];
  /** Pixels; 128 by default. */
  readonly size?: number;
  /** 25 by default. */
  readonly fps?: number;
  /** The longest clip: what is said beyond is left out. 75 by default. */
  readonly frames?: number;
  /** How many people there are; by default everyone is another. */
  readonly people?: number;
  /**
   * `clip`, by default: light, camera and background are others in every clip. `person`: they are the person's own in all of theirs, so
   * that clips of a person differ in what is said, felt and done alone.
   */
  readonly place?: ClipPlace;
  readonly progress?: (done: number, total: number) => void;
  /** Asked before each clip whether to stop; the next call goes on from there. */
  readonly stopped?: () => boolean;
}

export interface SpeechClipsResult {
  readonly folder: string;
  /** Clips that are there now, of `count`. */
  readonly items: number;
  readonly count: number;
  /** Of these, those that an earlier call had made. */
  readonly before: number;
  readonly whole: boolean;
}

interface Settings {
  readonly format: string;
  readonly seed: number;
  readonly count: number;
  readonly speech: readonly string[];
  readonly size: number;
  readonly fps: number;
  readonly frames: number;
  readonly people: number;
  readonly place: ClipPlace;
}

const optionNames = [
  'seed',
  'count',
  'speech',
  'size',
  'fps',
  'frames',
  'people',
  'place',
  'progress',
  'stopped',
] as const;
const format = 'headrace-speech-clips-2';
const isSettings = isObject({
  format: isText,
  seed: isWhole(0),
  count: isWhole(1),
  speech: isList(isText),
  size: isWhole(1),
  fps: isWhole(1),
  frames: isWhole(1),
  people: isWhole(1),
  place: isOneOf(clipPlaces),
});
const files = { settings: 'speech.json', partial: 'clips.partial.jsonl' } as const;

/** Of H.264: finer than what looks like the original, since networks learn from it. */
const quality = 10;

function settingsOf(options: SpeechClipsOptions): Settings {
  const where = 'makeSpeechClips';
  checkOptions(where, options, optionNames);
  const { seed, speech, size = 128, fps = 25, frames = 75, place = 'clip' } = options;
  const count = checkWhole(where, 'count', options.count, 1, 1_000_000);
  if (size % 2 !== 0) throw new ConfigError(`${where}: expected an even size, which videos need, got ${size}`);
  return {
    format,
    seed: checkWhole(where, 'seed', seed, 0, Number.MAX_SAFE_INTEGER),
    count,
    speech,
    size: checkWhole(where, 'size', size, 16, 1024),
    fps: checkWhole(where, 'fps', fps, 10, 60),
    frames: checkWhole(where, 'frames', frames, 5, 10_000),
    people: checkWhole(where, 'people', options.people ?? count, 1, count),
    place: checkChoice(where, 'place', place, clipPlaces),
  };
}

/**
 * Draws clips of people who speak into a folder, as `headrace talk prepare` lays them out: pictures, sound, and numbers, which here
 * are exact (`pose`, `head` and `weights` are those that were drawn). One that was broken off goes on where it stopped.
 * @throws ConfigError where the folder holds other clips, or options cannot be; HeadraceError for a synthesiser that is missing
 */
export async function makeSpeechClips(folder: string, options: SpeechClipsOptions): Promise<SpeechClipsResult> {
  const settings = settingsOf(options);
  const lines = new LineSource(settings.seed, settings.speech);
  mkdirSync(join(folder, clipFiles.folder), { recursive: true });
  const lock = FolderLock.take(folder);
  try {
    claim(folder, settings);
    return await fill(folder, settings, lines, options);
  } finally {
    lock.release();
  }
}

function claim(folder: string, settings: Settings): void {
  const path = join(folder, files.settings);
  if (existsSync(path)) {
    const found = readJsonFile<Settings>(path, 'the settings of drawn speech clips', isSettings);
    const other = (Object.keys(settings) as (keyof Settings)[]).filter(
      (name) => JSON.stringify(found[name]) !== JSON.stringify(settings[name]),
    );
    if (other.length === 0) return;
    const told = other.map((name) => `${name} ${found[name]}, not ${settings[name]}`).join(', ');
    throw new ConfigError(`${folder} holds other clips (${told}): go on with their settings, or choose another folder`);
  }
  if (existsSync(join(folder, clipFiles.settings)))
    throw new ConfigError(`${folder} holds clips of headrace talk prepare: choose another folder`);
  const { size, fps, frames } = settings;
  // What readers of prepared clips want to know. Nothing was cut out, and nothing rejected.
  const prepared: PrepareSettings = {
    fps,
    size,
    layout: null,
    margin: 0,
    minFrames: 1,
    maxFrames: frames,
    minSide: size,
  };
  writeFileAtomic(join(folder, clipFiles.settings), `${JSON.stringify(prepared, null, 2)}\n`);
  writeFileAtomic(path, `${JSON.stringify(settings, null, 2)}\n`);
}

async function fill(
  folder: string,
  settings: Settings,
  lines: LineSource,
  { progress, stopped }: SpeechClipsOptions,
): Promise<SpeechClipsResult> {
  const { count, size, fps } = settings;
  const result = (items: number, before: number): SpeechClipsResult => {
    return { folder, items, count, before, whole: items === count };
  };
  const [partial, whole] = [files.partial, clipFiles.clips].map((name) => join(folder, name)) as [string, string];
  if (existsSync(whole)) return result(count, count);
  const records = readJsonLines<ClipRecord>(partial, true);
  const before = records.length;
  // A line that was torn goes.
  if (existsSync(partial) && readFileSync(partial, 'utf8') !== jsonLines(records))
    writeFileAtomic(partial, jsonLines(records));
  using stage = new FaceStage({ size });
  for (let item = before; item < count; item++) {
    if (stopped?.()) return result(item, before);
    appendFileSync(partial, jsonLines([await drawClip(folder, stage, settings, item, await lines.line(item, fps))]));
    progress?.(item + 1, count);
    // Signals are heard between clips.
    await new Promise(setImmediate);
  }
  renameSync(partial, whole);
  return result(count, before);
}

async function drawClip(
  folder: string,
  stage: FaceStage,
  settings: Settings,
  item: number,
  line: SpokenLine,
): Promise<ClipRecord> {
  const { seed, fps, size, people } = settings;
  const count = Math.min(settings.frames, line.frames.length);
  const id = String(item).padStart(Math.max(4, String(settings.count - 1).length), '0');
  // Of a person's first clip all others have the place.
  using person = faceOfItem(stage, settings, settings.place === 'person' ? item % people : item);
  const own = deriveSeed(seed, `item ${item}`);
  const feeling = drawFeeling(own);
  const motion = drawPerformance(own, feeling, fps, line.frames);
  const drawn: Omit<SyntheticFrame, 'image' | 'mask'>[] = [];
  function* pictures(): Generator<RgbImage> {
    for (let index = 0; index < count; index++) {
      const { image, ...numbers } = person.frame({ ...motion.next().value!, index });
      drawn.push(numbers);
      yield image;
    }
  }
  const sound = new Float32Array(Math.round((count / fps) * clipSoundRate));
  sound.set(line.samples.subarray(0, sound.length));
  await writeVideo(clipFile(folder, id, 'mp4'), pictures(), {
    fps,
    quality,
    audio: { samples: sound, rate: clipSoundRate },
  });
  writeWav(clipFile(folder, id, 'wav'), { channels: [sound], rate: clipSoundRate });
  writeNumbers(clipFile(folder, id, 'npz'), person, drawn, feeling);
  return {
    id,
    video: `person ${item % people}`,
    from: 0,
    to: count / fps,
    frames: count,
    square: [0, 0, size],
    sound: true,
    missing: 0,
    faces: 1,
    notes: [],
    layout: null,
    person: `person-${item % people}`,
    sex: null,
    emotion: feeling.emotion,
    level: null,
    view: null,
    text: line.text,
    more: { voice: line.voice, strength: String(feeling.strength) },
  };
}

/** The same arrays as of clips whose faces were read. */
function writeNumbers(
  path: string,
  { traits }: SyntheticFace,
  drawn: readonly Omit<SyntheticFrame, 'image' | 'mask'>[],
  { emotion, strength }: Feeling,
): void {
  const rows = (of: (frame: Omit<SyntheticFrame, 'image' | 'mask'>) => ArrayLike<number>): Float32Array =>
    Float32Array.from(drawn.flatMap((frame) => Array.from(of(frame))));
  const count = drawn.length;
  const pose = rows(({ pose: { yaw, pitch, roll } }) => [yaw, pitch, roll]);
  const shown = expressionNames.map(
    (name) => (name === 'neutral' ? 1 - strength : 0) + (name === emotion ? strength : 0),
  );
  scope(() => {
    saveNpz(path, {
      landmarks: tensor(
        rows(({ landmarks }) => landmarks),
        { shape: [count, landmarkCount, 2] },
      ),
      boxes: tensor(rows(boxOf), { shape: [count, 4] }),
      pose: tensor(pose, { shape: [count, 3] }),
      expressions: tensor(
        rows(() => shown),
        { shape: [count, expressionNames.length] },
      ),
      found: tensor(new Float32Array(count).fill(1), { shape: [count] }),
      weights: tensor(
        rows(({ weights }) => weights),
        { shape: [count, drawn[0]!.weights.length] },
      ),
      head: tensor(pose, { shape: [count, 3] }),
      position: tensor(
        rows(({ position }) => position),
        { shape: [count, 3] },
      ),
      identity: tensor(Float32Array.from(traits.identity)),
    });
  });
}

/** The box around the landmarks. */
function boxOf({ landmarks }: Pick<SyntheticFrame, 'landmarks'>): number[] {
  const [xs, ys] = [0, 1].map((axis) => Array.from(landmarks).filter((_, k) => k % 2 === axis)) as [number[], number[]];
  const [x, y] = [Math.min(...xs), Math.min(...ys)];
  return [x, y, Math.max(...xs) - x, Math.max(...ys) - y];
}
