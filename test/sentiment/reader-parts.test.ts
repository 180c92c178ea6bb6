import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import {
  calibrationError,
  careless,
  drawer,
  examplesOf,
  fitTemperature,
  fitThreshold,
  labelReaders,
  phraseExamples,
  plainText,
  sentencesOf,
  unnamed,
} from 'headrace/sentiment';
import { unlisted } from './reader-groups.js';
import { foreign, gibberish, sentences } from './reader-sentences.js';

const folder = mkdtempSync(join(tmpdir(), 'headrace-sets-'));
after(() => rmSync(folder, { recursive: true, force: true }));

test('the temperature makes probabilities as often right as they say', () => {
  // Three of four right, all as sure: 1 / (1 + e^(-2/T)) = 3/4, so T = 2 / ln 3.
  const logits = [0, 1, 2, 3].map(() => [2, 0]);
  assert.ok(Math.abs(fitTemperature(logits, [0, 0, 0, 1]) - 2 / Math.log(3)) < 1e-6);
});

test('the threshold of a label has the best F1, half way between two probabilities', () => {
  // Named from the top: F1 2/4, 2/5, 4/6, 6/7, 6/8.
  const threshold = fitThreshold([0.9, 0.8, 0.6, 0.5, 0.1], [true, false, true, true, false]);
  assert.ok(Math.abs(threshold - 0.3) < 1e-12);
});

test('the calibration error is the mean distance of how sure and how right', () => {
  // Two at 0.9, one right: 0.8 off; two at 0.6, both right: 0.8 off; over four.
  const error = calibrationError([0.9, 0.9, 0.6, 0.6], [true, false, true, true]);
  assert.ok(Math.abs(error - 0.4) < 1e-12);
});

test('labels of the sets become scores and classes; what is none is refused', () => {
  assert.deepEqual(labelReaders.grades('1'), { grades: 1, score: -1.25, classes: 0 });
  assert.deepEqual(labelReaders.binary('1'), { classes: 2 });
  assert.deepEqual(labelReaders.stars('10'), { score: 2.5, classes: 2 });
  assert.deepEqual(labelReaders.score('0'), { score: 0, classes: 1 });
  assert.deepEqual(labelReaders.goemotions('2,11'), { emotions: [2, 11], classes: 0 });
  assert.deepEqual(labelReaders.goemotions('17,25'), { emotions: [17, 25] }); // joy and sadness: no class
  assert.deepEqual(labelReaders.goemotions('26'), { emotions: [26] }); // surprise tells none
  assert.deepEqual(labelReaders['tweet-emotion']('3'), { tweet: 3, classes: 0 });
  for (const [kind, label] of [
    ['grades', '5'],
    ['binary', ''],
    ['score', '3.5'],
    ['goemotions', '28'],
    ['irony', 'x'],
  ] as const) {
    assert.equal(labelReaders[kind](label), null, `${kind} ${label}`);
  }
});

test('texts that were cut for parsers are put together as people type them', () => {
  assert.equal(plainText("it does n't work -lrb- at all -rrb- "), "it doesn't work (at all)");
  assert.equal(plainText("`` no ! '' , he said . . . a 3 . 5 % rise :)"), '"no!", he said... a 3. 5% rise :)');
  assert.equal(plainText("it 's what they 've said &amp; done<br />twice"), "it's what they've said & done twice");
});

const bare = (text: string): string => text.toLowerCase().replace(/[^\p{L}\p{N}]/gu, '');

test('names of groups are read as one word; what only may be one is where a person follows', () => {
  assert.equal(unnamed('An Indian doctor and two Jewish friends'), 'a local doctor and two local friends');
  assert.equal(
    unnamed('a Black woman drank black coffee; young people'),
    'a local woman drank black coffee; local people',
  );
  assert.equal(unnamed('Muslims, a straight road, the poor sound'), 'locals, a straight road, the poor sound');
});

test('what names a nation with its capital alone is read so; of two names that belong together one is left', () => {
  assert.equal(unnamed('My Polish friend likes Turkish music.'), 'My local friend likes local music.');
  assert.equal(unnamed('the polish woman is turkish, an orthodox boy'), 'the local woman is local, a local boy');
  for (const text of ['polish the table', 'Polish your shoes.', 'a turkish towel, an orthodox method']) {
    assert.equal(unnamed(text), text);
  }
  assert.equal(unnamed('Native American food, an African-American nurse'), 'local food, a local nurse');
});

