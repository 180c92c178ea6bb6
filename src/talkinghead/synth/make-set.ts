/** Sets of synthetic pictures on disk: stills or clips, their masks, their labels. */
import { appendFileSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  FolderLock,
  isFlag,
  isNumber,
  isObject,
  isText,
  isWhole,
  readJsonFile,
  saveNpy,
  sweepUnfinished,
  writeFileAtomic,
} from '../../io/index.js';
import { type RgbImage, readImage, writeImage } from '../../media/index.js';
import { ConfigError, checkOptions, deriveSeed, scope, tensor } from '../../torch/index.js';
import { clipFrames, frameRates, seeds, setCounts, syntheticSizes } from '../ranges.js';
import { checkWhole, checkWithin } from '../render/checks.js';
import { tiled } from '../render/tiles.js';
import { type DrawnMotion, drawFeeling, drawInstant, drawPerformance, type Feeling } from './draw-motion.js';
import { labelOf, readLabels, type SyntheticLabel } from './labels.js';
import { FaceStage } from './stage.js';
import { SyntheticFace } from './synthetic-face.js';

export interface SyntheticSetOptions {
  /** The same seed gives the same files, byte by byte. */
  readonly seed: number;
  /** How many stills or clips. */
  readonly count: number;
  /** Pixels; 128 by default. */
  readonly size?: number;
  /** Frames of a clip; 1, a still, by default. */
  readonly frames?: number;
  /** Frames a second of clips; 25 by default. */
  readonly fps?: number;
  /** How many people there are, each in several places; by default everyone is another. */
  readonly people?: number;
  /** Write distances, too. */
  readonly depth?: boolean;
  /** Told after each still or clip. */
  readonly progress?: (done: number, total: number) => void;
  /** Asked before each still or clip whether to stop; the next call goes on from there. */
  readonly stopped?: () => boolean;
}

export interface SyntheticSetResult {
  readonly folder: string;
  /** Stills or clips that are there now, of `count`. */
  readonly items: number;
  readonly count: number;
  /** Pictures. */
  readonly pictures: number;
  /** Of the items, those that an earlier call had made. */
  readonly before: number;
  /** The file of labels, once all is there. */
  readonly labels: string | null;
  readonly sheet: string | null;
}

const optionNames = ['seed', 'count', 'size', 'frames', 'fps', 'people', 'depth', 'progress', 'stopped'] as const;

/** What tells one set from another, in `set.json`. */
export interface SyntheticSetSettings {
  readonly format: string;
  readonly seed: number;
  readonly count: number;
  readonly size: number;
  readonly frames: number;
  readonly fps: number;
  readonly people: number;
  readonly depth: boolean;
}

const format = 'headrace-synth-1';
const isSettings = isObject({
  format: isText,
  seed: isWhole(0),
  count: isWhole(1),
  size: isWhole(1),
  frames: isWhole(1),
  fps: isNumber,
  people: isWhole(1),
  depth: isFlag,
});

function settingsOf(options: SyntheticSetOptions): SyntheticSetSettings {
  const where = 'makeSyntheticSet';
  checkOptions(where, options, optionNames);
  const { seed, size = 128, frames = 1, fps = 25, depth = false } = options;
  const count = checkWhole(where, 'count', options.count, ...setCounts);
  return {
    format,
    seed: checkWhole(where, 'seed', seed, ...seeds),
    count,
    size: checkWhole(where, 'size', size, ...syntheticSizes),
    frames: checkWhole(where, 'frames', frames, ...clipFrames),
    fps: checkWithin(where, 'fps', fps, frameRates),
    people: checkWhole(where, 'people', options.people ?? count, 1, count),
    depth,
  };
}

/**
 * Writes a set into a folder: `images`, `masks`, with `depth` also `depth` (.npy, cm), `labels.jsonl` with a line for each picture,
 * `set.json`, and `sheet.png`, which shows the first of it. A set that was broken off goes on where it stopped.
 * @throws ConfigError where the folder holds another set, or options cannot be; DataError where it cannot be written
 */
export async function makeSyntheticSet(folder: string, options: SyntheticSetOptions): Promise<SyntheticSetResult> {
  const settings = settingsOf(options);
  mkdirSync(folder, { recursive: true });
  const lock = FolderLock.take(folder);
  try {
    claim(folder, settings);
    return await fill(folder, settings, options);
  } finally {
    lock.release();
  }
}

/** @throws ConfigError where a set with other settings is there */
function claim(folder: string, settings: SyntheticSetSettings): void {
  const path = join(folder, 'set.json');
  if (!existsSync(path)) {
    writeFileAtomic(path, `${JSON.stringify(settings, null, 2)}\n`);
    return;
  }
  const found = readSetSettings(folder);
  const other = (Object.keys(settings) as (keyof SyntheticSetSettings)[]).filter(
    (name) => found[name] !== settings[name],
  );
  if (other.length === 0) return;
  const told = other.map((name) => `${name} ${found[name]}, not ${settings[name]}`).join(', ');
  throw new ConfigError(`${folder} holds another set (${told}): go on with its settings, or choose another folder`);
}

