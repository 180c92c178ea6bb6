/** Follows one person's face from frame to frame. */
import { ConfigError } from '../../torch/index.js';
import { checkOptions } from '../../torch/options.js';
import type { RgbImage } from '../frames.js';
import type { FaceAnalyser } from './analyser.js';
import { mainFace, overlap } from './boxes.js';
import { CutDetector } from './cut.js';
import { faceOf, readChosen } from './reader.js';
import { OneEuroFilter } from './smoothing.js';
import { checkFrame, type Expressions, expressionNames, type Face, type FaceBox, type FaceDetection } from './types.js';

export interface TrackOptions {
  /** Frames a second. Default 25. */
  readonly rate?: number;
  /** Smooth landmarks (and so the pose) and expressions over time. Default true; of little use below some 10 frames a second. */
  readonly smooth?: boolean;
  /**
   * Which of several people: 0 (default) is the one that stands out most, by size and place, in the first frame with a face; 1 the
   * next, in the first frame with two.
   */
  readonly face?: number;
  /** Seconds for which the person is waited for after they were last seen, while others are ignored. Default 1. */
  readonly patience?: number;
}

/**
 * On talking faces of 25 frames a second these halve the trembling of still points, and take 4 to 9 % of the mouth's movement.
 * Speeds are in distances between the eyes a second.
 */
const landmarkFilter = { minCutoff: 1.5, beta: 40 };

const expressionFilter = { minCutoff: 3, beta: 3 };

export class FaceTracker {
  readonly #analyser: FaceAnalyser;
  readonly #face: number;
  /** Where the person is expected, a detection of half the usual score will do. */
  readonly #floor: number;
  readonly #patience: number;
  readonly #filters: { readonly landmarks: OneEuroFilter; readonly expressions: OneEuroFilter } | null;
  #last: FaceDetection | null = null;
  /** Frames since the person was seen. */
  #missing = 0;
  readonly #cuts = new CutDetector();

  /** Made by {@link FaceAnalyser.follow}. */
  constructor(analyser: FaceAnalyser, options: TrackOptions) {
    checkOptions('FaceTracker', options, ['rate', 'smooth', 'face', 'patience']);
    const { rate = 25, smooth = true, face = 0, patience = 1 } = options;
    if (!(Number.isInteger(face) && face >= 0))
      throw new ConfigError(`Expected face as a whole number from 0 on, got ${face}`);
    if (!(rate > 0) || !(patience >= 0)) {
      throw new ConfigError(`Expected a rate above 0 and patience of 0 or more seconds, got ${rate} and ${patience}`);
    }
    this.#analyser = analyser;
    this.#face = face;
    this.#floor = analyser.minScore / 2;
    this.#patience = patience * rate;
    this.#filters = smooth
      ? {
          landmarks: new OneEuroFilter({ rate, ...landmarkFilter }),
          expressions: new OneEuroFilter({ rate, ...expressionFilter }),
        }
      : null;
  }

  /** Forgets the person, as before the first frame. */
  reset(): void {
    this.#last = null;
    this.#missing = 0;
    this.#cuts.reset();
    this.#restart();
  }

