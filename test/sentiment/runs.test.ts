// Runs of sentiment models on the command line: one owner, settings that differ, folders that vanish, files that are damaged.
import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { readEvents } from 'headrace/pipeline';
import {
  beginFolder,
  prepareData,
  type SeedNotice,
  SeedRuns,
  type SentimentSource,
  saveMmsaNpz,
} from 'headrace/sentiment';
import { headrace, lastJson, type Outcome, temporaryFolder } from '../cli/run.js';
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
  const outcome = await headrace(train(out, '--set', 'maxEpochs=1', '--seeds', '2'));
  assert.equal(outcome.code, 0, outcome.stderr);
  assert.ok(!existsSync(`${out}/run.lock`));
});

describe('what a run leaves for other programs', () => {
  const lines = (file: string): string[][] =>
    readFileSync(file, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => line.split(','));

  it("is its results by MMSA's names, and what each seed says of each utterance", async () => {
    const [predictions, csv] = [folder.at('predictions.csv'), folder.at('eval.csv')];
    const into = ['--predictions', predictions, '--csv', csv, '--json'];
    const tested = await headrace(['sentiment', 'eval', out, '--data', `mmsa:${data}`, ...into]);
    assert.equal(tested.code, 0, tested.stderr);
    const { seeds, summary, mmsa } = lastJson(tested) as {
      seeds: { seed: number; mae: number }[];
      summary: Record<string, unknown>;
      mmsa: Record<string, unknown>;
    };
    assert.deepEqual([mmsa.MAE, mmsa.Non0_acc_2, mmsa.Mult_acc_7], [summary.mae, summary.acc2Non0, summary.acc7]);
    const [header, first, second, mean] = lines(csv);
    assert.deepEqual(header!.slice(0, 5), ['Model', 'Seed', 'MAE', 'Corr', 'Mult_acc_7']);
    assert.deepEqual([first![1], first![2]], ['1111', String(seeds[0]!.mae)]);
    assert.ok(Math.abs(Number(mean![2]) - (Number(first![2]) + Number(second![2])) / 2) < 1e-12);
    assert.equal(readFileSync(`${out}/results.csv`, 'utf8'), readFileSync(csv, 'utf8'));
    const [columns, ...rows] = lines(predictions);
    assert.deepEqual(columns, ['seed', 'id', 'text', 'label', 'prediction', 'prediction_text', 'prediction_audio']);
    assert.equal(rows.length, 2 * 8);
    const errors = rows.filter(([seed]) => seed === '1112').map((row) => Math.abs(Number(row[3]) - Number(row[4])));
    assert.ok(Math.abs(errors.reduce((sum, error) => sum + error, 0) / 8 - seeds[1]!.mae) < 1e-6);
  });

  it('is compared with another run seed by seed', async () => {
    const other = folder.at('other');
    cpSync(out, other, { recursive: true });
    for (const [i, seed] of [1111, 1112].entries()) {
      const file = `${other}/seed-${seed}/metrics.json`;
      const result = JSON.parse(readFileSync(file, 'utf8'));
      result.test.mae += 0.1 * (i + 1);
      writeFileSync(file, JSON.stringify(result));
    }
    const compared = await headrace(['sentiment', 'compare', out, other, '--json']);
    assert.equal(compared.code, 0, compared.stderr);
    const { seeds, scores } = lastJson(compared) as { seeds: number[]; scores: Record<string, Record<string, number>> };
    assert.deepEqual(seeds, [1111, 1112]);
    // The differences are -0.1 and -0.2: t = -0.15 / (0.0707 / √2) = -3 with one degree of freedom.
    const { difference, t, df, p } = scores.mae!;
    for (const [value, expected] of [
      [difference, -0.15],
      [t, -3],
      [df, 1],
      [p, 1 - (2 / Math.PI) * Math.atan(3)],
    ] as const) {
      assert.ok(Math.abs(value! - expected) < 1e-9, `${value}, expected ${expected}`);
    }
    rmSync(`${other}/seed-1112`, { recursive: true });
    await fails(
      ['sentiment', 'compare', out, other],
      /two seeds or more that both have, got 1: .*--unpaired takes all/,
    );
  });
});

describe('a study of alignment', () => {
  it('tests rows that differ in it alone, as the data is and worse, and probes what codes hold', async () => {
    const grid = folder.at('grid');
    const set = ['--set', 'text.kind=features', '--set', 'maxEpochs=1', '--set', 'trainShare=0.5'];
    const study = ['--rows', 'kinds', '--conditions', 'no-audio', '--modalities', 'text,audio,vision', '--seeds', '2'];
    const args = ['sentiment', 'ablate', 'ours', '--data', 'synthetic:count=60', '--out', grid, ...set, ...study];
    const outcome = await headrace([...args, '--jobs', '2', '--json']);
    assert.equal(outcome.code, 0, outcome.stderr);
    interface Grid {
      readonly rows: readonly {
        name: string;
        seeds: number;
        test: { mae: { mean: number } };
        difference: { p: number } | null;
      }[];
      readonly verdict: string;
    }
    const { rows, verdict, conditions, factors } = lastJson(outcome) as unknown as Grid & {
      conditions: readonly (Grid & { name: string })[];
      factors: readonly string[][];
    };
    assert.deepEqual(
      rows.map(({ name }) => name.split(' ').at(-1)),
      ['L2+L1', 'covariance', 'correlation', 'cca', 'contrastive'],
    );
    assert.match(verdict, /against L2\+L1, 2 seeds, paired t-test on test MAE with Holm's correction for 4 rows/);
    assert.deepEqual(
      conditions.map(({ name }) => name),
      ['no-audio'],
    );
    assert.notEqual(conditions[0]!.rows[0]!.test.mae.mean, rows[0]!.test.mae.mean);
    assert.deepEqual(factors[0], ['R² of factors', 'code of', 'shared', 'text', 'audio', 'vision']);
    assert.equal(factors.length, 1 + 5 * 3);
    assert.ok(factors.slice(1).every((line) => line.slice(2).every((value) => Number.isFinite(Number(value)))));
    // A row's seeds are a run like any other.
    const tested = await headrace([
      ...['sentiment', 'eval', `${grid}/kind_cca`, '--data', 'synthetic:count=60', '--condition', 'no-audio', '--json'],
    ]);
    assert.equal(tested.code, 0, tested.stderr);
    const { summary } = lastJson(tested) as { summary: { mae: { mean: number } } };
    assert.equal(summary.mae.mean, conditions[0]!.rows[3]!.test.mae.mean);
    await fails([...args, '--conditions', 'no-sound', '--resume'], /a condition among no-text, .*, got 'no-sound'/);
  });
});

describe('a folder of seeds', () => {
  it('has the events of training through the whole network, too', () => {
    const events = readEvents(`${out}/seed-1111/events-0.jsonl`);
    assert.deepEqual(
      events.map(({ type }) => type),
      ['start', 'step', 'step', 'step', 'step', 'eval'],
    );
    const [, first] = events;
    assert.ok(first?.type === 'step' && first.samples === 6 && first.losses!.multimodal === first.loss);
  });

  it('has one owner, who is named; one that was killed is followed by what a launcher starts again', async () => {
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
    const next = headrace(train(where, ...endless), {
      env: { RANK: '0', WORLD_SIZE: '1', MASTER_ADDR: '127.0.0.1', MASTER_PORT: '1', TORCHELASTIC_RESTART_COUNT: '1' },
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
      // At once: threads may be writing into it.
      const outcome = await trainInto(where, () => renameSync(where, `${where}-away`), [...more]);
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
