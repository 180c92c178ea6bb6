// What a user may get wrong: a damaged folder of a model, names that do not exist, paths that lead nowhere, data that lack something.
import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { after, before, describe, it, test } from 'node:test';
import {
  beginFolder,
  loadModel,
  predictUtterances,
  prepareData,
  readManifest,
  readSentimentConfig,
  SeedTrainer,
  SentimentData,
  SentimentReader,
  sentimentRecipe,
  shippedModel,
  utterance,
  writeResult,
} from 'headrace/sentiment';
import { headrace, lastJson, temporaryFolder } from '../cli/run.js';
import { smallConfig } from './train-support.js';

const folder = temporaryFolder();
after(() => folder.remove());

type Json = Record<string, unknown>;

/** A folder with a label.csv of texts without clips. */
function writeSet(name: string, rows: readonly (readonly [text: string, label: number, mode: string])[]): string {
  mkdirSync(folder.at(name));
  const header = 'video_id,clip_id,text,label,label_T,label_A,label_V,annotation,mode';
  const lines = rows.map(([text, label, mode], i) => `v${i},1,${text},${label},,,,,${mode}`);
  writeFileSync(folder.at(`${name}/label.csv`), `${[header, ...lines].join('\n')}\n`);
  return folder.at(name);
}

before(async () => {
  writeSet('set', [
    ['a good film', 2, 'train'],
    ['a bad film', -2, 'train'],
    ['', 0.5, 'train'],
    ['good good', 1, 'valid'],
    ['bad bad', -1, 'test'],
    ['a film', 0, 'test'],
  ]);
  const rows = ['train', 'train', 'valid', 'test'].flatMap((mode) => [
    ['a good film', 2, mode] as const,
    ['a bad film', -2, mode] as const,
  ]);
  const args = ['--data', writeSet('words', rows), '--out', folder.at('trained'), '--seeds', '1'];
  const outcome = await headrace(['sentiment', 'train', 'text-only', ...args, '--set', 'maxEpochs=20']);
  assert.equal(outcome.code, 0, outcome.stderr);
});

/** A copy of a small model, with its config.json changed. */
function damaged(change: (manifest: Record<string, Json>) => unknown): string {
  const copy = folder.at('model');
  rmSync(copy, { recursive: true, force: true });
  cpSync(folder.at('trained'), copy, { recursive: true });
  const manifest = JSON.parse(readFileSync(`${copy}/config.json`, 'utf8')) as Record<string, Json>;
  const changed = change(manifest) ?? manifest;
  writeFileSync(`${copy}/config.json`, typeof changed === 'string' ? changed : JSON.stringify(changed));
  return copy;
}

test('a damaged config.json is one error that names the file and the fault', () => {
  const cases: [(manifest: Record<string, Json>) => unknown, RegExp][] = [
    [() => '{ "format": 1, "conf', /damaged or cut short: .*JSON/],
    [() => '', /damaged or cut short: it is empty/],
    [() => '[]', /expected it to be an object, got \[\]/],
    [() => '{"format":1}', /config to be an object, got nothing; features to be an object, got nothing/],
    [({ config }) => void Object.assign(config!, { model: 'self' }), /in config: Expected model to be shared-private/],
    [
      ({ config }) => void Object.assign(config!, { modalities: 'text' }),
      /config\.modalities to be a list, got "text"/,
    ],
    [({ config }) => void Object.assign(config!, { text: null }), /config\.text to be an object, got null/],
    [
      ({ config }) => void Object.assign(config!.text as Json, { kind: 'word' }),
      /in config: Expected text\.kind to be words/,
    ],
    [
      ({ config }) => void Object.assign(config!.text as Json, { width: -1 }),
      /in config: Expected text\.width to be a whole/,
    ],
    [
      ({ shape }) => void Object.assign(shape!, { outputs: 'one' }),
      /shape\.outputs to be a whole number >= 1, got "one"/,
    ],
    [({ shape }) => void delete shape!.widths, /shape\.widths to be an object, got nothing/],
    [(manifest) => ({ ...manifest, features: [] }), /features to be an object, got \[\]/],
    [(manifest) => ({ ...manifest, classes: null }), /classes to be a list, got null/],
    [(manifest) => ({ ...manifest, range: [3] }), /range to be the lowest and the highest score, got \[3\]/],
    [
      ({ config }) => void Object.assign(config!, { modalities: ['text', 'audio'] }),
      /shape\.widths\.audio to be there/,
    ],
  ];
  for (const [change, message] of cases) {
    const path = damaged(change);
    const fits = (error: Error) =>
      error.name === 'DataError' && error.message.includes(`${path}/config.json`) && message.test(error.message);
    assert.throws(() => readManifest(path), fits, String(message));
    assert.throws(() => loadModel(path), fits, String(message));
  }
});

