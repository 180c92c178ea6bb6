import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { writeVideo, writeWav } from 'headrace/media';
import {
  clipScore,
  type LoadedModel,
  predictUtterances,
  readClip,
  SentimentNetwork,
  type SentimentPrediction,
  speechFeatures,
  textReader,
  visionSpec,
} from 'headrace/sentiment';
import { damageMedia } from '../media/support.js';
import { realData } from './datasets-support.js';
import { smallConfig } from './train-support.js';

const folder = mkdtempSync(join(tmpdir(), 'headrace-clip-'));
after(() => rmSync(folder, { recursive: true }));
const at = (name: string): string => join(folder, name);

const features = { audio: speechFeatures.spec, vision: visionSpec(5) };

/** A model with fresh weights, of the features that clips have. */
function model(): LoadedModel {
  const config = smallConfig('self-mm');
  const shape = { widths: { audio: 33, vision: 146 }, outputs: 1 };
  const reader = textReader(config.text, null, ['good', 'bad', 'film']);
  const network = new SentimentNetwork(config, shape, reader.encoder(1), 1).eval();
  const machine = {};
  const manifest = {
    format: 1 as const,
    config,
    data: 'none',
    notes: [],
    features,
    shape,
    classes: [],
    range: [-3, 3] as const,
    machine,
  };
  return { manifest, network, seed: 1, reader };
}

/** Loud for `loud` seconds, silent for as long as it takes to be a pause, and so on. */
function speech(loud: readonly number[], rate = 16000): Float32Array {
  const parts = loud.flatMap((seconds, i) => {
    const tone = Array.from({ length: seconds * rate }, (_, n) => 0.4 * Math.sin(0.05 * n) * Math.sin(0.0007 * n + i));
    return [...tone, ...Array<number>(0.6 * rate).fill(0)];
  });
  return Float32Array.from(parts);
}

function* greyFrames(count: number): Generator<{ data: Uint8Array; width: number; height: number }> {
  for (let i = 0; i < count; i++) yield { data: new Uint8Array(64 * 48 * 3).fill(90 + i), width: 64, height: 48 };
}

test('a recording is cut at its pauses, and what it lacks is told', async () => {
  const path = at('two.wav');
  writeWav(path, { channels: [speech([1, 1.5])], rate: 16000 });
  const clip = await readClip(path, features);
  assert.equal(clip.utterances.length, 2);
  assert.deepEqual(clip.notes, [
    'no transcript: the words are not read (a transcript, subtitles or a speech recogniser gives them)',
    'no pictures: vision features are missing',
  ]);
  const predictions = predictUtterances(model(), clip.utterances, clip.features);
  for (const { missing, score, unimodal } of predictions) {
    assert.deepEqual(missing, ['text', 'vision']);
    assert.ok(Math.abs(score) <= 3);
    assert.deepEqual(Object.keys(unimodal), ['text', 'audio', 'vision']);
    assert.deepEqual([unimodal.text, unimodal.vision], [null, null]); // what is missing says nothing
    assert.ok(Number.isFinite(unimodal.audio));
  }
});

test('with a transcript a clip is one utterance; a video without a face lacks vision', async () => {
  const path = at('grey.mp4');
  await writeVideo(path, greyFrames(12), { fps: 10, audio: { samples: speech([0.6]), rate: 16000 } });
  const clip = await readClip(path, features, { transcript: 'good film' });
  assert.deepEqual(
    clip.utterances.map(({ text, start }) => [text, start]),
    [['good film', 0]],
  );
  assert.deepEqual(clip.notes, ['no face in utterance 1: vision is missing there']);
  assert.deepEqual(predictUtterances(model(), clip.utterances, clip.features)[0]!.missing, ['vision']);
});

test('what a face shows is told where it is asked for, from the rows of a model or by itself', async () => {
  const ana = 'examples/ana.jpg';
  const [asked, beside, unasked] = [
    await readClip(ana, {}, { expressions: true }),
    await readClip(ana, { vision: visionSpec(5) }, { expressions: true }),
    await readClip(ana, {}),
  ];
  const [shown] = asked.expressions;
  assert.ok(shown!.neutral > 0.5, JSON.stringify(shown));
  assert.deepEqual([beside.expressions, unasked.expressions], [[shown], [null]]);
  assert.deepEqual(asked.features, {});
  assert.deepEqual((await readClip(at('grey.mp4'), {}, { expressions: true })).expressions, [null]);
});

