// Schedules compared in one session: what is timed, by which names, on which cut. Speeds themselves are not tested.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compare } from 'headrace/pipeline';
import { config, cuts } from './fixture.js';

test('variants of one schedule take turns under names of their own, and ratios are those of the same round', async () => {
  const turns: string[] = [];
  const { results, ratios } = await compare(config({ microbatches: 2 }), {
    schedules: ['sequential', 'ppll', { label: '1f1b, whole', schedule: '1f1b', microbatches: 1 }, '1f1b', 'bp'],
    steps: 2,
    rounds: 2,
    warmUp: 1,
    onRound: (label, round) => turns.push(`${label} ${round}`),
  });
  const labels = ['sequential', 'ppll', '1f1b, whole', '1f1b', 'bp'];
  assert.deepEqual(
    turns,
    [0, 1].flatMap((round) => labels.map((label) => `${label} ${round}`)),
  );
  assert.deepEqual(Object.keys(results), labels);
  for (const { rounds, samplesPerSecond } of Object.values(results)) {
    assert.equal(rounds.length, 2);
    assert.equal(samplesPerSecond, (rounds[0]! + rounds[1]!) / 2);
  }
  assert.deepEqual(results.ppll!.cut, cuts[2]);
  assert.deepEqual(results.bp!.cut, []);
  const [a, b] = [results.ppll!.rounds, results.sequential!.rounds];
  assert.equal(ratios['ppll/sequential'], (a[0]! / b[0]! + a[1]! / b[1]!) / 2);
  assert.equal(Object.keys(ratios).length, labels.length * (labels.length - 1));
});

test('two of the same name are refused', async () => {
  const options = { steps: 1, rounds: 1, warmUp: 0 };
  await assert.rejects(compare(config(), { ...options, schedules: ['ppll', 'ppll'] }), /different names.*ppll twice/);
});

test('what is put around a measurement decides what counts, and a variant may have heads of its own', async () => {
  const once = { steps: 1, rounds: 2, warmUp: 0 };
  const runs: number[] = [];
  const turn = async (measure: () => Promise<number>): Promise<number> => runs.push(await measure()) * 10;
  const { results } = await compare(config(), { ...once, schedules: ['ppll'], turn });
  assert.deepEqual(results.ppll!.rounds, [10, 20]);
  assert.ok(runs.every((speed) => speed > 0));
  const impossible = { label: 'odd', schedule: 'ppll', head: { kind: 'auglocal', depth: -1 } } as const;
  await assert.rejects(compare(config(), { ...once, schedules: ['ppll', impossible] }), /depth.*got -1/);
});
