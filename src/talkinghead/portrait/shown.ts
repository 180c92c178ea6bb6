/** What a photograph of an open mouth shows between the lips. */
import type { RgbImage } from '../../media/index.js';
import type { PhotographedHead } from './head.js';
import { headFrame } from './still/head-frame.js';
import { lipLine } from './still/lip-line.js';
import { distanceTo, smoothstep } from './still/planes.js';
import { pullPush } from './still/pull-push.js';
import { planesOf } from './still/types.js';

/**
 * Two layers, `[H * W * 4]`: colours times alpha, and alpha. What is above the dark between the rows of teeth stays with the head,
 * for mostly it is upper teeth; what is below goes with the jaw, behind it.
 */
export interface ShownInside {
  readonly upper: Uint8Array;
  readonly lower: Uint8Array;
}

/** In eye distances: how far what is seen between the lips goes on behind them, as lips never move quite as the mesh does. */
const goesOn = 0.05;

/** In eye distances: over how much the upper layer ends. */
const softness = 0.015;

/** @param inside - `[H * W]`: 1 where the photograph shows the mouth's inside; nowhere where the lips are closed */
export function shownInside({ fit, eyes }: PhotographedHead, picture: RgbImage, inside: Uint8Array): ShownInside {
  const { width, height } = picture;
  const [upper, lower] = [new Uint8Array(4 * width * height), new Uint8Array(4 * width * height)];
  if (!inside.includes(1)) return { upper, lower };
  const away = distanceTo(inside, width, height);
  const carried = pullPush(planesOf(picture), Float32Array.from(inside), width, height);
  const below = belowLine(lipLine(picture, fit).points, headFrame(fit).down);
  const soft = Math.max(1, softness * eyes);
  for (let i = 0; i < inside.length; i++) {
    const alpha = smoothstep(goesOn * eyes, 0, away[i]!);
    if (alpha === 0) continue;
    const depth = below((i % width) + 0.5, Math.floor(i / width) + 0.5);
    const put = (layer: Uint8Array, share: number): void =>
      layer.set([...carried.map((plane) => Math.round(share * plane[i]!)), Math.round(255 * share)], 4 * i);
    put(upper, alpha * smoothstep(soft, 0, depth));
    // Behind the upper layer's soft end the lower one is whole, so that both together are the photograph.
    put(lower, alpha * smoothstep(-soft, 0, depth));
  }
  return { upper, lower };
}

/** How far a place is below a line from left to right, in pixels along `down`; beyond its ends they count. */
function belowLine(points: Float32Array, [dx, dy]: readonly [number, number]): (x: number, y: number) => number {
  const along = (x: number, y: number): number => x * dy - y * dx;
  const last = points.length / 2 - 1;
  return (x, y) => {
    const at = along(x, y);
    let k = 0;
    while (k < last - 1 && along(points[2 * k + 2]!, points[2 * k + 3]!) < at) k++;
    const [ax, ay, bx, by] = points.subarray(2 * k, 2 * k + 4) as unknown as [number, number, number, number];
    const [from, to] = [along(ax, ay), along(bx, by)];
    const t = to > from ? Math.min(1, Math.max(0, (at - from) / (to - from))) : 0;
    return (x - ax - t * (bx - ax)) * dx + (y - ay - t * (by - ay)) * dy;
  };
}

/** The front lower teeth, of which the model shows how the jaw moves. */
export function jawVertices({ model }: PhotographedHead): Uint32Array {
  const [first, end] = model.parts.lowerTeeth.vertices;
  const all = Array.from({ length: end - first }, (_, i) => first + i);
  const front = Math.max(...all.map((v) => model.vertices[3 * v + 2]!)) - 1;
  return Uint32Array.from(all.filter((v) => model.vertices[3 * v + 2]! > front));
}

/** The middle of some vertices in the photograph, in pixels. @param face - `[V * 3]`, cm */
export function middleOf(head: PhotographedHead, vertices: Uint32Array, face: Float32Array): [x: number, y: number] {
  const points = new Float32Array(3 * vertices.length);
  for (const [i, v] of vertices.entries()) points.set(face.subarray(3 * v, 3 * v + 3), 3 * i);
  const seen = head.project(points);
  const mean = (axis: number): number => {
    let sum = 0;
    for (let i = 0; i < vertices.length; i++) sum += seen[3 * i + axis]!;
    return sum / vertices.length;
  };
  return [mean(0), mean(1)];
}
