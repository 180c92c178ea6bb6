/** Planes of numbers, one a pixel: blurs, distances, sizes, outlines. */
import { mapInto } from '../../../media/map-into.js';

/** From 0 at or below `from` to 1 at or above `to`, with level ends; falling where `from` is the larger. */
export function smoothstep(from: number, to: number, value: number): number {
  const t = Math.min(1, Math.max(0, (value - from) / (to - from)));
  return t * t * (3 - 2 * t);
}

/** Gaussian blur; beyond the borders the outermost pixels go on. */
export function blur(plane: Float32Array, width: number, height: number, sigma: number): Float32Array<ArrayBuffer> {
  if (!(sigma > 0.05)) return Float32Array.from(plane);
  const radius = Math.max(1, Math.ceil(3 * sigma));
  const kernel = new Float64Array(2 * radius + 1);
  let sum = 0;
  for (let k = -radius; k <= radius; k++) sum += kernel[k + radius] = Math.exp(-(k * k) / (2 * sigma * sigma));
  for (let k = 0; k < kernel.length; k++) kernel[k]! /= sum;
  const out = new Float32Array(plane.length);
  const line = new Float64Array(Math.max(width, height) + 2 * radius);
  const pass = (from: Float32Array, lines: number, length: number, lineStep: number, step: number): void => {
    for (let y = 0; y < lines; y++) {
      const start = y * lineStep;
      for (let x = -radius; x < length + radius; x++)
        line[x + radius] = from[start + Math.min(length - 1, Math.max(0, x)) * step]!;
      for (let x = 0; x < length; x++) {
        let value = 0;
        for (let k = 0; k < kernel.length; k++) value += kernel[k]! * line[x + k]!;
        out[start + x * step] = value;
      }
    }
  };
  pass(plane, height, width, width, 1);
  pass(out, width, height, 1, width);
  return out;
}

/** The mean over `(2 * radius + 1)`² pixels around each, of those inside of the picture. */
export function boxMean(plane: Float32Array, width: number, height: number, radius: number): Float32Array<ArrayBuffer> {
  const out = new Float32Array(plane.length);
  for (let y = 0; y < height; y++) {
    const row = y * width;
    let sum = 0;
    for (let x = 0; x < Math.min(width, radius); x++) sum += plane[row + x]!;
    for (let x = 0; x < width; x++) {
      if (x + radius < width) sum += plane[row + x + radius]!;
      if (x - radius > 0) sum -= plane[row + x - radius - 1]!;
      out[row + x] = sum / (Math.min(width, x + radius + 1) - Math.max(0, x - radius));
    }
  }
  const sums = new Float64Array(width);
  const across = Float32Array.from(out);
  for (let y = 0; y < Math.min(height, radius); y++) for (let x = 0; x < width; x++) sums[x]! += across[y * width + x]!;
  for (let y = 0; y < height; y++) {
    const [entering, leaving] = [(y + radius) * width, (y - radius - 1) * width];
    const share = 1 / (Math.min(height, y + radius + 1) - Math.max(0, y - radius));
    if (y + radius < height) for (let x = 0; x < width; x++) sums[x]! += across[entering + x]!;
    if (y - radius > 0) for (let x = 0; x < width; x++) sums[x]! -= across[leaving + x]!;
    for (let x = 0; x < width; x++) out[y * width + x] = sums[x]! * share;
  }
  return out;
}

/** Nearly a Gaussian blur, as quick for any `sigma`: three box means, of what is inside of the picture. */
export function quickBlur(
  plane: Float32Array,
  width: number,
  height: number,
  sigma: number,
): Float32Array<ArrayBuffer> {
  const radius = Math.max(1, Math.round((Math.sqrt(4 * sigma * sigma + 1) - 1) / 2));
  const once = boxMean(plane, width, height, radius);
  return boxMean(boxMean(once, width, height, radius), width, height, radius);
}

/**
 * How far each pixel is from the nearest one of the set, in pixels; exact; infinite where the set is empty
 * (Felzenszwalb and Huttenlocher, "Distance transforms of sampled functions", 2012).
 */
