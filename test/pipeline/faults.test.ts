// The first failure of any part stops all, at once, by name; and the last checkpoint stays whole.
import assert from 'node:assert/strict';
import { chmodSync, existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { evaluate, readEvents, Trainer } from 'headrace/pipeline';
import { ConfigError, StageError } from 'headrace/torch';
import { config, finish, readCheckpointJson, temporaryFolder } from './fixture.js';

/** Milliseconds in which a failure has stopped everything, on a busy machine too; a wait for the others would take 600 s. */
const PATIENCE = 60_000;

async function failure(change: Parameters<typeof config>[0]): Promise<StageError> {
  const start = performance.now();
  try {
    await new Trainer(config(change)).result;
  } catch (error) {
    assert.ok(error instanceof StageError, `expected a StageError, got ${error}`);
    assert.ok(performance.now() - start < PATIENCE, 'stopping took too long');
    return error;
  }
  return assert.fail('the run did not fail');
}

for (const schedule of ['ppll', '1f1b', 'sequential'] as const) {
  test(`a stage of ${schedule} that throws stops the run, naming stage, action and step`, async () => {
    const microbatches = schedule === '1f1b' ? 2 : 1;
    const error = await failure({
      schedule,
      stages: 3,
      microbatches,
      faults: { at: { stage: 1, step: 4, kind: 'throw' } },
    });
    assert.equal(error.message, 'stage 1, action 1F0, step 4: injected fault');
    assert.deepEqual([error.stage, error.action, error.step], [1, '1F0', 4]);
  });
}

test('a worker that exits is noticed', async () => {
  const error = await failure({ stages: 3, faults: { at: { stage: 2, step: 3, kind: 'exit' } } });
  assert.equal(error.message, 'the thread of stage 2 ended before its work was done (exit code 3)');
  assert.equal(error.stage, 2);
});

test('a loss that is not a number stops the run with stage and step', async () => {
  const error = await failure({ faults: { at: { stage: 1, step: 2, kind: 'nan' } } });
  assert.match(error.message, /^stage 1, action 1U, step 2: the loss is NaN; .*allowNaN: true goes on/);
});

test('what is not finite is laid to the stage that made it, whichever is first to see it', async () => {
  for (const seed of [1, 2]) {
    const faults = { delayMs: 40, at: { stage: 0, step: 2, kind: 'nan' } } as const;
    const { message } = await failure({ stages: 3, seed, faults });
    assert.match(message, /^stage 0, action 0U, step 2: the loss is NaN; .* Not finite by now: /);
  }
});

test('a loss that is not a number is passed over where that was asked for', async () => {
  const { events, result } = await finish({
    steps: 4,
    allowNaN: true,
    faults: { at: { stage: 1, step: 2, kind: 'nan' } },
  });
  assert.equal(result.steps, 4);
  const losses = events.flatMap((event) => (event.type === 'step' && event.stage === 1 ? [event.loss] : []));
  assert.ok(Number.isNaN(losses[2]));
});

test('a failure leaves the last checkpoint whole, and the events say why it ended', async () => {
  const out = temporaryFolder();
  try {
    // On the last stage, which has met the marker of step 8 by then, as every stage before it has.
    const at = { stage: 1, step: 9, kind: 'throw' } as const;
    await assert.rejects(finish({ steps: 20, checkpointEvery: 4, faults: { at }, out }), StageError);
    assert.equal(readCheckpointJson(out).step, 8);
    const { count } = await evaluate(out, config().data);
    assert.equal(count, 20);
    const last = readEvents(join(out, 'events-1.jsonl')).at(-1)!;
    assert.equal(last.type === 'error' && last.message, 'stage 1, action 1F0, step 9: injected fault');
  } finally {
    rmSync(out, { recursive: true });
  }
});

test('stopping a run saves a checkpoint of the steps done', async () => {
  const out = temporaryFolder();
  try {
    const run = new Trainer(config({ steps: 10_000, out }));
    for await (const event of run) if (event.type === 'step' && event.step === 5) run.stop();
    const result = await run.result;
    assert.equal(result.stopped, true);
    assert.ok(result.steps >= 5 && result.steps < 10_000);
    assert.equal(readCheckpointJson(out).step, result.steps);
  } finally {
    rmSync(out, { recursive: true });
  }
});

test('a stage that waits for ever says for whom', async () => {
  const error = await failure({ timeoutSeconds: 0.2, faults: { delayMs: 1500 } });
  assert.match(error.message, /waited 0\.2 s for a message to (come|be taken) \((data loader|stage 0) -> stage \d\)/);
});

test('a model or data set that cannot be imported is named', async () => {
  const missing = { module: 'file:///nowhere.js', export: 'x', options: {} };
  await assert.rejects(new Trainer(config({ model: missing })).result, ConfigError);
  await assert.rejects(new Trainer(config({ data: missing })).result, /Cannot import file:\/\/\/nowhere\.js/);
});

test('impossible configurations are refused before anything starts', async () => {
  const refused: [Parameters<typeof config>[0], RegExp][] = [
    [{ stages: 21, cut: undefined }, /at most 20 stages/],
    [{ cut: [19] }, /cut of 1 rising borders between 0 and 18/],
    [{ batchSize: 0 }, /batchSize to be a whole number >= 1/],
    [{ steps: undefined }, /either epochs or steps/],
    [{ microbatches: 9, schedule: 'gpipe' }, /at most 8 microbatches/],
    [{ devices: ['cpu', 'cpu', 'cpu'] }, /one device, or one for each of 2 stages/],
  ];
  for (const [change, message] of refused) await assert.rejects(new Trainer(config(change)).result, message);
});

test('a folder that holds a run, or cannot be written, is refused', async () => {
  const out = temporaryFolder();
  try {
    await finish({ steps: 1, out });
    await assert.rejects(new Trainer(config({ steps: 1, out })).result, /holds a run already: resume it/);
    await assert.rejects(
      new Trainer(config({ steps: 1, out: join(out, 'metrics.json') })).result,
      /Expected a folder that can be written to/,
    );
    await assert.rejects(new Trainer(config({ out: join(out, 'new') }), { resume: true }).result, /found none/);
    assert.ok(!existsSync(join(out, 'new')));
  } finally {
    chmodSync(out, 0o700);
    rmSync(out, { recursive: true });
  }
});
