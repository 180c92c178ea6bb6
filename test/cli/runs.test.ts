// Runs on the command line: resumed and tested by their folder alone, one owner at a time, damaged, interrupted, gone.
import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { evaluate, readRunConfig } from 'headrace/pipeline';
import { headrace, interrupted, lastJson, type Outcome, temporaryFolder } from './run.js';

const folder = temporaryFolder();
after(() => folder.remove());

const small = ['--data', 'mnist', '--limit', '64', '--batch', '32', '--cut', '4'];
const out = folder.at('run');

async function fails(args: readonly string[], message: RegExp, code = 1): Promise<void> {
  const outcome = await headrace(args);
  assert.equal(outcome.code, code, outcome.stderr);
  assert.match(outcome.stderr, /^headrace: [^\n]+\n$/);
  assert.match(outcome.stderr, message);
}

/** Calls `act` once a file is there. */
function when(file: string, act: () => void): void {
  const poll = setInterval(() => {
    if (!existsSync(file)) return;
    clearInterval(poll);
    act();
  }, 30);
}

/** Trains without end in a folder; `act` is called when it has checkpoints. */
function trainInto(
  where: string,
  act: (child: { kill(signal: NodeJS.Signals): unknown; pid?: number }) => void,
  more = ['2'],
): Promise<Outcome> {
  const args = ['train', 'resnet20', ...small, '--steps', '100000', '--checkpoint-every', ...more, '--out', where];
  return headrace(args, { whenStarted: (child) => when(`${where}/checkpoint/state.json`, () => act(child)) });
}

before(async () => {
  const run = await headrace(['train', 'resnet20', ...small, '--steps', '2', '--out', out]);
  assert.equal(run.code, 0, run.stderr);
});

describe('a run is known by its folder', () => {
  it('eval takes its data from it', async () => {
    const own = await headrace(['eval', out, '--json']);
    assert.equal(own.code, 0, own.stderr);
    const { evaluations } = JSON.parse(readFileSync(`${out}/metrics.json`, 'utf8'));
    const { accuracy, loss } = evaluations.at(-1).metrics;
    const told = lastJson(own) as { metrics: { accuracy: number; loss: number }; count: number };
    assert.deepEqual([told.metrics.accuracy, told.count], [accuracy, 64]);
    // As many threads as the machine has, where the run's stage had its share: sums may be taken in another order.
    assert.ok(Math.abs(told.metrics.loss - loss) < 1e-6, `${told.metrics.loss} against ${loss}`);
  });

  it('train goes on with it: by --resume DIR, by --out DIR --resume, or with its model named anywhere', async () => {
    const ways = [
      ['train', '--resume', out, '--steps', '3'],
      ['train', '--out', out, '--resume', '--steps', '4'],
      ['train', '--resume', 'resnet20', '--out', out, '--steps', '5'],
    ];
    for (const [i, args] of ways.entries()) {
      const outcome = await headrace([...args, '--json']);
      assert.equal(outcome.code, 0, outcome.stderr);
      assert.equal(lastJson(outcome).steps, 3 + i);
    }
  });

  it('settings that its weights depend on are refused, all by name, with both values and what to do', async () => {
    const args = ['train', '--resume', out, '--batch', '16', '--lr', '0.5', '--no-augment', '--limit', '10'];
    await fails(
      args,
      /has --batch 32, --lr 0\.025, --limit 64, --no-augment false; it cannot go on with 16, 0\.5, 10, true\. Leave out --batch, .* or begin a new run in another --out\./,
    );
    await fails(['train', '--resume', out, '--data', 'cifar10:x'], /trains on mnist; it cannot go on with cifar10/);
    await fails(['train', '--resume', out, '--steps', '1'], /has done 5 steps, and 1 are asked for/);
  });

  it('what is missing is told as wrong usage', async () => {
    await fails(['train', '--data', 'mnist', '--out', out], /missing required argument 'model'.*lists the models/, 2);
    await fails(['train', '--resume'], /expected the option --out/, 2);
    await fails(['train', 'resnet20', '--resume', out, '--out', folder.at('b')], /expected one folder/, 2);
  });
});

it('--help of train lists the models, and says what --epochs is', async () => {
  const { stdout } = await headrace(['train', '--help']);
  const text = stdout.replaceAll(/\s+/g, ' ');
  for (const name of ['resnet34', 'vit-small-p4', 'resnet: mnist 5, cifar10 30', 'vit: mnist 10']) {
    assert.ok(text.includes(name), name);
  }
});

