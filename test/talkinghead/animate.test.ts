import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { mediaInfo, type RgbImage, readAudio, readFrames, resample, writeVideo, writeWav } from 'headrace/media';
import { arkitIndex, type MotionFrame, MotionTrack, Portrait } from 'headrace/talkinghead';
import { example } from './examples.js';

const folder = mkdtempSync(join(tmpdir(), 'animate-'));
const file = (name: string): string => join(folder, name);
const speech = example('hello.flac');
let portrait: Portrait;

before(async () => {
  portrait = await Portrait.load(example('ana.jpg'), { size: 128 });
});

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

/** The first seconds of a line. */
async function part(seconds: number, rate = 16000): Promise<{ samples: Float32Array; rate: number }> {
  const { samples } = await readAudio(speech, { rate: 16000, end: seconds });
  return { samples: await resample(samples, 16000, rate), rate };
}

test('there are as many pictures as the sound is long, at any rate, and the sound is in the file', async () => {
  const sound = await part(2);
  for (const fps of [25, 29.97, 12.5]) {
    const path = file(`a-${fps}.mp4`);
    const { frames } = await portrait.animate({ speech: sound, fps }).write(path);
    assert.equal(frames, Math.round(2 * fps));
    const { video, audio, tags } = await mediaInfo(path);
    assert.ok(Math.abs(video!.duration! - 2) <= 1 / fps, `${fps}: ${video!.duration}`);
    assert.ok(Math.abs(audio!.duration! - 2) <= 1 / fps, `${fps}: ${audio!.duration}`);
    assert.match(Object.values(tags).join(' '), /Synthetic media/);
  }
});

test('the same bytes twice, and other bytes for another seed', async () => {
  const sound = await part(1);
  const write = async (name: string, seed: number): Promise<Buffer> => {
    await portrait.animate({ speech: sound, seed, emotion: 'happy:0.6' }).write(file(name));
    return readFileSync(file(name));
  };
  const first = await write('s1.mp4', 1);
  assert.ok(first.equals(await write('s2.mp4', 1)));
  assert.ok(!first.equals(await write('s3.mp4', 2)));
});

test('a file, its samples and its pieces give the same motion', async () => {
  const whole = await readAudio(speech, { rate: 16000 });
  const motions = async (said: string | typeof whole): Promise<MotionFrame[]> =>
    await all(portrait.animate({ speech: said, seed: 3 }).motion());
  const fromFile = await motions(speech);
  assert.equal(fromFile.length, Math.round((25 * whole.samples.length) / 16000));
  assert.deepEqual(await motions(whole), fromFile);
});

test('the jaw moves while something is said, and rests in silence', async () => {
  const jaw = arkitIndex('jawOpen');
  const moves = async (samples: Float32Array): Promise<number> => {
    const frames = await all(portrait.animate({ speech: { samples, rate: 16000 } }).motion());
    const curve = frames.map(({ weights }) => weights[jaw]!);
    return Math.max(...curve) - Math.min(...curve);
  };
  assert.ok((await moves((await part(3)).samples)) > 0.1);
  assert.ok((await moves(new Float32Array(48000))) < 0.03);
});

test('a mood that is heard in the voice shows itself, and nothing of it is there before enough was heard', async () => {
  const sound = await part(4);
  const motion = async (emotion?: string): Promise<MotionFrame[]> =>
    await all(portrait.animate({ speech: sound, ...(emotion && { emotion }) }).motion());
  const [plain, felt] = [await motion(), await motion('auto')];
  assert.equal(felt.length, 100);
  assert.deepEqual(felt.slice(0, 20), plain.slice(0, 20));
  assert.notDeepEqual(felt.at(-1)!.weights, plain.at(-1)!.weights);
  for (const samples of [new Float32Array(16000), new Float32Array(10)])
    await all(portrait.animate({ speech: { samples, rate: 16000 }, emotion: 'auto' }).motion());
});

test('sound of every kind is read: other rates, two channels, compressed, of a video', async () => {
  const { samples } = await part(1);
  writeWav(file('narrow.wav'), { channels: [await resample(samples, 16000, 8000)], rate: 8000 });
  await writeVideo(file('film.mp4'), frames(25), { fps: 25, audio: { samples, rate: 16000 } });
  await writeVideo(file('film.webm'), frames(25), { fps: 25, audio: { samples, rate: 16000 } });
  for (const name of ['narrow.wav', 'film.mp4', 'film.webm']) {
    const moved = await all(portrait.animate({ speech: file(name) }).motion());
    assert.ok(Math.abs(moved.length - 25) <= 1, `${name}: ${moved.length}`);
  }
  assert.equal((await all(portrait.animate({ speech: await part(0.1) }).motion())).length, 3);
  assert.equal((await all(portrait.animate({ speech: await part(0.01) }).motion())).length, 1);
});