async function fill(
  folder: string,
  settings: SyntheticSetSettings,
  options: SyntheticSetOptions,
): Promise<SyntheticSetResult> {
  const { count, frames } = settings;
  const [partial, whole] = ['labels.partial.jsonl', 'labels.jsonl'].map((name) => join(folder, name)) as [
    string,
    string,
  ];
  const result = (items: number, before: number): SyntheticSetResult => {
    const done = items === count;
    return {
      folder,
      items,
      count,
      pictures: items * frames,
      before,
      labels: done ? whole : null,
      sheet: done ? join(folder, 'sheet.png') : null,
    };
  };
  if (existsSync(whole)) return result(count, count);
  for (const name of ['images', 'masks', ...(settings.depth ? ['depth'] : [])]) {
    mkdirSync(join(folder, name), { recursive: true });
    sweepUnfinished(join(folder, name));
  }
  const before = keepWhole(partial, frames);
  using stage = new FaceStage({ size: settings.size });
  for (let item = before; item < count; item++) {
    if (options.stopped?.()) return result(item, before);
    const labels = await makeItem(folder, stage, settings, item);
    appendFileSync(partial, labels.map((label) => `${JSON.stringify(label)}\n`).join(''));
    options.progress?.(item + 1, count);
    // Signals are heard between items.
    await new Promise(setImmediate);
  }
  await writeSheet(
    folder,
    readLabels(partial).filter(({ frame }) => frame === 0),
  );
  renameSync(partial, whole);
  return result(count, before);
}

/** Cuts labels down to whole items. @returns how many there are */
function keepWhole(partial: string, frames: number): number {
  if (!existsSync(partial)) return 0;
  const text = readFileSync(partial, 'utf8');
  const lines = text.split('\n').slice(0, -1);
  const items = Math.floor(lines.length / frames);
  writeFileSync(
    partial,
    lines
      .slice(0, items * frames)
      .map((line) => `${line}\n`)
      .join(''),
  );
  return items;
}

const placeOf = (seed: number, item: number): number => deriveSeed(seed, `item ${item}`);

/** Whom an item of a set shows, where it shows them: to be drawn doing something else. */
export function faceOfItem(
  stage: FaceStage,
  { seed, people }: Pick<SyntheticSetSettings, 'seed' | 'people'>,
  item: number,
): SyntheticFace {
  return new SyntheticFace(deriveSeed(seed, `person ${item % people}`), { stage, place: placeOf(seed, item) });
}

/** What the set in a folder was made by. @throws DataError where there is none */
export function readSetSettings(folder: string): SyntheticSetSettings {
  return readJsonFile(join(folder, 'set.json'), 'the settings of a set of synthetic faces', isSettings);
}

async function makeItem(
  folder: string,
  stage: FaceStage,
  settings: SyntheticSetSettings,
  item: number,
): Promise<SyntheticLabel[]> {
  const { seed, frames, fps } = settings;
  const own = placeOf(seed, item);
  using person = faceOfItem(stage, settings, item);
  const feeling = drawFeeling(own);
  const motion = frames === 1 ? [drawInstant(own, feeling)][Symbol.iterator]() : drawPerformance(own, feeling, fps);
  const labels: SyntheticLabel[] = [];
  for (let frame = 0; frame < frames; frame++)
    labels.push(await makePicture(folder, person, settings, feeling, motion.next().value as DrawnMotion, item, frame));
  return labels;
}

async function makePicture(
  folder: string,
  person: SyntheticFace,
  settings: SyntheticSetSettings,
  feeling: Feeling,
  motion: DrawnMotion,
  item: number,
  frame: number,
): Promise<SyntheticLabel> {
  const name = `${padded(item, settings.count)}${settings.frames > 1 ? `-${padded(frame, settings.frames)}` : ''}`;
  const drawn = person.frame({ ...motion, index: frame, depth: settings.depth });
  const [image, mask] = [`images/${name}.png`, `masks/${name}.png`];
  const depth = drawn.depth ? `depth/${name}.npy` : null;
  await writeImage(join(folder, image), drawn.image);
  await writeImage(join(folder, mask), grey(drawn.mask, settings.size));
  if (drawn.depth && depth) {
    const values = drawn.depth;
    scope(() => saveNpy(join(folder, depth), tensor(values, { shape: [settings.size, settings.size] })));
  }
  return labelOf(person, drawn, { image, mask, depth, item, frame, ...feeling });
}

const padded = (number: number, count: number): string =>
  String(number).padStart(Math.max(4, String(count - 1).length), '0');

function grey(values: Uint8Array, size: number): RgbImage {
  return {
    width: size,
    height: size,
    data: Uint8Array.from({ length: 3 * values.length }, (_, i) => values[Math.floor(i / 3)]!),
  };
}

const sheetColumns = 8;
const sheetRows = 6;

/** The first pictures side by side. */
async function writeSheet(folder: string, labels: readonly SyntheticLabel[]): Promise<void> {
  const shown = labels.slice(0, sheetColumns * sheetRows);
  const images = await Promise.all(shown.map(({ image }) => readImage(join(folder, image))));
  await writeImage(join(folder, 'sheet.png'), tiled(images, Math.min(sheetColumns, images.length)));
}