it('a device that is not there is told before anything starts', async () => {
  const where = folder.at('device');
  const message = /^headrace: Expected devices that can be used here, got 'cuda:99': .*\n$/;
  await fails(['train', 'resnet20', '--data', 'cifar10:nowhere', '--devices', 'cuda:99', '--out', where], message);
  assert.ok(!existsSync(where));
  await fails(['eval', out, '--devices', 'cuda:99'], message);
});

describe('one owner', () => {
  it('a second run in the folder is refused, and the first goes on; after a kill the next takes over', async () => {
    const where = folder.at('owned');
    let second: Promise<Outcome> | null = null;
    const first = await trainInto(where, (child) => {
      second = headrace(['train', '--resume', where]).then((outcome) => {
        assert.match(outcome.stderr, new RegExp(`^headrace: ${where} is in use by process ${child.pid} on .* since 2`));
        child.kill('SIGKILL');
        return outcome;
      });
    });
    assert.equal(first.code, null);
    assert.equal((await second!).code, 1);
    assert.ok(existsSync(`${where}/run.lock`));
    const { step } = JSON.parse(readFileSync(`${where}/checkpoint/state.json`, 'utf8'));
    const next = await headrace(['train', '--resume', where, '--steps', String(step + 1), '--json']);
    assert.equal(next.code, 0, next.stderr);
    assert.equal(lastJson(next).steps, step + 1);
    assert.ok(!existsSync(`${where}/run.lock`));
  });
});

describe('interrupted', () => {
  it('before the first step, no checkpoint is promised', async () => {
    let where = '';
    // Without a cut the layers are measured first: it ends there.
    const outcome = await interrupted(
      (attempt) => {
        where = folder.at(`early-${attempt}`);
        return headrace(['train', 'resnet20', '--data', 'mnist', '--limit', '64', '--out', where], {
          whenStarted: (child) => child.stderr!.once('data', () => child.kill('SIGINT')),
        });
      },
      ({ stderr }) => /^step \d/m.test(stderr),
    );
    assert.equal(outcome.code, 130, outcome.stderr);
    assert.match(outcome.stderr, /^measuring 20 layers to choose the cut\nheadrace: stopping, before the first step; /);
    assert.match(outcome.stderr, /stopped before the first step: there is no checkpoint/);
    assert.doesNotMatch(outcome.stderr, /checkpoint in|To go on/);
    assert.doesNotMatch(outcome.stdout, /kept in/);
    assert.ok(!existsSync(`${where}/run.lock`));
  });
});

describe('a folder that is not what it was', () => {
  it('one that vanishes ends the run with one message', async () => {
    const where = folder.at('gone');
    let gone = 0;
    const outcome = await trainInto(where, () => {
      gone = performance.now();
      // At once: threads may be writing into it, and what is removed file by file comes to life again.
      renameSync(where, `${where}-away`);
    });
    assert.equal(outcome.code, 1, outcome.stderr);
    assert.ok(performance.now() - gone < 60_000);
    const lines = outcome.stderr.split('\n').filter((line) => line.startsWith('headrace:') || / at /.test(line));
    assert.equal(lines.length, 1, outcome.stderr);
    assert.match(lines[0]!, /^headrace: .*gone/);
  });

  it('damaged files are named, with what is wrong in them', async () => {
    const broken = folder.at('broken');
    cpSync(out, broken, { recursive: true });
    const damage = (name: string, text: string): (() => void) => {
      const before = readFileSync(`${broken}/${name}`);
      writeFileSync(`${broken}/${name}`, text);
      return () => writeFileSync(`${broken}/${name}`, before);
    };
    const config = readFileSync(`${out}/config.json`, 'utf8');
    const change = (more: object): string => JSON.stringify({ ...JSON.parse(config), ...more });
    const faults: [string, string, RegExp][] = [
      ['config.json', config.slice(0, 50), /config\.json .* damaged or cut short/],
      ['config.json', '', /config\.json .* it is empty/],
      ['config.json', '[1]', /config\.json .* expected it to be an object, got \[1\]/],
      [
        'config.json',
        change({ batchSize: 'many', seed: null }),
        /batchSize to be a whole number >= 1, got "many"; seed to be a number, got null/,
      ],
      ['config.json', change({ model: undefined }), /model to be an object, got nothing/],
      ['checkpoint/state.json', '{"format":1', /state\.json .* damaged/],
      [
        'checkpoint/state.json',
        '{"format":1,"step":2,"epoch":0,"cut":[],"shards":[{"model":"../x","heads":null,"optimizer":null}]}',
        /shards\[0\]\.model to be the name of a file/,
      ],
      ['input.json', '{"classes":3}', /input\.json .* classes to be a list, got 3; transforms/],
    ];
    for (const [name, text, message] of faults) {
      const mend = damage(name, text);
      await assert.rejects(evaluate(broken, readRunConfig(out).data), { name: 'DataError', message });
      mend();
    }
    damage('config.json', config.slice(0, 50));
    const message = /config\.json .* cut short/;
    await Promise.all([
      fails(['eval', broken], message),
      fails(['export', broken, '-o', folder.at('x')], message),
      fails(['train', '--resume', broken], message),
    ]);
  });

  it("a sentiment model's is told apart, and the verb for it is named", async () => {
    const shipped = new URL('../../../models/sentiment-text', import.meta.url).pathname;
    await fails(['eval', shipped], /holds a sentiment model: use headrace sentiment eval .*sentiment-text --data SPEC/);
    await Promise.all([
      fails(['export', shipped, '-o', folder.at('x')], /use headrace sentiment pack/),
      fails(['predict', shipped, 'x.png'], /use headrace sentiment predict/),
      fails(['train', '--resume', shipped], /use headrace sentiment train/),
    ]);
    const where = folder.at('sentiment');
    cpSync(shipped, where, { recursive: true });
    await fails(
      ['train', 'resnet20', ...small, '--steps', '1', '--out', where],
      /config\.json that is not of a run like this/,
    );
    assert.equal(readFileSync(`${where}/config.json`, 'utf8'), readFileSync(`${shipped}/config.json`, 'utf8'));
    await fails(
      ['sentiment', 'eval', out, '--data', 'mosi:x'],
      /holds a run of an image model, not a sentiment model: headrace eval/,
    );
  });

  it('a reader of the output that ends does not end the run', async () => {
    const where = folder.at('pipe');
    mkdirSync(where);
    const outcome = await headrace(['train', 'resnet20', ...small, '--steps', '4', '--out', where], {
      whenStarted: (child) => {
        child.stdout!.destroy();
        child.stderr!.destroy();
      },
    });
    assert.equal(outcome.code, 0);
    assert.equal(JSON.parse(readFileSync(`${where}/metrics.json`, 'utf8')).steps, 4);
  });
});

