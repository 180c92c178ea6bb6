import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  type Action,
  drawGrid,
  formatAction,
  formatSchedule,
  isLocal,
  layOut,
  needsGradients,
  parseAction,
  parseSchedule,
  peakInFlight,
  type ScheduleName,
  type StageTimes,
  scheduleFor,
  scheduleNames,
  simulate,
  validateSchedule,
} from 'headrace/pipeline';

const grid = (name: ScheduleName, stages: number, microbatches: number): string => {
  const { steps, stuck } = layOut(scheduleFor(name, stages, microbatches), { gradients: needsGradients(name) });
  assert.deepEqual(stuck, []);
  return `\n${drawGrid(steps)}`;
};

const even = (stages: number, times: StageTimes): StageTimes[] => Array.from({ length: stages }, () => times);

describe('actions', () => {
  it('are spelt stage, kind, microbatch, and read back', () => {
    const actions: [string, Action][] = [
      ['2F0', { stage: 2, kind: 'F', microbatch: 0 }],
      ['10B13', { stage: 10, kind: 'B', microbatch: 13 }],
      ['2R', { stage: 2, kind: 'R' }],
      ['2U', { stage: 2, kind: 'U' }],
    ];
    for (const [text, action] of actions) {
      assert.equal(formatAction(action), text);
      assert.deepEqual(parseAction(text), action);
    }
    for (const wrong of ['', 'F0', '2F', '2U0', '2R0', '2X0', '2F-1', ' 2F0']) {
      assert.throws(() => parseAction(wrong), { name: 'ConfigError', message: /2F0 \(forward\).*got "/ });
    }
  });

  it('make schedules that print and read back', () => {
    for (const name of scheduleNames) {
      const schedule = scheduleFor(name, name === 'bp' ? 1 : 3, isLocal(name) ? 1 : 4);
      assert.deepEqual(parseSchedule(`\n${formatSchedule(schedule)}\n`), schedule);
    }
  });
});

describe('schedules, drawn by hand', () => {
  it('bp: forward and backward of each microbatch, then the update', () => {
    assert.equal(formatSchedule(scheduleFor('bp', 1, 3)), '0F0 0B0 0F1 0B1 0F2 0B2 0U');
  });

  it('sequential: stage after stage on one worker', () => {
    assert.equal(formatSchedule(scheduleFor('sequential', 3)), '0F0 0B0 0U 1F0 1B0 1U 2F0 2B0 2U');
  });

  it('ppll: a stage starts when the forward before it has ended', () => {
    assert.equal(
      grid('ppll', 3, 1),
      `
step  worker 0  worker 1  worker 2
   0  0F0       .         .
   1  0B0       1F0       .
   2  0U        1B0       2F0
   3  .         1U        2B0
   4  .         .         2U`,
    );
  });

  it('gpipe: all forwards, then all backwards in the same order', () => {
    assert.equal(
      grid('gpipe', 3, 3),
      `
step  worker 0  worker 1  worker 2
   0  0F0       .         .
   1  0F1       1F0       .
   2  0F2       1F1       2F0
   3  .         1F2       2F1
   4  .         .         2F2
   5  .         .         2B0
   6  .         1B0       2B1
   7  0B0       1B1       2B2
   8  0B1       1B2       2U
   9  0B2       1U        .
  10  0U        .         .`,
    );
  });

  it('1f1b: warm-up, one forward and one backward in turn, cool-down', () => {
    assert.equal(
      grid('1f1b', 3, 4),
      `
step  worker 0  worker 1  worker 2
   0  0F0       .         .
   1  0F1       1F0       .
   2  0F2       1F1       2F0
   3  .         .         2B0
   4  .         1B0       2F1
   5  0B0       1F2       2B1
   6  0F3       1B1       2F2
   7  0B1       1F3       2B2
   8  .         1B2       2F3
   9  0B2       .         2B3
  10  .         1B3       2U
  11  0B3       1U        .
  12  0U        .         .`,
    );
    assert.equal(formatSchedule(scheduleFor('1f1b', 4, 2)).split('\n')[0], '0F0 0F1 0B0 0B1 0U');
  });

  it('of stages with replicas add up their gradients between the last backward and the update', () => {
    assert.equal(formatSchedule(scheduleFor('bp', 1, 2, [3])), '0F0 0B0 0F1 0B1 0R 0U');
    assert.equal(formatSchedule(scheduleFor('sequential', 2, 1, [2, 1])), '0F0 0B0 0R 0U 1F0 1B0 1U');
    assert.equal(formatSchedule(scheduleFor('1f1b', 2, 2, [1, 2])), '0F0 0F1 0B0 0B1 0U\n1F0 1B0 1F1 1B1 1R 1U');
  });

  it('refuse counts that make no sense', () => {
    assert.throws(() => scheduleFor('gpipe', 0, 1), { name: 'ConfigError', message: /stages.*>= 1, got 0/ });
    assert.throws(() => scheduleFor('gpipe', 2, 1.5), { name: 'ConfigError', message: /microbatches.*got 1.5/ });
    assert.throws(() => scheduleFor('bp', 2, 1), { name: 'ConfigError', message: /expected 1 stage, got 2/ });
    assert.throws(() => scheduleFor('ppll', 2, 4), { name: 'ConfigError', message: /takes each batch whole/ });
  });

  it('hold as many activations as expected', () => {
    assert.deepEqual(peakInFlight(scheduleFor('gpipe', 4, 8)), [8, 8, 8, 8]);
    assert.deepEqual(peakInFlight(scheduleFor('1f1b', 4, 8)), [4, 3, 2, 1]);
    assert.deepEqual(peakInFlight(scheduleFor('1f1b', 4, 2)), [2, 2, 2, 1]);
    assert.deepEqual(peakInFlight(scheduleFor('ppll', 4)), [1, 1, 1, 1]);
    assert.deepEqual(peakInFlight(scheduleFor('bp', 1, 8)), [1]);
  });
});

describe('validateSchedule', () => {
  it('accepts every schedule', () => {
    for (const name of scheduleNames) {
      for (const stages of name === 'bp' ? [1] : [1, 2, 3, 5]) {
        for (const microbatches of isLocal(name) ? [1] : [1, 2, 4, 7]) {
          validateSchedule(scheduleFor(name, stages, microbatches), { gradients: needsGradients(name) });
        }
      }
    }
  });

  const refuses = (text: string, message: string | RegExp, gradients = true): void => {
    assert.throws(() => validateSchedule(parseSchedule(text), { gradients }), { name: 'ConfigError', message });
  };

  it('draws the grid and marks where workers wait for each other', () => {
    refuses(
      '0F0 0B0 0F1 0B1 0U\n1F0 1F1 1B0 1B1 1U',
      `The schedule never ends: worker 0 stands at 0B0, which waits for 1B0; worker 1 stands at 1F1, which waits for 0F1.
step  worker 0  worker 1
   0  0F0       .
   1  .         1F0
   2  >0B0<     >1F1<`,
    );
    validateSchedule(parseSchedule('0F0 0B0 0F1 0B1 0U\n1F0 1F1 1B0 1B1 1U'), { gradients: false });
  });

  it('names what is missing, doubled, misplaced or out of order', () => {
    refuses('0F0 0B0 0F1 0U', /Expected 0B1 once, got it 0 times/);
    refuses('0F0 0B0 0B0 0U', /Expected 0B0 once, got it 2 times[\s\S]*>0B0</);
    refuses('0F0 0B0', /Expected 0U once, got it 0 times/);
    refuses('0F0 0U 0B0', /Expected 0U last on stage 0, but 0B0 follows it/);
    refuses('0F0 0R 0B0 0U', /Expected 0R after every backward of stage 0, but 0B0 follows it/);
    refuses('0F0 0B0 0R 0R 0U', /Expected 0R once, got it 2 times/);
    refuses('0B0 0F0 0U', /0B0, which waits for 0F0/);
    refuses('0F0 0B0 0U\n0F0 0B0 0U', /stage 0 on exactly one worker, got 0 and 1/);
    refuses('0F0 0B0 0U\n2F0 2B0 2U', /stage 1 on exactly one worker, got none/);
    refuses('0F0 0F1 0B0 0B1 0U\n1F1 1F0 1B0 1B1 1U', /first in, first out: stage 1 takes 1F1 where stage 0 sends 0F0/);
    refuses('0F0 0F1 0B1 0B0 0U\n1F0 1F1 1B0 1B1 1U', /stage 0 takes 0B1 where stage 1 sends 1B0/);
    refuses('', /got an empty one/);
  });
});

describe('simulate', () => {
  it('finds the bubble of GPipe and 1F1B, (p-1)/(m+p-1), and what each holds', () => {
    for (const [stages, microbatches] of [
      [2, 4],
      [4, 4],
      [4, 8],
    ] as const) {
      const bubble = (stages - 1) / (microbatches + stages - 1);
      for (const name of ['gpipe', '1f1b'] as const) {
        const times = even(stages, { forward: 1, backward: 2 });
        const result = simulate(scheduleFor(name, stages, microbatches), times, { gradients: true, batches: 3 });
        assert.ok(Math.abs(result.idleShare - bubble) < 1e-12, `${name} ${result.idleShare} ${bubble}`);
        assert.equal(result.period, 3 * (microbatches + stages - 1));
        const held = name === 'gpipe' ? microbatches : Math.min(stages, microbatches);
        assert.equal(result.peakInFlight[0], held);
      }
    }
  });

  it('gives ppll the period of its slowest stage, head and update counted', () => {
    const times = [
      { forward: 1, backward: 2, head: 1, update: 0.5 },
      { forward: 2, backward: 3, head: 0.5, update: 0.25 },
      { forward: 1, backward: 2, update: 0.5 },
    ];
    const result = simulate(scheduleFor('ppll', 3), times, { gradients: false, batches: 20, queueCapacity: 2 });
    assert.equal(result.period, 5.75);
    assert.equal(result.batchesPerSecond, 1 / 5.75);
    // Stage 1 starts after the first forward and never waits; stage 2 ends its last batch (2 + 3.5 after) before it.
    assert.equal(result.makespan, 1 + 20 * 5.75);
    assert.equal(result.idle[1], 1 - (20 * 5.75) / result.makespan);
    // Stage 0 is faster than stage 1, so the queue between them fills; stage 2 always waits.
    assert.deepEqual(result.peakQueued, [2, 1]);
  });

  it('runs sequential without waiting', () => {
    const times = even(3, { forward: 1, backward: 2, head: 1, update: 1 });
    const result = simulate(scheduleFor('sequential', 3), times, { gradients: false, batches: 4, queueCapacity: 1 });
    assert.equal(result.makespan, 60);
    assert.equal(result.idleShare, 0);
  });

  it('gives the times of a table drawn by hand', () => {
    // 1F1B, 2 stages, 2 microbatches; forward 1, backward 2, update 1, and half a second on the way.
    const times = even(2, { forward: 1, backward: 2, update: 1, send: 0.5 });
    const { timeline, makespan } = simulate(scheduleFor('1f1b', 2, 2), times, { gradients: true });
    assert.deepEqual(
      timeline.map((entry) => [formatAction(entry.action), entry.start, entry.end]),
      [
        ['0F0', 0, 1],
        ['0F1', 1, 2],
        ['0B0', 5, 7],
        ['0B1', 8, 10],
        ['0U', 10, 11],
        ['1F0', 1.5, 2.5],
        ['1B0', 2.5, 4.5],
        ['1F1', 4.5, 5.5],
        ['1B1', 5.5, 7.5],
        ['1U', 7.5, 8.5],
      ],
    );
    assert.equal(makespan, 11);
  });

  it('gives the sum over replicas its time, before the update', () => {
    const times = even(1, { forward: 1, backward: 2, reduce: 3, update: 1 });
    const { timeline } = simulate(scheduleFor('bp', 1, 1, [2]), times, { gradients: false });
    assert.deepEqual(
      timeline.map((entry) => [formatAction(entry.action), entry.start, entry.end]),
      [
        ['0F0', 0, 1],
        ['0B0', 1, 3],
        ['0R', 3, 6],
        ['0U', 6, 7],
      ],
    );
  });

  it('holds a fast sender back by the capacity of its queue', () => {
    const times = [
      { forward: 1, backward: 0 },
      { forward: 10, backward: 0 },
    ];
    const starts = (queueCapacity: number): number[] =>
      simulate(scheduleFor('ppll', 2), times, { gradients: false, batches: 5, queueCapacity })
        .timeline.filter((entry) => formatAction(entry.action) === '0F0')
        .map((entry) => entry.start);
    // With one place, output n is put when output n-1 has been taken; the next forward starts after that.
    assert.deepEqual(starts(1), [0, 1, 2, 11, 21]);
    assert.deepEqual(starts(2), [0, 1, 2, 3, 11]);
    assert.deepEqual(starts(100), [0, 1, 2, 3, 4]);
  });

  it('ends for every schedule with a single place in each queue', () => {
    for (const name of scheduleNames) {
      for (const stages of name === 'bp' ? [1] : [2, 3, 5]) {
        const schedule = scheduleFor(name, stages, isLocal(name) ? 1 : 6);
        const times = even(stages, { forward: 1, backward: 2, update: 1 });
        const result = simulate(schedule, times, { gradients: needsGradients(name), batches: 3, queueCapacity: 1 });
        assert.equal(result.timeline.length, schedule.flat().length * 3);
      }
    }
  });

  it('reports a deadlock that a small queue makes, with the grid', () => {
    // Stage 1 takes nothing before stage 2 has sent its gradients, which needs more places than there are.
    const schedule = parseSchedule('0F0 0F1 0F2 1F0 1F1 1F2 0B0 0B1 0B2 0U 1B0 1B1 1B2 1U');
    const times = even(2, { forward: 1, backward: 1 });
    simulate(schedule, times, { gradients: false, queueCapacity: 3 });
    assert.throws(() => simulate(schedule, times, { gradients: false, queueCapacity: 2 }), {
      name: 'ConfigError',
      message:
        /never ends with queues of 2: worker 0 stands at 0F2 of batch 0, as output queue 0 to 1 is full\.[\s\S]*>0F2</,
    });
  });

  it('refuses times and capacities that do not fit', () => {
    const schedule = scheduleFor('ppll', 2);
    const times = even(2, { forward: 1, backward: 1 });
    assert.throws(() => simulate(schedule, times.slice(1), { gradients: false }), /times of 2 stages, got 1/);
    assert.throws(() => simulate(schedule, times, { gradients: false, queueCapacity: 0 }), /at least 1, got 0/);
    assert.throws(() => simulate(schedule, times, { gradients: false, batches: 0 }), /batches >= 1, got 0/);
  });
});