export function distanceTo(set: Uint8Array, width: number, height: number): Float32Array {
  const far = 1e12; // further than any picture is wide, and small enough to be subtracted exactly
  const out = new Float64Array(set.length);
  for (let i = 0; i < set.length; i++) out[i] = set[i] ? 0 : far;
  const size = Math.max(width, height);
  const values = new Float64Array(size);
  const at = new Int32Array(size);
  const border = new Float64Array(size + 1);
  const pass = (start: number, length: number, step: number): void => {
    for (let q = 0; q < length; q++) values[q] = out[start + q * step]!;
    let k = 0;
    at[0] = 0;
    [border[0], border[1]] = [-Infinity, Infinity];
    for (let q = 1; q < length; q++) {
      const meet = (): number => (values[q]! + q * q - (values[at[k]!]! + at[k]! * at[k]!)) / (2 * q - 2 * at[k]!);
      let s = meet();
      while (s <= border[k]!) {
        k--;
        s = meet();
      }
      k++;
      at[k] = q;
      border[k] = s;
      border[k + 1] = Infinity;
    }
    k = 0;
    for (let q = 0; q < length; q++) {
      while (border[k + 1]! < q) k++;
      out[start + q * step] = (q - at[k]!) ** 2 + values[at[k]!]!;
    }
  };
  for (let x = 0; x < width; x++) pass(x, height, width);
  for (let y = 0; y < height; y++) pass(y * width, width, 1);
  return mapInto(new Float32Array(out.length), out, (square) => (square >= far ? Infinity : Math.sqrt(square)));
}

/** Pixels whose centres lie in a polygon `[x0, y0, x1, y1, ..]` (even-odd), set to `value`. */
export function fillPolygon(
  set: Uint8Array,
  width: number,
  height: number,
  polygon: ArrayLike<number>,
  value = 1,
): void {
  const count = polygon.length / 2;
  for (let y = 0; y < height; y++) {
    const crossings: number[] = [];
    for (let i = 0, j = count - 1; i < count; j = i++) {
      const [ax, ay, bx, by] = [polygon[2 * j]!, polygon[2 * j + 1]!, polygon[2 * i]!, polygon[2 * i + 1]!];
      if (ay <= y + 0.5 !== by <= y + 0.5) crossings.push(ax + ((y + 0.5 - ay) / (by - ay)) * (bx - ax));
    }
    crossings.sort((a, b) => a - b);
    for (let i = 0; i + 1 < crossings.length; i += 2) {
      const first = Math.max(0, Math.ceil(crossings[i]! - 0.5));
      const last = Math.min(width - 1, Math.ceil(crossings[i + 1]! - 0.5) - 1);
      for (let x = first; x <= last; x++) set[y * width + x] = value;
    }
  }
}

/** How far each pixel's centre is from a line of points `[x0, y0, x1, y1, ..]`, up to `reach`; beyond that, infinite. */
export function distanceToLine(line: ArrayLike<number>, width: number, height: number, reach: number): Float32Array {
  const out = new Float32Array(width * height).fill(Infinity);
  for (let i = 0; i + 3 < line.length; i += 2) {
    const [ax, ay, bx, by] = [line[i]!, line[i + 1]!, line[i + 2]!, line[i + 3]!];
    const [dx, dy] = [bx - ax, by - ay];
    const square = Math.max(dx * dx + dy * dy, 1e-12);
    const top = Math.max(0, Math.floor(Math.min(ay, by) - reach));
    const bottom = Math.min(height - 1, Math.ceil(Math.max(ay, by) + reach));
    const left = Math.max(0, Math.floor(Math.min(ax, bx) - reach));
    const right = Math.min(width - 1, Math.ceil(Math.max(ax, bx) + reach));
    for (let y = top; y <= bottom; y++) {
      for (let x = left; x <= right; x++) {
        const [px, py] = [x + 0.5 - ax, y + 0.5 - ay];
        const t = Math.min(1, Math.max(0, (px * dx + py * dy) / square));
        const distance = Math.hypot(px - t * dx, py - t * dy);
        if (distance <= reach && distance < out[y * width + x]!) out[y * width + x] = distance;
      }
    }
  }
  return out;
}

