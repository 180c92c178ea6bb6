// A run from the outside: what it needs to be told, how it is left, what it refuses before it starts, and what it says.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ModelStage, type RunConfig, type RunEvent, type RunSettings, readRunConfig, Trainer } from 'headrace/pipeline';
import { noGrad } from 'headrace/torch';
import { modelSpec, visionModelRef } from 'headrace/vision';
import { config, differences, finish, readCheckpointJson, readState, temporaryFolder } from './fixture.js';

async function inFolder(body: (out: string) => Promise<void>): Promise<void> {
  const out = temporaryFolder();
  try {
    await body(out);
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
}

for (const way of ['break', 'return', 'throw'] as const) {
  test(`leaving the events by ${way} stops the run with a checkpoint, and it settles`, () =>
    inFolder(async (out) => {
      const run = new Trainer(config({ steps: 100_000, out }));
      const leave = async (): Promise<void> => {
        for await (const event of run) {
          if (event.type !== 'step' || event.step < 3) continue;
          if (way === 'break') break;
          if (way === 'return') return;
          throw new Error('mine');
        }
      };
      if (way === 'throw') await assert.rejects(leave(), /^Error: mine$/);
      else await leave();
      assert.ok(!existsSync(join(out, 'run.lock')), 'it has ended by now');
      const { stopped, steps } = await run.result;
      assert.ok(stopped && steps >= 3 && steps < 100_000);
      assert.equal(readCheckpointJson(out).step, steps);
      const { result } = await finish({ steps: steps + 2, out }, { resume: true });
      assert.equal(result.steps, steps + 2);
    }));
}

test('two who iterate a run both get all of its events', async () => {
  const run = new Trainer(config({ steps: 3, evaluation: false }));
  const count = async (): Promise<number> => {
    let steps = 0;
    for await (const event of run) if (event.type === 'step') steps++;
    return steps;
  };
  assert.deepEqual(await Promise.all([count(), count()]), [6, 6]);
});

test('what has a default may be left out, the head among it: the weights are the same', async () => {
  const full = config({ steps: 4, lrSchedule: { name: 'constant', warmupEpochs: 0 } });
  const { model, data, cut, steps, batchSize, optimizer } = full;
  const settings: RunSettings = { model, data, cut, steps, batchSize, optimizer };
  await inFolder(async (out) => {
    await new Trainer({ ...settings, out }).result;
    assert.deepEqual(differences(readState(out), (await finish({ ...full, evalEvery: 1 })).state), []);
    const { head, modelName } = readRunConfig(out);
    assert.deepEqual({ head, modelName }, { head: { kind: 'auglocal', depth: 1 }, modelName: model.export });
  });
});

const given = (change: object): RunSettings => ({ ...config(), ...change }) as RunSettings;

test('all that is missing or wrong is named at once, and so is what nobody would read', async () => {
  const refused: [RunSettings, RegExp][] = [
    [{} as RunSettings, /^Expected model to be an object, got nothing; .*either epochs or steps, got neither\.$/],
    [
      {} as RunSettings,
      /; data to be an object, got nothing; .*batchSize to be .*; optimizer to be an object, got nothing/,
    ],
    [
      given({ batchSize: 2.5, seed: 'x', devices: 'cpu' }),
      /batchSize to be a whole number >= 1, got 2\.5; seed to be a number, got "x"; devices to be a list, got "cpu"/,
    ],
    [
      given({ optimizer: { name: 'sgd', lr: 0 } }),
      /optimizer\.lr to be a number > 0, got 0; optimizer\.weightDecay to be .*; optimizer\.momentum/,
    ],
    [given({ batchsize: 4 }), /options of a run among .*, got batchsize\. Did you mean batchSize\?/],
    [given({ head: { kind: 'auglocal', dept: 2 } }), /a run's head among kind, depth, got dept\. Did you mean depth\?/],
    [
      given({ lrSchedule: { name: 'constant', warmupEpochs: 0, warmUp: 1 } }),
      /lrSchedule constant among name, warmupEpochs, got warmUp/,
    ],
    [given({ devices: ['gpu'] }), /got 'gpu': this libtorch cannot compute there/],
    [given({ devices: ['cuda 0'] }), /got 'cuda 0': a device is spelt cpu, cuda or cuda:0/],
    [
      given({ devices: ['cuda:99'] }),
      /devices that can be used here, got 'cuda:99': .*(no CUDA device|counted from 0)/,
    ],
  ];
  for (const [settings, message] of refused) {
    await assert.rejects(new Trainer(settings).result, { name: 'ConfigError', message });
  }
  assert.throws(
    () => new Trainer(config(), { resumed: true } as object),
    /options of Trainer among resume, group, got resumed/,
  );
});

test('a run goes on with other settings only where its weights do not depend on them', () =>
  inFolder(async (out) => {
    await finish({ steps: 2, out });
    const resume = (change: Partial<RunConfig>) =>
      new Trainer(config({ steps: 4, out, ...change }), { resume: true }).result;
    await assert.rejects(resume({ batchSize: 4, seed: 3 }), {
      name: 'ConfigError',
      message: new RegExp(`^The run in ${out} has batchSize 8, not 4; seed 0, not 3: it can go on only as it began`),
    });
    await assert.rejects(
      resume({ head: { kind: 'linear' } }),
      /head\.kind "auglocal", not "linear"; head\.depth 1, not unset/,
    );
    const { optimizer } = config();
    await assert.rejects(resume({ optimizer: { ...optimizer, lr: 1 } }), /optimizer\.lr 0\.05, not 1/);
    await assert.rejects(resume({ steps: 1 }), /has done 2 steps, and 1 are asked for/);
    const { steps } = await resume({ queueCapacity: 5, evalEvery: 3, timeoutSeconds: 100, checkpointEvery: 1 });
    assert.equal(steps, 4);
  }));

const tiny = (change: Partial<RunConfig>, train: number): RunConfig =>
  config({
    model: visionModelRef({ name: 'resnet20', classes: 4, channels: 3, imageSize: 4 }),
    data: { ...config().data, options: { train, test: 4, size: 4 } },
    epochs: 1,
    steps: undefined,
    ...change,
  });

test('a last batch of one that batch normalisation cannot take is refused before the first step', async () => {
  const started: RunEvent[] = [];
  const run = new Trainer(tiny({}, 17)); // two batches of 8, and one of 1: its last blocks see 1 x 1 pixels
  await assert.rejects(
    (async () => {
      for await (const event of run) started.push(event);
    })(),
    /more than one value for each channel.*the head after layer2\..*17 samples in batches of 8 make batches of 8 and one of 1, .*Give another batchSize/,
  );
  assert.deepEqual(started, []);
  const pieces = tiny({ schedule: 'gpipe', microbatches: 4, batchSize: 8 }, 20); // one of 4: microbatches of 1
  await assert.rejects(new Trainer(pieces).result, /cut into 4 microbatches.*fewer microbatches/);
  assert.equal((await new Trainer(tiny({}, 18)).result).steps, 3);
  // A run that ends before it comes to that batch may begin.
  assert.equal((await new Trainer(tiny({ epochs: undefined, steps: 2 }, 17)).result).steps, 2);
});

test('a last batch of one is trained on where there are values enough', async () => {
  const data = { ...config().data, options: { train: 9, test: 4 } };
  assert.equal((await new Trainer(config({ data, epochs: 1, steps: undefined })).result).steps, 2);
});

test('a test loss that is not a number ends the run by stage and step; allowNaN passes over it', async () => {
  const toy = new URL('./toy.js', import.meta.url).href;
  const settings = {
    model: { module: toy, export: 'untestable', options: {} },
    data: { ...config().data, options: { size: 2, plain: true } },
    cut: [1],
    steps: 2,
  };
  await assert.rejects(
    new Trainer(config(settings)).result,
    /^StageError: stage 1, step 2: the test loss after step 2 is NaN\. .*look for such values in the data.*allowNaN: true goes on/,
  );
  assert.ok(Number.isNaN((await new Trainer(config({ ...settings, allowNaN: true })).result).metrics?.loss));
});

test('a stage names its weights and statistics that are not finite', () => {
  const spec = modelSpec({ name: 'resnet20', classes: 4, channels: 3, imageSize: 4 });
  const stage = new ModelStage({ spec, config: config(), index: 0, from: 0, to: 3, hasHead: true });
  assert.deepEqual(stage.notFinite(), []);
  const name = [...stage.state().model.keys()].find((key) => key.endsWith('running_var'))!;
  noGrad(() => stage.state().model.get(name)!.fill_(Number.NaN));
  assert.deepEqual(stage.notFinite(), [name]);
});

test('measuring where to cut is told as it goes on, and can be stopped', async () => {
  const plans = async (run: Trainer, each: (event: RunEvent) => void): Promise<RunEvent[]> => {
    const events: RunEvent[] = [];
    for await (const event of run) {
      each(event);
      events.push(event);
    }
    return events;
  };
  const whole = await plans(new Trainer(config({ cut: undefined, steps: 1, evaluation: false })), () => {});
  const told = whole.filter((event) => event.type === 'plan');
  assert.deepEqual([told[0]!.sweeps, told[0]!.secondsLeft, told[0]!.layers, told[0]!.cut], [0, null, 20, null]);
  assert.ok(told.slice(1, -1).every(({ secondsLeft }) => secondsLeft! > 0));
  assert.equal(told.at(-1)!.cut!.length, 1);
  assert.ok(whole.findIndex(({ type }) => type === 'start') > whole.findLastIndex(({ type }) => type === 'plan'));
  await inFolder(async (out) => {
    const run = new Trainer(config({ cut: undefined, out }));
    const events = await plans(run, () => run.stop());
    assert.ok(events.every(({ type }) => type === 'plan'));
    assert.deepEqual([(await run.result).stopped, (await run.result).steps], [true, 0]);
    assert.ok(!existsSync(join(out, 'config.json')) && !existsSync(join(out, 'run.lock')));
  });
});

test('a checkpoint that cannot be made current ends the run, whichever thread finds it', () =>
  inFolder(async (out) => {
    // A folder that is not empty stands where the index shall be: the starting thread fails at the first commit.
    const index = join(out, 'checkpoint', 'model.safetensors.index.json');
    const run = new Trainer(config({ steps: 100_000, checkpointEvery: 3, out }));
    await assert.rejects(
      (async () => {
        for await (const event of run) {
          if (event.type !== 'start') continue;
          mkdirSync(index, { recursive: true });
          writeFileSync(join(index, 'x'), '');
        }
      })(),
      (error: Error) =>
        error.name === 'StageError' && /^checkpoint of step 3: Cannot write .*index\.json/.test(error.message),
    );
    assert.ok(!existsSync(join(out, 'run.lock')));
  }));

test('a folder that another run has by now is left to it', () =>
  inFolder(async (out) => {
    const lock = join(out, 'run.lock');
    const run = new Trainer(config({ steps: 100_000, checkpointEvery: 1000, out }));
    let owner = '';
    await assert.rejects(
      (async () => {
        for await (const event of run) {
          if (event.type !== 'start' || owner !== '') continue;
          owner = readFileSync(lock, 'utf8').replace(/"token": ".*"/, '"token": "of another"');
          writeFileSync(lock, owner);
        }
      })(),
      /^StageError: .* is not this run's any more/,
    );
    assert.equal(readFileSync(lock, 'utf8'), owner);
  }));

test('metrics that cannot be written at the end are one error', () =>
  inFolder(async (out) => {
    const run = new Trainer(config({ steps: 2, out }));
    await assert.rejects(
      (async () => {
        for await (const event of run)
          if (event.type === 'start') mkdirSync(join(out, 'metrics.json', 'x'), { recursive: true });
      })(),
      { name: 'DataError', message: /^Cannot write .*metrics\.json/ },
    );
    assert.equal(readCheckpointJson(out).step, 2);
  }));

test('a new run does not mix its events with those of one that came to no checkpoint', () =>
  inFolder(async (out) => {
    writeFileSync(join(out, 'events-7.jsonl'), '{"type":"step"}\n');
    await finish({ steps: 1, out });
    assert.ok(!existsSync(join(out, 'events-7.jsonl')));
    assert.equal(JSON.parse(readFileSync(join(out, 'metrics.json'), 'utf8')).steps, 1);
  }));
