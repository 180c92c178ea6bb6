/** Labels of synthetic pictures: a line of JSON each, exact. */
import { readFileSync } from 'node:fs';
import { isList, isNumber, isObject, isOneOf, isText, isWhole, optional, orNull, type Shape } from '../../io/index.js';
import { type ExpressionName, expressionNames } from '../../media/index.js';
import { DataError } from '../../torch/index.js';
import { arkitCount } from '../face/index.js';
import { shortest } from '../motion/numbers.js';
import type { SyntheticFace, SyntheticFrame } from './synthetic-face.js';

export interface SyntheticLabel {
  /** Names of files, from the set's folder. */
  readonly image: string;
  readonly mask: string;
  readonly depth: string | null;
  /** Which still or clip, and which of its frames. */
  readonly item: number;
  readonly frame: number;
  /** Who: the seed of the person, the same in all pictures of one. */
  readonly person: number;
  readonly emotion: ExpressionName;
  readonly strength: number;
  /** Degrees, as the viewer sees it. */
  readonly pose: { readonly yaw: number; readonly pitch: number; readonly roll: number };
  /** cm */
  readonly position: readonly number[];
  /** Degrees in the head; null: as the weights say. */
  readonly gaze: { readonly yaw: number; readonly pitch: number } | null;
  /** ARKit's 52. */
  readonly weights: readonly number[];
  /** x and y of the 68, in pixels. */
  readonly landmarks: readonly number[];
  /** Coefficients of `FaceModel.identity`. */
  readonly identity: readonly number[];
  readonly camera: {
    readonly distance: number;
    readonly focal: number;
    readonly centre: readonly number[];
    readonly pivot: readonly number[];
  };
  /** What is spoken, where it is known. */
  readonly phoneme?: string;
}

/** What a frame does not know of itself. */
export type LabelFacts = Pick<
  SyntheticLabel,
  'image' | 'mask' | 'depth' | 'item' | 'frame' | 'emotion' | 'strength' | 'phoneme'
>;

const exact = (values: ArrayLike<number>): number[] =>
  Array.from(values, (value) => Number(shortest(Math.fround(value))));

/** The label of a frame; numbers of 32 bits, in their shortest form. */
export function labelOf(face: SyntheticFace, frame: SyntheticFrame, facts: LabelFacts): SyntheticLabel {
  const { distance, focal, centre, pivot } = face.camera;
  return {
    ...facts,
    person: face.seed,
    pose: frame.pose,
    position: [...frame.position],
    gaze: frame.gaze,
    weights: exact(frame.weights),
    landmarks: exact(frame.landmarks),
    identity: exact(face.traits.identity),
    camera: { distance, focal, centre, pivot },
  };
}

const numbers: Shape = isList(isNumber);
const isLabel = isObject({
  image: isText,
  mask: isText,
  depth: orNull(isText),
  item: isWhole(0),
  frame: isWhole(0),
  person: isWhole(0),
  emotion: isOneOf(expressionNames),
  strength: isNumber,
  pose: isObject({ yaw: isNumber, pitch: isNumber, roll: isNumber }),
  position: numbers,
  gaze: orNull(isObject({ yaw: isNumber, pitch: isNumber })),
  weights: numbers,
  landmarks: numbers,
  identity: numbers,
  camera: isObject({ distance: isNumber, focal: isNumber, centre: numbers, pivot: numbers }),
  phoneme: optional(isText),
});

/** @throws DataError naming the line that is none */
export function readLabels(path: string): SyntheticLabel[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw new DataError(`Cannot read the labels ${path}`, { cause });
  }
  return text
    .split('\n')
    .flatMap((line, i) => (line.trim() === '' ? [] : [parseLabel(line, `${path}, line ${i + 1}`)]));
}

/** @throws DataError */
export function parseLabel(line: string, where: string): SyntheticLabel {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (cause) {
    throw new DataError(`${where}: expected a label as JSON`, { cause });
  }
  const faults = isLabel(value, 'the label');
  if (faults.length > 0) throw new DataError(`${where}: expected ${faults.join('; ')}`);
  const label = value as SyntheticLabel;
  if (label.weights.length !== arkitCount || label.landmarks.length !== 136)
    throw new DataError(
      `${where}: expected ${arkitCount} weights and 136 coordinates of landmarks, got ${label.weights.length} and ${label.landmarks.length}`,
    );
  return label;
}