test('what lies beside config.json is checked as well', () => {
  const fails = (spoil: (path: string) => void, message: RegExp) => {
    const path = damaged(() => undefined);
    spoil(path);
    assert.throws(
      () => loadModel(path),
      (error: Error) => error.name === 'DataError' && message.test(error.message),
    );
  };
  const metrics = (path: string) => `${path}/seed-1111/metrics.json`;
  fails((path) => writeFileSync(metrics(path), '{'), /metrics\.json .* damaged or cut short/);
  fails((path) => writeFileSync(metrics(path), '{"seed":1111}'), /metrics\.json .* history to be a list/);
  fails((path) => rmSync(`${path}/vocabulary.txt`), /vocabulary\.txt is missing: the model reads words/);
  fails(
    (path) => writeFileSync(`${path}/vocabulary.txt`, 'a\nb\n'),
    /model\.safetensors does not fit the config\.json/,
  );
  fails((path) => writeFileSync(`${path}/seed-1111/model.safetensors`, 'nothing'), /model\.safetensors/);
});

test('names within a configuration are checked at every depth', () => {
  const set = (path: string, value: unknown, recipe = 'ours') =>
    readSentimentConfig(recipe, { set: { [path]: value } });
  const modalities = ['text', 'audio', 'vision'] as const;
  assert.throws(() => set('text.reder', 'cnn'), /options of text .* got reder\. Did you mean reader\?/);
  assert.throws(
    () => set('text.reader', 'cn'),
    /text\.reader to be cnn, transformer, lstm, got "cn"\. Did you mean cnn\?/,
  );
  assert.throws(() => set('alignment.weigths.text-audio', 1), /options of alignment .* Did you mean weights\?/);
  assert.throws(() => set('alignment.weights.audio-visoin', 1), /alignment\.weights .* got audio-visoin/);
  assert.throws(
    () => set('alignment.weights.text-audio', 'much'),
    /weights\.text-audio to be a finite number, got "much"/,
  );
  assert.throws(() => set('groups.txt.lr', 1), /options of groups .* Did you mean text\?/);
  assert.throws(() => set('groups.text.weight_decay', 1), /groups\.text .* Did you mean weightDecay\?/);
  assert.throws(() => set('unimodal.label', 'given'), /options of unimodal .* Did you mean labels\?/);
  assert.throws(() => set('group.text.lr', 1), /got 'group\.text\.lr'\. Did you mean groups\.text\.lr\?/);
  assert.throws(
    () => set('groups', {}),
    /groups of text, audio, vision, other, got none of text, audio, vision, other/,
  );
  assert.throws(() => set('alignment', {}), /Expected alignment\.on to be set/);
  assert.throws(() => set('text.width', 'wide'), /text\.width to be a whole number from 1, got "wide"/);
  assert.throws(
    () => set('unimodal.modalities', ['txt']),
    /unimodal\.modalities to be some of text, audio, got \["txt"\]/,
  );
  assert.throws(() => set('device', 'gpu'), /device to be cpu, cuda:0 or mps, got "gpu"/);
  assert.throws(() => set('modelOptions', 3), /modelOptions to be an object or null, got 3/);
  assert.throws(() => set('__proto__.x', 3), /got '__proto__\.x'/);
  assert.throws(() => set('maxEpoch', 1), /Did you mean maxEpochs\?/);
  assert.throws(() => readSentimentConfig('self-m'), /got 'self-m'\. Did you mean self-mm\?/);
  assert.throws(() => readSentimentConfig('ours', { vector: 'x' } as object), /Did you mean vectors\?/);
  const config = readSentimentConfig('ours', { modalities, set: { 'alignment.weights.audio-vision': 2 } });
  assert.deepEqual(config.alignment?.weights, { 'audio-vision': 2 });
});

