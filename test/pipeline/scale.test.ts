// Numbers worked out by hand: four layers of a second forward and two backward each.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Cost, formatScale, type Profile, scale } from 'headrace/pipeline';

const GBIT = 1e9 / 8;
const nothing: Cost = { forward: 0, backward: 0, update: 0, activationBytes: 0, parameters: 0 };
const profile: Profile = {
  model: 'four',
  batchSize: 8,
  device: 'cpu',
  threads: 1,
  headKind: 'linear',
  layers: Array.from({ length: 4 }, (_, i) => ({
    ...nothing,
    name: `layer${i}`,
    forward: 1,
    backward: 2,
    activationBytes: 1000,
    parameters: GBIT / 4,
    outputBytes: GBIT / 10,
    inputGradient: 0,
  })),
  heads: Array.from({ length: 3 }, () => nothing),
  input: 0,
  loss: 0,
};
const one = (options: object) => scale(profile, { stages: [2], replicas: [1], ...options })[0]!;
const near = (actual: number, expected: number) => assert.ok(Math.abs(actual / expected - 1) < 1e-6, `${actual}`);

describe('scale', () => {
  it('ppll takes what its slowest stage takes; 1f1b as much for each microbatch, and one for each stage after the first', () => {
    const { ppll, '1f1b': other } = one({ links: [1e6] });
    near(ppll.samplesPerSecond, 8 / 6);
    near(other.samplesPerSecond, 8 / ((6 / 8) * 9));
    assert.deepEqual([ppll.byLinks, other.byLinks], [false, false]);
  });

  it('a link that takes longer than the work sets the pace, by both ways of gradients', () => {
    // A tenth of a gigabit at 0.01 Gbit/s: 10 s; a stage's work: 6 s.
    const { ppll, '1f1b': other } = one({ links: [0.01] });
    near(ppll.samplesPerSecond, 8 / 10);
    assert.deepEqual([ppll.byLinks, other.byLinks], [true, true]);
    assert.deepEqual([ppll.borderBytes, other.borderBytes], [GBIT / 10, GBIT / 5]);
    assert.ok(other.samplesPerSecond < ppll.samplesPerSecond);
  });

  it('replicas bring as much each, but for what of their reduction does not fit beside the backward', () => {
    // Two layers: half a gigabit of parameters, 2 gigabits of floats; 2 replicas send as much once. Backward: 4 s.
    const fast = one({ replicas: [2], links: [1] }).ppll;
    near(fast.samplesPerSecond, 16 / 6);
    const slow = one({ replicas: [2], links: [0.4] }).ppll;
    near(slow.samplesPerSecond, 16 / (6 + (2 / 0.4 - 4)));
    assert.deepEqual([fast.byLinks, slow.byLinks], [false, true]);
  });

  it('memory is of the largest stage: parameters three times, activations held, and two outputs before a local one', () => {
    const { ppll, '1f1b': other } = one({ links: [100] });
    const parameters = (GBIT / 2) * 4 * 3;
    assert.equal(ppll.bytes, parameters + 2000 + 2 * (GBIT / 10));
    // The first stage holds two of eight microbatches.
    assert.equal(other.bytes, parameters + 500);
  });

  it('goes to 64 stages where there are as many layers, and prints a line for each', () => {
    const rows = scale(profile);
    assert.deepEqual([...new Set(rows.map(({ stages }) => stages))], [2, 4]);
    assert.equal(rows.length, 12);
    const lines = formatScale(profile, rows).split('\n');
    assert.equal(lines.length, 15);
    assert.match(lines[0]!, /^four, batches of 8 a replica, linear heads; devices as fast as measured on cpu/);
    assert.throws(() => scale(profile, { links: [0] }), { name: 'ConfigError' });
    assert.throws(() => scale(profile, { replicas: [1.5] }), {
      name: 'ConfigError',
      message: /replicas >= 1, got 1.5/,
    });
  });
});