describe("a model and data of one's own", () => {
  const file = fileURLToPath(new URL('../../examples/own-model.js', import.meta.url));
  const options = ['--model-option', 'width=16', '--model-option', 'depth=2', '--data', `${file}:spirals`];
  const data = ['--data-option', 'train=300', '--data-option', 'test=100'];

  it('are trained from files that export them, tested and gone on with by the folder', async () => {
    const own = folder.at('own');
    const run = [
      'train',
      `${file}:spiralNet`,
      ...options,
      ...data,
      '--cut',
      '1',
      '--epochs',
      '2',
      '--out',
      own,
      '--json',
    ];
    const trained = await headrace(run);
    assert.equal(trained.code, 0, trained.stderr);
    const { steps, metrics } = lastJson(trained) as { steps: number; metrics: object };
    assert.deepEqual([steps, Object.keys(metrics)], [10, ['accuracy', 'loss']]);
    const tested = await headrace(['eval', own, '--json']);
    assert.equal(tested.code, 0, tested.stderr);
    assert.equal(lastJson(tested).count, 100);
  });

  it('are planned and compared as others are', async () => {
    const [model, ...own] = [`${file}:spiralNet`, ...options];
    const planned = await headrace(['plan', model!, ...own.slice(0, 4), '--seconds', '0', '--json']);
    assert.equal(planned.code, 0, planned.stderr);
    const { profile } = lastJson(planned) as { profile: { layers: { name: string }[] } };
    const names = profile.layers.map(({ name }) => name);
    assert.deepEqual(names, ['first', 'hidden.0', 'hidden.1', 'last']);
    const turns = [
      '--schedules',
      'bp,gpipe',
      '--cut',
      '1',
      '--steps',
      '1',
      '--rounds',
      '1',
      '--warm-up',
      '1',
      '--json',
    ];
    const compared = await headrace(['compare', model!, ...own, ...data, ...turns]);
    assert.equal(compared.code, 0, compared.stderr);
    assert.deepEqual(Object.keys((lastJson(compared) as { results: object }).results), ['bp', 'gpipe']);
  });

  it('that are not there are told by their full path, or what they export', async () => {
    const into = ['--out', folder.at('none')];
    await fails(
      ['train', './none.js', '--data', './none.js', ...into],
      /a file with a model at \/.*none\.js, found none/,
    );
    await fails(['train', file, ...options, ...into], /own-model\.js to export a function default, got undefined/);
    await fails(['train', file, '--data', 'mnist', ...into], /data of your own beside a model of your own.*got mnist/);
  });
});
