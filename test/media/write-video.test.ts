import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { before, test } from 'node:test';
import {
  type Audio,
  encodePng,
  mediaInfo,
  type RgbImage,
  readAudio,
  readFrames,
  resample,
  resampleChunks,
  writeVideo,
} from 'headrace/media';
import { all, beeps, grey, greyFrames, numberOf, onsetsOf, scratch } from './support.js';

const file = scratch();
const onsets = [0.3, 0.9, 1.5];
const sound = (rate: number): Audio => ({ samples: beeps(rate, 2, onsets), rate });
const fps = 25;

/** A picture whose every pixel is another. */
function busy(width: number, height: number, seed: number): RgbImage {
  let state = seed + 1;
  const data = Uint8Array.from({ length: width * height * 3 }, (_, i) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (i % 7) * 20 + (state >>> 27);
  });
  return { width, height, data };
}

const mean = (data: Uint8Array): number => data.reduce((sum, value) => sum + value, 0) / data.length;

function* inPieces({ samples, rate }: Audio, length: number): Generator<Audio> {
  for (let at = 0; at < samples.length; at += length) yield { samples: samples.subarray(at, at + length), rate };
}

before(() => mkdirSync(file('names')));

test('sound is heard where it is in every container, also of a rate that the codec lacks', async () => {
  for (const [name, rate] of [
    ['a.mp4', 44100],
    ['a.mkv', 10000],
    ['a.webm', 44100],
    ['b.webm', 16000],
  ] as const) {
    await writeVideo(file(name), greyFrames(50), { fps, audio: sound(rate), quality: 8 });
    const { samples, rate: heard } = await readAudio(file(name));
    const times = onsetsOf(samples, heard);
    assert.equal(times.length, 3, name);
    for (const [i, time] of times.entries()) assert.ok(Math.abs(time - onsets[i]!) < 0.004, `${name}: ${time}`);
    assert.ok(Math.abs(samples.length / heard - 2) < 0.03, `${name}: ${samples.length / heard} s`);
    assert.equal((await all(readFrames(file(name)))).length, 50);
  }
});

test('webm is VP9 and Opus, and its frames are those that were given', async () => {
  await writeVideo(file('c.webm'), greyFrames(20, 33, 25), { fps, audio: sound(48000), quality: 4, effort: 'little' });
  const { streams, video } = await mediaInfo(file('c.webm'));
  assert.deepEqual(streams, ['video vp9', 'audio opus']);
  assert.deepEqual([video?.width, video?.height], [33, 25]);
  const shown = await all(readFrames(file('c.webm')));
  assert.deepEqual(shown.map(numberOf), Array.from(shown.keys()));
});

test('a GIF has the frames at their times, and colours that come later than the first', async () => {
  const red = {
    width: 32,
    height: 24,
    data: Uint8Array.from({ length: 32 * 24 * 3 }, (_, i) => (i % 3 === 0 ? 220 : 30)),
  };
  await writeVideo(file('a.gif'), [...greyFrames(30), red], { fps, metadata: { comment: 'made for a test' } });
  const shown = await all(readFrames(file('a.gif')));
  assert.equal(shown.length, 31);
  for (const { index, time } of shown) assert.ok(Math.abs(time - index / fps) < 1e-6, `${index} at ${time}`);
  for (const [k, { data }] of shown.slice(0, 30).entries()) {
    assert.ok(Math.abs(mean(data) - grey(k)) < 1.5, `frame ${k}: ${mean(data)}`); // single pixels are dithered
  }
  const last = Array.from(shown[30]!.data.subarray(0, 3));
  assert.ok(
    last.every((value, i) => Math.abs(value - red.data[i]!) <= 8),
    String(last),
  );
  assert.ok(readFileSync(file('a.gif')).includes('made for a test'));
});

test('a GIF of more frames than are held is whole', async () => {
  await writeVideo(file('long.gif'), greyFrames(150), { fps: 12.5 });
  const shown = await all(readFrames(file('long.gif')));
  assert.equal(shown.length, 150);
  assert.ok(Math.abs(shown[149]!.time - 149 / 12.5) < 1e-6);
});

test('numbered pictures are the frames without loss, and those of an earlier run are gone', async () => {
  const pictures = [busy(17, 9, 1), busy(17, 9, 2), busy(17, 9, 3)];
  for (const [path, names] of [
    [file('frames/'), ['00000.png', '00001.png', '00002.png']],
    [file('names/x-%03d.png'), ['x-000.png', 'x-001.png', 'x-002.png']],
  ] as const) {
    const folder = path.replace(/[^/]*$/, '');
    await writeVideo(path, [...pictures, ...pictures], { fps });
    if (path.includes('%')) writeFileSync(`${folder}other.txt`, 'stays');
    await writeVideo(path, pictures, { fps, metadata: { Comment: 'grün' } });
    assert.deepEqual(
      readdirSync(folder).filter((name) => name !== 'other.txt'),
      names,
    );
    for (const [i, name] of names.entries()) {
      const [read] = await all(readFrames(`${folder}${name}`));
      assert.deepEqual(Array.from(read!.data), Array.from(pictures[i]!.data), name);
      assert.ok(readFileSync(`${folder}${name}`).includes('Comment\0\0\0\0\0grün'));
    }
  }
  assert.equal(readFileSync(file('names/other.txt'), 'utf8'), 'stays');
});