test('sentences end with their marks, not with titles and initials', () => {
  assert.deepEqual(
    sentencesOf(' i met Dr. J. Smith.  he was kind!! "Why?" (He smiled.) We left, e.g. at nine . Bye\n'),
    ['i met Dr. J. Smith.', 'he was kind!!', '"Why?"', '(He smiled.)', 'We left, e.g. at nine .', 'Bye'],
  );
});

test('phrases are as many of each pattern, the same for a seed, of all classes, and none of those that test', () => {
  const made = phraseExamples(40, 1);
  assert.deepEqual(made, phraseExamples(40, 1));
  assert.notDeepEqual(made, phraseExamples(40, 2));
  const counts = [0, 1, 2].map((of) => made.filter(({ labels }) => labels.classes === of).length);
  assert.ok(
    counts.every((count) => count > made.length / 10),
    `${counts}`,
  );
  assert.ok(made.every(({ text }) => !/[{}+]/.test(text)));
  const groups = Object.values(sentences).flatMap((group) => Object.values(group).flat());
  const tested = new Set([...groups, ...foreign, ...gibberish].map(bare));
  assert.deepEqual(
    phraseExamples(1000, 0).filter(({ text }) => tested.has(bare(text))),
    [],
  );
});

test('of groups the phrases name none that the reader is tested with as unknown, and invent others', () => {
  const made = phraseExamples(2000, 0).map(({ text }) => text);
  for (const group of unlisted) {
    const named = new RegExp(`\\b${group}s?\\b`, 'i');
    assert.equal(
      made.find((text) => named.test(text)),
      undefined,
      group,
    );
  }
  const names = made.flatMap((text) => /^the (\w+) \w+ got the first prize\.$/.exec(text)?.[1] ?? []);
  assert.ok(new Set(names).size > 0.9 * names.length && names.length > 100, `${names.length} names`);
});

test('of people the phrases say what people can be', () => {
  const made = phraseExamples(1000, 0).map(({ text }) => text);
  const people = made.filter((text) =>
    /\b(man|woman|boy|girl|person|people|neighbour|doctor|teacher|friend|student)\b/.test(text),
  );
  assert.ok(people.length > 1000, `${people.length}`);
  const things =
    /\b(was|were|is|are)( \w+)? (delicious|useful|reliable|comfortable|fresh|solid|broken|useless|cheap|slow|bland|dull)\b/;
  assert.equal(
    people.find((text) => things.test(text) && !/^the \w+ of the/.test(text)),
    undefined,
  );
});

test('careless texts are mistyped and can still be read; a seed mistypes alike', () => {
  const text = "The second half wasn't as good as the first, but we stayed.";
  const typed = (seed: number): string => careless(text, drawer(seed));
  assert.equal(typed(4), typed(4));
  const all = Array.from({ length: 50 }, (_, i) => typed(7919 * i));
  assert.ok(new Set(all).size > 25);
  for (const each of all) {
    assert.equal(each.split(' ').length, text.split(' ').length);
    const kept = each
      .toLowerCase()
      .split(' ')
      .filter((word) => bare(text).includes(bare(word)));
    assert.ok(kept.length >= 9, each);
  }
});

test('a file without parts is cut into fifths that test, and texts of other files can be left out', async () => {
  const lines = Array.from({ length: 100 }, (_, i) => `${i % 2}\tText number ${i}.`);
  writeFileSync(join(folder, 'all.tsv'), `${lines.join('\n')}\n`);
  const set = { kind: 'binary', whole: 'all.tsv' } as const;
  const parts = await Promise.all((['train', 'valid', 'test'] as const).map((part) => examplesOf(set, folder, part)));
  const texts = parts.map((part) => part.map(({ text }) => text));
  assert.deepEqual(
    texts[2],
    Array.from({ length: 20 }, (_, i) => `Text number ${5 * i}.`),
  );
  assert.equal(new Set(texts.flat()).size, 100);
  assert.equal(texts[1]!.length, 3);
  writeFileSync(join(folder, 'known.tsv'), '0\ttext NUMBER 5 .\n');
  const fresh = await examplesOf({ kind: 'binary', test: 'all.tsv', without: ['known.tsv'] }, folder, 'test');
  assert.equal(fresh.length, 99);
});

test('a line that is no label and text is told by its number', async () => {
  writeFileSync(join(folder, 'bad.tsv'), '1\tgood\n2\tworse\n');
  const set = { kind: 'binary', train: 'bad.tsv' } as const;
  await assert.rejects(examplesOf(set, folder, 'train'), /bad\.tsv, line 2: expected a label of kind binary, got '2'/);
  writeFileSync(join(folder, 'tabless.tsv'), 'good\n');
  await assert.rejects(examplesOf({ ...set, train: 'tabless.tsv' }, folder, 'train'), /line 1: .* got no tab/);
});
