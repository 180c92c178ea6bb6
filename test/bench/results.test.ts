// What the benchmark makes of its numbers.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { met, ratio, row, textTable, verdict } from '../../bench/results.js';

test('a ratio is taken round by round, and its median counts', () => {
  const found = ratio('a / b', [10, 30, 20], [10, 10, 40], { least: 1 });
  assert.deepEqual(found.rounds, [1, 3, 0.5]);
  assert.equal(found.value, 1);
  assert.equal(met(found), true);
});

test('targets are bounds from below or above, and rows without one do not count', () => {
  const rows = [
    row('fast', 'us', [2, 3, 4], { most: 2.5 }),
    row('slow', 'us', [1, 2, 9], { most: 2.5 }),
    row('other', 'ms', [1]),
  ];
  assert.deepEqual(rows.map(met), [false, true, null]);
  assert.equal(verdict(rows), '1 of 2 targets met');
  const lines = textTable(rows).split('\n');
  assert.match(lines[1]!, /^fast +3\.00 us +2\.00 - 4\.00 +<= 2\.5 +MISSED$/);
  assert.match(lines[2]!, /met$/);
  assert.match(lines[3]!, /^other +1\.00 ms$/);
});
