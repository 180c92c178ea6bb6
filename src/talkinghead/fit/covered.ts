/** Faces that are not seen whole: landmarks are found on masks, hands and dark glasses too, but there is nothing to see there. */
import type { RgbImage } from '../../media/index.js';
import { between } from './gaze.js';
import { eyeDistanceOf } from './view.js';

/** Landmarks around what is looked at; the sides are the viewer's. */
const parts = {
  'left eye': [36, 42],
  'right eye': [42, 48],
  mouth: [48, 60],
} as const;

/**
 * How much colours differ within, as a share of the skin's brightness. Of 300 photographs of speaking people, eyes closed at
 * times, no eye had less than 0.035 and no mouth less than 0.08.
 */
const least = { eye: 0.02, mouth: 0.045 } as const;

/** A mouth of little contrast is none where the lips have the colour of the skin around. */
const [paleMouth, leastFromSkin] = [0.08, 0.045];

/** The parts of a face that seem to be covered, such as `the mouth`; none where all is seen. */
export function coveredParts(picture: RgbImage, landmarks: Float32Array): string[] {
  const bright = Math.max(10, mean(patch(picture, landmarks, 29, 29).mean));
  return Object.entries(parts).flatMap(([name, [first, end]]) => {
    const inside = within(picture, landmarks.subarray(2 * first, 2 * end));
    const varied = inside.spread / bright;
    if (name !== 'mouth') return varied < least.eye ? [`the ${name}`] : [];
    // Between nose and lip, and on the chin.
    const skin = [patch(picture, landmarks, 33, 51), patch(picture, landmarks, 57, 8)];
    const apart = Math.min(...skin.map((each) => distance(each.mean, inside.mean))) / bright;
    return varied < least.mouth || (varied < paleMouth && apart < leastFromSkin) ? ['the mouth'] : [];
  });
}

interface Colours {
  readonly mean: readonly [number, number, number];
  /** Root mean square of the difference from the mean. */
  readonly spread: number;
}

/** Of what lies in a polygon. */
function within(picture: RgbImage, polygon: Float32Array): Colours {
  const bounds = [0, 1].map((axis) => {
    const values = Array.from(polygon).filter((_, i) => i % 2 === axis);
    return [Math.min(...values), Math.max(...values)];
  }) as [[number, number], [number, number]];
  const [[left, right], [top, bottom]] = bounds;
  const step = Math.max(0.5, (right - left) / 40);
  return coloursOf(picture, function* () {
    for (let y = top; y <= bottom; y += step)
      for (let x = left; x <= right; x += step) if (between(polygon, x, y)) yield [x, y];
  });
}

/** Of a small square in the middle between two landmarks. */
function patch(picture: RgbImage, landmarks: Float32Array, a: number, b: number): Colours {
  const [x, y] = [0, 1].map((axis) => (landmarks[2 * a + axis]! + landmarks[2 * b + axis]!) / 2) as [number, number];
  const half = 0.05 * eyeDistanceOf(landmarks);
  const step = Math.max(0.5, half / 5);
  return coloursOf(picture, function* () {
    for (let v = -half; v <= half; v += step) for (let u = -half; u <= half; u += step) yield [x + u, y + v];
  });
}

function coloursOf({ data, width, height }: RgbImage, places: () => Generator<[x: number, y: number]>): Colours {
  const clip = (value: number, most: number): number => Math.min(most - 1, Math.max(0, Math.floor(value)));
  const [sums, squares] = [
    [0, 0, 0],
    [0, 0, 0],
  ];
  let count = 0;
  for (const [x, y] of places()) {
    const at = 3 * (clip(y, height) * width + clip(x, width));
    for (let c = 0; c < 3; c++) {
      sums[c]! += data[at + c]!;
      squares[c]! += data[at + c]! ** 2;
    }
    count++;
  }
  count = Math.max(1, count);
  const average = sums.map((sum) => sum / count) as [number, number, number];
  const variance = squares.reduce((sum, square, c) => sum + square / count - average[c]! ** 2, 0) / 3;
  return { mean: average, spread: Math.sqrt(Math.max(0, variance)) };
}

const mean = (colour: readonly number[]): number => colour.reduce((sum, value) => sum + value, 0) / colour.length;

const distance = (a: readonly number[], b: readonly number[]): number =>
  Math.hypot(...a.map((value, c) => value - b[c]!));
