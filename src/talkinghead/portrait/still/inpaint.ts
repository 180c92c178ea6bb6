/** Small holes closed from their borders: Telea's fast marching method. */

import type { RgbImage } from '../../../media/frames.js';
import { mapInto } from '../../../media/map-into.js';
import { checkFinite } from '../../render/checks.js';
import { distanceTo } from './planes.js';
import { checkPicture, checkPlane } from './types.js';

/**
 * The picture with a set of pixels made anew from what is around them (Telea, "An image inpainting technique based on the
 * fast marching method", 2004): from the border inwards, each pixel is what its known neighbours say, weighted by how near
 * they are, whether they lie along the normal of the front, and on the same level of distance from the hole's border. It keeps
 * smooth shading; texture larger than `radius` ends.
 *
 * @param mask - `[H * W]`: not 0 where to make pixels anew; where everything is masked, the picture comes back as it is
 * @param radius - pixels: how far the neighbours are that have a say, from 1
 * @throws ConfigError, ShapeError
 */
export function inpaint(picture: RgbImage, mask: Uint8Array, radius: number): RgbImage {
  const where = 'inpaint';
  checkPicture(where, picture);
  checkPlane(where, 'mask', picture, mask);
  const reach = Math.max(1, Math.round(checkFinite(where, 'radius', radius, 0)));
  const data = Uint8Array.from(picture.data);
  const { width, height } = picture;
  const values = Float32Array.from(picture.data);
  const front = new Front(mask, width, height, outsideDistance(mask, width, height));
  for (let at = front.next(); at >= 0; at = front.next()) paint(values, front, at, width, height, reach);
  for (let i = 0; i < mask.length; i++)
    if (mask[i] && front.isKnown(i)) for (let c = 0; c < 3; c++) data[3 * i + c] = Math.round(values[3 * i + c]!);
  return { width, height, data };
}

/** Minus the distance to the hole outside of it, as levels that go on outwards. */
function outsideDistance(mask: Uint8Array, width: number, height: number): Float32Array {
  return distanceTo(mask, width, height).map((distance) => (Number.isFinite(distance) ? 1 - distance : 0));
}

/** The pixel at `at` from its known neighbours. */
function paint(values: Float32Array, front: Front, at: number, width: number, height: number, reach: number): void {
  const [x, y] = [at % width, Math.floor(at / width)];
  const time = front.time;
  const [gx, gy] = front.slope(x, y);
  const sums = [0, 0, 0];
  let total = 0;
  const [top, bottom] = [Math.max(0, y - reach), Math.min(height - 1, y + reach)];
  const [left, right] = [Math.max(0, x - reach), Math.min(width - 1, x + reach)];
  for (let v = top; v <= bottom; v++) {
    for (let u = left; u <= right; u++) {
      const from = v * width + u;
      const [rx, ry] = [x - u, y - v];
      const square = rx * rx + ry * ry;
      if (square > reach * reach || !front.isKnown(from) || from === at) continue;
      const along = Math.abs(rx * gx + ry * gy) / Math.sqrt(square);
      const level = 1 / (1 + Math.abs(time[from]! - time[at]!));
      const weight = (Math.max(along, 1e-3) * level) / square;
      for (let c = 0; c < 3; c++) sums[c]! += weight * values[3 * from + c]!;
      total += weight;
    }
  }
  if (total > 0) for (let c = 0; c < 3; c++) values[3 * at + c] = sums[c]! / total;
}

/** The hole's pixels in the order of their distance from its border, by the eikonal equation |grad T| = 1. */
class Front {
  readonly time: Float32Array;
  private readonly known: Uint8Array;
  private readonly heap: number[] = [];
  private last = -1;

  constructor(
    private readonly mask: Uint8Array,
    private readonly width: number,
    private readonly height: number,
    outside: Float32Array,
  ) {
    this.time = outside.map((value, i) => (mask[i] ? Infinity : value));
    this.known = mapInto(new Uint8Array(mask.length), mask, (value) => (value ? 0 : 1));
    for (let i = 0; i < mask.length; i++) if (!mask[i]) this.spread(i);
  }

  isKnown(at: number): boolean {
    return this.known[at] === 1;
  }

  /** The next pixel to make, -1 when all is done; the one before becomes known. */
  next(): number {
    if (this.last >= 0) {
      this.known[this.last] = 1;
      this.spread(this.last);
    }
    do this.last = this.pop();
    while (this.last >= 0 && this.known[this.last]);
    return this.last;
  }

  /** Slope of the distance, from the known sides. */
  slope(x: number, y: number): [number, number] {
    const at = y * this.width + x;
    const part = (step: number, before: boolean, after: boolean): number => {
      const hasBefore = before && Number.isFinite(this.time[at - step]!);
      const hasAfter = after && Number.isFinite(this.time[at + step]!);
      if (hasBefore && hasAfter) return (this.time[at + step]! - this.time[at - step]!) / 2;
      if (hasBefore) return this.time[at]! - this.time[at - step]!;
      return hasAfter ? this.time[at + step]! - this.time[at]! : 0;
    };
    const gx = part(1, x > 0, x < this.width - 1);
    const gy = part(this.width, y > 0, y < this.height - 1);
    const length = Math.hypot(gx, gy);
    return length > 0 ? [gx / length, gy / length] : [0, 0];
  }

  private spread(from: number): void {
    const x = from % this.width;
    if (x > 0) this.reachFor(from - 1);
    if (x < this.width - 1) this.reachFor(from + 1);
    if (from >= this.width) this.reachFor(from - this.width);
    if (from + this.width < this.mask.length) this.reachFor(from + this.width);
  }

  private reachFor(at: number): void {
    if (this.known[at]) return;
    const x = at % this.width;
    const time = (i: number, inside: boolean): number => (inside && this.known[i] ? this.time[i]! : Infinity);
    const across = Math.min(time(at - 1, x > 0), time(at + 1, x < this.width - 1));
    const below = at + this.width < this.mask.length;
    const down = Math.min(time(at - this.width, at >= this.width), time(at + this.width, below));
    const arrival = eikonal(across, down);
    if (!(arrival < this.time[at]!)) return;
    this.time[at] = arrival;
    this.push(at);
  }

  private isBefore(a: number, b: number): boolean {
    const difference = this.time[a]! - this.time[b]!;
    return difference < 0 || (difference === 0 && a < b);
  }

  private push(at: number): void {
    const { heap } = this;
    let i = heap.push(at) - 1;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!this.isBefore(heap[i]!, heap[parent]!)) break;
      [heap[i], heap[parent]] = [heap[parent]!, heap[i]!];
      i = parent;
    }
  }

  private pop(): number {
    const { heap } = this;
    if (heap.length === 0) return -1;
    const first = heap[0]!;
    const last = heap.pop()!;
    if (heap.length === 0) return first;
    heap[0] = last;
    for (let i = 0; ; ) {
      let least = i;
      for (const child of [2 * i + 1, 2 * i + 2])
        if (child < heap.length && this.isBefore(heap[child]!, heap[least]!)) least = child;
      if (least === i) return first;
      [heap[i], heap[least]] = [heap[least]!, heap[i]!];
      i = least;
    }
  }
}

/** When a front arrives that came across and down at these times, at speed 1. */
function eikonal(a: number, b: number): number {
  if (Math.abs(a - b) >= 1 || !Number.isFinite(a) || !Number.isFinite(b)) return Math.min(a, b) + 1;
  return (a + b + Math.sqrt(2 - (a - b) ** 2)) / 2;
}
