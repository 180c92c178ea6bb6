import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { mediaExtent, mediaInfo, readAudio, readFrames, writeVideo } from 'headrace/media';
import { all, beeps, greyFrames, numberOf, onsetsOf, remux, scratch } from './support.js';

const file = scratch();

/** A square of 16 pixels in the middle of 48 x 32. */
function* squares(): Generator<{ width: number; height: number; data: Uint8Array }> {
  const [width, height] = [48, 32];
  const data = new Uint8Array(width * height * 3).fill(30);
  for (let y = 8; y < 24; y++) data.fill(220, 3 * (y * width + 16), 3 * (y * width + 32));
  for (let k = 0; k < 3; k++) yield { width, height, data };
}

/** Width and height of what is bright. */
function brightSize({ width, height, data }: { width: number; height: number; data: Uint8Array }): [number, number] {
  const bright = (x: number, y: number) => data[3 * (y * width + x)]! > 125;
  const across = Array.from({ length: width }, (_, x) => bright(x, height >> 1)).filter(Boolean).length;
  const down = Array.from({ length: height }, (_, y) => bright(width >> 1, y)).filter(Boolean).length;
  return [across, down];
}

const quarter = [0, 1, 0, -1, 0, 0, 0, 0, 1] as const;

test('pixels come out square: wide ones make a wide picture, also where a telephone was held upright', async () => {
  await writeVideo(file('square.mp4'), squares(), { fps: 10, quality: 4 });
  // Pixels a : b wide, as they are stored; the picture's size, and that of the square in it.
  const cases: [readonly [number, number], readonly number[] | null, [number, number], [number, number]][] = [
    [[2, 1], null, [96, 32], [32, 16]],
    [[1, 2], null, [24, 32], [8, 16]],
    [[16, 15], null, [52, 32], [17, 16]], // 51.2, to an even number
    [[2, 1], quarter, [32, 96], [16, 32]],
  ];
  for (const [aspect, matrix, size, square] of cases) {
    const name = `${aspect.join('x')}${matrix ? 'r' : ''}.mp4`;
    await remux(file('square.mp4'), file(name), { aspect, ...(matrix ? { matrix } : {}) });
    const { video } = await mediaInfo(file(name));
    assert.deepEqual([video?.width, video?.height], size);
    assert.equal(video?.pixelAspect, aspect[0] / aspect[1]);
    const [picture] = await all(readFrames(file(name)));
    assert.deepEqual([picture!.width, picture!.height], size);
    for (const [i, side] of brightSize(picture!).entries()) assert.ok(Math.abs(side - square[i]!) <= 1, `${side}`);
  }
  const sized = (options: object) => all(readFrames(file('2x1.mp4'), options)).then(([first]) => first!);
  assert.deepEqual([(await sized({ height: 16 })).width, (await sized({ width: 48 })).height], [48, 16]);
  const asTold = await sized({ width: 48, height: 32 });
  assert.deepEqual(brightSize(asTold), [16, 16]); // squeezed: both sides were given
});

test('a film of wide pixels that is copied has square ones; a shape that cannot be is refused by name', async () => {
  await writeVideo(file('copy.mp4'), readFrames(file('2x1.mp4')), { fps: 10 });
  const { video } = await mediaInfo(file('copy.mp4'));
  assert.deepEqual([video?.width, video?.height, video?.pixelAspect], [96, 32, 1]);
  await remux(file('square.mp4'), file('thread.mp4'), { aspect: [1, 1000] });
  await assert.rejects(all(readFrames(file('thread.mp4'))), {
    name: 'DataError',
    message:
      /thread\.mp4: expected pixels up to 8 times .* got 48 x 32 of pixels 0\.00100 wide: give both width and height/,
  });
  assert.equal((await all(readFrames(file('thread.mp4'), { width: 48, height: 32 }))).length, 3);
});

test('interlaced frames are read as they are', async () => {
  const path = fileURLToPath(new URL('../../../test/media/golden/interlaced.m2v', import.meta.url));
  for (const { data } of await all(readFrames(path))) {
    for (const [i, value] of [200, 80, 40].entries()) assert.ok(Math.abs(data[i]! - value) <= 2, `${data[i]}`);
  }
});

