import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MotionTrack, RowSmoother, smoothRows, smoothTrack } from 'headrace/talkinghead';
import { near } from './motion-support.js';
import { randomNumbers } from './numbers.js';

/** A curve with noise, one number a row. */
function noisy(count: number, seed: number): { curve: Float32Array; noise: Float32Array } {
  const random = randomNumbers(seed);
  const curve = Float32Array.from({ length: count }, (_, i) => Math.sin(i / 9) + 0.5 * Math.sin(i / 23 + 1));
  return { curve, noise: curve.map((value) => value + 0.2 * (random() - 0.5)) };
}

function correlation(a: Float32Array, b: Float32Array, shift: number): number {
  const pairs = Array.from(a, (x, i) => [x, b[i + shift]] as const).filter((pair) => pair[1] !== undefined);
  const mean = (k: 0 | 1) => pairs.reduce((sum, pair) => sum + pair[k]!, 0) / pairs.length;
  const [ma, mb] = [mean(0), mean(1)];
  let [ab, aa, bb] = [0, 0, 0];
  for (const [x, y] of pairs as [number, number][]) {
    ab += (x - ma) * (y - mb);
    aa += (x - ma) ** 2;
    bb += (y - mb) ** 2;
  }
  return ab / Math.sqrt(aa * bb);
}

test('smoothing takes noise away and does not lag: correlation is highest without a shift', () => {
  const { curve, noise } = noisy(600, 5);
  for (const degree of [0, 1, 2] as const) {
    const smooth = smoothRows(noise, 1, { radius: 4, degree });
    const shifts = [-3, -2, -1, 0, 1, 2, 3];
    const best = shifts.map((shift) => correlation(curve, smooth, shift));
    assert.equal(shifts[best.indexOf(Math.max(...best))], 0);
    const error = (values: Float32Array) => values.reduce((sum, value, i) => sum + (value - curve[i]!) ** 2, 0);
    assert.ok(error(smooth) < 0.4 * error(noise), `degree ${degree}`);
  }
});

test('a straight line passes unchanged to both ends, and a parabola inside', () => {
  const line = Float32Array.from({ length: 40 }, (_, i) => 3 - i / 4);
  const bent = Float32Array.from({ length: 40 }, (_, i) => (i / 8) ** 2);
  for (const [i, value] of smoothRows(line, 1, { radius: 5 }).entries()) near(value, line[i]!, 1e-5);
  for (const [i, value] of smoothRows(bent, 1, { radius: 5 }).entries()) {
    if (i >= 5 && i < 35) near(value, bent[i]!, 1e-4);
  }
});

test('a mean of three frames is weighed as the biweight says, and a peak goes beyond nothing', () => {
  // radius 1: (1 - 1/4)^2 = 9/16 beside 1: the middle counts 16/34, each side 9/34
  const smooth = smoothRows(Float32Array.of(0, 0, 1, 0, 0), 1, { radius: 1, degree: 0 });
  for (const [i, expected] of [0, 9 / 34, 16 / 34, 9 / 34, 0].entries()) near(smooth[i]!, expected, 1e-6);
  const parabola = smoothRows(Float32Array.of(0, 0, 0, 0, 1, 0, 0, 0, 0), 1, { radius: 3, degree: 2 });
  assert.ok(parabola.every((value) => value >= 0 && value <= 1));
});

test('frame by frame gives the same bits as at once, late by the look-ahead and no more', () => {
  const { noise } = noisy(100, 9);
  for (const radius of [0, 2.5, 6]) {
    const rows = Array.from({ length: 50 }, (_, i) => noise.subarray(2 * i, 2 * i + 2));
    const smoother = new RowSmoother(2, { radius });
    assert.equal(smoother.lookAhead, Math.ceil(radius));
    const given: Float32Array[] = [];
    for (const [i, row] of rows.entries()) {
      const back = smoother.push(row);
      assert.equal(back === null, i < smoother.lookAhead);
      if (back) given.push(back);
    }
    given.push(...smoother.end());
    assert.deepEqual(Float32Array.from(given.flatMap((row) => [...row])), smoothRows(noise, 2, { radius }));
    if (radius === 0) assert.deepEqual(smoothRows(noise, 2, { radius }), noise);
  }
});

test('a short track is smoothed too, and all that it has', () => {
  const weights = Float32Array.from({ length: 52 * 3 }, (_, i) => (i % 7) / 7);
  const track = new MotionTrack({ fps: 25, weights, pose: [0, 0, 0, 9, 0, 0, 0, 0, 0], gaze: [1, 2, 1, 2, 1, 2] });
  const smooth = smoothTrack(track, 0.2);
  assert.deepEqual([smooth.fps, smooth.frames, smooth.position], [25, 3, null]);
  assert.deepEqual([...smooth.gaze!].map(Math.round), [1, 2, 1, 2, 1, 2]);
  assert.ok(smooth.pose[3]! < 9);
});

test('options that cannot be used are refused', () => {
  assert.throws(() => smoothRows(new Float32Array(4), 1, { radius: -1 }), /radius from 0 to 10000 frames, got -1/);
  assert.throws(() => new RowSmoother(2, { radius: 1, degree: 3 as 2 }), /degree 0, 1 or 2, got 3/);
  assert.throws(() => new RowSmoother(2, { radius: 1 }).push([1]), /a row of 2 numbers, got 1/);
});
