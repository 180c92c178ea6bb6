/** Closed eyes, which landmarks do not show: a closed lid is as bright as skin, an open eye has a dark iris. */
import { centreOf, type RgbImage, tilt } from '../../media/index.js';
import { brightness } from './gaze.js';
import { eyeDistanceOf } from './view.js';

/** In distances of the eyes, from an eye's middle: where the iris may be, and the skin below. */
const iris = { across: 0.09, above: 0.1, below: 0.08, step: 0.015 } as const;
const skin = { across: 0.15, from: 0.18, to: 0.26, step: 0.025 } as const;

/** What is darker than this share of the skin counts. */
const dark = 0.85;

/** The corners of an eye in the landmarks; left and right are the subject's own. */
const eyes = { left: 'rightEye', right: 'leftEye' } as const;

/** How dark it is where an open eye has its iris: 0 as the skin below, 1 black. */
export function eyeDarkness(picture: RgbImage, landmarks: Float32Array, side: 'left' | 'right'): number {
  const [x, y] = centreOf(landmarks, eyes[side]);
  const [angle, unit] = [tilt(landmarks), eyeDistanceOf(landmarks)];
  const [cos, sin] = [Math.cos(angle) * unit, Math.sin(angle) * unit];
  const at = (u: number, v: number): number => brightness(picture, x + u * cos - v * sin, y + u * sin + v * cos);
  const mean = (across: number, from: number, to: number, step: number, value: (grey: number) => number): number => {
    let [sum, count] = [0, 0];
    for (let v = from; v <= to; v += step) {
      for (let u = -across; u <= across; u += step) {
        sum += value(at(u, v));
        count++;
      }
    }
    return sum / count;
  };
  const bright = Math.max(
    1,
    mean(skin.across, skin.from, skin.to, skin.step, (grey) => grey),
  );
  return mean(iris.across, -iris.above, iris.below, iris.step, (grey) => Math.max(0, dark * bright - grey) / bright);
}

/** Below this darkness an open eye cannot be told from a closed one: the picture is too small, or the eye is pale. */
const leastOpen = 0.06;

/** Of the open eye's darkness: what trembles without a blink, and what a closed eye lacks beyond that. */
const [trembling, closing] = [0.1, 0.42];

/**
 * How far an eye is closed over time, 0 to 1, from its darkness; the eye is open in most frames.
 * @returns null where it cannot be told
 */
export function blinksOf(darkness: readonly number[]): Float32Array | null {
  if (darkness.length === 0) return null;
  const sorted = [...darkness].sort((a, b) => a - b);
  const open = sorted[Math.floor(0.75 * (sorted.length - 1))]!;
  if (open < leastOpen) return null;
  return Float32Array.from(darkness, (value) => Math.min(1, Math.max(0, (1 - value / open - trembling) / closing)));
}
