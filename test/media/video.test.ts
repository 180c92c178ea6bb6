import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { before, test } from 'node:test';
import { mediaInfo, type RgbImage, readAudio, readFrames, writeVideo } from 'headrace/media';
import { all, beeps, damageMedia, greyFrames, numberOf, onsetsOf, remux, scratch } from './support.js';

const file = scratch();
const onsets = [0.5, 1, 1.5];

before(async () => {
  const audio = { samples: beeps(16000, 2, onsets), rate: 16000 };
  await writeVideo(file('a.mp4'), greyFrames(50), { fps: 25, audio, quality: 4 });
});

const frames = async (name: string, options = {}) =>
  (await all(readFrames(file(name), options))).map((frame) => [numberOf(frame), Math.round(frame.time * 1e4) / 1e4]);

const upTo = (count: number) => Array.from({ length: count }, (_, k) => k);

test('a video that was written is described as it is', async () => {
  const { duration, video, audio, streams } = await mediaInfo(file('a.mp4'));
  assert.equal(duration, 2);
  assert.deepEqual(video, { codec: 'h264', width: 32, height: 24, fps: 25, frames: 50, pixelAspect: 1, duration: 2 });
  assert.deepEqual(audio, { codec: 'aac', rate: 16000, channels: 1, duration: 2 });
  assert.deepEqual(streams, ['video h264', 'audio aac']);
});

test('all frames come in order, at their times, of the size of the picture', async () => {
  assert.deepEqual(
    await frames('a.mp4'),
    upTo(50).map((k) => [k, k / 25]),
  );
  for await (const { index, width, height, data } of readFrames(file('a.mp4'))) {
    assert.deepEqual([width, height, data.length], [32, 24, 32 * 24 * 3]);
    if (index === 3) break; // which closes the file
  }
});

test('at another rate, frames are those shown at the time, repeated or left out', async () => {
  const five = await frames('a.mp4', { fps: 5 });
  assert.deepEqual(
    five,
    upTo(10).map((k) => [5 * k, k / 5]),
  );
  const fifty = await frames('a.mp4', { fps: 50 });
  assert.deepEqual(
    fifty.map(([number]) => number),
    upTo(100).map((k) => Math.floor(k / 2)),
  );
  const thirty = await frames('a.mp4', { fps: 30 });
  assert.equal(thirty.length, 60);
  for (const [number, time] of thirty)
    assert.ok(Math.abs(number! * 0.04 - time!) <= 0.02 + 1e-4, `${number} at ${time}`);
});

test('a part of a video is the same frames', async () => {
  assert.deepEqual(
    await frames('a.mp4', { start: 1.2, end: 1.4 }),
    [30, 31, 32, 33, 34].map((k) => [k, k / 25]),
  );
  assert.deepEqual(await frames('a.mp4', { start: 1.5, end: 1.8, fps: 10 }), [
    [37, 1.5],
    [40, 1.6],
    [42, 1.7],
  ]);
  assert.deepEqual(await frames('a.mp4', { start: 5 }), []);
});

test('a size can be asked for, or one side of it', async () => {
  const size = async (options: object) => {
    for await (const { width, height, data } of readFrames(file('a.mp4'), options)) return [width, height, data.length];
    return null;
  };
  assert.deepEqual(await size({ width: 16, height: 16 }), [16, 16, 768]);
  assert.deepEqual(await size({ width: 64 }), [64, 48, 64 * 48 * 3]);
  assert.deepEqual(await size({ height: 12 }), [16, 12, 16 * 12 * 3]);
});

test('colours come back', async () => {
  const colours = [
    [255, 0, 0],
    [0, 255, 0],
    [0, 0, 255],
    [200, 150, 120],
    [0, 0, 0],
    [255, 255, 255],
  ];
  const pictures = colours.map((colour): RgbImage => {
    return { width: 32, height: 32, data: Uint8Array.from({ length: 32 * 32 * 3 }, (_, i) => colour[i % 3]!) };
  });
  await writeVideo(file('colours.mp4'), pictures, { fps: 10, quality: 4 });
  for await (const { index, data } of readFrames(file('colours.mp4'))) {
    const got = Array.from(data.subarray(3 * (16 * 32 + 16), 3 * (16 * 32 + 17)));
    const near = got.every((value, i) => Math.abs(value - colours[index]![i]!) <= 3);
    assert.ok(near, `${got} for ${colours[index]}`);
  }
});

