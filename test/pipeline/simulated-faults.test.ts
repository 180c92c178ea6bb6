// 10,000 schedules of faults: whatever dies when, no batch is lost or doubled, no checkpoint is torn, and nobody waits for ever.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RecoveringRun } from './simulated-recovery.js';
import { drawer, type Setting, simulateRun } from './simulated-run.js';

const schedules = ['ppll', 'ppll', 'sequential', 'gpipe', '1f1b', 'bp'] as const;

function settingOf(seed: number): Setting {
  const draw = drawer(seed ^ 0x5bd1e995);
  const schedule = schedules[draw(schedules.length)]!;
  return {
    schedule,
    stages: schedule === 'bp' ? 1 : 1 + draw(4),
    microbatches: schedule === 'ppll' || schedule === 'sequential' ? 1 : 1 + draw(3),
    queueCapacity: 1 + draw(3),
    totalSteps: 1 + draw(9),
    perEpoch: 1 + draw(4),
    evalEvery: draw(3),
    checkpointEvery: draw(4),
  };
}

/** Runs of one setting begin with the same weights: what they end with is worked out once. */
const undisturbed = new Map<string, number[]>();
function expected(setting: Setting): number[] {
  const key = JSON.stringify(setting);
  const known = undisturbed.get(key) ?? simulateRun(setting, 0, { faults: 0 }).weights;
  undisturbed.set(key, known);
  return known;
}

test('10,000 runs with faults end with the weights of runs without', () => {
  let deaths = 0;
  for (let seed = 1; seed <= 10_000; seed++) {
    const setting = settingOf(seed);
    try {
      const outcome = simulateRun(setting, seed, { faults: 1 + (seed % 4) });
      assert.deepEqual(outcome.weights, expected(setting));
      deaths += outcome.deaths;
    } catch (error) {
      throw new Error(`schedule ${seed} of ${JSON.stringify(setting)}: ${(error as Error).message}`, { cause: error });
    }
  }
  assert.ok(deaths > 15_000, `${deaths} of 25,000 faults came before the end of their run`);
});

const byStage = (seed: number): Setting => ({
  ...settingOf(seed),
  schedule: 'ppll',
  stages: 1 + (seed % 5),
  microbatches: 1,
  checkpointEvery: 1 + (seed % 3),
});

test('5,000 runs whose ranks die and come back one by one end with the weights of runs without', () => {
  let deaths = 0;
  for (let seed = 1; seed <= 5000; seed++) {
    const setting = byStage(seed);
    const run = new RecoveringRun(setting, seed, undefined);
    try {
      run.play(1 + (seed % 4));
      assert.deepEqual(run.weights(), expected(setting));
      deaths += run.deaths;
    } catch (error) {
      throw new Error(`schedule ${seed} of ${JSON.stringify(setting)}: ${(error as Error).message}`, { cause: error });
    }
  }
  assert.ok(deaths > 8000, `${deaths} of 12,500 faults came before the end of their run`);
});

test('2,000 runs whose ranks have died, and that are asked to end early, end with the weights of so many steps', () => {
  let early = 0;
  for (let seed = 1; seed <= 2000; seed++) {
    const setting = byStage(seed);
    const run = new RecoveringRun(setting, seed, undefined);
    run.play(1 + (seed % 3), true);
    const { step } = run.disk.state!;
    assert.deepEqual(run.weights(), expected({ ...setting, totalSteps: step }));
    if (step < setting.totalSteps) early++;
  }
  assert.ok(early > 250, `${early}`);
});

test('what is kept too briefly, asked for from the wrong place, not told again, or ended before what others have got, is found', () => {
  for (const broken of ['trim', 'place', 'notices', 'fed'] as const) {
    const search = (): void => {
      for (let seed = 1; seed <= 300; seed++) {
        const run = new RecoveringRun({ ...byStage(seed), stages: 3, totalSteps: 9 }, seed, broken);
        run.play(3, broken === 'fed');
      }
    };
    assert.throws(
      search,
      { message: /learns batch|wait for ever|again and again|expected a message|ends with/ },
      broken,
    );
  }
});

test('the weights hang on every batch and its order', () => {
  const [setting, longer] = [8, 9].map((totalSteps) => ({
    ...settingOf(3),
    schedule: 'ppll' as const,
    stages: 3,
    microbatches: 1,
    totalSteps,
  }));
  const weights = expected(setting!);
  assert.equal(weights.length, 3);
  assert.ok(weights.every((each, i) => each !== expected(longer!)[i]));
});

test('a commit that comes too early, and a batch that comes twice, are found', () => {
  const found = (broken: 'commits' | 'course', message: RegExp): void => {
    const search = (): void => {
      for (let seed = 1; seed <= 300; seed++)
        simulateRun({ ...settingOf(seed), stages: 3, schedule: 'ppll', microbatches: 1 }, seed, { faults: 3, broken });
    };
    assert.throws(search, { message });
  };
  found('commits', /not whole|files are left/);
  found('course', /stage \d learns batch \d+ after \d+/);
});
