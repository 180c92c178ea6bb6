/** How far apart lips are, from weights alone. */
import { type ArkitName, arkitIndex } from '../face/index.js';
import { clamp } from './curves.js';

/**
 * What each weight of 1 adds to the gap between the lips of the face model at the landmark pairs 61-67, 62-66 and 63-65, in cm;
 * shapes add up, so gaps do. Those of less than 0.0005 are left out.
 */
export const lipGaps: Readonly<Partial<Record<ArkitName, readonly [number, number, number]>>> = {
  jawForward: [0.101, 0.129, 0.101],
  jawLeft: [-0.03, -0.023, -0.017],
  jawRight: [-0.017, -0.023, -0.03],
  jawOpen: [2.7, 3.276, 2.7],
  mouthClose: [-3.633, -3.894, -3.633],
  mouthFunnel: [0.938, 1.373, 0.938],
  mouthPucker: [-0.168, -0.052, -0.168],
  mouthLeft: [-0.03, -0.066, -0.042],
  mouthRight: [-0.042, -0.066, -0.03],
  mouthSmileLeft: [-0.005, 0.004, -0.026],
  mouthSmileRight: [-0.026, 0.004, -0.005],
  mouthFrownLeft: [-0.006, -0.012, -0.017],
  mouthFrownRight: [-0.017, -0.012, -0.006],
  mouthDimpleLeft: [-0.047, -0.036, -0.154],
  mouthDimpleRight: [-0.154, -0.036, -0.047],
  mouthStretchLeft: [-0.003, -0.015, -0.035],
  mouthStretchRight: [-0.035, -0.015, -0.003],
  mouthRollLower: [-0.181, -0.375, -0.181],
  mouthRollUpper: [0.146, 0.182, 0.146],
  mouthShrugLower: [-0.615, -0.687, -0.615],
  mouthShrugUpper: [0.418, 0.526, 0.426],
  mouthPressLeft: [-0.047, -0.127, -0.153],
  mouthPressRight: [-0.153, -0.127, -0.047],
  mouthLowerDownLeft: [0.125, 0.339, 0.411],
  mouthLowerDownRight: [0.411, 0.339, 0.125],
  mouthUpperUpLeft: [0.164, 0.355, 0.53],
  mouthUpperUpRight: [0.53, 0.355, 0.164],
  cheekPuff: [0.006, -0.044, 0.006],
  cheekSquintLeft: [0.009, 0.019, 0.029],
  cheekSquintRight: [0.029, 0.019, 0.009],
  noseSneerLeft: [0.152, 0.311, 0.485],
  noseSneerRight: [0.485, 0.311, 0.152],
};

const rows = Object.entries(lipGaps).map(([name, gaps]) => ({ at: arkitIndex(name), gaps }));

/** Right, middle and left. */
type Gaps = [number, number, number];

function gapsOf(weights: ArrayLike<number>): Gaps {
  const sum: Gaps = [0, 0, 0];
  for (const { at, gaps } of rows) for (const i of sides) sum[i] += gaps[i] * weights[at]!;
  return sum;
}

const sides = [0, 1, 2] as const;

/** How much wider the lips stand than at rest where they stand widest, in cm; below 0 where they are pressed together. */
export function lipGap(weights: ArrayLike<number>): number {
  return Math.max(...gapsOf(weights));
}

/** By how much `mouthShrugLower`, the chin's muscle that lifts the lower lip, brings lips together, in cm. */
export const shrugCloses = 0.615;

/**
 * The largest share, 0 to 1, of some weights with which the lips stand no wider apart than `gap`; 0 where the others hold them wider.
 * @param shared - `[52]`: what of `weights` is to be shared out, 0 elsewhere
 */
export function shareForGap(weights: ArrayLike<number>, shared: ArrayLike<number>, gap: number): number {
  const [all, part] = [gapsOf(weights), gapsOf(shared)];
  const shares = sides.map((i) => (part[i] > 0 ? 1 - (all[i] - gap) / part[i] : 1));
  return clamp(Math.min(...shares), 0, 1);
}

/** Changes one weight, in place and within its bounds, until the lips stand as far apart as `gap` where they stand widest. */
export function reachGap(weights: Float32Array, name: 'jawOpen' | 'mouthClose', gap: number, most: number): void {
  const steps = lipGaps[name]!;
  const needed = gapsOf(weights).map((now, i) => (gap - now) / steps[i]!);
  // Nowhere wider than asked for: the jaw opens by the least of what is needed, the lower lip rises by the most.
  const change = steps[0] > 0 ? Math.min(...needed) : Math.max(...needed);
  const at = arkitIndex(name);
  weights[at] = clamp(weights[at]! + change, 0, most);
}