test('one empty text does not lose the others', () => {
  const model = loadModel(folder.at('trained'));
  const input = (text: string | null, i: number) => ({ id: `text ${i + 1}`, text });
  const [good, none, blank, bad] = predictUtterances(model, ['good film', null, ' ', 'bad film'].map(input));
  const [alone] = predictUtterances(model, [input('good film', 0)]);
  assert.ok(Math.abs(good!.score - alone!.score) < 1e-6 && good!.score > bad!.score);
  for (const unread of [none!, blank!]) {
    assert.deepEqual([unread.score, unread.label, unread.confidence], [Number.NaN, 'unknown', 0]);
    assert.deepEqual(unread.missing, ['text']);
  }
  assert.throws(
    () => predictUtterances(model, [input('', 0), input(null, 1)]),
    /'text 1' has nothing that the model reads/,
  );
});

/** Texts without a word that comes twice. */
function fewTexts(scored: boolean): SentimentData {
  const words = [...'abcdefgh'].map((letter) => letter.repeat(5));
  const utterances = words.map((text, i) => {
    const split = i < 4 ? 'train' : i < 6 ? 'valid' : 'test';
    return utterance({ id: text, video: text, split, text, ...(scored ? { label: (i % 3) - 1 } : { class: i % 2 }) });
  });
  return new SentimentData({
    name: 'few',
    utterances,
    ...(scored ? { range: [-3, 3] } : { classes: ['sad', 'glad'] }),
  });
}

test('a run on texts of which no word came twice can be read', async () => {
  const config = smallConfig('text-only', { modalities: ['text'], maxEpochs: 1 });
  const prepared = prepareData(config, fewTexts(true));
  assert.deepEqual(prepared.reader!.vocabulary, []);
  const trainer = new SeedTrainer(config, prepared, 1);
  const result = (await trainer.run())!;
  const out = folder.at('few');
  beginFolder(out, config, prepared, false);
  writeResult(out, result, trainer.network);
  const [read] = predictUtterances(loadModel(out), [{ id: 'x', text: 'anything' }]);
  assert.ok(Number.isFinite(read!.score));
});

test('scores where classes are needed, and classes for scores, are told as what they are', () => {
  assert.throws(
    () => prepareData(sentimentRecipe('text-classes', { modalities: ['text'] }), fewTexts(true)),
    /Expected classes in few, its labels are numbers: train a recipe of scores, such as text-only/,
  );
  assert.throws(
    () => prepareData(sentimentRecipe('text-only', { modalities: ['text'] }), fewTexts(false)),
    /Expected labels in few that are numbers, they are classes \(sad, glad\): train text-classes/,
  );
});

test('a reader is told apart from what a recipe trains, in either direction', () => {
  assert.throws(() => loadModel(shippedModel), /holds a reader of texts, .*: SentimentReader\.load\(folder\) reads it/);
  assert.throws(() => SentimentReader.load(folder.at('trained')), /Expected the folder of a reader/);
});

