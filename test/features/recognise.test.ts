import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { type HeardWords, loadRecogniser, recogniseSpans, type SpeechRecogniser } from 'headrace/features';
import { writeWav } from 'headrace/media';
import { ClipReader } from 'headrace/sentiment';
import { ConfigError, DataError } from 'headrace/torch';

const folder = mkdtempSync(join(tmpdir(), 'headrace-recognise-'));
after(() => rmSync(folder, { recursive: true }));

const rate = 16000;

/** Loud for so many seconds, then silent for 0.6 s, and so on. */
function sound(...loud: number[]): Float32Array {
  return Float32Array.from(
    loud.flatMap((seconds) => [
      ...Array.from({ length: seconds * rate }, (_, n) => 0.4 * Math.sin(0.05 * n)),
      ...Array<number>(0.6 * rate).fill(0),
    ]),
  );
}

/** Says what it is told to, and keeps how many seconds it heard. */
function recogniser(timed: boolean, ...answers: readonly HeardWords[][]): SpeechRecogniser & { heard: number[] } {
  const heard: number[] = [];
  return {
    rate,
    timed,
    heard,
    recognise: async (samples) => {
      heard.push(samples.length / rate);
      return answers[heard.length - 1] ?? [];
    },
  };
}

const words = (text: string, start: number | null = null, end: number | null = null): HeardWords => ({
  text,
  start,
  end,
});

test('a recogniser without times hears each utterance between pauses; what it does not understand has no words', async () => {
  const own = recogniser(false, [words('  good   film ')], [words('')]);
  const spans = await recogniseSpans(own, { samples: sound(1, 1.5), rate });
  assert.deepEqual(
    spans.map(({ text }) => text),
    ['good film', null],
  );
  assert.ok(Math.abs(own.heard[0]! - 1.1) < 0.1 && Math.abs(own.heard[1]! - 1.7) < 0.1, `${own.heard}`);
});

test('a recogniser with times hears the whole, and its times are the utterances', async () => {
  const own = recogniser(true, [
    words(' One.', 0, 1),
    words(' Oh', 1, 1), // no time of its own: to the one before
    words(' ', 1, 1.2),
    words(' Two.', 0.9, 2), // overlaps
    words(' Three.', 2.2, null), // the end is missing
  ]);
  const spans = await recogniseSpans(own, { samples: sound(1, 1.5), rate });
  assert.deepEqual(spans, [
    { start: 0, end: 1, text: 'One. Oh' },
    { start: 1, end: 2, text: 'Two.' },
    { start: 2.2, end: 3.7, text: 'Three.' },
  ]);
  assert.deepEqual(own.heard, [3.7]);
});

test('times that lie outside the recording keep their words', async () => {
  const own = recogniser(true, [words('late', 9, 12)]);
  assert.deepEqual(await recogniseSpans(own, { samples: sound(1), rate }), [{ start: 0, end: 1.6, text: 'late' }]);
});

test('where nothing is heard the pauses cut; a recording of silence has no utterances', async () => {
  const spans = await recogniseSpans(recogniser(true, []), { samples: sound(1, 1), rate });
  assert.deepEqual(
    spans.map(({ text }) => text),
    [null, null],
  );
  assert.deepEqual(await recogniseSpans(recogniser(false), { samples: new Float32Array(rate), rate }), []);
});

test('a clip is heard where its words are not given, and says when that gave none', async () => {
  const path = join(folder, 'two.wav');
  writeWav(path, { channels: [sound(1, 1.5)], rate });
  const own = recogniser(false, [words('good')], [words('bad')]);
  const clip = await new ClipReader({}, own).read(path);
  assert.deepEqual(
    clip.utterances.map(({ text }) => text),
    ['good', 'bad'],
  );
  assert.deepEqual(clip.notes, []);
  const deaf = await new ClipReader({}, recogniser(false)).read(path);
  assert.deepEqual(deaf.notes, ['no words: speech recognition gave no text']);
  const given = recogniser(false);
  await new ClipReader({}, given).read(path, { transcript: 'given' });
  assert.deepEqual(given.heard, []);
});

const fails = (path: string, message: RegExp): Promise<void> =>
  assert.rejects(loadRecogniser(path), (error: Error) => error instanceof DataError && message.test(error.message));

test('a folder that is absent or holds no model is told before the package is loaded', async () => {
  await fails(join(folder, 'absent'), /No folder .*absent \(looked from .*expected a folder with config\.json/);
  const model = join(folder, 'model');
  mkdirSync(join(model, 'onnx'), { recursive: true });
  writeFileSync(join(model, 'config.json'), '{');
  await fails(model, /model has no preprocessor_config\.json, no tokenizer\.json: expected/);
  for (const name of ['preprocessor_config.json', 'tokenizer.json']) writeFileSync(join(model, name), '{}');
  writeFileSync(join(model, 'onnx/other.onnx'), '');
  await fails(model, /onnx has no weights that are known/);
  writeFileSync(join(model, 'onnx/model_quantized.onnx'), '');
  await fails(model, /config\.json: .*JSON/);
});

test('an absent package is named with the command that installs it; a model that cannot be read is told', async () => {
  const model = join(folder, 'model');
  writeFileSync(join(model, 'config.json'), '{ "model_type": "wav2vec2" }');
  await assert.rejects(loadRecogniser(model), (error: Error) =>
    error instanceof ConfigError
      ? /which is not installed: npm install @huggingface\/transformers@\d/.test(error.message)
      : error instanceof DataError && /cannot load it as a model for speech recognition/.test(error.message),
  );
});
