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
   * @param line - where the photograph's lips meet, see {@link lipLine}; null where it shows them apart
   */
  constructor(
    private readonly head: PhotographedHead,
    offsets: Float32Array,
    line: Float32Array | null,
  ) {
    const { fit } = head;
    const open = line === null;
    const closed = head.shape(open ? withMouthAtRest(fit.weights) : fit.weights);
    this.closedAt = opening(head, closed);
    this.openBy = open ? Math.max(0.05, opening(head, head.shape(fit.weights)) - this.closedAt) : 0;
    const aligned = closed.map((value, i) => value + offsets[i]!);
    const { upper, lower } = lipVertices(head);
    const pulls = columnPulls(head, aligned, upper, lower, line);
    this.vertices = Uint32Array.from([...upper, ...lower]);
    this.lift = Float32Array.from(this.vertices, (v, i) => this.pull(v, i < upper.length ? pulls.upper : pulls.lower));
  }

  /** What columns are to rise at a vertex, cm, falling off away from where the lips meet. */
  private pull(v: number, columnsRise: Float64Array): number {
    const { vertices } = this.head.model;
    const at = Math.min(columns - 1.001, Math.max(0, ((vertices[3 * v]! + widest) / (2 * widest)) * (columns - 1)));
    const i = Math.floor(at);
    return (
      (columnsRise[i]! + (at - i) * (columnsRise[i + 1]! - columnsRise[i]!)) *
      smoothstep(0.9, 0, Math.abs(vertices[3 * v + 1]! + 3.35))
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

/** cm by which each column's lips rise until they meet, as the camera sees them, and overlap a little. */
interface Pulls {
  readonly upper: Float64Array;
  readonly lower: Float64Array;
}

/** In eye distances: how much lips overlap, and how far they are moved to the line at most. */
const [overlap, farthest] = [0.004, 0.04];

/** Both lips' borders come to the line where there is one, or to the middle between them: teeth beside it would go with the wrong lip. */
function columnPulls(
  head: PhotographedHead,
  face: Float32Array,
  upper: number[],
  lower: number[],
  line: Float32Array | null,
): Pulls {
  const seen = head.project(face);
  const pulls: Pulls = { upper: new Float64Array(columns), lower: new Float64Array(columns) };
  for (let i = 0; i < columns; i++) {
    const x = -widest + (2 * widest * i) / (columns - 1);
    const [above, below] = [borderAt(head, upper, seen, x, 1), borderAt(head, lower, seen, x, -1)];
    if (above === null || below === null) continue;
    const half = Math.max(0, below.y - above.y + overlap * head.eyes) / 2;
    const aside = line === null ? 0 : heightAt(line, (above.x + below.x) / 2) - (above.y + below.y) / 2;
    const down = Math.min(farthest * head.eyes, Math.max(-farthest * head.eyes, aside));
    pulls.upper[i] = (-half - down) / head.pixelsPerCm;
    pulls.lower[i] = (half - down) / head.pixelsPerCm;
  }
  return pulls;
}

/** The lowest (1) or highest (-1) place of a column of a lip, pixels, of what lies in front; null where there is none. */
function borderAt({ model }: PhotographedHead, vertices: number[], seen: Float32Array, column: number, sign: 1 | -1) {
  const rest = model.vertices;
  const near = vertices.filter((v) => Math.abs(rest[3 * v]! - column) < 0.12);
  const front = Math.max(...near.map((v) => rest[3 * v + 2]!));
  let found: { readonly x: number; readonly y: number } | null = null;
  for (const v of near) {
    if (rest[3 * v + 2]! <= front - 1.2) continue;
    const [x, y] = [seen[3 * v]!, seen[3 * v + 1]!];
    if (found === null || sign * y > sign * found.y) found = { x, y };
  }
  return found;
}

/** The height of a line from left to right at a place along it; that of its ends beyond them. */
function heightAt(line: Float32Array, x: number): number {
  const last = line.length / 2 - 1;
  let k = 0;
  while (k < last - 1 && line[2 * k + 2]! < x) k++;
  const [ax, ay, bx, by] = line.subarray(2 * k, 2 * k + 4) as unknown as [number, number, number, number];
  return ay + (bx > ax ? Math.min(1, Math.max(0, (x - ax) / (bx - ax))) : 0) * (by - ay);
}