/** The value at a place between pixels, bilinear; (0.5, 0.5) is the first pixel's centre. Borders go on outwards. */
export function valueAt(plane: Float32Array, width: number, height: number, x: number, y: number): number {
  const [px, py] = [Math.min(width - 1, Math.max(0, x - 0.5)), Math.min(height - 1, Math.max(0, y - 0.5))];
  const [left, top] = [Math.floor(px), Math.floor(py)];
  const [right, bottom] = [Math.min(width - 1, left + 1), Math.min(height - 1, top + 1)];
  const [fx, fy] = [px - left, py - top];
  const upper = plane[top * width + left]! * (1 - fx) + plane[top * width + right]! * fx;
  const lower = plane[bottom * width + left]! * (1 - fx) + plane[bottom * width + right]! * fx;
  return upper * (1 - fy) + lower * fy;
}

/** A plane at another size: means of areas where it becomes smaller, bilinear where it becomes larger. */
export function resize(
  plane: Float32Array,
  width: number,
  height: number,
  toWidth: number,
  toHeight: number,
): Float32Array {
  const across = resizeLines(plane, width, toWidth, height, width, toWidth, 1);
  return resizeLines(across, height, toHeight, toWidth, 1, 1, toWidth);
}

function resizeLines(
  from: Float32Array,
  length: number,
  toLength: number,
  lines: number,
  fromLine: number,
  toLine: number,
  step: number,
): Float32Array {
  const out = new Float32Array(lines * toLength);
  const ratio = length / toLength;
  const taps = Array.from({ length: toLength }, (_, k) =>
    ratio > 1 ? areaTaps(k * ratio, (k + 1) * ratio, length) : linearTaps((k + 0.5) * ratio - 0.5, length),
  );
  // Whatever lies side by side is read side by side: of a large picture the rest waits for memory.
  const some = Math.min(lines, 1024);
  const sums = new Float64Array(some);
  for (let first = 0; first < lines; first += some) {
    const end = Math.min(lines, first + some);
    if (step === 1)
      for (let line = first; line < end; line++)
        for (let k = 0; k < toLength; k++) out[line * toLine + k] = weighted(from, line * fromLine, taps[k]!);
    else
      for (let k = 0; k < toLength; k++) {
        sums.fill(0);
        const { start, weights } = taps[k]!;
        for (let tap = 0; tap < weights.length; tap++) {
          const [row, weight] = [(start + tap) * step, weights[tap]!];
          for (let line = first; line < end; line++) sums[line - first]! += weight * from[line * fromLine + row]!;
        }
        for (let line = first; line < end; line++) out[line * toLine + k * step] = sums[line - first]!;
      }
  }
  return out;
}

/** Which numbers of a line, one after another, make one of the new line, and what each counts. */
interface Taps {
  readonly start: number;
  readonly weights: Float64Array;
}

function weighted(from: Float32Array, at: number, { start, weights }: Taps): number {
  let value = 0;
  for (let tap = 0; tap < weights.length; tap++) value += weights[tap]! * from[at + start + tap]!;
  return value;
}

function areaTaps(from: number, to: number, length: number): Taps {
  const start = Math.floor(from);
  const count = Math.min(length, Math.ceil(to - 1e-9)) - start;
  const share = (_: unknown, k: number): number =>
    (Math.min(start + k + 1, to) - Math.max(start + k, from)) / (to - from);
  return { start, weights: Float64Array.from({ length: count }, share) };
}

function linearTaps(at: number, length: number): Taps {
  const place = Math.min(length - 1, Math.max(0, at));
  const start = Math.floor(place);
  const share = place - start;
  return { start, weights: start + 1 < length ? Float64Array.of(1 - share, share) : Float64Array.of(1) };
}
