/** Drawn people, of whom everything is known. */
import type { RgbImage } from 'headrace/media';

export type Colour = readonly [number, number, number];

/** Numbers from 0 to 1 (mulberry32). */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A picture from a function of pixels' centres. */
export function draw(width: number, height: number, colour: (x: number, y: number) => Colour): RgbImage {
  const data = new Uint8Array(3 * width * height);
  for (let i = 0; i < width * height; i++) {
    const drawn = colour((i % width) + 0.5, Math.floor(i / width) + 0.5);
    for (let c = 0; c < 3; c++) data[3 * i + c] = Math.min(255, Math.max(0, Math.round(drawn[c]!)));
  }
  return { width, height, data };
}

/** The 68 landmarks of an upright face that looks at the camera; `size` is the distance of the eyes, in pixels. */
export function landmarksAt(x: number, y: number, size: number): Float32Array {
  const at = (cx: number, cy: number, rx: number, ry: number, degrees: number): [number, number] => {
    const angle = (degrees * Math.PI) / 180;
    return [cx + rx * Math.cos(angle), cy - ry * Math.sin(angle)];
  };
  const several = (count: number, point: (k: number) => [number, number]) =>
    Array.from({ length: count }, (_, k) => point(k));
  const points = [
    ...several(17, (k) => at(0, 0, 1.15, 1.85, 180 + (180 * k) / 16)),
    ...several(5, (k) => at(-0.5, -0.25, 0.35, 0.12, 170 - 40 * k)),
    ...several(5, (k) => at(0.5, -0.25, 0.35, 0.12, 170 - 40 * k)),
    ...several(4, (k) => [0, 0.05 + 0.15 * k]),
    ...several(5, (k) => [-0.2 + 0.1 * k, 0.62]),
    ...several(6, (k) => at(-0.5, 0, 0.22, 0.09, 180 - 60 * k)),
    ...several(6, (k) => at(0.5, 0, 0.22, 0.09, 180 - 60 * k)),
    ...several(12, (k) => at(0, 1.06, 0.42, 0.16, 180 - 30 * k)),
    ...several(8, (k) => at(0, 1.06, 0.34, 0.03, 180 - 45 * k)),
  ];
  return Float32Array.from(points.flatMap(([u, v]) => [x + size * u, y + size * v]));
}

/** Whether a place shows the drawn person, and which part; in eye distances from between the eyes. */
export function partOf(u: number, v: number): 'face' | 'hair' | 'body' | null {
  if (Math.hypot(u / 1.12, (v - 0.15) / 1.7) < 1) return 'face';
  if (Math.hypot(u / 1.5, (v + 0.2) / 1.95) < 1) return 'hair';
  if (Math.abs(u) < 0.6 && v > 0 && v < 3) return 'body';
  return v > 2.3 && Math.abs(u) < 0.6 + 2.2 * Math.min(1, (v - 2.3) / 0.8) ? 'body' : null;
}

export const partColours = { face: [205, 160, 140], hair: [60, 40, 30], body: [150, 40, 60] } as const;
