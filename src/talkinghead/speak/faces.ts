/** Pictures of a synthetic set as tensors, and who is in them. */
import { join } from 'node:path';
import { expressionNames, type RgbImage, readImage } from '../../media/index.js';
import { toPlanes } from '../../media/planes.js';
import { ConfigError, DataError, ops, scope, type Tensor, tensor, tensorFromBytes } from '../../torch/index.js';
import { readLabels, readSetSettings, type SyntheticLabel, type SyntheticSetSettings } from '../synth/index.js';

export interface FaceHooks {
  readonly onProgress?: ((done: number, all: number) => void) | undefined;
  readonly shouldStop?: (() => boolean) | undefined;
}

/** The frames of a set, of people to learn from and people for the test. */
export interface Faces {
  readonly folder: string;
  readonly settings: SyntheticSetSettings;
  readonly labels: readonly SyntheticLabel[];
  /** uint8 [N, 3, size, size] */
  readonly pictures: Tensor;
  /** Frames of each clip of those to learn from, and of those for the test. */
  readonly train: readonly (readonly number[])[];
  readonly test: readonly (readonly number[])[];
}

/** Pictures read at once. */
const together = 64;

/**
 * What the set in a folder is, where it can be learnt from.
 * @param size - pixels of the pictures' sides
 * @param testPeople - how many people are for the test alone: those that come last
 * @throws DataError, ConfigError for a set of other pictures, or of too few people
 */
export function checkSet(folder: string, size: number, testPeople: number): SyntheticSetSettings {
  const settings = readSetSettings(folder);
  if (settings.size !== size)
    throw new ConfigError(
      `Expected pictures of ${size} pixels in ${folder}, found ${settings.size}: make a set of that size`,
    );
  if (settings.people - testPeople < 2)
    throw new ConfigError(
      `Expected two people or more beside the ${testPeople} of the test, but ${folder} shows ${settings.people} in all`,
    );
  return settings;
}

/**
 * Reads the clips of a set that `headrace talk synth` made: as {@link checkSet} takes them.
 * @returns null where it was asked to stop
 * @throws DataError, ConfigError
 */
export async function loadFaces(
  folder: string,
  size: number,
  testPeople: number,
  { onProgress, shouldStop }: FaceHooks = {},
): Promise<Faces | null> {
  const settings = checkSet(folder, size, testPeople);
  const labels = readLabels(join(folder, 'labels.jsonl'));
  const bytes = new Uint8Array(labels.length * 3 * size * size);
  for (let first = 0; first < labels.length; first += together) {
    if (shouldStop?.()) return null;
    const some = labels.slice(first, first + together);
    const images = await Promise.all(some.map(({ image }) => readImage(join(folder, image))));
    for (const [i, image] of images.entries()) putPlanes(image, size, bytes, first + i, some[i]!.image);
    onProgress?.(first + some.length, labels.length);
  }
  const clips = clipsOf(labels);
  // People come one after another and then again, so the last of them are told by their numbers.
  const ofTest = (clip: readonly number[]): boolean =>
    labels[clip[0]!]!.item % settings.people >= settings.people - testPeople;
  const pictures = scope(() => tensorFromBytes(bytes, 'uint8', [labels.length, 3, size, size]).keep());
  return {
    folder,
    settings,
    labels,
    pictures,
    train: clips.filter((clip) => !ofTest(clip)),
    test: clips.filter(ofTest),
  };
}

function clipsOf(labels: readonly SyntheticLabel[]): number[][] {
  const clips = new Map<number, number[]>();
  for (const [frame, { item }] of labels.entries()) {
    const clip = clips.get(item);
    if (clip) clip.push(frame);
    else clips.set(item, [frame]);
  }
  return [...clips.values()];
}

/** Red, green and blue apart, as row `row` of `into`. */
export function putPlanes(image: RgbImage, size: number, into: Uint8Array, row: number, where: string): void {
  const { width, height, data } = image;
  if (width !== size || height !== size)
    throw new DataError(`${where}: expected a picture of ${size} x ${size} pixels, got ${width} x ${height}`);
  const each = 3 * size * size;
  toPlanes(data, into.subarray(row * each, (row + 1) * each));
}

/** Bytes as networks see them: from -1 to 1. */
export function asSeen(bytes: Tensor): Tensor {
  return bytes.to({ dtype: 'float32' }).div(127.5).sub(1);
}

/** What a network made, as pictures. @param seen - [B, 3, size, size] */
export function asImages(seen: Tensor): RgbImage[] {
  const [, , height, width] = seen.shape as [number, number, number, number];
  return scope(() => {
    const rows = seen.detach().add(1).mul(127.5).round().clamp(0, 255).permute([0, 2, 3, 1]).contiguous();
    const bytes = rows.to({ dtype: 'uint8' }).data() as Uint8Array;
    const length = 3 * height * width;
    return Array.from({ length: seen.shape[0]! }, (_, i) => ({
      width,
      height,
      data: bytes.slice(i * length, (i + 1) * length),
    }));
  });
}

/** Some of the frames, from -1 to 1. */
export function picturesOf({ pictures }: Pick<Faces, 'pictures'>, frames: readonly number[]): Tensor {
  return asSeen(ops.indexSelect(pictures, 0, rowsOf(frames)));
}

export const rowsOf = (frames: readonly number[]): Tensor => tensor(BigInt64Array.from(frames, BigInt));

/** int64 [B]: the emotions that frames show, by their place among the names. */
export function emotionsOf({ labels }: Pick<Faces, 'labels'>, frames: readonly number[]): Tensor {
  return tensor(BigInt64Array.from(frames, (frame) => BigInt(expressionNames.indexOf(labels[frame]!.emotion))));
}

/** Faces, as far as their landmarks and the pictures' size go. */
interface Located {
  readonly labels: readonly Pick<SyntheticLabel, 'landmarks'>[];
  readonly settings: Pick<SyntheticSetSettings, 'size'>;
}

/**
 * How much each pixel of frames counts, [B, 1, size, size] with a mean of 1 in each: by `more` more in the box round brows, eyes, nose
 * and mouth, which are a small part of a picture and say most of what an expression is.
 */
export function faceWeights({ labels, settings }: Located, frames: readonly number[], more: number): Tensor {
  const { size } = settings;
  const weights = new Float32Array(frames.length * size * size).fill(1);
  for (const [row, frame] of frames.entries()) {
    const picture = weights.subarray(row * size * size, (row + 1) * size * size);
    const [left, top, right, bottom] = innerFace(labels[frame]!.landmarks, size);
    for (let y = top; y < bottom; y++) picture.fill(1 + more, y * size + left, y * size + right);
    const mean = 1 + (more * Math.max(0, right - left) * Math.max(0, bottom - top)) / (size * size);
    for (const [i, weight] of picture.entries()) picture[i] = weight / mean;
  }
  return tensor(weights, { shape: [frames.length, 1, size, size] });
}

/** The first of the 68 landmarks that is of the inner face, not of the jaw. */
const firstInner = 17;

/** The box of the landmarks within the jaw line, in whole pixels: left, top, and behind right and bottom. */
function innerFace(landmarks: readonly number[], size: number): [number, number, number, number] {
  const along = (axis: 0 | 1): number[] => landmarks.slice(2 * firstInner).filter((_, i) => i % 2 === axis);
  const within = (value: number): number => Math.min(size, Math.max(0, value));
  const low = (axis: 0 | 1): number => within(Math.floor(Math.min(...along(axis))));
  const high = (axis: 0 | 1): number => within(Math.ceil(Math.max(...along(axis))));
  return [low(0), low(1), high(0), high(1)];
}
