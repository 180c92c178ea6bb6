// From a folder of clips to a model that reads clips, as a user does it: by the command line alone.
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { loadNpz } from 'headrace/io';
import { writeVideo, writeWav } from 'headrace/media';
import { importExtractor, loadMmsaNpz, readClip, readManifest, speechFeatures, visionSpec } from 'headrace/sentiment';
import { loudness } from '../../examples/own-sentiment.js';
import { headrace, lastJson, type Outcome, temporaryFolder } from '../cli/run.js';
import { realData } from './datasets-support.js';

const folder = temporaryFolder();
after(() => folder.remove());

interface ClipResult {
  readonly clip: string;
  readonly score: number;
  readonly error?: string;
  readonly notes: readonly string[];
  readonly utterances: readonly {
    readonly score: number;
    readonly text: string | null;
    readonly missing: readonly string[];
    readonly unimodal: Readonly<Record<string, number>>;
    readonly face: { readonly expression: string; readonly probabilities: Readonly<Record<string, number>> } | null;
  }[];
}

/** A voice-like tone, with pauses of 0.6 s between its parts. */
function sound(seconds: readonly number[], rate = 16000): Float32Array {
  const parts = seconds.flatMap((length) => [
    ...Array.from({ length: length * rate }, (_, n) => 0.4 * Math.sin(0.05 * n) * Math.sin(0.0007 * n)),
    ...Array<number>(0.6 * rate).fill(0),
  ]);
  return Float32Array.from(parts);
}

function* greyFrames(count: number): Generator<{ data: Uint8Array; width: number; height: number }> {
  for (let i = 0; i < count; i++) yield { data: new Uint8Array(64 * 48 * 3).fill(90 + i), width: 64, height: 48 };
}

/** Trains a model of text and audio with one epoch, on clips in the form of a label.csv folder. */
async function trained(): Promise<string> {
  const texts = ['a good film', 'a bad film'];
  const rows = ['video_id,clip_id,text,label,label_T,label_A,label_V,annotation,mode'];
  for (const [i, mode] of ['train', 'train', 'train', 'train', 'valid', 'valid', 'test', 'test'].entries()) {
    const video = `v${i >> 1}`;
    mkdirSync(folder.at(`set/Raw/${video}`), { recursive: true });
    writeWav(folder.at(`set/Raw/${video}/000${i}.wav`), { channels: [sound([0.4 + 0.1 * i])], rate: 16000 });
    rows.push(`${video},000${i},${texts[i % 2]},${i % 2 === 0 ? 2 : -2},,,,,${mode}`);
  }
  rows.push('v9,absent,no clip,1,,,,,train');
  writeFileSync(folder.at('set/label.csv'), `${rows.join('\n')}\n`);
  const file = folder.at('features.npz');
  const features = await headrace(['sentiment', 'features', folder.at('set'), '-o', file, '--json']);
  assert.equal(features.code, 1); // the absent clip
  assert.match(features.stderr, /v9\$_\$absent: no clip of 'v9\$_\$absent'/);
  assert.deepEqual(lastJson(features).splits, { train: 4, valid: 2, test: 2 });
  const data = loadMmsaNpz(file);
  assert.deepEqual(data.specs, { audio: speechFeatures.spec });
  assert.deepEqual(data.utterances[4]!.id, 'v2$_$0004');
  assert.deepEqual([data.utterances[1]!.text, data.utterances[1]!.label], ['a bad film', -2]);
  data.dispose();
  const run = folder.at('run');
  const settings = ['--modalities', 'text,audio', '--seeds', '1', '--set', 'maxEpochs=1', '--set', 'batchSize=2'];
  const training = await headrace([
    'sentiment',
    'train',
    'self-mm',
    '--data',
    `mmsa:${file}`,
    '--out',
    run,
    ...settings,
  ]);
  assert.equal(training.code, 0, training.stderr);
  return run;
}

