import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import {
  encodeWav,
  mediaInfo,
  parseWav,
  readAudio,
  readAudioChunks,
  readFrames,
  readWav,
  resample,
  type WavEncoding,
  writeWav,
} from 'headrace/media';
import { silentFlac } from './silence.js';
import { all, beeps, onsetsOf, scratch } from './support.js';

const file = scratch();
const tone = (hertz: number, rate: number, seconds = 1) =>
  Float32Array.from({ length: rate * seconds }, (_, i) => 0.5 * Math.sin((2 * Math.PI * hertz * i) / rate));

/** The greatest difference, the ends left out, where a filter lacks neighbours. */
function difference(a: Float32Array, b: Float32Array, margin = 0): number {
  let worst = 0;
  for (let i = margin; i < a.length - margin; i++) worst = Math.max(worst, Math.abs(a[i]! - b[i]!));
  return worst;
}

test('WAV files hold what was written, to the last bit of their encoding', () => {
  const left = Float32Array.from([0, 0.5, -0.5, 1, -1, 2, -2, 1 / 128]);
  const right = left.map((value) => -value / 2);
  const bits: [WavEncoding, number][] = [
    ['pcm8', 7],
    ['pcm16', 15],
    ['pcm24', 23],
    ['pcm32', 31],
  ];
  for (const [encoding, bit] of bits) {
    writeWav(file('a.wav'), { rate: 8000, channels: [left, right] }, encoding);
    const wav = readWav(file('a.wav'));
    assert.deepEqual([wav.rate, wav.encoding, wav.channels.length], [8000, encoding, 2]);
    const step = 2 ** -bit;
    assert.deepEqual(Array.from(wav.channels[0]!), [
      0,
      0.5,
      -0.5,
      Math.fround(1 - step),
      -1,
      Math.fround(1 - step),
      -1,
      1 / 128,
    ]);
  }
  for (const encoding of ['float32', 'float64'] as const) {
    writeWav(file('a.wav'), { rate: 44100, channels: [left] }, encoding);
    assert.deepEqual(readWav(file('a.wav')).channels, [left]);
  }
});

test('a WAV file by another writer is read', () => {
  // 22050 Hz, two channels of 16 bits, a LIST chunk of odd length before the data: laid out by hand.
  const bytes = Buffer.from(
    (
      '52494646 42000000 57415645 666d7420 10000000 0100 0200 22560000 88580100 0400 1000' +
      '4c495354 03000000 61626300 64617461 08000000 0040 00c0 ff7f 0080'
    ).replaceAll(' ', ''),
    'hex',
  );
  const { rate, channels } = parseWav(bytes, 'by hand');
  assert.equal(rate, 22050);
  assert.deepEqual(
    channels.map((channel) => Array.from(channel)),
    [
      [0.5, 32767 / 32768],
      [-0.5, -1],
    ],
  );
});

test('damaged and foreign WAV files are named', () => {
  const whole = encodeWav({ rate: 8000, channels: [new Float32Array(100)] });
  assert.throws(
    () => parseWav(whole.subarray(0, 100), 'x.wav'),
    /x\.wav is cut short: its data has 200 bytes, of which 56/,
  );
  assert.throws(() => parseWav(Buffer.from('ID3 and so on'), 'x.wav'), /x\.wav is not a WAV file/);
  assert.throws(() => parseWav(whole.subarray(0, 20), 'x.wav'), /cut short/);
  const compressed = Buffer.from(whole);
  compressed.writeUInt16LE(0x55, 20);
  assert.throws(() => parseWav(compressed, 'x.wav'), /format 85 with 16 bits .* readAudio reads/);
  assert.throws(() => encodeWav({ rate: 1.5, channels: [new Float32Array(1)] }), /whole number of samples/);
  assert.throws(() => encodeWav({ rate: 8000, channels: [new Float32Array(1), new Float32Array(2)] }), /of one length/);
});

test('FFmpeg reads a WAV file as our reader does', async () => {
  writeWav(file('tone.wav'), { rate: 16000, channels: [tone(440, 16000)] });
  const { samples, rate } = await readAudio(file('tone.wav'));
  assert.equal(rate, 16000);
  assert.deepEqual(samples, readWav(file('tone.wav')).channels[0]);
});

