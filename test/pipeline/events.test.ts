import assert from 'node:assert/strict';
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import {
  duration,
  EventWriter,
  eventsPath,
  Progress,
  type RunEvent,
  readEvents,
  readRun,
  type StepEvent,
  summarise,
  writeMetrics,
} from 'headrace/pipeline';

const folder = mkdtempSync(join(tmpdir(), 'headrace-events-'));
after(() => rmSync(folder, { recursive: true }));

const step = (stage: number, n: number, time: number, more: Partial<StepEvent> = {}): StepEvent => ({
  type: 'step',
  time,
  stage,
  step: n,
  epoch: 0,
  loss: 2,
  lr: 0.1,
  images: 100,
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
    writer.write({ type: 'eval', time: 2, stage: 0, step: 1, epoch: 0, accuracy: 0.5, loss: 1, count: 10 });
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
    events.push({ type: 'eval', time: 4000, stage: 1, step: 4, epoch: 0, accuracy: 0.75, loss: 1.5, count: 10 });
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
      images: 400,
      seconds: 3,
      imagesPerSecond: 200,
      accuracy: 0.75,
      loss: 1.5,
      perStage: [
        { stage: 0, loss: 2.6, busy: 8, wait: 2, queue: null },
        { stage: 1, loss: 1.6, busy: 10, wait: 2.5, queue: 0.5 },
      ],
      evaluations: [{ step: 4, epoch: 0, accuracy: 0.75, loss: 1.5 }],
    });
    writeMetrics(folder, { model: 'toy', steps: 4 }, merged);
    const metrics = JSON.parse(readFileSync(join(folder, 'metrics.json'), 'utf8'));
    assert.equal(metrics.model, 'toy');
    assert.equal(metrics.imagesPerSecond, 200);
  });

  it('counts a step once that was done twice', () => {
    const metrics = summarise([...run(), step(1, 4, 3300, { loss: 9 })]);
    assert.equal(metrics.images, 400);
    assert.equal(metrics.perStage[1]?.loss, 9);
  });

  it('of no steps is empty', () => {
    assert.deepEqual(summarise([]), {
      steps: 0,
      images: 0,
      seconds: 0,
      imagesPerSecond: null,
      accuracy: null,
      loss: null,
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
    assert.equal(progress.line(), 'step 10/20  epoch 2  100 images/s  loss 1.250 | -  queue 1  ETA 0:10');
    progress.update({ type: 'eval', time: now, stage: 1, step: 10, epoch: 1, accuracy: 0.9876, loss: 0.1, count: 10 });
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
