/** Holes filled smoothly from all around, at any size: a pyramid of means down, and up again. */

import type { Planes } from './types.js';

interface Level {
  readonly width: number;
  readonly height: number;
  readonly weight: Float32Array;
  readonly planes: readonly Float32Array[];
}

/**
 * The planes where `weight` is 1, and in between what the nearest known pixels say, the smoother the further away
 * (Gortler et al., "The Lumigraph", 1996, section 3.4). Where nothing at all is known, the planes come back as they are.
 * @param weight - `[H * W]`, 0 to 1
 */
export function pullPush(planes: Planes, weight: Float32Array, width: number, height: number): Planes {
  const levels: Level[] = [{ width, height, weight, planes }];
  for (let level = levels[0]!; level.width > 1 || level.height > 1; level = levels.at(-1)!) levels.push(pull(level));
  if (!(levels.at(-1)!.weight[0]! > 0)) return [...planes] as unknown as Planes;
  let filled = levels.at(-1)!.planes;
  for (let k = levels.length - 2; k >= 0; k--) filled = push(levels[k]!, levels[k + 1]!, filled);
  return filled as unknown as Planes;
}

/** Half as large: means by weight. */
function pull(from: Level): Level {
  const [width, height] = [Math.ceil(from.width / 2), Math.ceil(from.height / 2)];
  const weight = new Float32Array(width * height);
  const planes = from.planes.map(() => new Float32Array(width * height));
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const at = y * width + x;
      let sum = 0;
      for (let v = 2 * y; v < Math.min(from.height, 2 * y + 2); v++) {
        for (let u = 2 * x; u < Math.min(from.width, 2 * x + 2); u++) {
          const w = from.weight[v * from.width + u]!;
          sum += w;
          for (let c = 0; c < planes.length; c++) planes[c]![at]! += w * from.planes[c]![v * from.width + u]!;
        }
      }
      if (sum > 0) for (const plane of planes) plane[at]! /= sum;
      weight[at] = Math.min(1, sum);
    }
  }
  return { width, height, weight, planes };
}

/** What is missing in a level, from the filled one that is half as large, bilinear. */
function push(level: Level, coarse: Level, filled: readonly Float32Array[]): Float32Array[] {
  const { width, height, weight } = level;
  const out = level.planes.map((plane) => Float32Array.from(plane));
  for (let y = 0; y < height; y++) {
    const [top, fy] = place(y, coarse.height);
    const bottom = Math.min(coarse.height - 1, top + 1);
    for (let x = 0; x < width; x++) {
      const w = weight[y * width + x]!;
      if (w >= 1) continue;
      const [left, fx] = place(x, coarse.width);
      const right = Math.min(coarse.width - 1, left + 1);
      for (let c = 0; c < out.length; c++) {
        const from = filled[c]!;
        const upper = from[top * coarse.width + left]! * (1 - fx) + from[top * coarse.width + right]! * fx;
        const lower = from[bottom * coarse.width + left]! * (1 - fx) + from[bottom * coarse.width + right]! * fx;
        out[c]![y * width + x] = w * level.planes[c]![y * width + x]! + (1 - w) * (upper * (1 - fy) + lower * fy);
      }
    }
  }
  return out;
}

/** Where a pixel of a level lies between those of one that is half as large. */
function place(at: number, size: number): [first: number, share: number] {
  const position = Math.min(size - 1, Math.max(0, (at + 0.5) / 2 - 0.5));
  const first = Math.floor(position);
  return [first, position - first];
}