  /**
   * The person's face in each of the frames that follow those of the last call; null where it is not found. The first person is the
   * main one of the first frame with a face, or the one that `face` tells; after a cut, or a longer absence, another may be chosen.
   * Several frames a call are faster than one.
   */
  next(frames: readonly RgbImage[]): (Face | null)[] {
    for (const frame of frames) checkFrame(frame);
    const found = this.#analyser.detect(frames, this.#floor);
    const chosen = frames.map((frame, i) => this.#choose(frame, found[i]!));
    const faces = readChosen(
      this.#analyser,
      frames,
      chosen.map(({ detection }) => detection),
    );
    return faces.map((face, i) => {
      if (!chosen[i]!.continues) this.#restart();
      return face === null ? null : this.#smooth(face);
    });
  }

  /** The person's face in a frame, and whether the last frame had it too. */
  #choose(frame: RgbImage, found: readonly FaceDetection[]): { detection: FaceDetection | null; continues: boolean } {
    if (this.#cuts.next(frame) || this.#missing > this.#patience) this.#last = null;
    const last = this.#last;
    const detection = last === null ? this.#begin(frame, found) : this.#find(last, frame, found);
    const continues = last !== null && this.#missing === 0;
    this.#missing = detection === null ? this.#missing + 1 : 0;
    this.#last = detection ?? last;
    return { detection, continues };
  }

  /** The most prominent face that can be read, or one of the next: what proves to be none must not be followed. */
  #begin(frame: RgbImage, found: readonly FaceDetection[]): FaceDetection | null {
    let before = this.#face;
    for (let left = found.filter(({ score }) => score >= this.#analyser.minScore); left.length > 0; ) {
      const detection = mainFace(left, frame)!;
      if (this.#analyser.read([{ frame, detection }])[0] !== null && before-- === 0) return detection;
      left = left.filter((other) => other !== detection);
    }
    return null;
  }

  /** The face that continues `last`: among the found ones or, seen from nearer, around the place where it was. */
  #find(last: FaceDetection, frame: RgbImage, found: readonly FaceDetection[]): FaceDetection | null {
    const here = closest(last.box, found);
    if (here !== null) return here;
    const part = around(last.box, frame);
    if (part === null) return null;
    const [near] = this.#analyser.detect([part.picture], this.#floor) as [FaceDetection[]];
    const moved = near.map(({ box, score }) => ({ box: { ...box, x: box.x + part.x, y: box.y + part.y }, score }));
    return closest(last.box, moved);
  }

  #restart(): void {
    this.#filters?.landmarks.reset();
    this.#filters?.expressions.reset();
  }

  #smooth(face: Face): Face | null {
    if (this.#filters === null) return face;
    const landmarks = this.#filters.landmarks.next(face.landmarks, face.interOcular);
    const scores = Float32Array.from(expressionNames, (name) => face.expressions[name]);
    return faceOf(face, landmarks, normalised(this.#filters.expressions.next(scores)));
  }
}

/** The filters of the classes differ for a moment, so their sum does from 1. */
function normalised(scores: Float32Array): Expressions {
  const total = scores.reduce((sum, score) => sum + score, 0);
  return Object.fromEntries(expressionNames.map((name, i) => [name, scores[i]! / total])) as Expressions;
}

/** The face that may be that of `box` one frame later and is nearest to it; null where none may be. */
function closest(box: FaceBox, found: readonly FaceDetection[]): FaceDetection | null {
  let [best, highest] = [null as FaceDetection | null, 0];
  for (const face of found) {
    const nearness = overlap(box, face.box) + 1 - distance(box, face.box);
    if (distance(box, face.box) < 1 && nearness > highest) [best, highest] = [face, nearness];
  }
  return best;
}

/** Between the centres, over the size; infinite where the sizes differ by more than 2.5 times. */
function distance(a: FaceBox, b: FaceBox): number {
  const [sizeA, sizeB] = [Math.sqrt(a.width * a.height), Math.sqrt(b.width * b.height)];
  if (Math.max(sizeA / sizeB, sizeB / sizeA) > 2.5) return Infinity;
  return Math.hypot(a.x + a.width / 2 - b.x - b.width / 2, a.y + a.height / 2 - b.y - b.height / 2) / sizeA;
}

/** The part of a frame around a box, three times its size, where the frame holds more than that. */
function around(box: FaceBox, frame: RgbImage): { picture: RgbImage; x: number; y: number } | null {
  const side = Math.max(box.width, box.height) * 1.5;
  const clip = (value: number, most: number): number => Math.min(most, Math.max(0, Math.round(value)));
  const [x, y] = [clip(box.x + box.width / 2 - side, frame.width), clip(box.y + box.height / 2 - side, frame.height)];
  const width = clip(box.x + box.width / 2 + side, frame.width) - x;
  const height = clip(box.y + box.height / 2 + side, frame.height) - y;
  if (width < 16 || height < 16 || width * height > 0.6 * frame.width * frame.height) return null;
  const data = new Uint8Array(width * height * 3);
  for (let row = 0; row < height; row++) {
    const from = ((y + row) * frame.width + x) * 3;
    data.set(frame.data.subarray(from, from + width * 3), row * width * 3);
  }
  return { picture: { data, width, height }, x, y };
}
