/** Lips that meet: what the fitted face lacks for that, by how far the mouth is open. */
import { arkitNames } from '../face/arkit.js';
import type { PhotographedHead } from './head.js';
import { smoothstep } from './still/planes.js';

/** In eye distances: lips of which the inner landmarks are further apart are open. */
const openFrom = 0.1;

/** Inner landmarks above one another, and the corners of the mouth. */
const innerPairs = [
  [61, 67],
  [62, 66],
  [63, 65],
] as const;

/** cm from the middle: where columns of the lips are compared. */
const widest = 2.2;
const columns = 45;

/** Whether the photograph shows the lips apart. */
export function isMouthOpen(head: PhotographedHead): boolean {
  const { landmarks } = head.fit;
  let gap = 0;
  for (const [up, low] of innerPairs)
    gap += Math.hypot(landmarks[2 * up]! - landmarks[2 * low]!, landmarks[2 * up + 1]! - landmarks[2 * low + 1]!) / 3;
  return gap >= openFrom * head.eyes;
}

/** The landmarks, those of the inner lips moved to the line at which closed lips meet. */
export function onLipLine(landmarks: Float32Array, line: Float32Array): Float32Array {
  const out = Float32Array.from(landmarks);
  const last = line.length / 2 - 1;
  const [ax, ay] = [line[0]!, line[1]!];
  const [dx, dy] = [line[2 * last]! - ax, line[2 * last + 1]! - ay];
  for (let k = 60; k < 68; k++) {
    const along = ((landmarks[2 * k]! - ax) * dx + (landmarks[2 * k + 1]! - ay) * dy) / (dx * dx + dy * dy);
    const at = last * Math.min(1, Math.max(0, along));
    const i = Math.min(last - 1, Math.floor(at));
    for (const c of [0, 1]) out[2 * k + c] = line[2 * i + c]! + (at - i) * (line[2 * i + 2 + c]! - line[2 * i + c]!);
  }
  return out;
}

/** Weights with the mouth at rest and the jaw shut. */
export function withMouthAtRest(weights: Float32Array): Float32Array {
  return weights.map((weight, i) => (/^(mouth|jaw)/.test(arkitNames[i]!) ? 0 : weight));
}

/** cm between the inner borders of a mouth's lips, mean; for the model's own shape, before any alignment. */
function opening(head: PhotographedHead, face: Float32Array): number {
  const { landmarks } = head.model;
  let sum = 0;
  for (const [up, low] of innerPairs) sum += (face[3 * landmarks[up]! + 1]! - face[3 * landmarks[low]! + 1]!) / 3;
  return sum;
}

export class LipSeal {
  private readonly vertices: Uint32Array;
  /** cm up, for each of `vertices`. */
  private readonly lift: Float32Array;
  /** How far the model's mouth opens at rest, and how much further as photographed. */
  private readonly closedAt: number;
  private readonly openBy: number;

  /**
   * @param offsets - the alignment: `[V * 3]`
   * @param open - whether the photograph shows the lips apart
   */
  constructor(
    private readonly head: PhotographedHead,
    offsets: Float32Array,
    open: boolean,
  ) {
    const { fit } = head;
    const closed = head.shape(open ? withMouthAtRest(fit.weights) : fit.weights);
    this.closedAt = opening(head, closed);
    this.openBy = open ? Math.max(0.05, opening(head, head.shape(fit.weights)) - this.closedAt) : 0;
    const aligned = closed.map((value, i) => value + offsets[i]!);
    const { upper, lower } = lipVertices(head);
    const gaps = columnGaps(head, aligned, upper, lower);
    this.vertices = Uint32Array.from([...upper, ...lower]);
    this.lift = Float32Array.from(this.vertices, (v, i) => (i < upper.length ? -0.5 : 0.5) * this.pull(v, gaps));
  }

  /** The gap to close at a vertex, cm, falling off away from where the lips meet. */
  private pull(v: number, gaps: Float64Array): number {
    const { vertices } = this.head.model;
    const at = Math.min(columns - 1.001, Math.max(0, ((vertices[3 * v]! + widest) / (2 * widest)) * (columns - 1)));
    const i = Math.floor(at);
    return (
      (gaps[i]! + (at - i) * (gaps[i + 1]! - gaps[i]!)) * smoothstep(0.9, 0, Math.abs(vertices[3 * v + 1]! + 3.35))
    );
  }

  /** Closes the lips of a face, in place, as far as its weights do. @param shaped - the model's own, without alignment */
  close(face: Float32Array, shaped: Float32Array): void {
    const share =
      this.openBy === 0 ? 1 : 1 - Math.min(1, Math.max(0, (opening(this.head, shaped) - this.closedAt) / this.openBy));
    if (share === 0) return;
    for (let i = 0; i < this.vertices.length; i++) face[3 * this.vertices[i]! + 1]! += share * this.lift[i]!;
  }
}

/** The lips' vertices, by whether the jaw takes them along. */
function lipVertices({ model }: PhotographedHead): { upper: number[]; lower: number[] } {
  const jaw = model.expressionDelta('jawOpen');
  const [upper, lower]: [number[], number[]] = [[], []];
  const [first, end] = model.parts.innerFace.vertices;
  for (let v = first; v < end; v++) {
    const [x, y, z] = [model.vertices[3 * v]!, model.vertices[3 * v + 1]!, model.vertices[3 * v + 2]!];
    if (Math.abs(x) > 2.4 || y > -2.2 || y < -4.6 || z < 9.2) continue;
    const moved = Math.hypot(jaw[3 * v]!, jaw[3 * v + 1]!, jaw[3 * v + 2]!);
    (moved < 1.5 ? upper : lower).push(v);
  }
  return { upper, lower };
}

/** cm between the lips in each column, as the camera sees them, and a little more, so that they overlap. */
function columnGaps(head: PhotographedHead, face: Float32Array, upper: number[], lower: number[]): Float64Array {
  const rest = head.model.vertices;
  const seen = head.project(face);
  const border = (vertices: number[], x: number, sign: number): number => {
    const near = vertices.filter((v) => Math.abs(rest[3 * v]! - x) < 0.12);
    const front = Math.max(...near.map((v) => rest[3 * v + 2]!));
    return Math.max(...near.filter((v) => rest[3 * v + 2]! > front - 1.2).map((v) => sign * seen[3 * v + 1]!));
  };
  return Float64Array.from({ length: columns }, (_, i) => {
    const x = -widest + (2 * widest * i) / (columns - 1);
    const gap = -border(lower, x, -1) - border(upper, x, 1);
    return Number.isFinite(gap) ? Math.max(0, gap + 0.004 * head.eyes) / head.pixelsPerCm : 0;
  });
}