describe('clips on the command line', () => {
  let run: string;
  before(async () => {
    run = await trained();
    writeWav(folder.at('one.wav'), { channels: [sound([0.5])], rate: 16000 });
    writeWav(folder.at('two.wav'), { channels: [sound([0.6, 0.8])], rate: 16000 });
    await writeVideo(folder.at('mute.mp4'), greyFrames(6), { fps: 10 });
    writeFileSync(folder.at('text.mp4'), 'no video at all');
    mkdirSync(folder.at('subtitles'));
    writeFileSync(folder.at('subtitles/one.vtt'), 'WEBVTT\n\n00:00.000 --> 00:00.500\na good film\n');
  });

  const predict = (...more: string[]): Promise<Outcome> => headrace(['sentiment', 'predict', run, '--json', ...more]);

  it('a model that was trained on features of clips reads clips, several in one call', async () => {
    const clips = ['one.wav', 'two.wav'].map(folder.at);
    const outcome = await predict(...clips, '--srt', folder.at('subtitles'));
    assert.equal(outcome.code, 0, outcome.stderr);
    const [one, two] = lastJson(outcome).clips as ClipResult[];
    assert.deepEqual([one!.clip, two!.clip], clips);
    assert.deepEqual(
      one!.utterances.map(({ text, missing }) => [text, missing]),
      [['a good film', []]],
    );
    assert.deepEqual(
      two!.utterances.map(({ text, missing }) => [text, missing]),
      [
        [null, ['text']],
        [null, ['text']],
      ],
    );
    for (const { score, utterances } of [one!, two!]) {
      assert.ok(Number.isFinite(score));
      for (const utterance of utterances) assert.deepEqual(Object.keys(utterance.unimodal), ['text', 'audio']);
    }
    const alone = lastJson(await predict(clips[1]!)) as unknown as ClipResult;
    assert.deepEqual([alone.clip, alone.score], [clips[1], two!.score]);
  });

  it('of several, one that cannot be read does not keep the others from being read', async () => {
    const outcome = await predict(...['text.mp4', 'one.wav', 'mute.mp4'].map(folder.at));
    assert.equal(outcome.code, 1);
    const [bad, good, mute] = lastJson(outcome).clips as ClipResult[];
    assert.match(bad!.error!, /text\.mp4 is not a media file/);
    assert.match(mute!.error!, /mute\.mp4: 'utterance 1' has nothing that the model reads: expected text or audio/);
    assert.equal(good!.utterances.length, 1);
    assert.match(outcome.stderr, /^headrace: .*text\.mp4 is not a media file/m);
  });

  it('a single clip that cannot be read is the error of the command', async () => {
    const outcome = await predict(folder.at('text.mp4'));
    assert.deepEqual([outcome.code, outcome.stdout], [1, '']);
    assert.match(outcome.stderr, /^headrace: .*text\.mp4 is not a media file[^\n]*\n$/);
  });

  it('refuses a transcript or one file of subtitles for several clips, and a clip twice', async () => {
    const clips = ['one.wav', 'two.wav'].map(folder.at);
    const [transcript, subtitles, twice] = await Promise.all([
      predict(...clips, '--transcript', 'good'),
      predict(...clips, '--srt', folder.at('subtitles/one.vtt')),
      predict(clips[0]!, clips[0]!),
    ]);
    assert.match(transcript.stderr, /one clip beside --transcript/);
    assert.match(subtitles.stderr, /a folder of subtitles for several clips/);
    assert.match(twice.stderr, /different clips, got .*one\.wav twice/);
  });

  it('features of several clips lie in one file, with no rows where a clip lacks a modality', async () => {
    const out = folder.at('clips.npz');
    const clips = ['one.wav', 'mute.mp4', 'two.wav'].map(folder.at);
    const outcome = await headrace(['sentiment', 'features', ...clips, '-o', out, '--json']);
    assert.equal(outcome.code, 0, outcome.stderr);
    const { shapes, features, failed } = lastJson(outcome) as Record<string, Record<string, unknown>>;
    assert.deepEqual(failed, []);
    assert.deepEqual(features, { audio: speechFeatures.spec, vision: visionSpec(5) });
    const arrays = loadNpz(out);
    const lengths = arrays.get('audio_lengths')!.tolist() as number[];
    assert.ok(lengths[0]! > 10 && lengths[1] === 0 && lengths[2]! > 10 && lengths.length === 4, `${lengths}`);
    assert.deepEqual(arrays.get('vision_lengths')!.tolist(), [0, 0, 0, 0]); // no face in grey
    assert.deepEqual(arrays.get('audio')!.shape, shapes!.audio);
  });

  it("a model and features of one's own come from files, and predict finds them by the model's folder", async () => {
    const own = fileURLToPath(new URL('../../examples/own-sentiment.js', import.meta.url));
    const [file, out] = [folder.at('own.npz'), folder.at('own')];
    const made = await headrace(['sentiment', 'features', folder.at('set'), '--audio', `${own}:loudness`, '-o', file]);
    assert.equal(made.code, 1, made.stderr); // the absent clip
    const settings = ['--modalities', 'text,audio', '--seeds', '1', '--set', 'maxEpochs=1', '--set', 'batchSize=2'];
    const train = ['sentiment', 'train', `${own}:Gated`, '--set', 'modelOptions.width=8', ...settings];
    const trained = await headrace([...train, '--data', `mmsa:${file}`, '--out', out, '--json']);
    assert.equal(trained.code, 0, trained.stderr);
    assert.equal(lastJson(trained).model, 'Gated');
    const outcome = await headrace(['sentiment', 'predict', out, folder.at('one.wav'), '--json']);
    assert.equal(outcome.code, 0, outcome.stderr);
    const { score, model } = lastJson(outcome) as unknown as ClipResult & { model: string };
    assert.ok(Number.isFinite(score) && model === 'Gated');
    const { features } = readManifest(out);
    assert.deepEqual(features.audio, {
      ...loudness().spec,
      from: { module: pathToFileURL(own).href, export: 'loudness' },
    });
  });

  it("vision features of one's own see every picture; what is no extractor is told with all that it lacks", async () => {
    const file = folder.at('own.js');
    const spec = "{ name: 'grey', dims: 1, unit: 'frame', rate: 5, version: '2' }";
    const rows =
      '(at) => { const rows = []; for await (const { data } of at) rows.push(data[0]); return Float32Array.from(rows); }';
    writeFileSync(
      file,
      `export const grey = () => ({ spec: ${spec}, extract: async ${rows} });\nexport const none = () => ({});\n`,
    );
    writeFileSync(folder.at('package.json'), '{ "type": "module" }');
    const from = { module: pathToFileURL(file).href, export: 'grey' };
    const { spec: vision } = await importExtractor(from, 'vision');
    const { features } = await readClip(folder.at('mute.mp4'), { vision });
    assert.equal(features.vision!.lengths[0], 3); // 6 pictures in 0.6 s, at 5 a second
    const shades = features.vision!.rows(0);
    assert.ok(
      shades.every((shade, i) => Math.abs(shade - 90 - 2 * i) < 3),
      `${shades}`,
    );
    await assert.rejects(
      importExtractor({ ...from, export: 'none' }, 'audio'),
      /none of .*own\.js to give an extractor with spec\.name, a text; .*rate, samples a second; extract, a function/,
    );
    await assert.rejects(
      readClip(folder.at('mute.mp4'), { vision: { ...vision, version: '1' } }),
      /'grey' version 1 of 1 numbers, which the model was trained on, from .*own\.js; it makes 'grey' version 2/,
    );
  });

  const grid = realData('grid');
  it('real talking faces: a face in every picture, a voice, and a prediction', { skip: grid.skip }, async () => {
    const names = readdirSync(grid.path).filter((name) => name.endsWith('.mpg'));
    const clips = names.filter((_, i) => i % 13 === 0).map((name) => join(grid.path, name));
    const out = folder.at('grid.npz');
    const [features, prediction] = await Promise.all([
      headrace(['sentiment', 'features', ...clips, '-o', out, '--json']),
      predict(...clips),
    ]);
    assert.deepEqual([features.code, prediction.code], [0, 0], features.stderr + prediction.stderr);
    assert.deepEqual(lastJson(features).failed, []);
    const results = lastJson(prediction).clips as ClipResult[];
    assert.equal(results.length, clips.length);
    for (const { score, utterances } of results) {
      assert.ok(Number.isFinite(score) && utterances.length > 0);
      for (const { missing, face } of utterances) {
        assert.deepEqual(missing, ['text']);
        assert.ok(face!.probabilities[face!.expression]! > 1 / 7);
      }
    }
    const arrays = loadNpz(out);
    const vision = arrays.get('vision')!.tolist() as number[][][];
    const lengths = arrays.get('vision_lengths')!.tolist() as number[];
    for (const [i, rows] of vision.entries()) {
      for (const row of rows.slice(0, lengths[i])) {
        // Speakers of this set look at the camera: the head's angles are small. Where no face is found the row is zeros.
        const [angles, expressions] = [row.slice(136, 139), row.slice(139)];
        assert.ok(Math.abs(expressions.reduce((sum, p) => sum + p, 0) - 1) < 1e-4, `no face in utterance ${i}`);
        assert.ok(Math.max(...angles.map(Math.abs)) < 0.35, `${angles}`);
      }
    }
  });
});
