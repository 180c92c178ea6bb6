/** Sounds and their times to the path of a mouth: each shape blends into the next, and lips that must meet do. */
import { ConfigError } from '../../torch/index.js';
import { type MouthMove, mouthMoves, type SoundAlphabet, type Viseme, visemes, visemesOf } from './visemes.js';

/** A sound and when it is heard, in seconds. */
export interface TimedSound {
  /** As its alphabet spells it. */
  readonly sound: string;
  readonly start: number;
  readonly end: number;
}

/** Points of a path a second. */
export const pathRate = 200;
/** Seconds by which a mouth's shape is ahead of its sound, as measured on GRID. */
export const shapeLead = 0.005;
/** Seconds: standard deviations of the blur of shapes and of seals. */
const SHAPE_BLUR = 0.032;
const SEAL_BLUR = 0.016;
/** Seconds that lips close before the sound and stay closed at most. */
const SEAL_EARLY = 0.02;
const SEAL_LONGEST = 0.11;

const moves: Readonly<Record<MouthMove, number>> = Object.fromEntries(mouthMoves.map((name, i) => [name, i])) as Record<
  MouthMove,
  number
>;

/** What sealed lips keep shut. */
const openers = (['jawOpen', 'mouthLowerDown', 'mouthUpperUp', 'mouthFunnel'] as const).map((name) => moves[name]);

/** A mouth over time. */
export interface MouthPath {
  /** Points. */
  readonly length: number;
  /** `[length, mouthMoves]` */
  readonly shapes: Float32Array;
  /** `[length]`, 0 to 1: lips sealed by m, b, p. */
  readonly closure: Float32Array;
  /** `[length]`, 0 to 1: whether somebody speaks. */
  readonly speech: Float32Array;
}

interface Piece {
  readonly viseme: Viseme;
  readonly silent: boolean;
  readonly start: number;
  readonly end: number;
}

/**
 * The path of a mouth that says these sounds, {@link pathRate} points a second from 0 to `duration`.
 * @throws ConfigError for sounds that the alphabet has not, that end before they begin, or that begin before the one before ends
 */
export function mouthPath(sounds: readonly TimedSound[], alphabet: SoundAlphabet, duration: number): MouthPath {
  const pieces = piecesOf(sounds, alphabet);
  const length = Math.floor(duration * pathRate + 1e-6) + 1;
  const width = mouthMoves.length;
  const shape = blurredShapes(pieces, length);
  const [lips, teeth] = [seals(pieces, 'lips', length), seals(pieces, 'teeth', length)];
  const [lipShape, toothShape] = [rowOf(visemes.closed), rowOf(visemes.bitten)];
  for (let i = 0; i < length; i++) {
    for (let move = 0; move < width; move++) {
      const at = i * width + move;
      const open = openers.includes(move) ? shape[at]! * (1 - lips[i]!) : shape[at]!;
      const sealed = Math.max(open, lips[i]! * lipShape[move]!);
      shape[at] = sealed * (1 - teeth[i]!) + toothShape[move]! * teeth[i]!;
    }
  }
  return { length, shapes: shape, closure: lips, speech: speechOf(pieces, length) };
}

function piecesOf(sounds: readonly TimedSound[], alphabet: SoundAlphabet): Piece[] {
  let last = 0;
  return sounds.flatMap(({ sound, start, end }, i) => {
    if (!(start >= last - 1e-6 && end >= start && Number.isFinite(end))) {
      const what = `'${sound}' from ${start} to ${end} s`;
      throw new ConfigError(
        `Expected sounds in their order, each ending after it begins, got ${what} as sound ${i}, after ${last} s`,
      );
    }
    last = end;
    const names = visemesOf(sound, alphabet);
    const step = (end - start) / names.length;
    return names.map((name, part) => {
      const silent = name === 'rest';
      return { viseme: visemes[name], silent, start: start + part * step, end: start + (part + 1) * step };
    });
  });
}

function rowOf(viseme: Viseme): Float32Array {
  return Float32Array.from(mouthMoves, (name) => viseme.moves[name] ?? 0);
}

/** Shapes, each weighted by its dominance, blurred. Where no sound is, the mouth rests. */
function blurredShapes(pieces: readonly Piece[], length: number): Float32Array {
  const width = mouthMoves.length;
  const sums = new Float32Array(length * width);
  const weights = new Float32Array(length).fill(1);
  for (const { viseme, start, end } of pieces) {
    const row = rowOf(viseme);
    for (let i = first(start); i < Math.min(length, first(end)); i++) {
      weights[i] = viseme.dominance;
      for (let move = 0; move < width; move++) sums[i * width + move] = viseme.dominance * row[move]!;
    }
  }
  const blurred = blur(sums, width, SHAPE_BLUR * pathRate);
  const total = blur(weights, 1, SHAPE_BLUR * pathRate);
  return blurred.map((value, i) => value / total[Math.floor(i / width)]!);
}

/** 0 to 1 over time: how far lips or teeth seal the mouth. */
function seals(pieces: readonly Piece[], seal: 'lips' | 'teeth', length: number): Float32Array {
  const on = new Float32Array(length);
  for (const { viseme, start, end } of pieces) {
    if (viseme.seal !== seal) continue;
    const from = seal === 'lips' ? start - SEAL_EARLY : start;
    const to = seal === 'lips' ? Math.min(end, start - SEAL_EARLY + SEAL_LONGEST) : end;
    on.fill(1, Math.max(0, first(from)), Math.min(length, first(to)));
  }
  return blur(on, 1, SEAL_BLUR * pathRate).map((value) => Math.min(1, 1.25 * value));
}

function speechOf(pieces: readonly Piece[], length: number): Float32Array {
  const on = new Float32Array(length);
  for (const { silent, start, end } of pieces) if (!silent) on.fill(1, first(start), Math.min(length, first(end)));
  return blur(on, 1, SHAPE_BLUR * pathRate);
}

/** The first point at or after a time. */
function first(seconds: number): number {
  return Math.max(0, Math.ceil(seconds * pathRate - 1e-6));
}

/** Each column of `[n, width]` under a Gaussian; the ends go on as they are. */
export function blur(values: Float32Array, width: number, deviation: number): Float32Array {
  const reach = Math.ceil(4 * deviation);
  const bell = Float64Array.from({ length: 2 * reach + 1 }, (_, i) => Math.exp(-0.5 * ((i - reach) / deviation) ** 2));
  const total = bell.reduce((sum, value) => sum + value, 0);
  const rows = values.length / width;
  const sums = new Float64Array(width);
  const out = new Float32Array(values.length);
  for (let row = 0; row < rows; row++) {
    sums.fill(0);
    for (let i = -reach; i <= reach; i++) {
      const from = Math.min(rows - 1, Math.max(0, row + i)) * width;
      const weight = bell[i + reach]! / total;
      for (let column = 0; column < width; column++) sums[column]! += weight * values[from + column]!;
    }
    out.set(sums, row * width);
  }
  return out;
}
