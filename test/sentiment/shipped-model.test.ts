// The reader that comes with Headrace, on sentences as people type them, which it was neither trained nor chosen on.
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { loadSafetensors } from 'headrace/io';
import {
  beginFolder,
  loadModel,
  PackedSequences,
  predictSplit,
  predictUtterances,
  prepareData,
  SeedTrainer,
  SentimentReader,
  shippedModel,
  type TextReading,
  unnamed,
  writeResult,
} from 'headrace/sentiment';
import { BertEncoder } from 'headrace/text';
import { headrace, lastJson } from '../cli/run.js';
import { spreadOf, unlisted } from './reader-groups.js';
import { foreign, gibberish, sentences } from './reader-sentences.js';
import { smallConfig, smallData } from './train-support.js';

const folder = mkdtempSync(join(tmpdir(), 'headrace-shipped-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const reader = SentimentReader.load();

/** How many of a group are read rightly, and what is not. */
function rightOf(group: string): { right: number; all: number; wrong: string[] } {
  const cases = Object.entries(sentences[group]!).flatMap(([label, texts]) => texts.map((text) => ({ label, text })));
  const read = reader.read(cases.map(({ text }) => text));
  const wrong = read.filter(({ label }, i) => label !== cases[i]!.label);
  const told = wrong.map(
    ({ text, label, probabilities }) => `${group}: ${label} ${probabilities[label].toFixed(2)}: ${text}`,
  );
  return { right: read.length - wrong.length, all: read.length, wrong: told };
}

test('of a hundred sentences in ten groups most get the right label, of plain ones nine of ten', (t) => {
  const groups = Object.keys(sentences).map((name) => ({ name, ...rightOf(name) }));
  const sum = (of: 'right' | 'all'): number => groups.reduce((all, group) => all + group[of], 0);
  for (const { name, right, all, wrong } of groups) t.diagnostic(`${name} ${right} of ${all} ${wrong.join(' | ')}`);
  assert.equal(sum('all'), 100);
  assert.ok(groups[0]!.right >= 18, groups[0]!.wrong.join('\n'));
  assert.ok(sum('right') >= 79, `${sum('right')} right`);
});

test('other languages and nonsense are marked unsure', (t) => {
  const unsure = (texts: readonly string[]): number => reader.read(texts).filter((each) => each.unsure !== null).length;
  const [away, none] = [unsure(foreign), unsure(gibberish)];
  t.diagnostic(`${away} of ${foreign.length} languages, ${none} of ${gibberish.length} nonsense`);
  assert.ok(away + none >= 25, `${away} and ${none}`);
});

test("its rows are what its tasks are read from: through the last layer's weights they give its outputs", () => {
  const texts = ['I loved every minute of it.', 'meh', ''];
  const [long, short, empty] = reader.rows(texts) as [Float32Array, Float32Array, Float32Array];
  const { tensors } = loadSafetensors(join(shippedModel, 'model.safetensors'));
  const named = (key: string) => tensors.get(`reader.outputs.${key}`)!.to({ dtype: 'float32' }).tolist();
  const [weight, bias] = [named('weight') as number[][], named('bias') as number[]];
  const given = reader.outputs(texts.slice(0, 2));
  for (const [i, rows] of [long, short].entries()) {
    const vector = rows.subarray(0, weight[0]!.length);
    for (const [k, own] of weight.entries()) {
      const expected = own.reduce((sum, w, d) => sum + w * vector[d]!, bias[k]!);
      assert.ok(Math.abs(expected - given[i]![k]!) < 1e-4, `${texts[i]}, output ${k}: ${expected}, ${given[i]![k]}`);
    }
  }
  assert.ok(long.length > short.length && long.length % reader.width === 0 && empty.length === 0);
});

test('its folder is that of a BERT, to go on from', () => {
  const { bert } = BertEncoder.fromFolder(shippedModel);
  const { tensors } = loadSafetensors(join(shippedModel, 'model.safetensors'));
  for (const [key, value] of bert.stateDict()) {
    assert.ok(value.equal(tensors.get(`bert.${key}`)!.to({ dtype: 'float32' })), key);
  }
});

test('a multimodal model reads texts by it, in training and from its folder', async () => {
  const config = smallConfig('self-mm', { text: { kind: 'shipped' }, modalities: ['text', 'audio'], maxEpochs: 2 });
  const prepared = prepareData(config, smallData());
  assert.equal(prepared.shape.widths.text, reader.width);
  const trainer = new SeedTrainer(config, prepared, 1);
  const result = (await trainer.run())!;
  const out = join(folder, 'shipped');
  beginFolder(out, config, prepared, false);
  writeResult(out, result, trainer.network);
  const model = loadModel(out);
  const { data, splits } = prepared;
  const { ids, predictions } = predictSplit(trainer.network, config, splits.test);
  const item = data.utterances[splits.test.indices[0]!]!;
  const own = {
    spec: data.features.audio!.spec,
    lengths: Int32Array.of(data.features.audio!.lengths[splits.test.indices[0]!]!),
  };
  const audio = PackedSequences.from({ ...own, read: () => data.features.audio!.rows(splits.test.indices[0]!) });
  const [read] = predictUtterances(model, [{ id: item.id, text: item.text }], { audio });
  assert.equal(item.id, ids[0]);
  assert.ok(Math.abs(read!.score - predictions[0]!) < 1e-4, `${read!.score}, ${predictions[0]}`);
  const [silent] = predictUtterances(model, [{ id: 'x', text: null }], { audio });
  assert.deepEqual(silent!.missing, ['text']);
});

test('who is named changes little of what is read', (t) => {
  const found = spreadOf((texts) => reader.read(texts).map(({ score }) => score));
  for (const { frame, lowest, highest } of found) {
    const [low, high] = [lowest, highest].map(({ group, score }) => `${group} ${score.toFixed(2)}`);
    t.diagnostic(`${frame} ${(highest.score - lowest.score).toFixed(2)}: ${low} to ${high}`);
  }
  const greatest = Math.max(...found.map(({ lowest, highest }) => highest.score - lowest.score));
  assert.ok(greatest <= 0.3, String(greatest));
});

test('groups whose names it does not know differ, no more than the card says', (t) => {
  for (const group of unlisted) assert.equal(unnamed(`A ${group} nurse helped me.`), `A ${group} nurse helped me.`);
  const found = spreadOf((texts) => reader.read(texts).map(({ score }) => score), unlisted);
  const spreads = found.map(({ lowest, highest }) => highest.score - lowest.score);
  for (const [i, { frame, lowest, highest }] of found.entries()) {
    t.diagnostic(`${frame} ${spreads[i]!.toFixed(2)}: ${lowest.group} to ${highest.group}`);
  }
  const card = readFileSync(join(shippedModel, 'README.md'), 'utf8');
  const [, told] = /groups that are not listed.*?\| (\d\.\d\d) \|/.exec(card)!;
  assert.ok(Math.max(...spreads) < Number(told) + 0.005, `${Math.max(...spreads)}, the card says ${told}`);
});

test('without a folder predict uses the model that comes with Headrace, and says so', async () => {
  const outcome = await headrace(['sentiment', 'predict', '--text', 'I loved it', '--json']);
  assert.equal(outcome.code, 0, outcome.stderr);
  assert.match(outcome.stderr, /read by sentiment-text, the model that comes with Headrace/);
  const { name, utterances } = lastJson(outcome) as {
    name: string;
    utterances: (TextReading & { confidence: number })[];
  };
  assert.equal(name, 'sentiment-text');
  assert.equal(utterances[0]!.label, 'positive');
  assert.ok(utterances[0]!.score > 0 && utterances[0]!.score <= 3);
  assert.ok(utterances[0]!.confidence > 1 / 3);
  const { tweet, irony, ekman, spoken } = utterances[0]!;
  assert.deepEqual([tweet!.label, ekman[0]!.name, spoken], ['joy', 'joy', 'positive']);
  assert.ok(Math.abs(Object.values(tweet!.probabilities).reduce((a, b) => a + b, 0) - 1) < 1e-6);
  assert.ok(irony! > 0 && irony! < 1);
});

test('a first argument that is a file is a clip for that model; a folder without a model is told', async () => {
  const clip = join(folder, 'no-clip.mp4');
  writeFileSync(clip, 'this is text');
  const asClip = await headrace(['sentiment', 'predict', clip]);
  assert.equal(asClip.code, 1);
  assert.match(asClip.stderr, /no-clip\.mp4/);
  assert.doesNotMatch(asClip.stderr, /config\.json/);
  const asModel = await headrace(['sentiment', 'predict', folder, '--text', 'I loved it']);
  assert.equal(asModel.code, 1);
  assert.match(asModel.stderr, /Expected the folder of a sentiment model/);
});

test('the model is small, whole, and described', () => {
  const files = readdirSync(shippedModel, { recursive: true }) as string[];
  const bytes = files.reduce((sum, file) => sum + statSync(join(shippedModel, file)).size, 0);
  assert.ok(bytes < 12e6, `${bytes} bytes`);
  const card = readFileSync(join(shippedModel, 'README.md'), 'utf8');
  for (const part of ['Trained on', 'How well', 'Limits', 'Use', 'headrace sentiment finetune']) {
    assert.ok(card.includes(part), part);
  }
});