test('sound and picture keep their distance, whichever begins first', async () => {
  for (const delays of [
    { audio: 0.3, video: 0 },
    { audio: 0, video: 0.2 },
  ]) {
    await remux(file('a.mp4'), file('moved.mkv'), { delays });
    const { samples, rate } = await readAudio(file('moved.mkv'));
    const heard = onsetsOf(samples, rate);
    assert.equal(heard.length, 3);
    for (const [i, time] of heard.entries()) assert.ok(Math.abs(time - onsets[i]! - delays.audio) < 0.003, `${time}`);
    const shown = await frames('moved.mkv', { fps: 25 });
    const first = Math.round(delays.video * 25);
    assert.deepEqual(
      shown.slice(0, 40).map(([number]) => number),
      upTo(40).map((k) => Math.max(0, k - first)),
    );
  }
});

test('what a telephone recorded on its side is turned upright', async () => {
  const [width, height] = [32, 24];
  const data = new Uint8Array(width * height * 3).fill(40);
  for (let y = 0; y < 8; y++) for (let x = 0; x < 8; x++) data.fill(220, 3 * (y * width + x), 3 * (y * width + x + 1));
  await writeVideo(file('corner.mp4'), [{ width, height, data }], { fps: 1, quality: 4 });
  const cases: [number[], [number, number], string][] = [
    [[0, 1, 0, -1, 0, 0, 0, 0, 1], [24, 32], 'top right'], // clockwise: (p, q) is shown at (-q, p)
    [[-1, 0, 0, 0, -1, 0, 0, 0, 1], [32, 24], 'bottom right'],
    [[0, -1, 0, 1, 0, 0, 0, 0, 1], [24, 32], 'bottom left'],
    [[-1, 0, 0, 0, 1, 0, 0, 0, 1], [32, 24], 'top right'], // mirrored
  ];
  for (const [matrix, size, corner] of cases) {
    await remux(file('corner.mp4'), file('turned.mp4'), { matrix });
    const { video } = await mediaInfo(file('turned.mp4'));
    assert.deepEqual([video?.width, video?.height], size);
    for await (const picture of readFrames(file('turned.mp4'))) {
      assert.deepEqual([picture.width, picture.height], size);
      assert.equal(brightCorner(picture), corner);
    }
  }
});

function brightCorner({ width, height, data }: RgbImage): string {
  const corners = { 'top left': [3, 3], 'top right': [width - 4, 3], 'bottom left': [3, height - 4] };
  for (const [name, [x, y]] of Object.entries(corners)) if (data[3 * (y! * width + x!)]! > 130) return name;
  return data[3 * ((height - 4) * width + width - 4)]! > 130 ? 'bottom right' : 'nowhere';
}

test('a file that is cut short is an error, unless what is there will do', async () => {
  const whole = readFileSync(file('a.mp4'));
  writeFileSync(file('cut.mp4'), whole.subarray(0, whole.length * 0.6));
  const short = { name: 'DataError', code: 'TRUNCATED', message: /cut short: it announces 2\.00 s.*allowTruncated/ };
  await assert.rejects(all(readFrames(file('cut.mp4'))), short);
  await assert.rejects(readAudio(file('cut.mp4')), short);
  assert.ok((await all(readFrames(file('cut.mp4'), { allowTruncated: true }))).length > 5);
  assert.equal((await all(readFrames(file('cut.mp4'), { end: 0.2 }))).length, 5);
  await writeVideo(file('late.mp4'), greyFrames(10), { fps: 25 });
  writeFileSync(file('headless.mp4'), Buffer.concat([whole.subarray(0, 32), Buffer.alloc(400)]));
  await assert.rejects(mediaInfo(file('headless.mp4')), { name: 'DataError', message: /cut short: .*'moov'/ });
});