function* frames(count: number): Generator<RgbImage> {
  for (let i = 0; i < count; i++) yield { width: 64, height: 64, data: new Uint8Array(64 * 64 * 3).fill(i) };
}

test('what cannot be spoken by is one error, and leaves nothing behind', async () => {
  writeFileSync(file('words.wav'), 'these are words');
  writeFileSync(file('empty.wav'), '');
  await writeVideo(file('mute.mp4'), frames(10), { fps: 25 });
  const before = readdirSync(folder).sort();
  for (const [name, expected] of [
    ['words.wav', /words\.wav/],
    ['empty.wav', /empty\.wav/],
    ['mute.mp4', /mute\.mp4/],
    ['absent.wav', /absent\.wav/],
  ] as const)
    await assert.rejects(portrait.animate({ speech: file(name) }).write(file('out.mp4')), expected);
  const silent = { samples: new Float32Array(0), rate: 16000 };
  await assert.rejects(portrait.animate({ speech: silent }).write(file('out.mp4')), /no sound to speak by/);
  await assert.rejects(portrait.animate({ speech }).write(file('out.docx')), /expected a file name/);
  assert.throws(() => portrait.animate({ speech, fps: 200 }), /fps to be a number from 10 to 60/);
  assert.throws(() => portrait.animate({ speech, emotion: 'merry:x' }), /merry/);
  assert.throws(() => portrait.animate({ speech, volume: 2 } as never), /volume/);
  assert.deepEqual(readdirSync(folder).sort(), before);
});

test('a stop leaves nothing behind', async () => {
  const stop = new AbortController();
  let count = 0;
  const animation = portrait.animate({ speech, signal: stop.signal });
  const before = readdirSync(folder).sort();
  const onFrame = (): void => {
    if (++count === 5) stop.abort();
  };
  await assert.rejects(animation.write(file('stopped.mp4'), { onFrame }), /stopped/);
  assert.deepEqual(readdirSync(folder).sort(), before);
});

test('a track moves head and face as it says', async () => {
  const frames = 30;
  const pose = new Float32Array(3 * frames);
  for (let i = 0; i < frames; i++) pose[3 * i] = i / 3;
  const track = new MotionTrack({ fps: 25, weights: new Float32Array(52 * frames), pose });
  const moved = await all(portrait.animate({ speech: await part(1), pose: { track, relative: true } }).motion());
  assert.ok(moved.every(({ pose: { yaw } }, i) => Math.abs(yaw - i / 3) < 1e-3));
});

test('a pose beyond what a photograph can show is refused at once, and nods beside one end there', async () => {
  const track = new MotionTrack({ fps: 25, weights: new Float32Array(104), pose: Float32Array.of(0, 0, 0, 0, -61, 0) });
  const beyond = /within 60 degrees of where the head was photographed, got (yaw|pitch) up to 6[1-9]/;
  for (const pose of ['yaw=61', 'idle,pitch=0..61', 'yaw=0@0,62@3', { track, relative: true }])
    assert.throws(() => portrait.animate({ speech, pose }), beyond);
  assert.throws(() => portrait.animate({ speech, pose: 'yaw=31', poseScale: 2 }), beyond);
  assert.throws(() => portrait.animate({ speech, pose: 'x=-41' }), /within 40 cm/);
  const sound = await part(0.4);
  const yaws: number[] = [];
  for (const pose of ['idle:3,yaw=60', 'idle:3,yaw=-60'])
    for await (const { pose: turned } of portrait.animate({ speech: sound, pose }).motion())
      yaws.push(Math.abs(turned.yaw));
  assert.ok(Math.max(...yaws) === 60 && Math.min(...yaws) < 60, String(yaws));
});

test('a mark is in the picture where it was asked for', async () => {
  const sound = await part(0.2);
  const [plain] = await all(portrait.animate({ speech: sound }));
  const [marked] = await all(portrait.animate({ speech: sound, mark: true }));
  const changed = plain!.data.filter((value, i) => value !== marked!.data[i]).length;
  assert.ok(changed > 300 && changed < plain!.data.length / 5, String(changed));
});

test('pictures in a folder, and a GIF, are as many', async () => {
  const sound = await part(0.4);
  await portrait.animate({ speech: sound }).write(file('pictures/'));
  assert.equal(readdirSync(file('pictures')).length, 10);
  await portrait.animate({ speech: sound }).write(file('a.gif'));
  assert.equal((await all(readFrames(file('a.gif')))).length, 10);
});