test('parts of a transport stream are those of the same film in mp4, in picture and sound', async () => {
  // Key frames are 10 s apart: a search by time ends between them.
  const audio = { samples: beeps(16000, 12, [0, 3, 6.5, 9, 11]), rate: 16000 };
  await writeVideo(file('film.mp4'), greyFrames(300), { fps: 25, audio });
  await remux(file('film.mp4'), file('film.ts'));
  const { duration } = await mediaInfo(file('film.ts'));
  assert.ok(Math.abs(duration! - 12) < 0.05, `${duration}`);
  const whole = await all(readFrames(file('film.mp4')));
  assert.equal(whole.length, 300);
  for (const [start, end] of [
    [0, 1],
    [1.2, 1.9],
    [6, 7],
    [9.7, 10.3],
    [11, 12],
  ] as const) {
    const shown = await all(readFrames(file('film.ts'), { start, end }));
    const first = Math.ceil(start * 25 - 1e-6);
    const wanted = whole.slice(first, Math.ceil(end * 25 - 1e-6));
    assert.deepEqual(
      shown.map(({ data }) => Buffer.from(data)),
      wanted.map(({ data }) => Buffer.from(data)),
    );
    const even = await all(readFrames(file('film.ts'), { start, end, fps: 10 }));
    const same = await all(readFrames(file('film.mp4'), { start, end, fps: 10 }));
    assert.deepEqual(even.map(numberOf), same.map(numberOf));
  }
  const { samples, rate } = await readAudio(file('film.ts'), { start: 6, end: 7 });
  assert.equal(samples.length, 16000);
  assert.ok(Math.abs(onsetsOf(samples, rate)[0]! - 0.5) < 0.003);
});

test('a part before the first frame is empty, not an error', async () => {
  await remux(file('film.mp4'), file('late.mkv'), { delays: { audio: 0, video: 2 } });
  assert.deepEqual(await all(readFrames(file('late.mkv'), { end: 1 })), []);
  assert.equal((await all(readFrames(file('late.mkv'), { end: 2.1 }))).length, 3);
});

test('recordings that were joined byte by byte are refused where the clock begins anew', async () => {
  const film = readFileSync(file('film.ts'));
  writeFileSync(file('joined.ts'), Buffer.concat([film, film]));
  const expected = {
    name: 'DataError',
    code: 'CLOCK',
    message: /joined\.ts: its clock goes back from 11\.96 to 0\.00 s/,
  };
  await assert.rejects(all(readFrames(file('joined.ts'))), expected);
  await assert.rejects(all(readFrames(file('joined.ts'), { fps: 25 })), expected);
  await assert.rejects(readAudio(file('joined.ts')), { code: 'CLOCK' });
});

test('a file that begins late on its clock, or does not say how long it is, is measured', async () => {
  await remux(file('film.mp4'), file('offset.mkv'), { delays: { audio: 10, video: 10 } });
  assert.ok(Math.abs((await mediaInfo(file('offset.mkv'))).duration! - 12) < 0.1);
  assert.equal((await all(readFrames(file('offset.mkv'), { fps: 1 }))).length, 12);
  const { end, soundFrom } = await mediaExtent(file('film.ts'));
  assert.ok(Math.abs(end - 12) < 0.1, `${end}`);
  assert.ok(soundFrom! < 1e-6);
  assert.equal((await mediaExtent(file('square.mp4'))).soundFrom, null);
  await remux(file('film.mp4'), file('dumb.mkv'), { delays: { audio: 3, video: 0 } });
  assert.ok(Math.abs((await mediaExtent(file('dumb.mkv'))).soundFrom! - 3) < 0.01);
});

test('an option that nobody reads is refused with the one that was meant', async () => {
  const wrong = (options: object) => options as Record<string, never>;
  await assert.rejects(all(readFrames(file('film.mp4'), wrong({ strat: 1 }))), /readFrames .* Did you mean start\?/);
  await assert.rejects(readAudio(file('film.mp4'), wrong({ sr: 16000 })), /readAudio .* got sr/);
  await assert.rejects(
    writeVideo(file('x.mp4'), greyFrames(2), { fps: 5, ...wrong({ qualty: 4 }) }),
    /writeVideo .* Did you mean quality\?/,
  );
});