test('what is damaged within a file is told, and the rest of it is read', async () => {
  const notes: string[] = [];
  const note = (remark: string): number => notes.push(remark);
  assert.equal((await all(readFrames(file('a.mp4'), { note }))).length, 50);
  await readAudio(file('a.mp4'), { note });
  assert.deepEqual(notes, []);
  damageMedia(file('a.mp4'), file('damaged.mp4'), 0.5, 0.7);
  const { samples, rate } = await readAudio(file('damaged.mp4'), { note });
  assert.ok(Math.abs(samples.length / rate - 2) < 0.1);
  const frames = await all(readFrames(file('damaged.mp4'), { note }));
  assert.ok(frames.length > 20);
  assert.equal(notes.length, 2);
  assert.match(
    notes[0]!,
    /damaged\.mp4: its audio is damaged from \d\.\d\d s on, with \d+ packets that cannot be decoded: copy/,
  );
  assert.match(notes[1]!, /damaged\.mp4: its video is damaged from \d\.\d\d s on, with \d+ (packet|frame)/);
});

test('errors say what was expected, what came and what to do', async () => {
  const fails = (promise: Promise<unknown>, message: RegExp, name = 'DataError') =>
    assert.rejects(promise, (error: Error) => error.name === name && message.test(error.message), String(message));
  writeFileSync(file('text.mp4'), 'not a video, whatever its name says\n'.repeat(40));
  writeFileSync(file('empty.mp4'), '');
  await writeVideo(file('silent.mp4'), greyFrames(3), { fps: 25 });
  await fails(mediaInfo(file('none.mp4')), /^No such file: .*none\.mp4/);
  await fails(mediaInfo(file('.')), /is a folder, expected a video/);
  await fails(mediaInfo(file('empty.mp4')), /is empty, expected a video/);
  await fails(mediaInfo(file('text.mp4')), /is not a media file that FFmpeg can read .*: expected a video/);
  await fails(readAudio(file('silent.mp4')), /has no audio stream, only video \(h264\): give a recording with sound/);
  await fails(all(readFrames(file('a.mp4'), { fps: 0 })), /expected fps > 0/, 'ConfigError');
  await fails(all(readFrames(file('a.mp4'), { width: 1.5 })), /expected width to be pixels/, 'ConfigError');
  await fails(all(readFrames(file('a.mp4'), { start: 2, end: 1 })), /expected 0 <= start < end/, 'ConfigError');
});

test('what cannot be written leaves no file', async () => {
  const write = (name: string, pictures: Iterable<RgbImage>, options = { fps: 25 }) =>
    writeVideo(file(name), pictures, options);
  const sized = (width: number, height: number) => ({ width, height, data: new Uint8Array(width * height * 3) });
  await assert.rejects(write('b.mp4', []), /there are no frames/);
  await assert.rejects(write('b.mp4', [sized(31, 24)]), /even width and height, got 31 x 24/);
  await assert.rejects(
    write('b.mp4', [sized(32, 24), sized(16, 16)]),
    /expected frames of 32 x 24.*frame 1 is 16 x 16/,
  );
  await assert.rejects(write('b.avi', [sized(32, 24)]), /ends in \.mp4/);
  await assert.rejects(write('b.mp4', [sized(32, 24)], { fps: -1 }), /expected fps/);
  await assert.rejects(mediaInfo(file('b.mp4')), /No such file/);
});

test('rates of broadcasts are exact, and sound of any rate is taken', async () => {
  const audio = { samples: beeps(10000, 0.8, [0.4]), rate: 10000 };
  await writeVideo(file('ntsc.mov'), greyFrames(30), { fps: 29.97, audio });
  const { video, audio: sound } = await mediaInfo(file('ntsc.mov'));
  assert.equal(video?.fps, 30000 / 1001);
  assert.equal(sound?.rate, 48000);
  const { samples, rate } = await readAudio(file('ntsc.mov'), { rate: 16000 });
  assert.ok(Math.abs(onsetsOf(samples, rate)[0]! - 0.4) < 0.003);
});