test('two channels are averaged', async () => {
  const [left, right] = [tone(440, 16000), tone(1000, 16000)];
  writeWav(file('stereo.wav'), { rate: 16000, channels: [left, right] }, 'float32');
  const { samples } = await readAudio(file('stereo.wav'));
  assert.ok(
    difference(
      samples,
      left.map((value, i) => (value + right[i]!) / 2),
    ) < 1e-6,
  );
});

/** A WAV file whose header names the places of its channels (WAVE_FORMAT_EXTENSIBLE), laid out by hand. */
function surround(channels: readonly Float32Array[], mask: number): Buffer {
  const { length } = channels[0]!;
  const bytes = Buffer.alloc(68 + 4 * length * channels.length);
  bytes.write('RIFF', 0, 'latin1');
  bytes.writeUInt32LE(bytes.length - 8, 4);
  bytes.write('WAVEfmt ', 8, 'latin1');
  bytes.writeUInt32LE(40, 16);
  bytes.writeUInt16LE(0xfffe, 20);
  bytes.writeUInt16LE(channels.length, 22);
  bytes.writeUInt32LE(16000, 24);
  bytes.writeUInt32LE(16000 * 4 * channels.length, 28);
  bytes.writeUInt16LE(4 * channels.length, 32);
  bytes.writeUInt16LE(32, 34);
  bytes.writeUInt16LE(22, 36);
  bytes.writeUInt16LE(32, 38);
  bytes.writeUInt32LE(mask, 40);
  Buffer.from('0300000000001000800000aa00389b71', 'hex').copy(bytes, 44); // floats
  bytes.write('data', 60, 'latin1');
  bytes.writeUInt32LE(bytes.length - 68, 64);
  for (let i = 0; i < length; i++)
    for (const [c, samples] of channels.entries()) bytes.writeFloatLE(samples[i]!, 68 + 4 * (i * channels.length + c));
  return bytes;
}

test('of surround sound the centre keeps its loudness, and the others weigh as ITU-R BS.775 says', async () => {
  const silent = new Float32Array(16000);
  const speech = tone(440, 16000);
  const half = Math.SQRT1_2;
  // By bit of the mask: front left 1, right 2, centre 4, deep 8, back left 10, right 20, back centre 100, sides 200 and 400.
  for (const [name, mask, weights] of [
    ['5.1', 0x3f, [half, half, 1, 0, 0.5, 0.5]],
    ['5.1(side)', 0x60f, [half, half, 1, 0, 0.5, 0.5]],
    ['5.0', 0x37, [half, half, 1, 0.5, 0.5]],
    ['7.1', 0x63f, [half, half, 1, 0, 0.5, 0.5, 0.5, 0.5]],
    ['3.0', 0x7, [half, half, 1]],
    ['5.1, not named', 0, [half, half, 1, 0, 0.5, 0.5]],
    ['7.1, not named', 0, [half, half, 1, 0, 0.5, 0.5, 0.5, 0.5]],
    // Without a centre, as stereo.
    ['2.1', 0xb, [0.5, 0.5, 0]],
    ['quad', 0x33, [0.5, 0.5, half / 2, half / 2]],
    ['four microphones', 0, [0.25, 0.25, 0.25, 0.25]],
  ] as const) {
    for (const [place, weight] of weights.entries()) {
      const channels = weights.map((_, c) => (c === place ? speech : silent));
      if (mask === 0) writeWav(file('six.wav'), { rate: 16000, channels }, 'float32');
      else writeFileSync(file('six.wav'), surround(channels, mask));
      const { samples } = await readAudio(file('six.wav'));
      const wanted = speech.map((value) => weight * value);
      assert.ok(difference(samples, wanted) < 1e-6, `${name}, channel ${place}`);
    }
  }
  writeFileSync(
    file('six.wav'),
    surround(
      Array.from({ length: 6 }, () => speech),
      0x3f,
    ),
  );
  assert.equal((await mediaInfo(file('six.wav'))).audio?.channels, 6);
  const [whole, pieces] = [
    await readAudio(file('six.wav'), { rate: 8000 }),
    readAudioChunks(file('six.wav'), { rate: 8000 }),
  ];
  assert.deepEqual(
    (await all(pieces)).flatMap((piece) => Array.from(piece.samples)),
    Array.from(whole.samples),
  );
  // All at once pass 1, and nothing is bent there.
  assert.ok(Math.abs(Math.max(...whole.samples) - 0.5 * (2 + 2 * half)) < 0.01);
});