test('what is damaged in a clip is told beside what it lacks', async () => {
  const pictures = [...greyFrames(30)];
  await writeVideo(at('whole.mp4'), pictures, { fps: 10, audio: { samples: speech([1, 1]), rate: 16000 } });
  damageMedia(at('whole.mp4'), at('damaged.mp4'), 0.4, 0.8);
  const { notes } = await readClip(at('damaged.mp4'), { audio: speechFeatures.spec }, { transcript: 'good film' });
  assert.match(notes[0]!, /damaged\.mp4: its audio is damaged from \d\.\d\d s on/);
});

test('subtitles are the utterances', async () => {
  const path = at('three.wav');
  writeWav(path, { channels: [speech([2])], rate: 16000 });
  const subtitles = at('three.srt');
  writeFileSync(subtitles, '1\n00:00:00,000 --> 00:00:01,000\ngood\n\n2\n00:00:01,200 --> 00:00:02,000\nbad film\n');
  const clip = await readClip(path, { audio: speechFeatures.spec }, { subtitles });
  assert.deepEqual(
    clip.utterances.map(({ text, start, end }) => [text, start, end]),
    [
      ['good', 0, 1],
      ['bad film', 1.2, 2],
    ],
  );
  await assert.rejects(readClip(path, {}, { subtitles, transcript: 'x' }), /a transcript or subtitles, got both/);
});

test('a clip of 0.2 s is read; a text file with the name of a video is an error', async () => {
  const short = at('short.wav');
  writeWav(short, { channels: [speech([0.2]).subarray(0, 3200)], rate: 16000 });
  const clip = await readClip(short, features, { transcript: 'good' });
  assert.equal(predictUtterances(model(), clip.utterances, clip.features).length, 1);
  writeFileSync(at('text.mp4'), 'no video at all');
  await assert.rejects(readClip(at('text.mp4'), features), /text\.mp4 is not a media file/);
});

test('features of another kind than the training had are refused', async () => {
  const trained = model();
  const other = { ...trained.manifest, features: { ...features, audio: { ...speechFeatures.spec, version: '0' } } };
  const path = at('one.wav');
  writeWav(path, { channels: [speech([1])], rate: 16000 });
  const clip = await readClip(path, { audio: speechFeatures.spec });
  assert.throws(
    () => predictUtterances({ ...trained, manifest: other }, clip.utterances, clip.features),
    /audio: version '1', trained with '0'/,
  );
});

test('an utterance alone scores as it does beside longer ones', () => {
  const trained = model();
  const input = (text: string) => ({ id: text, text });
  const both = predictUtterances(trained, [input('good'), input('bad film bad film good bad')]);
  const alone = predictUtterances(trained, [input('good')]);
  assert.ok(Math.abs(both[0]!.score - alone[0]!.score) < 1e-6);
  assert.throws(() => predictUtterances(trained, [input(' ')]), /' ' has nothing that the model reads/);
});

test("a clip's score is the mean of its utterances by their length", () => {
  const at = (score: number, start: number, end: number) => ({ score, start, end }) as SentimentPrediction;
  assert.equal(clipScore([at(1, 0, 1), at(-1, 1, 4)]), -0.5);
  assert.equal(clipScore([]), null);
});

const grid = realData('grid');
test('real videos give features of face and voice, and a prediction', { skip: grid.skip }, async () => {
  const trained = model();
  const names = readdirSync(grid.path).filter((name) => name.endsWith('.mpg'));
  for (const name of names.slice(0, 2)) {
    const clip = await readClip(join(grid.path, name), features, { transcript: 'good film' });
    assert.deepEqual(clip.notes, [], name);
    assert.deepEqual(predictUtterances(trained, clip.utterances, clip.features)[0]!.missing, [], name);
  }
});
