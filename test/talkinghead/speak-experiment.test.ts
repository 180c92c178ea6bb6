/** Experiments: rows that differ in one thing, trained and measured one after another, broken off and gone on with. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { getNumThreads, setNumThreads } from 'headrace';
import {
  chosenRows,
  type IrfdEvaluation,
  irfdExperiment,
  irfdFigures,
  irfdRows,
  makeSyntheticSet,
  readIrfdConfig,
  readTalkingConfig,
  rowFolder,
  runExperiment,
  speakRows,
} from 'headrace/talkinghead';
import { headrace } from '../cli/run.js';

const threads = getNumThreads();
const folder = mkdtempSync(join(tmpdir(), 'headrace-experiment-'));
const [set, out] = [join(folder, 'set'), join(folder, 'out')];
before(() => makeSyntheticSet(set, { seed: 4, count: 8, people: 4, frames: 2, fps: 3, size: 16 }));
after(() => {
  setNumThreads(threads);
  rmSync(folder, { recursive: true });
});

const tiny = {
  size: 16,
  encoder: { depth: 10, width: 4 },
  codes: { identity: 6, emotion: 5, pose: 4 },
  style: 8,
  channels: 8,
  budget: 64,
  testPeople: 2,
  pairs: 4,
  steps: 4,
  keepEvery: 2,
} as const;

/** What a row changes, by path. */
function changed(a: object, b: object, path = ''): string[] {
  return Object.keys(a).flatMap((key) => {
    const [before, now] = [(a as Record<string, unknown>)[key], (b as Record<string, unknown>)[key]];
    if (typeof before === 'object' && before !== null) return changed(before, now as object, `${path}${key}.`);
    return before === now ? [] : [`${path}${key}=${now}`];
  });
}

test('each row changes what it is named for, and no row changes the budget', () => {
  const irfd = readIrfdConfig('standard', tiny);
  const of = (rows: readonly { name: string; config: object }[], name: string): string[] =>
    changed(rows[0]!.config, rows.find((row) => row.name === name)!.config);
  const rows = irfdRows(irfd);
  assert.deepEqual(
    rows.map(({ name }) => name),
    [
      'full',
      'literal',
      ...['self', 'exact', 'identity', 'emotion', 'pose', 'classification'].map((x) => `without ${x}`),
    ],
  );
  for (const { name } of rows.slice(2)) assert.deepEqual(of(rows, name), [`loss.${name.slice(8)}=0`]);
  const literal = ['mode=literal', 'sphere=false', 'exchanges=0', 'exactShare=0', 'faceWeight=0', 'augment=false'];
  assert.deepEqual(of(rows, 'literal').slice(0, literal.length), literal);
  assert.ok(
    of(rows, 'literal')
      .slice(literal.length)
      .every((each) => each.startsWith('loss.')),
  );
  assert.deepEqual(irfdRows(readIrfdConfig('literal', tiny)).length, 6); // no truth of exchanges to leave out
  const speak = speakRows(readTalkingConfig('standard', { irfd: 'x', sync: 'x', tune: 0, 'loss.pose': 0.2 }));
  assert.deepEqual(of(speak, 'form picture'), ['form=picture']);
  assert.deepEqual(of(speak, 'without gan'), ['gan.weight=0']);
  assert.deepEqual(of(speak, 'without sync'), ['loss.sync=0']);
  assert.deepEqual(of(speak, 'without perceptual'), ['loss.perceptual=0']);
  assert.deepEqual(of(speak, 'without irfd'), ['encoders=fresh', 'tune=1', 'loss.pose=0']);
  assert.deepEqual(
    chosenRows(speak, ['without gan', 'full']).map(({ name }) => name),
    ['full', 'without gan'],
  );
  assert.throws(() => chosenRows(speak, ['without gan', 'hair']), /Expected rows among full, literal.*got hair/);
});

