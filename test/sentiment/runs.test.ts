// Runs of sentiment models on the command line: one owner, settings that differ, folders that vanish, files that are damaged.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import {
  beginFolder,
  prepareData,
  type SeedNotice,
  SeedRuns,
  type SentimentSource,
  saveMmsaNpz,
} from 'headrace/sentiment';
import { headrace, type Outcome, temporaryFolder } from '../cli/run.js';
import { smallConfig, smallData } from './train-support.js';

const folder = temporaryFolder();
after(() => folder.remove());
const data = folder.at('small.npz');
const out = folder.at('run');

const train = (where: string, ...more: string[]): string[] => {
  const fixed = ['--seeds', '1', '--set', 'batchSize=6'];
  return ['sentiment', 'train', 'self-mm', '--data', `mmsa:${data}`, '--out', where, ...fixed, ...more];
};
const endless = ['--set', 'maxEpochs=100000', '--set', 'patience=100000'];

async function fails(args: readonly string[], message: RegExp): Promise<void> {
  const outcome = await headrace(args);
  assert.equal(outcome.code, 1, outcome.stderr);
  const last = outcome.stderr.trimEnd().split('\n').at(-1)!;
  assert.match(last, message);
  assert.doesNotMatch(outcome.stderr, / {4}at /);
}

/** Trains without end; `act` is called once a state is kept. */
function trainInto(
  where: string,
  act: (child: { kill(signal: NodeJS.Signals): unknown; pid?: number }) => void,
  more: string[] = [],
): Promise<Outcome> {
  return headrace(train(where, ...endless, ...more), {
    whenStarted: (child) => {
      const poll = setInterval(() => {
        if (!existsSync(`${where}/seed-1111/checkpoint.safetensors`)) return;
        clearInterval(poll);
        act(child);
      }, 30);
    },
  });
}

before(async () => {
  saveMmsaNpz(smallData(), data);
  const outcome = await headrace(train(out, '--set', 'maxEpochs=1'));
  assert.equal(outcome.code, 0, outcome.stderr);
  assert.ok(!existsSync(`${out}/run.lock`));
});

describe('a folder of seeds', () => {
  it('has one owner, who is named; one that was killed is followed', async () => {
    const where = folder.at('owned');
    let second: Promise<void> | null = null;
    const first = await trainInto(where, (child) => {
      const named = new RegExp(`^headrace: ${where} is in use by process ${child.pid} on .* since 2`);
      second = fails(train(where, ...endless, '--resume'), named).finally(() => child.kill('SIGKILL'));
    });
    await second;
    assert.equal(first.code, null);
    assert.ok(existsSync(`${where}/run.lock`));
    const lock = JSON.parse(readFileSync(`${where}/run.lock`, 'utf8'));
    assert.equal(typeof lock.pid, 'number');
    const state = `${where}/seed-1111/checkpoint.safetensors`;
    const kept = statSync(state).mtimeMs;
    const next = headrace(train(where, ...endless, '--resume'), {
      whenStarted: (child) => {
        const poll = setInterval(() => {
          if (statSync(state).mtimeMs === kept) return;
          clearInterval(poll);
          assert.equal(JSON.parse(readFileSync(`${where}/run.lock`, 'utf8')).pid, child.pid);
          child.kill('SIGINT');
        }, 30);
      },
    });
    assert.equal((await next).code, 130);
    assert.ok(!existsSync(`${where}/run.lock`));
  });

  it('that vanishes ends the run with one message, by branches on threads as well', async () => {
    for (const [name, more] of [
      ['gone', []],
      ['gone-ppll', ['--schedule', 'ppll']],
    ] as const) {
      const where = folder.at(name);
      const outcome = await trainInto(where, () => rmSync(where, { recursive: true, force: true, maxRetries: 50 }), [
        ...more,
      ]);
      assert.equal(outcome.code, 1, outcome.stderr);
      const lines = outcome.stderr.split('\n').filter((line) => line.startsWith('headrace:'));
      assert.equal(lines.length, 1, outcome.stderr);
      assert.match(lines[0]!, new RegExp(name));
      assert.doesNotMatch(outcome.stderr, / {4}at /);
      assert.ok(!existsSync(where));
    }
  });
});

const source = (): SentimentSource => ({ format: 'mmsa-npz', path: data });

async function begin(name: string, notice: (notice: SeedNotice) => void, change = {}): Promise<SeedRuns> {
  const where = folder.at(name);
  mkdirSync(where);
  const config = smallConfig('self-mm', { maxEpochs: 100_000, patience: 100_000, ...change });
  const own = smallData();
  beginFolder(where, config, prepareData(config, own), false);
  own.dispose();
  return new SeedRuns(config, source(), { seeds: [1, 2], jobs: 2, out: where, onNotice: notice });
}

for (const schedule of ['bp', 'ppll'] as const) {
  it(`a seed of ${schedule} that fails ends the others, whatever thread fails`, async () => {
    const runs = await begin(
      `failing-${schedule}`,
      ({ kind, seed }) => {
        if (kind === 'epoch' && seed === 2) throw new Error('the listener fails');
      },
      schedule === 'bp' ? {} : { schedule },
    );
    await assert.rejects(runs.run(), { name: 'HeadraceError', message: /^seed 2: the listener fails$/ });
    assert.ok(!existsSync(folder.at(`failing-${schedule}/run.lock`)));
  });
}
