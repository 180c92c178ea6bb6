import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Cost, cut, formatPlan, type LayerCost, type Profile, plan, planCut } from 'headrace/pipeline';

/** A small generator of numbers in [0, 1), so that failures repeat (mulberry32, public domain). */
function random(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

function* choices(from: number, to: number, count: number): Generator<number[]> {
  if (count === 0) return yield [];
  for (let first = from; first <= to - count; first++) {
    for (const rest of choices(first + 1, to, count - 1)) yield [first, ...rest];
  }
}

function stageSeconds(layers: number[], heads: number[] | null, borders: number[], saved: number[] = []): number[] {
  return [...borders, layers.length - 1].map((last, s) => {
    const first = s === 0 ? 0 : borders[s - 1]! + 1;
    const body = layers.slice(first, last + 1).reduce((a, b) => a + b, 0);
    return body + (last < layers.length - 1 ? (heads?.[last] ?? 0) : 0) - (s > 0 ? (saved[first] ?? 0) : 0);
  });
}

describe('cut', () => {
  it('agrees with trying every cut, on random costs', () => {
    const draw = random(1);
    for (let trial = 0; trial < 400; trial++) {
      const count = 1 + Math.floor(draw() * 9);
      const stages = 1 + Math.floor(draw() * Math.min(count, 5));
      // Whole numbers, so that sums are exact and ties are common.
      const layers = Array.from({ length: count }, () => 1 + Math.floor(draw() * 6));
      const heads = trial % 3 === 0 ? null : Array.from({ length: count - 1 }, () => Math.floor(draw() * 4));
      const saved = layers.map((seconds) => (trial % 2 === 0 ? 0 : Math.floor(draw() * seconds)));
      let best = { slowest: Number.POSITIVE_INFINITY, squares: Number.POSITIVE_INFINITY };
      for (const borders of choices(0, count - 1, stages - 1)) {
        const seconds = stageSeconds(layers, heads, borders, saved);
        const slowest = Math.max(...seconds);
        const squares = seconds.reduce((sum, x) => sum + x * x, 0);
        if (slowest < best.slowest || (slowest === best.slowest && squares < best.squares)) best = { slowest, squares };
      }
      const found = stageSeconds(layers, heads, cut(layers, heads, stages, saved), saved);
      assert.equal(Math.max(...found), best.slowest);
      assert.equal(
        found.reduce((sum, x) => sum + x * x, 0),
        best.squares,
      );
    }
  });

  it('counts a head on the stage that ends at its border, none on the last', () => {
    assert.deepEqual(cut([1, 1, 1, 1], null, 2), [1]);
    assert.deepEqual(cut([1, 1, 1, 1], [2, 2, 2], 2), [0]);
    assert.deepEqual(cut([1, 1, 1, 1], [9, 0, 9], 2), [1]);
  });

  it('keeps off forbidden borders', () => {
    const no = Number.POSITIVE_INFINITY;
    assert.deepEqual(cut([1, 1, 1, 5], [no, 0, no], 2), [1]);
    assert.throws(() => cut([1, 1, 1, 5], [no, 0, no], 3), { name: 'ConfigError', message: /no permitted cut into 3/ });
  });

  it('refuses more stages than layers, and head costs that do not fit', () => {
    assert.throws(() => cut([1, 1], [0], 3), { name: 'ConfigError', message: /at most 2 stages.*got 3/ });
    assert.throws(() => cut([1, 1], [0], 0), { name: 'ConfigError', message: /stages >= 1, got 0/ });
    assert.throws(() => cut([1, Number.NaN], [0], 2), {
      name: 'ConfigError',
      message: /finite and >= 0, got \[1, NaN/,
    });
    assert.throws(() => cut([1, 1], [0, 0], 2), { name: 'ConfigError', message: /each of the 1 borders, got 2/ });
  });
});

const cost = (forward: number, backward: number): Cost => ({
  forward,
  backward,
  update: 0,
  activationBytes: 1000,
  parameters: 10,
});

/** Six layers of 1 + 2 seconds, heads of 0.5 + 1. */
const profile: Profile = {
  model: 'toy',
  batchSize: 100,
  device: 'cpu',
  threads: 1,
  headKind: 'linear',
  layers: Array.from(
    { length: 6 },
    (_, i): LayerCost => ({ ...cost(1, 2), name: `layer${i}`, outputBytes: 400, inputGradient: 0 }),
  ),
  heads: Array.from({ length: 5 }, () => cost(0.5, 1)),
  input: 0,
  loss: 0,
};

describe('plan', () => {
  it('predicts ppll: the period of the slowest stage, its head counted', () => {
    const result = plan(profile, { schedule: 'ppll', stages: 2 });
    assert.deepEqual(result.cut, [2]);
    assert.deepEqual(
      result.stages.map((stage) => stage.total),
      [10.5, 9],
    );
    assert.equal(result.simulation.period, 10.5);
    assert.equal(result.samplesPerSecond, 100 / 10.5);
    assert.equal(result.speedUp, 19.5 / 10.5);
    assert.equal(result.stages[0]?.bytes, (3 * 10 + 10) * 12 + 3 * 1000 + 1000);
  });

  it('counts the cores that there are: work on fewer than the workers takes all of them as long as it takes', () => {
    const options = { schedule: 'ppll', stages: 3, cut: [1, 3] } as const;
    const free = plan(profile, options);
    const total = free.stages.reduce((sum, stage) => sum + stage.total, 0);
    const two = plan(profile, { ...options, cores: 2 });
    assert.deepEqual([two.workers, two.atOnce, two.period], [3, 2, Math.max(total / 2, free.simulation.period)]);
    assert.equal(two.samplesPerSecond, 100 / two.period);
    assert.equal(two.speedUp, total / two.period);
    assert.ok(two.speedUp <= 2);
    assert.equal(two.fullSpeedUp, free.speedUp);
    assert.match(
      formatPlan(two),
      /for the 2 cores of this machine, on which 2 of the 3 workers .*; on 3 cores it would be/,
    );
    // Threads of a worker need a core each; one worker works in any case.
    assert.equal(plan({ ...profile, threads: 2 }, { ...options, cores: 4 }).atOnce, 2);
    assert.equal(plan({ ...profile, threads: 4 }, { ...options, cores: 2 }).atOnce, 1);
    assert.equal(plan(profile, { ...options, cores: 1 }).speedUp, 1);
    // Enough cores change nothing, and an accelerator does not count them.
    for (const other of [
      plan(profile, { ...options, cores: 3 }),
      plan({ ...profile, device: 'cuda:0' }, { ...options, cores: 1 }),
    ]) {
      assert.equal(other.period, free.period);
      assert.doesNotMatch(formatPlan(other), /cores/);
    }
  });

  it('has replicas share the work of their stage, and gives that stage more of it', () => {
    const result = plan(profile, { schedule: 'ppll', stages: 2, replicas: [2, 1] });
    assert.deepEqual(result.cut, [3]);
    assert.deepEqual(
      result.stages.map((stage) => stage.total),
      [(12 + 1.5) / 2, 6],
    );
    assert.deepEqual([result.workers, result.period, result.speedUp], [3, 6.75, 19.5 / 6.75]);
    assert.equal(plan(profile, { schedule: 'ppll', stages: 2, replicas: [2, 1], cores: 2 }).period, 19.5 / 2);
    assert.match(formatPlan(result), /^0 x 2 {2}layer0 \.\. layer3/m);
    assert.equal(plan(profile, { schedule: 'bp', stages: 1, replicas: 4 }).period, 18 / 4);
    // Each makes the whole update, and adding up the gradients takes as long.
    const layers = profile.layers.map((layer) => ({ ...layer, update: 1 }));
    assert.equal(plan({ ...profile, layers }, { schedule: 'bp', stages: 1, replicas: 2 }).period, 18 / 2 + 6 + 6);
  });

  it('predicts sequential and bp on one worker', () => {
    assert.equal(plan(profile, { schedule: 'sequential', stages: 3 }).simulation.period, 18 + 3);
    const bp = plan(profile, { schedule: 'bp', stages: 4 });
    assert.deepEqual(bp.cut, []);
    assert.equal(bp.simulation.period, 18);
    assert.equal(bp.speedUp, 1);
  });

  it('predicts gpipe with its bubble, without heads', () => {
    const result = plan(profile, { schedule: 'gpipe', stages: 3, microbatches: 4 });
    assert.deepEqual(result.cut, [1, 3]);
    assert.ok(Math.abs(result.simulation.period - (6 * (4 + 2)) / 4) < 1e-12);
    assert.ok(Math.abs(result.simulation.idleShare - 2 / 6) < 1e-12);
    assert.equal(result.stages[0]?.bytes, 20 * 12 + 2 * 1000);
  });

  it('counts loading on the first stage and the loss on the last', () => {
    assert.deepEqual(planCut({ ...profile, input: 6 }, 'gpipe', 2), [1]);
    assert.deepEqual(planCut({ ...profile, loss: 6 }, 'gpipe', 2), [3]);
  });

  it('saves the gradient of a stage input under local learning only', () => {
    const layers = profile.layers.map((layer, i) => ({ ...layer, inputGradient: i === 2 ? 1 : 0 }));
    const local = plan({ ...profile, layers }, { schedule: 'ppll', stages: 2, cut: [1] });
    assert.equal(local.stages[1]?.total, 12 - 1);
    assert.deepEqual(planCut({ ...profile, layers }, 'ppll', 2), [2]);
    const cheap = layers.map((layer, i) => ({ ...layer, inputGradient: i === 2 ? 3 : 0 }));
    assert.deepEqual(planCut({ ...profile, layers: cheap }, 'ppll', 2), [1]);
    assert.equal(plan({ ...profile, layers }, { schedule: 'gpipe', stages: 2, cut: [1] }).stages[1]?.total, 12);
  });

  it('takes a cut from the user, and checks it', () => {
    assert.deepEqual(plan(profile, { schedule: 'ppll', stages: 2, cut: [0] }).cut, [0]);
    for (const wrong of [[], [0, 1], [5], [-1], [0.5]]) {
      assert.throws(() => plan(profile, { schedule: 'ppll', stages: 2, cut: wrong }), {
        name: 'ConfigError',
        message: /cut of 1 rising borders between 0 and 4/,
      });
    }
  });

  it('prints a report that says what holds it back', () => {
    const report = formatPlan(plan(profile, { schedule: 'ppll', stages: 2 }));
    assert.match(report, /^toy, batches of 100 on cpu, 1 thread\(s\) a stage: ppll, 2 stage\(s\), linear heads$/m);
    assert.match(report, /^ +0 {2}layer0 \.\. layer2 +3000\.00 +6000\.00 +1500\.00 +0\.00 +10500\.00 /m);
    assert.match(report, /^predicted: 9\.5 samples\/s, 10500\.00 ms a batch, 1\.86 times one worker/m);
    assert.match(report, /no other cut is better/);
    assert.match(formatPlan(plan(profile, { schedule: '1f1b', stages: 3, microbatches: 2 })), /more microbatches/);
    const heavy = { ...profile, heads: profile.heads.map(() => cost(3, 3)) };
    assert.match(
      formatPlan(plan(heavy, { schedule: 'ppll', stages: 3 })),
      /heads take 40\.0 % of the work; lighter heads/,
    );
  });
});
