/** Prepared clips of people who speak, whole in memory: what SyncNet and the second stage learn from. */
import { type ExpressionName, expressionNames } from '../../../media/index.js';
import { ConfigError, DataError, scope, type Tensor, tensorFromBytes } from '../../../torch/index.js';
import { personOf } from '../../prepare/clips.js';
import { type ClipRecord, PreparedClips } from '../../prepare/index.js';
import { type FaceHooks, putPlanes } from '../faces.js';
import { soundColumns } from './sound-columns.js';

export interface SpeakClip {
  /** Its name, and its number among those of the folder. */
  readonly id: string;
  readonly index: number;
  readonly person: string;
  /** Its place among the expressions' names; -1 where it is not known, or none of them. */
  readonly emotion: number;
  /** Its first row among the frames of all clips, and how many it has. */
  readonly first: number;
  readonly frames: number;
  /** 16 kHz, mono. */
  readonly samples: Float32Array;
  /** `[frames * columnsPerFrame, melBands]` */
  readonly columns: Float32Array;
}

export interface SpeakClips {
  readonly folder: string;
  readonly fps: number;
  /** Pixels of the pictures' sides. */
  readonly size: number;
  /** uint8 [N, 3, size, size], the frames of all clips. */
  readonly pictures: Tensor;
  /** `[N * 136]`, from 0 to 1 over the picture. */
  readonly landmarks: Float32Array;
  /** `[N * 3]`: yaw, pitch and roll in degrees; `[N * 3]`: cm from where the head is in the first frame. */
  readonly poses: Float32Array;
  readonly positions: Float32Array;
  /** Clips of those to learn from, and of the people for the test. */
  readonly train: readonly SpeakClip[];
  readonly test: readonly SpeakClip[];
}

export interface ClipNeeds {
  /** People who are for the test alone: those who come last in the folder. */
  readonly testPeople: number;
  /** Shorter clips are left out. */
  readonly leastFrames: number;
}

/** The clips of a folder that can be learnt from. */
export interface UsableClips {
  readonly prepared: PreparedClips;
  /** Their numbers in the folder. */
  readonly usable: readonly number[];
  readonly testPeople: ReadonlySet<string>;
  /** Clips that are left out: without sound, or too short. */
  readonly leftOut: number;
}

/**
 * Which clips of a folder there are to learn from, before any is read.
 * @throws DataError, ConfigError for a folder of other things, or of too few people
 */
export function checkClips(folder: string, { testPeople, leastFrames }: ClipNeeds): UsableClips {
  const prepared = PreparedClips.open(folder);
  const fits = ({ sound, frames }: ClipRecord): boolean => sound && frames >= leastFrames;
  const usable = [...prepared.clips.keys()].filter((i) => fits(prepared.clips[i]!));
  const people = [...new Set(usable.map((i) => personOf(prepared.clips[i]!)))];
  if (people.length < testPeople + 2)
    throw new ConfigError(
      `Expected clips with sound, of ${leastFrames} frames or more, of two people beside the ${testPeople} of the test (testPeople), but ${folder} has them of ${people.length}`,
    );
  return {
    prepared,
    usable,
    testPeople: new Set(people.slice(people.length - testPeople)),
    leftOut: prepared.length - usable.length,
  };
}

/**
 * Reads the clips that {@link checkClips} has found.
 * @returns null where it was asked to stop
 * @throws DataError
 */
export async function loadClips(
  { prepared, usable, testPeople }: UsableClips,
  size: number,
  { onProgress, shouldStop }: FaceHooks = {},
): Promise<SpeakClips | null> {
  const { folder, settings } = prepared;
  const each = 3 * size * size;
  const total = usable.reduce((sum, i) => sum + prepared.clips[i]!.frames, 0);
  const bytes = room(total * each);
  const landmarks = new Float32Array(136 * total);
  const [poses, positions] = [new Float32Array(3 * total), new Float32Array(3 * total)];
  const all: SpeakClip[] = [];
  let first = 0;
  for (const [done, index] of usable.entries()) {
    if (shouldStop?.()) return null;
    const record = prepared.clips[index]!;
    const { id, frames } = record;
    let row = first;
    for await (const picture of prepared.frames(index, 0, frames, size)) putPlanes(picture, size, bytes, row++, id);
    if (row !== first + frames)
      throw new DataError(`${folder}: expected ${frames} frames of clip ${id}, found ${row - first}`);
    readNumbers(prepared, index, settings.size, { landmarks, poses, positions }, first);
    const { samples } = (await prepared.sound(index))!;
    const columns = soundColumns(samples, frames, settings.fps);
    const emotion = expressionNames.indexOf(record.emotion as ExpressionName);
    all.push({ id, index, person: personOf(record), emotion, first, frames, samples, columns });
    first = row;
    onProgress?.(done + 1, usable.length);
  }
  return {
    folder,
    fps: settings.fps,
    size,
    pictures: scope(() => tensorFromBytes(bytes, 'uint8', [total, 3, size, size]).keep()),
    landmarks,
    poses,
    positions,
    train: all.filter(({ person }) => !testPeople.has(person)),
    test: all.filter(({ person }) => testPeople.has(person)),
  };
}

function readNumbers(
  prepared: PreparedClips,
  index: number,
  size: number,
  into: Pick<SpeakClips, 'landmarks' | 'poses' | 'positions'>,
  first: number,
): void {
  scope(() => {
    const numbers = prepared.numbers(index);
    const plain = (values: Tensor): Float32Array => values.to({ dtype: 'float32' }).contiguous().data() as Float32Array;
    into.landmarks.set(
      plain(numbers.landmarks).map((value) => value / size),
      136 * first,
    );
    into.poses.set(plain(numbers.pose), 3 * first);
    into.positions.set(plain(numbers.position), 3 * first);
  });
}

function room(bytes: number): Uint8Array {
  try {
    return new Uint8Array(bytes);
  } catch (cause) {
    throw new DataError(
      `No memory for ${(bytes / 1e9).toFixed(1)} GB of frames: take fewer clips, or smaller pictures (size)`,
      { cause },
    );
  }
}