test('a folder of other things is not taken for frames', async () => {
  await assert.rejects(writeVideo(file('names'), greyFrames(2), { fps }), /holds other things, such as other\.txt/);
  assert.ok(readdirSync(file('names')).includes('other.txt'));
});

test('the same frames and sound give the same bytes, in every format', async () => {
  for (const name of ['s.mp4', 's.mov', 's.mkv', 's.webm', 's.gif']) {
    const audio = name === 's.gif' ? undefined : sound(16000);
    const pictures = Array.from({ length: 30 }, (_, k) => busy(64, 48, k));
    const write = async (metadata: Record<string, string>): Promise<Buffer> => {
      await writeVideo(file(name), pictures, { fps, audio, metadata });
      return readFileSync(file(name));
    };
    const first = await write({ comment: 'one' });
    assert.ok(first.equals(await write({ comment: 'one' })), name);
    assert.ok(!first.equals(await write({ comment: 'two' })), name);
  }
});

test('sound in pieces gives the bytes of the whole', async () => {
  const whole = sound(22050);
  await writeVideo(file('whole.mp4'), greyFrames(50, 64, 64), { fps, audio: whole });
  for (const length of [100, 5000]) {
    await writeVideo(file('pieces.mp4'), greyFrames(50, 64, 64), { fps, audio: inPieces(whole, length) });
    assert.ok(readFileSync(file('whole.mp4')).equals(readFileSync(file('pieces.mp4'))), `pieces of ${length}`);
  }
  const changing = [sound(8000), sound(16000)];
  await assert.rejects(writeVideo(file('d.mp4'), greyFrames(100), { fps, audio: changing }), /got 8000 and then 16000/);
});

test('resampled in pieces, sound is that of the whole, sample by sample', async () => {
  const whole = sound(44100);
  const expected = await resample(whole.samples, 44100, 16000);
  assert.equal(expected.length, 32000);
  for (const length of [1, 37, 4096].map((n) => Math.max(n, 7))) {
    const parts = await all(resampleChunks(inPieces(whole, length), 16000));
    const got = Float32Array.from(parts.flatMap(({ samples }) => Array.from(samples)));
    assert.deepEqual(got, expected);
  }
});

test('a file says about itself what it was told to', async () => {
  for (const name of ['t.mp4', 't.mkv', 't.webm']) {
    await writeVideo(file(name), greyFrames(3), { fps, metadata: { comment: 'drawn, not filmed', title: 'Grey' } });
    const { tags } = await mediaInfo(file(name));
    const found = Object.fromEntries(Object.entries(tags).map(([key, value]) => [key.toLowerCase(), value]));
    assert.deepEqual([found.comment, found.title], ['drawn, not filmed', 'Grey'], name);
    assert.equal(found.creation_time, undefined);
  }
});

test('what fails leaves nothing behind, and what was there before', async () => {
  function* failing(): Generator<RgbImage> {
    yield* greyFrames(5);
    throw new Error('the source broke');
  }
  mkdirSync(file('clean'));
  for (const name of ['clean/a.mp4', 'clean/a.webm', 'clean/a.gif', 'clean/frames/', 'clean/f-%04d.png']) {
    await assert.rejects(writeVideo(file(name), failing(), { fps }), /the source broke/);
    assert.deepEqual(readdirSync(file('clean')), [], name);
  }
  writeFileSync(file('clean/a.mp4'), 'before');
  await assert.rejects(writeVideo(file('clean/a.mp4'), failing(), { fps }), /the source broke/);
  assert.equal(readFileSync(file('clean/a.mp4'), 'utf8'), 'before');
});

test('options that do not go together are refused before a frame is asked for', async () => {
  const never = { [Symbol.iterator]: () => assert.fail('a frame was asked for') };
  const fails = (name: string, message: RegExp, options = {}) =>
    assert.rejects(writeVideo(file(name), never, { fps, ...options }), message);
  await fails('x.gif', /a GIF has no sound/, { audio: sound(8000) });
  await fails('x-%d.png', /PNG files have no sound/, { audio: sound(8000) });
  await fails('x.gif', /at most 50 frames a second/, { fps: 60 });
  await fails('x.png', /ends in \.mp4.*NAME-%05d\.png, or a folder/);
  await fails('x-%s.png', /numbered files as NAME-%05d\.png/);
  await fails('x.mp4', /effort of usual or little, got much/, { effort: 'much' });
});

test('a picture that cannot be one is refused', async () => {
  const wrong = { width: 3, height: 2, data: new Uint8Array(17) };
  await assert.rejects(encodePng(wrong), /width x height x 3 bytes, got 3 x 2 and 17/);
  await assert.rejects(encodePng(busy(2, 2, 0), { '': 'x' }), /keyword/);
});
