import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { audioExtractor, extractAudio, logMelFeatures, speechFeatures } from 'headrace/features';
import { readWav, resample, writeWav } from 'headrace/media';
import { numbers, type Packed, readGolden } from '../golden/golden.js';
import { realData } from '../sentiment/datasets-support.js';

const folder = mkdtempSync(join(tmpdir(), 'headrace-audio-'));
after(() => rmSync(folder, { recursive: true }));

const media = fileURLToPath(new URL('../../../test/media/golden/', import.meta.url));
const { rate, channels } = readWav(join(media, 'sound.wav'));
const samples = channels[0]!;
const golden = readGolden<Record<string, Packed>>('../media/golden/spectral.json');

/** Column `column` of rows. */
const columnOf = (rows: Float32Array, dims: number, column: number) =>
  Array.from({ length: rows.length / dims }, (_, row) => rows[row * dims + column]!);

test('the 33 numbers are the sign changes, the cepstra and the chroma, in this order', async () => {
  const [features] = await extractAudio(speechFeatures, { samples, rate });
  const { spec, length, rows } = features!;
  assert.deepEqual(spec, { name: 'zcr-mfcc-chroma', dims: 33, unit: 'frame', rate: 22050 / 512, version: '1' });
  assert.deepEqual([length, rows.length], [31, 31 * 33]);
  const expected = ['zeroCrossingRate', 'mfccHtk', 'chromaCqt'].flatMap((name) => {
    const values = numbers(golden[name]!);
    return Array.from({ length: values.length / 31 }, (_, i) => ({ name, values: values.slice(31 * i, 31 * (i + 1)) }));
  });
  assert.equal(expected.length, 33);
  for (const [column, { name, values }] of expected.entries()) {
    const tolerance = { zeroCrossingRate: 1e-6, mfccHtk: 2e-3, chromaCqt: 0.02 }[name]!;
    columnOf(rows, 33, column).forEach((value, row) => {
      assert.ok(Math.abs(value - values[row]!) <= tolerance, `${name} ${column} ${row}: ${value} ${values[row]}`);
    });
  }
});

test('clips of 0.2 s, of one sample and of silence give finite rows, one at least', async () => {
  for (const extractor of [speechFeatures, logMelFeatures]) {
    for (const [clip, length] of [
      [samples.subarray(0, 4410), 9],
      [samples.subarray(5000, 5001), 1],
      [new Float32Array(0), 1],
      [new Float32Array(22050), 44],
    ] as const) {
      const rows = extractor.extract(clip);
      assert.equal(rows.length, length * extractor.spec.dims);
      assert.ok(rows.every(Number.isFinite));
    }
  }
});

test('a file, its samples, and its samples at another rate give the same', async () => {
  const path = join(folder, 'a.wav');
  writeWav(path, { rate, channels: [samples] });
  const [fromFile] = await extractAudio(speechFeatures, path);
  const [fromSamples] = await extractAudio(speechFeatures, { samples, rate });
  assert.deepEqual(fromFile, fromSamples);
  const [resampled] = await extractAudio(logMelFeatures, {
    samples: await resample(samples, rate, 44100),
    rate: 44100,
  });
  const [own] = await extractAudio(logMelFeatures, { samples, rate });
  const mean = own!.rows.reduce((sum, value, i) => sum + Math.abs(value - resampled!.rows[i]!), 0) / own!.rows.length;
  assert.ok(mean < 0.5, `${mean} dB`);
});

test('an utterance has the same features within a recording as alone', async () => {
  const spans = [
    { start: 0.1, end: 0.3 },
    { start: 0.4, end: 9 },
  ];
  const [first, second] = await extractAudio(speechFeatures, { samples, rate }, spans);
  assert.deepEqual(first!.rows, speechFeatures.extract(samples.subarray(2205, 6615)));
  assert.deepEqual(second!.rows, speechFeatures.extract(samples.subarray(8820)));
  await assert.rejects(
    extractAudio(speechFeatures, { samples, rate }, [{ start: 5, end: 6 }]),
    /an utterance from 5\.00 to 6\.00 s lies beyond the end of the sound, 0\.70 s/,
  );
  await assert.rejects(extractAudio(speechFeatures, { samples, rate }, [{ start: 1, end: 1 }]), /0 <= start < end/);
});

test('extractors are found by the specification that a model keeps', () => {
  assert.equal(audioExtractor(speechFeatures.spec), speechFeatures);
  assert.equal(audioExtractor({ ...logMelFeatures.spec }), logMelFeatures);
  assert.throws(
    () => audioExtractor({ name: 'COVAREP', version: '1' }),
    /'COVAREP' version 1 cannot be extracted here; known are 'zcr-mfcc-chroma'/,
  );
});

const { path: grid, skip } = realData('grid');

test('speech in video clips: about three seconds of rows, and they differ between clips', { skip }, async () => {
  const clips = readdirSync(grid).filter((name) => name.endsWith('.mpg'));
  const means = new Set<string>();
  for (const name of clips.slice(0, 4)) {
    const [features] = await extractAudio(speechFeatures, join(grid, name));
    assert.ok(Math.abs(features!.length / features!.spec.rate! - 3) < 0.1);
    assert.ok(features!.rows.every(Number.isFinite));
    const loudness = columnOf(features!.rows, 33, 1);
    assert.ok(Math.max(...loudness) - Math.min(...loudness) > 100);
    means.add(loudness.reduce((sum, value) => sum + value, 0).toFixed(3));
  }
  assert.equal(means.size, 4);
});
