/** Curves from 0 to 1 and back. */

export function clamp(value: number, least: number, most: number): number {
  return Math.min(most, Math.max(least, value));
}

/** 0 up to `from`, 1 from `to` on, level at both ends: `3 x^2 - 2 x^3`. */
export function rise(value: number, from: number, to: number): number {
  if (to <= from) return value < from ? 0 : 1;
  const x = clamp((value - from) / (to - from), 0, 1);
  return x * x * (3 - 2 * x);
}

/** From 0 to 1 as a limb goes, with the least jerk: `10 x^3 - 15 x^4 + 6 x^5`. */
export function leastJerk(x: number): number {
  const y = clamp(x, 0, 1);
  return y * y * y * (10 + y * (6 * y - 15));
}

/** Up from 0 to 1 in `up` seconds and down in `down`. */
export function bump(time: number, up: number, down: number): number {
  return time < up ? rise(time, 0, up) : 1 - rise(time, up, up + down);
}

export interface CurvePoint {
  readonly time: number;
  readonly value: number;
}

/**
 * A smooth curve through points, which stays between neighbours and is held before the first and after the last: cubic, with
 * Fritsch and Carlson's slopes (SIAM J. Numer. Anal. 17, 1980) as Fritsch and Butland weigh them.
 */
export function through(points: readonly CurvePoint[], time: number): number {
  const last = points.length - 1;
  if (time <= points[0]!.time) return points[0]!.value;
  if (time >= points[last]!.time) return points[last]!.value;
  let i = 0;
  while (points[i + 1]!.time <= time) i++;
  const [a, b] = [points[i]!, points[i + 1]!];
  const span = b.time - a.time;
  const x = (time - a.time) / span;
  const [ma, mb] = [slopeAt(points, i) * span, slopeAt(points, i + 1) * span];
  const [x2, x3] = [x * x, x * x * x];
  return (2 * x3 - 3 * x2 + 1) * a.value + (x3 - 2 * x2 + x) * ma + (3 * x2 - 2 * x3) * b.value + (x3 - x2) * mb;
}

function slopeAt(points: readonly CurvePoint[], i: number): number {
  if (i === 0 || i === points.length - 1) return 0;
  const [a, b, c] = [points[i - 1]!, points[i]!, points[i + 1]!];
  const [before, after] = [b.time - a.time, c.time - b.time];
  const [left, right] = [(b.value - a.value) / before, (c.value - b.value) / after];
  if (left * right <= 0) return 0;
  const [wl, wr] = [2 * after + before, after + 2 * before];
  return (wl + wr) / (wl / left + wr / right);
}
