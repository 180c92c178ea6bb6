/** Where a person is likely to be in a picture, from the face alone. */

import { type HeadFrame, headFrame, inFrame } from './head-frame.js';
import { fillPolygon, smoothstep } from './planes.js';
import type { PicturedHead } from './types.js';

/** A bare head and a body, measured at the face, in eye distances. */
export interface Figure {
  readonly frame: HeadFrame;
  /** The head's ellipse in the frame: its middle across, half its width, its way up and down from the eyes. */
  readonly middle: number;
  readonly halfWidth: number;
  readonly up: number;
  readonly chin: number;
  /** The chin in the picture, from which the body hangs down, whatever the head's tilt. */
  readonly chinX: number;
  readonly chinY: number;
}

export function figureOf(head: PicturedHead): Figure {
  const frame = headFrame(head);
  const { landmarks } = head;
  const at = (k: number): [number, number] => inFrame(frame, landmarks[2 * k]!, landmarks[2 * k + 1]!);
  const [left] = at(0);
  const [right] = at(16);
  const [, chin] = at(8);
  const halfWidth = Math.max(0.9, Math.abs(right - left) / 2);
  return {
    frame,
    middle: (left + right) / 2,
    halfWidth: 1.08 * halfWidth,
    up: 1.95,
    chin: Math.max(1.4, chin),
    chinX: landmarks[16]!,
    chinY: landmarks[17]!,
  };
}

/** How far a place is outside of the bare head and of neck, shoulders and chest, in eye distances; negative inside. */
export function outsideOf(figure: Figure, x: number, y: number): { head: number; body: number } {
  const { frame, middle, halfWidth, up, chin } = figure;
  const [across, down] = inFrame(frame, x, y);
  const tall = (up + chin) / 2;
  const ellipse = Math.hypot((across - middle) / halfWidth, (down - (chin - up) / 2) / tall);
  const side = Math.abs(x - figure.chinX) / frame.size;
  const below = (y - figure.chinY) / frame.size;
  const half = 0.75 + 2.1 * smoothstep(0.35, 2.2, below);
  const body = Math.max(side - half, -0.6 - below);
  return { head: (ellipse - 1) * Math.min(halfWidth, tall), body };
}

/** log of the odds that a place belongs to the person: hair around the head, any clothes below it. */
export function personOdds(figure: Figure, x: number, y: number): number {
  const { head, body } = outsideOf(figure, x, y);
  const below = (y - figure.chinY) / figure.frame.size;
  const side = Math.abs(x - figure.chinX) / figure.frame.size;
  const nearHead = interpolate(headOdds, head);
  const nearBody = interpolate(bodyOdds, body) + (below < 1.2 ? -0.3 : 0);
  const hair = Math.min(interpolate(hairOdds, side), below < 2.5 ? 9 : -9);
  return Math.max(nearHead, nearBody, below > -2.2 ? hair : -9);
}

/** Knots of [eye distances outside, log odds]. */
const headOdds = [
  [-0.5, 5],
  [-0.1, 2.5],
  [0.15, 1],
  [0.5, -0.2],
  [1, -1.4],
  [2, -3],
  [4, -5],
] as const;
/** Beside neck and chest, where long hair falls: [eye distances from the middle, log odds]. */
const hairOdds = [
  [1, 0.6],
  [2, 0.3],
  [2.6, -1],
  [3.2, -3],
] as const;
const bodyOdds = [
  [-0.7, 4],
  [-0.2, 1.5],
  [0.2, 0],
  [1, -0.8],
  [3, -3],
] as const;

function interpolate(knots: readonly (readonly [number, number])[], at: number): number {
  let k = 1;
  while (k < knots.length - 1 && knots[k]![0] < at) k++;
  const [[x0, y0], [x1, y1]] = [knots[k - 1]!, knots[k]!];
  return y0 + (y1 - y0) * Math.min(1, Math.max(0, (at - x0) / (x1 - x0)));
}

/** The pixels that show the face: within the jaw's line, up to the brows. */
export function facePixels({ landmarks }: PicturedHead, scale: number, width: number, height: number): Uint8Array {
  const set = new Uint8Array(width * height);
  const outline: number[] = [];
  const [nx, ny] = [landmarks[60]!, landmarks[61]!];
  const order = [...Array(17).keys(), 26, 25, 24, 19, 18, 17];
  // A little inwards, since the jaw's landmarks lie on the border.
  for (const k of order)
    outline.push(scale * (nx + 0.94 * (landmarks[2 * k]! - nx)), scale * (ny + 0.94 * (landmarks[2 * k + 1]! - ny)));
  fillPolygon(set, width, height, outline);
  return set;
}
