import assert from 'node:assert/strict';
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import {
  duration,
  EventWriter,
  eventsPath,
  Progress,
  type RunEvent,
  RunSums,
  readEvents,
  readRun,
  type StepEvent,
  summarise,
  writeMetrics,
} from 'headrace/pipeline';

const folder = mkdtempSync(join(tmpdir(), 'headrace-events-'));
after(() => rmSync(folder, { recursive: true }));

// The collector is there for those who ask for it; tests need no flag of their own then.
setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const step = (stage: number, n: number, time: number, more: Partial<StepEvent> = {}): StepEvent => ({
  type: 'step',
  time,
  stage,
  step: n,
  epoch: 0,
  loss: 2,
  lr: 0.1,
  samples: 100,
  busy: 8,
  wait: 2,
  queue: stage === 0 ? null : 1,
  ...more,
});

const start = (stage: number, stages: number, time: number): RunEvent => ({
  type: 'start',
  time,
  stage,
  model: 'toy',
  schedule: 'ppll',
  stages,
  step: 0,
  totalSteps: 20,
  layers: ['a', 'b'],
  device: 'cpu',
  threads: 1,
});

describe('EventWriter', () => {
  it('writes a JSON object a line, which readEvents reads back', () => {
    const path = join(folder, 'plain.jsonl');
    const writer = new EventWriter(path);
    const events = [start(0, 1, 5), step(0, 1, 10), { type: 'freshHead', time: 11, stage: 0 } as const];
    for (const event of events) writer.write(event);
    writer.close();
    writer.close();
    assert.deepEqual(readEvents(path), events);
    assert.equal(readFileSync(path, 'utf8').split('\n').length, 4);
    assert.throws(() => writer.write(events[0]!), { name: 'DataError', message: /was closed/ });
  });

  it('keeps steps in memory until enough have come, and lets other events through at once', () => {
    const path = join(folder, 'buffered.jsonl');
    const writer = new EventWriter(path, { flushBytes: 1000, flushMilliseconds: Number.POSITIVE_INFINITY });
    writer.write(step(0, 1, 1));
    assert.equal(readEvents(path).length, 0);
    writer.write({
      type: 'eval',
      time: 2,
      stage: 0,
      step: 1,
      epoch: 0,
      metrics: { accuracy: 0.5, loss: 1 },
      count: 10,
    });
    assert.equal(readEvents(path).length, 2);
    for (let n = 2; n < 20; n++) writer.write(step(0, n, n));
    assert.ok(readEvents(path).length > 10);
    writer.close();
    assert.equal(readEvents(path).length, 20);
  });

  it('writes a loss that is not finite as null', () => {
    const path = join(folder, 'nan.jsonl');
    const writer = new EventWriter(path);
    writer.write(step(0, 1, 1, { loss: Number.NaN }));
    writer.close();
    assert.equal((readEvents(path)[0] as StepEvent).loss, null);
  });

  it('goes on after the last whole line when a crash has cut the file', () => {
    const path = join(folder, 'resumed.jsonl');
    const first = new EventWriter(path);
    for (let n = 1; n <= 3; n++) first.write(step(0, n, n));
    first.close();
    appendFileSync(path, '{"type":"step","ti');
    assert.equal(readEvents(path).length, 3);
    const second = new EventWriter(path, { append: true });
    second.write(step(0, 4, 4));
    second.close();
    assert.deepEqual(
      readEvents(path).map((event) => (event as StepEvent).step),
      [1, 2, 3, 4],
    );
    writeFileSync(path, '{"type":');
    new EventWriter(path, { append: true }).close();
    assert.equal(readFileSync(path, 'utf8'), '');
  });

  it('notices that its file was removed: what it writes would be seen by nobody', () => {
    const path = join(folder, 'removed.jsonl');
    const writer = new EventWriter(path);
    writer.write(start(0, 1, 5));
    rmSync(path);
    assert.throws(() => writer.write(start(0, 1, 6)), {
      name: 'DataError',
      message: /removed\.jsonl: the file was removed/,
    });
    writer.close();
  });

  it('reads lines of any length, across the pieces in which a file is read', () => {
    const path = join(folder, 'long.jsonl');
    const lines = [5, 1 << 20, 3, (1 << 21) + 7, 1].map((length) =>
      JSON.stringify({ type: 'freshHead', text: 'é'.repeat(length) }),
    );
    writeFileSync(path, `${lines.join('\n')}\n{"type"`);
    assert.deepEqual(
      readEvents(path).map((event) => JSON.stringify(event)),
      lines,
    );
  });

  it('says where it cannot write, and which line it cannot read', () => {
    assert.throws(() => new EventWriter(join(folder, 'absent', 'x.jsonl')), {
      name: 'DataError',
      message: /Cannot write events to .*absent.x\.jsonl: ENOENT/,
    });
    const path = join(folder, 'bad.jsonl');
    writeFileSync(path, `${JSON.stringify(step(0, 1, 1))}\nnonsense\n`);
    assert.throws(() => readEvents(path), { name: 'DataError', message: /bad\.jsonl:2, got nonsense/ });
    assert.throws(() => readRun(join(folder, 'absent')), { name: 'DataError', message: /Cannot read the run in/ });
  });
});

