// What the benchmark makes of its numbers.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Host } from '../../bench/host.js';
import { met, type Part, ratio, row, textTable, verdict } from '../../bench/results.js';
import { type Session, writeResults } from '../../bench/write.js';

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

test('a later session of a day replaces the parts that it measured, and keeps the others with their commit', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'bench-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const host = (commit: string): Host => ({ kind: 'test', cpu: 'test', cores: 2, commit }) as Host;
  const part = (title: string, value: number): Part => {
    return { title, time: '', seconds: 1, settings: {}, rows: [row(title, 'ms', [value])], notes: [] };
  };
  const write = (commit: string, parts: Record<string, Part>): Session => {
    const path = writeResults(host(commit), parts, { quick: false, folder });
    return JSON.parse(readFileSync(`${path}.json`, 'utf8')) as Session;
  };
  write('one', { talk: part('talk', 1), calls: part('calls', 2) });
  const second = write('two', { talk: part('talk', 3) });
  assert.deepEqual(Object.keys(second.parts), ['talk', 'calls']);
  assert.deepEqual([second.parts.talk!.rows[0]!.value, second.parts.talk!.commit], [3, undefined]);
  assert.deepEqual([second.parts.calls!.rows[0]!.value, second.parts.calls!.commit], [2, 'one']);
  const path = writeResults(host('one'), { voice: part('voice', 4) }, { quick: false, folder });
  const third = JSON.parse(readFileSync(`${path}.json`, 'utf8')) as Session;
  const commits = Object.entries(third.parts).map(([name, { commit }]) => [name, commit]);
  assert.deepEqual(commits, [
    ['talk', 'two'],
    ['calls', undefined],
    ['voice', undefined],
  ]);
  assert.equal(readFileSync(`${path}.md`, 'utf8').match(/Measured at two\./g)!.length, 1);
});