describe('on the command line', () => {
  it('what is no clip, no model, or has no words is told as what it is', async () => {
    writeFileSync(folder.at('lines.txt'), 'I loved it.\nI hated it.\n');
    const [clip, model, texts, wordless] = await Promise.all([
      headrace(['sentiment', 'predict', 'nosuch.wav']),
      headrace(['sentiment', 'predict', 'runs/nosuch', 'a.wav']),
      headrace(['sentiment', 'predict', folder.at('lines.txt')]),
      headrace(['sentiment', 'predict', 'examples/hello.flac', 'examples/ana.jpg']),
    ]);
    assert.deepEqual(
      [clip, model, texts, wordless].map(({ code }) => code),
      Array(4).fill(1),
    );
    assert.match(
      texts.stderr,
      /^headrace: Expected recordings .* texts, (.*lines\.txt): --file \1 reads a text a line\n$/,
    );
    assert.match(
      wordless.stderr,
      /^headrace: .*flac: Expected words to read, got none: .*--transcript.*--asr FOLDER$/m,
    );
    // A picture has no words, but a face.
    assert.match(
      wordless.stdout,
      /could not be read\n.*ana\.jpg\n {2}\S+ s {2}no score; face neutral 0\.\d\d; missing: text\n$/,
    );
    assert.match(clip.stderr, /^headrace: No such file: nosuch\.wav \(looked from .*\)$/m);
    assert.match(model.stderr, /^headrace: There is no runs\/nosuch .*: expected the folder of a model, or a clip\n$/);
  });

  it('of several texts an empty one is told, and the exit code is 1', async () => {
    const outcome = await headrace([
      'sentiment',
      'predict',
      '--json',
      '--text',
      'I loved it',
      '--text',
      '',
      '--text',
      '很好',
    ]);
    assert.equal(outcome.code, 1);
    const { utterances } = lastJson(outcome) as { utterances: { score: number | null; missing: string[] }[] };
    assert.deepEqual(
      utterances.map(({ score, missing }) => [typeof score, missing]),
      [
        ['number', []],
        ['object', ['text']],
        ['number', []],
      ],
    );
    assert.match(outcome.stderr, /^headrace: text 2 has nothing that the model reads: expected text$/m);
  });

  it('a text of which a word model knows no word is told', async () => {
    const outcome = await headrace(['sentiment', 'predict', folder.at('trained'), '--text', '很好', '--text', 'good']);
    assert.match(outcome.stderr, /^note: text 1: the model knows none of its words$/m);
    assert.doesNotMatch(outcome.stderr, /text 2/);
  });

  it('results have a row of the constant, in train and eval, and tell a model that is no better', async () => {
    const data = folder.at('set');
    const train = (out: string, ...more: string[]) =>
      headrace(['sentiment', 'train', 'text-only', '--data', data, '--out', out, '--seeds', '1', '--json', ...more]);
    const settings = ['--set', 'maxEpochs=1', '--set', 'text.lexicon=null'];
    // A learning rate of next to nothing: the model says next to the same of every text.
    const slow = ['--set', 'groups.text.lr=1e-30', '--set', 'groups.other.lr=1e-30', '--set', 'text.vectors=null'];
    const trained = await train(folder.at('run'), ...settings, ...slow);
    assert.equal(trained.code, 0, trained.stderr);
    const { constant } = lastJson(trained) as { constant: { value: number; test: { mae: number } } };
    assert.ok(Math.abs(constant.value - 0.5 / 3) < 1e-12);
    assert.ok(Math.abs(constant.test.mae - (Math.abs(-1 - 0.5 / 3) + 0.5 / 3) / 2) < 1e-12);
    assert.match(trained.stderr, /^note: 1 utterances without text are read as empty$/m);
    const evaluated = await headrace(['sentiment', 'eval', folder.at('run'), '--data', data]);
    assert.equal(evaluated.code, 0, evaluated.stderr);
    assert.match(evaluated.stdout, /^ +text-only +constant: training mean \+0\.17$/m);
    assert.match(evaluated.stdout, /^corr +\S+ +-$/m);
    assert.ok(existsSync(folder.at('run/summary.json')));
  });

  it('a run that goes on with other settings, or a seed that is not there, is told which', async () => {
    const data = ['--data', folder.at('set'), '--out', folder.at('run'), '--seeds', '1', '--resume'];
    const settings = ['--set', 'maxEpochs=2', '--set', 'text.width=128'];
    const [resumed, seed] = await Promise.all([
      headrace(['sentiment', 'train', 'text-only', ...data, ...settings]),
      headrace(['sentiment', 'predict', folder.at('run'), '--text', 'good', '--seed', '7']),
    ]);
    assert.equal(resumed.code, 1);
    assert.match(resumed.stderr, /another configuration: its settings are .*text.*maxEpochs 1, not 2/);
    assert.match(seed.stderr, /has no weights of seed 7 .*: it holds the seeds 1111/);
  });

  it('a model of texts is tested on a set without the sound that its training set had', async () => {
    const path = damaged(({ features }) => {
      Object.assign(features!, { audio: { name: 'sound', dims: 73, unit: 'utterance', rate: null, version: '1' } });
    });
    const outcome = await headrace(['sentiment', 'eval', path, '--data', folder.at('set'), '--json']);
    assert.equal(outcome.code, 0, outcome.stderr);
    assert.equal((lastJson(outcome) as { seeds: unknown[] }).seeds.length, 1);
  });
});