describe('a run', () => {
  /** Two stages, four steps of 100 images each half a second. */
  const run = (): RunEvent[] => {
    const events: RunEvent[] = [start(0, 2, 1000), start(1, 2, 1000)];
    for (let n = 1; n <= 4; n++) {
      events.push(step(0, n, 1000 + n * 500, { loss: 3 - n / 10 }));
      events.push(step(1, n, 1250 + n * 500, { loss: 2 - n / 10, busy: 10, wait: n, queue: n % 2 }));
    }
    events.push({
      type: 'eval',
      time: 4000,
      stage: 1,
      step: 4,
      epoch: 0,
      metrics: { accuracy: 0.75, loss: 1.5 },
      count: 10,
    });
    return events;
  };

  it('is merged from its files by time, and summed up', () => {
    const events = run();
    for (const stage of [0, 1]) {
      const writer = new EventWriter(eventsPath(folder, stage));
      for (const event of events) if (event.stage === stage) writer.write(event);
      writer.close();
    }
    const merged = readRun(folder);
    assert.deepEqual(
      merged.map((event) => event.time),
      events.map((event) => event.time).sort((a, b) => a - b),
    );
    assert.deepEqual(summarise(merged), {
      steps: 4,
      samples: 400,
      seconds: 3,
      samplesPerSecond: 200,
      metrics: { accuracy: 0.75, loss: 1.5 },
      perStage: [
        { stage: 0, loss: 2.6, busy: 8, wait: 2, queue: null },
        { stage: 1, loss: 1.6, busy: 10, wait: 2.5, queue: 0.5 },
      ],
      evaluations: [{ step: 4, epoch: 0, metrics: { accuracy: 0.75, loss: 1.5 } }],
    });
    writeMetrics(folder, { model: 'toy', steps: 4 }, merged);
    const metrics = JSON.parse(readFileSync(join(folder, 'metrics.json'), 'utf8'));
    assert.equal(metrics.model, 'toy');
    assert.equal(metrics.samplesPerSecond, 200);
  });

  it('counts a step once that was done twice', () => {
    const metrics = summarise([...run(), step(1, 4, 3300, { loss: 9 })]);
    assert.equal(metrics.samples, 400);
    assert.equal(metrics.perStage[1]?.loss, 9);
  });

  it('of a million events takes no more memory than one of a few', () => {
    const sums = new RunSums();
    let written = 0;
    const progress = new Progress({ write: () => written++ }, { now: () => 0 });
    const perEpoch = 100;
    /** The heap after some steps of two stages. */
    const feed = (from: number, to: number): number => {
      for (let n = from; n <= to; n++) {
        const epoch = Math.floor((n - 1) / perEpoch);
        // Each step takes 10 ms; evaluation after an epoch, another 500 ms, is not in the median over the epochs.
        const time = n * 10 + epoch * 500;
        const events: RunEvent[] = [
          step(0, n, time, { epoch, queue: n % 2 }),
          step(1, n, time, { epoch, loss: 1 / n }),
        ];
        if (n % perEpoch === 0) {
          events.push({
            type: 'eval',
            time,
            stage: 1,
            step: n,
            epoch,
            metrics: { accuracy: n / 1e6, loss: 1 },
            count: 10,
          });
        }
        for (const event of events) {
          sums.add(event);
          progress.update(event);
        }
      }
      collectGarbage();
      return process.memoryUsage().heapUsed;
    };
    const before = feed(1, 50_000);
    const after = feed(50_001, 500_000);
    assert.ok(after - before < 4 << 20, `${after - before} bytes more after a million events`);
    const metrics = sums.metrics();
    assert.deepEqual([metrics.steps, metrics.samples, metrics.metrics?.accuracy], [500_000, 50_000_000, 0.5]);
    assert.equal(metrics.seconds, (499_999 * 10 + 4999 * 500) / 1000);
    assert.deepEqual(metrics.perStage, [
      { stage: 0, loss: 2, busy: 8, wait: 2, queue: 0.5 },
      { stage: 1, loss: 1 / 500_000, busy: 8, wait: 2, queue: 1 },
    ]);
    assert.equal(sums.medianSpeed, (99 * 100) / 0.99);
    assert.deepEqual([metrics.evaluations.length, metrics.evaluations.at(-1)!.step], [5000, 500_000]);
    assert.equal(written, 0);
  });

  it('keeps 10,000 evaluations at most, spread over all, and the last', () => {
    const sums = new RunSums();
    for (let n = 1; n <= 100_000; n++) {
      sums.add({ type: 'eval', time: n, stage: 0, step: n, epoch: n, metrics: { accuracy: 0, loss: 1 }, count: 1 });
    }
    const { evaluations } = sums.metrics();
    assert.ok(evaluations.length > 4000 && evaluations.length <= 10_000);
    assert.deepEqual([evaluations[0]!.step, evaluations.at(-1)!.step], [1, 100_000]);
    const gaps = evaluations.slice(1, -1).map(({ step: at }, i) => at - evaluations[i]!.step);
    assert.equal(new Set(gaps).size, 1);
  });

  it('of a million events at once is summed up, too', () => {
    const events = Array.from({ length: 1_000_000 }, (_, i) => step(i % 2, 1 + (i >> 1), i));
    const { steps, seconds, samples } = summarise(events);
    assert.deepEqual([steps, seconds, samples], [500_000, 999.999, 50_000_000]);
  });

  it('of no steps is empty', () => {
    assert.deepEqual(summarise([]), {
      steps: 0,
      samples: 0,
      seconds: 0,
      samplesPerSecond: null,
      metrics: null,
      perStage: [],
      evaluations: [],
    });
  });
});

