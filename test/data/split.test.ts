import assert from 'node:assert/strict';
import { test } from 'node:test';
import { channelStatistics, seededPermutation, splitBySeed } from 'headrace/data';

test('a permutation holds every index once and follows its seed', () => {
  const order = seededPermutation(1000, 3);
  assert.deepEqual(
    [...order].sort((a, b) => a - b),
    Array.from({ length: 1000 }, (_, i) => i),
  );
  assert.deepEqual(order, seededPermutation(1000, 3));
  assert.notDeepEqual(order, seededPermutation(1000, 4));
  assert.deepEqual(seededPermutation(0, 1), []);
  assert.deepEqual(seededPermutation(10, 0), [2, 9, 4, 7, 1, 8, 6, 5, 0, 3]); // stored: splits must never change
});

test('a permutation is unbiased: each index is as often in each place', () => {
  const counts = Array.from({ length: 4 }, () => [0, 0, 0, 0]);
  for (let seed = 0; seed < 4000; seed++) {
    seededPermutation(4, seed).forEach((value, place) => {
      (counts[place] as number[])[value] = (counts[place]?.[value] as number) + 1;
    });
  }
  for (const count of counts.flat()) assert.ok(Math.abs(count - 1000) < 130, `${count}`); // 4.7 sigma
});

test('a split is stratified, complete, exact in size, and follows its seed', () => {
  const labels = [...Array(101).fill(0), ...Array(53).fill(1), ...Array(7).fill(2)] as number[];
  const { train, test: held } = splitBySeed(labels, 0.2, 0);
  assert.equal(held.length, Math.round(0.2 * labels.length));
  assert.deepEqual(
    [...train, ...held].sort((a, b) => a - b),
    Array.from(labels.keys()),
  );
  for (const [label, size] of [101, 53, 7].entries()) {
    const count = held.filter((i) => labels[i] === label).length;
    assert.ok(Math.abs(count - 0.2 * size) < 1, `class ${label}: ${count}`);
  }
  assert.deepEqual(splitBySeed(labels, 0.2, 0).test, held);
  assert.notDeepEqual(splitBySeed(labels, 0.2, 1).test, held);
  assert.throws(() => splitBySeed(labels, 1), /in \(0, 1\), got 1/);
});

test('channel statistics equal the textbook formulas', () => {
  const [n, channels, area] = [3, 2, 4];
  const pixels = Uint8Array.from({ length: n * channels * area }, (_, i) => (i * 53) % 256);
  const { mean, std } = channelStatistics(pixels, channels, area);
  for (let c = 0; c < channels; c++) {
    const values = [...pixels].filter((_, i) => Math.floor(i / area) % channels === c).map((v) => v / 255);
    const average = values.reduce((a, b) => a + b) / values.length;
    const deviation = Math.sqrt(values.reduce((sum, v) => sum + (v - average) ** 2, 0) / values.length);
    assert.ok(Math.abs((mean[c] as number) - average) < 1e-12 && Math.abs((std[c] as number) - deviation) < 1e-9);
  }
});
