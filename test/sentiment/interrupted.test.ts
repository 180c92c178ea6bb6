// Trainings of an encoder and of a reader on the command line, broken off by Ctrl-C: what goes on comes to the same bytes.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { readFinetuneConfig } from 'headrace/sentiment';
import { headrace, interrupted, type Outcome, temporaryFolder } from '../cli/run.js';

const folder = temporaryFolder();
after(() => folder.remove());
const data = folder.at('data');

const animals = ['cat meow milk', 'dog woof bone', 'cow moo grass', 'hen cluck corn'].map((line) => line.split(' '));
const grades = Array.from({ length: 360 }, (_, i) => {
  const [name, sound, food] = animals[(i * 7) % 4]!;
  return `${(i * 5) % 5}\tthe ${name} says ${sound} and eats ${food} .`;
});

before(() => {
  mkdirSync(data);
  for (const part of ['train', 'valid', 'test']) writeFileSync(join(data, `${part}.tsv`), `${grades.join('\n')}\n`);
});

/** Runs a command in one go, and into another folder with Ctrl-C once it has a checkpoint, then with --resume. */
async function bothWays(name: string, args: readonly string[]): Promise<[whole: string, resumed: string]> {
  const [whole, resumed] = [folder.at(`${name}-whole`), folder.at(`${name}-resumed`)];
  const into = (out: string, more: readonly string[], breaks: boolean): Promise<Outcome> =>
    headrace(
      ['sentiment', ...args, '--data', data, '--out', out, ...more],
      breaks ? { whenStarted: (child) => onceThere(`${out}/checkpoint/state.json`, () => child.kill('SIGINT')) } : {},
    );
  const first = await into(whole, [], false);
  assert.equal(first.code, 0, first.stderr);
  const broken = await interrupted(
    () => {
      rmSync(resumed, { recursive: true, force: true });
      return into(resumed, [], true);
    },
    ({ code }) => code === 0,
  );
  assert.equal(broken.code, 130, broken.stderr);
  assert.match(broken.stderr, new RegExp(`To go on: headrace sentiment ${name} .* --resume\n`));
  const next = await into(resumed, ['--resume'], false);
  assert.equal(next.code, 0, next.stderr);
  return [whole, resumed];
}

function onceThere(file: string, act: () => void): void {
  const poll = setInterval(() => {
    if (!existsSync(file)) return;
    clearInterval(poll);
    act();
  }, 20);
}

function sameBytes([whole, resumed]: readonly [string, string], names: readonly string[]): void {
  for (const name of names) {
    assert.ok(readFileSync(join(whole, name)).equals(readFileSync(join(resumed, name))), `${name} differs`);
  }
}

// Steps enough that a signal comes while there are more.
const learning = { epochs: 12, warmupEpochs: 0.5, checkpointEvery: 10, lr: 3e-3 };
const encoder = ['model.safetensors', 'tokenizer.json', 'config.json'];

test('pretrain and finetune go on after Ctrl-C as if nothing had been', async () => {
  const dropout = 0.1; // what is drawn must go on, too
  const pretrain = {
    ...learning,
    recipe: 'small',
    texts: ['train.tsv'],
    vocabulary: 150,
    model: { layers: 1, width: 32, heads: 2, inner: 64, dropout },
    length: 19,
    places: 24,
    batchSize: 32,
  };
  writeFileSync(folder.at('pretrain.json'), JSON.stringify(pretrain));
  const made = await bothWays('pretrain', ['pretrain', folder.at('pretrain.json')]);
  sameBytes(
    made,
    encoder.map((name) => join('encoder', name)),
  );

  const none = Object.fromEntries(Object.keys(readFinetuneConfig('reader').sets).map((name) => [name, null]));
  const parts = Object.fromEntries(['train', 'valid', 'test'].map((part) => [part, `${part}.tsv`]));
  const finetune = {
    ...learning,
    sets: { ...none, own: { kind: 'grades', ...parts } },
    heads: { hidden: 32, filters: 32, dropout },
    dropout,
    length: 16,
    batchTokens: 512,
    weights: 'int8',
  };
  writeFileSync(folder.at('finetune.json'), JSON.stringify(finetune));
  const bert = join(made[0], 'encoder');
  const read = await bothWays('finetune', ['finetune', folder.at('finetune.json'), '--bert', bert]);
  sameBytes(
    read,
    [...encoder, 'reader.json'].map((name) => join('reader', name)),
  );
});