describe('Progress', () => {
  const collect = (isTTY: boolean, columns = 200) => {
    const written: string[] = [];
    return { written, isTTY, columns, write: (text: string) => written.push(text) };
  };

  it('shows step, speed, losses, queues and the time left', () => {
    const stream = collect(false);
    let now = 0;
    const progress = new Progress(stream, { now: () => now });
    progress.update(start(0, 2, 0));
    for (let n = 1; n <= 10; n++) {
      now = n * 1000;
      progress.update(step(0, n, now, { loss: 1.25 }));
      progress.update(step(1, n, now, { loss: n === 10 ? null : 1.5, epoch: 1 }));
    }
    assert.equal(progress.line(), 'step 10/20  epoch 2  100 samples/s  loss 1.250 | -  queue 1  ETA 0:10');
    progress.update({
      type: 'eval',
      time: now,
      stage: 1,
      step: 10,
      epoch: 1,
      metrics: { accuracy: 0.9876, loss: 0.1 },
      count: 10,
    });
    assert.match(progress.line(), / {2}accuracy 98\.76 % {2}ETA/);
  });

  it('off a terminal writes nothing for 2 seconds, then a line every 10', () => {
    const stream = collect(false);
    let now = 0;
    const progress = new Progress(stream, { now: () => now });
    for (let n = 1; n <= 250; n++) {
      now = n * 100;
      progress.update(step(0, n, now));
    }
    progress.finish();
    assert.deepEqual(
      stream.written.map((line) => line.split('  ')[0]),
      ['step 20', 'step 120', 'step 220'],
    );
    assert.ok(stream.written.every((line) => line.endsWith('\n')));
  });

  it('on a terminal rewrites one line, cut to its width, and ends it', () => {
    const stream = collect(true, 20);
    let now = 0;
    const progress = new Progress(stream, { now: () => now });
    for (let n = 1; n <= 30; n++) {
      now = n * 100;
      progress.update(step(0, n, now));
    }
    progress.finish();
    assert.equal(stream.written.pop(), '\n');
    const rewrite = '\r\x1b[K'; // to the start of the line, and clear it
    assert.ok(stream.written.every((text) => text.startsWith(`${rewrite}step `) && text.length <= rewrite.length + 19));
  });

  it('after a resume counts from the steps done before', () => {
    const stream = collect(false);
    let now = 0;
    const progress = new Progress(stream, { now: () => now });
    for (const stage of [0, 1]) progress.update({ ...start(stage, 2, 0), step: 12 } as RunEvent);
    now = 5000;
    progress.update(step(0, 13, now));
    assert.match(stream.written.join(''), /^step 12\/20 {2}loss/);
  });

  it('on a narrow terminal leaves out what matters least, and on one of unknown width nothing', () => {
    const show = (columns: number): string => {
      const stream = collect(true, columns);
      let now = 0;
      const progress = new Progress(stream, { now: () => now });
      progress.update(start(0, 2, 0));
      for (let n = 1; n <= 10; n++) {
        now = n * 1000;
        progress.update(step(0, n, now));
        progress.update(step(1, n, now));
      }
      progress.finish();
      return stream.written.at(-2)!.replace('\r\x1b[K', '');
    };
    const whole = 'step 10/20  epoch 1  100 samples/s  loss 2.000 | 2.000  queue 1  ETA 0:10';
    assert.equal(show(200), whole);
    assert.equal(show(whole.length + 1), whole);
    assert.equal(show(whole.length), 'step 10/20  epoch 1  100 samples/s  loss 2.000 | 2.000  ETA 0:10');
    assert.equal(show(40), 'step 10/20  100 samples/s  ETA 0:10');
    assert.equal(show(8), 'step 10');
    const { COLUMNS } = process.env;
    delete process.env.COLUMNS;
    assert.equal(show(0), whole);
    process.env.COLUMNS = '40';
    assert.equal(show(0), 'step 10/20  100 samples/s  ETA 0:10');
    if (COLUMNS === undefined) delete process.env.COLUMNS;
    else process.env.COLUMNS = COLUMNS;
  });

  it('tells at once that layers are measured, then how long that takes, and the cut', () => {
    const stream = collect(false);
    let now = 0;
    const progress = new Progress(stream, { now: () => now });
    const plan = (sweeps: number, secondsLeft: number | null, cut: number[] | null = null): void =>
      progress.update({ type: 'plan', time: now, stage: 0, layers: 9, sweeps, secondsLeft, cut });
    plan(0, null);
    for (let n = 1; n < 30; n++) {
      now = n * 1000;
      plan(n, 30 - n);
    }
    plan(30, 0, [4]);
    assert.deepEqual(stream.written, [
      'measuring 9 layers to choose the cut\n',
      'measuring 9 layers to choose the cut  sweep 10  ETA 0:20\n',
      'measuring 9 layers to choose the cut  sweep 20  ETA 0:10\n',
      'cut after layers: 4\n',
    ]);
  });

  it('of a short run writes nothing', () => {
    const stream = collect(true);
    const progress = new Progress(stream, { now: () => 1999 });
    progress.update(step(0, 1, 1));
    progress.finish();
    assert.deepEqual(stream.written, []);
  });
});

it('durations read as a clock', () => {
  assert.deepEqual([0, 9.6, 75, 3725].map(duration), ['0:00', '0:10', '1:15', '1:02:05']);
});