test('figures are those of the matrix; leakage is the worst of what a code should not tell', () => {
  const row = (pixels: number) => ({ pixels, pose: pixels / 2, emotion: pixels / 100, identity: pixels / 200 });
  const rows = (pixels: number) => ({ made: row(pixels), exact: row(0), unchanged: row(9) });
  const code = { identity: 0.1, emotion: 0.2, pose: 0 };
  const found: IrfdEvaluation = {
    people: 10,
    exchanges: { identity: 1, emotion: 1, pose: 1 },
    matrix: { none: rows(4), identity: rows(10), emotion: rows(20), pose: rows(60) },
    codes: { identity: { ...code, identity: 1 }, emotion: { ...code, identity: 0.35 }, pose: { ...code, pose: 0.9 } },
    chance: { identity: 0.1, emotion: 0.2 },
  };
  const { leakage, ...rest } = irfdFigures(found);
  assert.deepEqual(rest, { 'own pixels': 4, pixels: 30, pose: 30, emotion: 20, identity: 5 });
  assert.ok(Math.abs(leakage! - 25) < 1e-9);
});

test('what is broken off is gone on with: rows that are done are taken as they are, one in work from where it was', async () => {
  const rows = chosenRows(irfdRows(readIrfdConfig('standard', tiny)), ['full', 'without pose']);
  const kind = irfdExperiment(set, 2);
  let [stop, told] = [false, 0];
  const steps: string[] = [];
  const hooks = (watch: boolean) => ({
    out,
    seeds: 1,
    onRow: (name: string, seed: number, done: number, all: number) => steps.push(`${name} ${seed} ${done}/${all}`),
    onRecord: ({ step }: { step: number }) => void steps.push(String(step)),
    onProgress: (what: string) => {
      if (watch && what === 'training' && ++told === 6) setImmediate(() => (stop = true));
    },
    shouldStop: () => stop,
  });
  assert.equal(await runExperiment(kind, rows, hooks(true)), null);
  assert.deepEqual(steps, ['full 1 0/2', '2', '4', 'without pose 1 1/2', steps.at(-1)]);
  assert.ok(existsSync(join(rowFolder(out, 'full', 1), 'row.json')));
  stop = false;
  steps.length = 0;
  const results = (await runExperiment(kind, rows, hooks(false)))!;
  assert.deepEqual([steps[0], steps[1], steps.at(-1)], ['full 1 0/2', 'without pose 1 1/2', '4']);
  assert.ok(steps.length <= 4);
  const again = (await runExperiment(kind, rows, hooks(false)))!;
  assert.deepEqual(again, results);
  for (const { results: runs } of results) {
    assert.deepEqual(runs[0]!.figures, irfdFigures(runs[0]!.found));
    assert.ok(runs[0]!.secondsPerStep > 0);
  }
  assert.notDeepEqual(results[0]!.results[0]!.figures, results[1]!.results[0]!.figures);
  const other = rows.map((row) => ({ ...row, config: { ...row.config, lr: 0.5 } }));
  await assert.rejects(runExperiment(kind, other, hooks(false)), /holds a row of another configuration.*lr/);
});

test('on the command line: one table, the same as JSON, and rows that there are not', async () => {
  const config = join(folder, 'tiny.json');
  writeFileSync(config, JSON.stringify({ recipe: 'standard', ...tiny }));
  const args = ['talk', 'ablate', 'irfd', config, '--data', set, '--out', out, '--rows', 'full,without pose'];
  const made = await headrace(args);
  assert.equal(made.code, 0, made.stderr);
  assert.match(made.stderr, /2 of 2: without pose, seed 1/);
  assert.match(made.stdout, /4 steps each +own pixels +pixels +pose +emotion +identity +leakage +s\/step/);
  assert.match(made.stdout, /without pose +\d/);
  assert.match(made.stdout, /exact pictures +0\.00 +0\.00/);
  const json = await headrace([...args, '--json']);
  const kept = JSON.parse(readFileSync(join(out, 'ablation.json'), 'utf8')) as Record<string, unknown>;
  const { results: _, ...rest } = kept;
  assert.deepEqual(JSON.parse(json.stdout), rest);
  const wrong = await headrace([...args.slice(0, -1), 'hair']);
  assert.equal(wrong.code, 1);
  assert.match(wrong.stderr, /Expected rows among full, literal/);
});
