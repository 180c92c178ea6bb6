// The model that comes with Headrace, on sentences as people type them. They were written before it was trained, without a look
// at its vocabulary or its data, and are not to be changed to suit a model.
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { loadModel, predictUtterances, shippedModel } from 'headrace/sentiment';
import { headrace, lastJson } from '../cli/run.js';

const positive = [
  'I loved every minute of it.',
  'What a great day we had at the beach!',
  'This is the best phone I have ever bought.',
  'The food was delicious and the staff were very friendly.',
  'I am so happy that you came.',
  'It works perfectly and it was easy to set up.',
  'She is a wonderful teacher, and my son enjoys her lessons.',
  'Not bad at all, I would happily watch it again.',
  'The hotel was clean, quiet and close to everything.',
  'Thank you so much, that was really kind of you.',
];
const negative = [
  'I do not like this at all.',
  'The worst film I have seen this year.',
  'The room was dirty and the bed was uncomfortable.',
  'I waited an hour and nobody came to help me.',
  'It broke after two days and I want my money back.',
  'The story was boring and far too long.',
  'I am really disappointed with this product.',
  'He was rude to us and he spoiled the whole evening.',
  'This is not worth the price.',
  'I feel tired and sad today.',
];

const folder = mkdtempSync(join(tmpdir(), 'headrace-shipped-'));
after(() => rmSync(folder, { recursive: true, force: true }));

test('at least 17 of 20 plain sentences get the right label', () => {
  const model = loadModel(shippedModel);
  const cases = [
    ...positive.map((text) => ({ id: text, text, label: 'positive' })),
    ...negative.map((text) => ({ id: text, text, label: 'negative' })),
  ];
  const read = predictUtterances(model, cases);
  const wrong = read.filter(({ label }, i) => label !== cases[i]!.label);
  const told = wrong.map(({ text, score, label }) => `${score.toFixed(2)} ${label}: ${text}`).join('\n');
  assert.ok(wrong.length <= 3, `${wrong.length} wrong:\n${told}`);
});

test('without a folder predict uses the model that comes with Headrace, and says so', async () => {
  const outcome = await headrace(['sentiment', 'predict', '--text', 'I loved it', '--json']);
  assert.equal(outcome.code, 0, outcome.stderr);
  assert.match(outcome.stderr, /read by sentiment-text, the model that comes with Headrace/);
  const { name, utterances } = lastJson(outcome) as {
    name: string;
    utterances: { score: number; label: string }[];
  };
  assert.equal(name, 'sentiment-text');
  assert.equal(utterances[0]!.label, 'positive');
  assert.ok(utterances[0]!.score > 0 && utterances[0]!.score <= 3);
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
  assert.ok(bytes < 6e6, `${bytes} bytes`);
  const card = readFileSync(join(shippedModel, 'README.md'), 'utf8');
  for (const part of ['Trained on', 'How well', 'Limits', 'Use', 'headrace sentiment pack']) {
    assert.ok(card.includes(part), part);
  }
});