test('resampling keeps tones, their phase and their length, and drops what the new rate cannot hold', async () => {
  for (const [from, to, hertz] of [
    [44100, 16000, 1000],
    [48000, 22050, 10000],
    [16000, 22050, 3000],
  ] as const) {
    const out = await resample(tone(hertz, from), from, to);
    assert.equal(out.length, to);
    assert.ok(difference(out, tone(hertz, to), Math.ceil(to / 20)) < 1e-4, `${from} to ${to}`);
  }
  const gone = await resample(tone(9000, 44100), 44100, 16000);
  assert.ok(difference(gone, new Float32Array(16000), 800) < 1e-4);
  assert.equal((await resample(new Float32Array(0), 16000, 8000)).length, 0);
  await assert.rejects(resample([1, 2] as never, 16000, 8000), /Float32Array/);
  assert.equal((await resample(new Float32Array(1), 16000, 48000)).length, 3);
  await assert.rejects(resample(tone(1, 100), 100.5, 200), /whole number of samples/);
});

test('a part of a recording is the same samples, at another rate too', async () => {
  const samples = tone(300, 44100, 4);
  writeWav(file('long.wav'), { rate: 44100, channels: [samples] }, 'float32');
  for (const rate of [44100, 16000, 22050]) {
    const whole = (await readAudio(file('long.wav'), { rate })).samples;
    assert.ok(Math.abs(whole.length - 4 * rate) <= 1);
    for (const [start, end] of [
      [0, 0.2],
      [2.3456, 3.2],
      [0.5, 0.51],
    ] as const) {
      const part = (await readAudio(file('long.wav'), { rate, start, end })).samples;
      assert.equal(part.length, Math.round(end * rate) - Math.round(start * rate));
      const from = Math.round(start * rate);
      const reach = Math.ceil(part.length / 20);
      assert.ok(difference(part, whole.subarray(from, from + part.length), reach) < 1e-4, `${rate} ${start}`);
    }
  }
  const beyond = await readAudio(file('long.wav'), { start: 10 });
  assert.deepEqual([beyond.samples.length, beyond.rate], [0, 44100]);
});

test('pieces make up the whole', async () => {
  writeWav(file('beeps.wav'), { rate: 16000, channels: [beeps(16000, 3, [0.4, 2.2])] });
  const pieces = await all(readAudioChunks(file('beeps.wav'), { rate: 8000 }));
  assert.ok(pieces.length > 1);
  const { samples, rate } = await readAudio(file('beeps.wav'), { rate: 8000 });
  assert.equal(
    pieces.reduce((sum, piece) => sum + piece.samples.length, 0),
    samples.length,
  );
  assert.deepEqual(
    onsetsOf(samples, rate).map((time) => time.toFixed(2)),
    ['0.40', '2.20'],
  );
});

test('packed silence gives no more samples than a limit, which can be moved', async () => {
  const path = file('silence.flac');
  writeFileSync(path, silentFlac(1100)); // 16 kB, 288 MB of samples
  await assert.rejects(readAudio(path), /more than 268435456 bytes of samples, from 1\d{4} packed ones: .*maxMemory/);
  assert.equal((await readAudio(path, { end: 10 })).samples.length, 480_000);
  writeFileSync(path, silentFlac(2));
  const samples = 2 * 65_535;
  assert.equal((await readAudio(path, { maxMemory: 4 * samples })).samples.length, samples);
  await assert.rejects(readAudio(path, { maxMemory: 4 * samples - 1 }), { name: 'DataError' });
  await assert.rejects(readAudio(path, { maxmemory: 5 } as object), /Did you mean maxMemory\?/);
});

test('a recording has no frames, and one that is cut short is an error', async () => {
  await assert.rejects(
    all(readFrames(file('tone.wav'))),
    /has no video stream, only audio \(pcm_s16le\): give a video/,
  );
  const bytes = readFileSync(file('tone.wav'));
  writeFileSync(file('cut.wav'), bytes.subarray(0, bytes.length / 2));
  await assert.rejects(readAudio(file('cut.wav')), {
    code: 'TRUNCATED',
    message: /announces 32044 bytes and has 16022/,
  });
  assert.equal((await readAudio(file('cut.wav'), { allowTruncated: true })).samples.length, 7989);
});
