/** Trained models of SPEAK in use: a photograph, a recording, and what is asked of emotion and head. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Generator, getNumThreads, manualSeed, randn, setNumThreads } from 'headrace';
import { mediaInfo, type RgbImage, readAudio, readImage, writeImage, writeVideo, writeWav } from 'headrace/media';
import {
  FaceCoder,
  PoseMap,
  readTalkingConfig,
  SpeakHead,
  saveTalking,
  soundEncoder,
  TalkingGenerator,
  talkingShape,
} from 'headrace/talkinghead';
import { headrace } from '../cli/run.js';
import { example } from './examples.js';

const threads = getNumThreads();
const folder = mkdtempSync(join(tmpdir(), 'headrace-use-'));
after(() => {
  setNumThreads(threads);
  rmSync(folder, { recursive: true });
});
const [run, sound, picture] = ['speak.safetensors', 'line.wav', 'ana.png'].map((name) => join(folder, name)) as [
  string,
  string,
  string,
];

let head: SpeakHead;
before(async () => {
  const { samples } = await readAudio(example('hello.flac'), { rate: 16000, start: 0.3, end: 0.7 });
  writeWav(sound, { channels: [samples], rate: 16000 });
  await writeImage(picture, await readImage(example('ana.jpg')));
  const config = readTalkingConfig('standard', { irfd: 'x', sync: 'x', width: 6, face: 6, channels: 8, budget: 64 });
  const coderShape = {
    size: 32,
    encoder: { depth: 10, width: 4 },
    codes: { identity: 6, emotion: 5, pose: 4 },
    sphere: true,
  } as const;
  manualSeed(2);
  const generator = new TalkingGenerator(talkingShape(config, 32, coderShape.codes, soundEncoder('voice').size));
  const random = (...shape: number[]) => randn(shape, { generator: new Generator(5) });
  const model = {
    config,
    fps: 25,
    framing: { x: 0.5, y: 0.55, side: 0.45 },
    coder: new FaceCoder(coderShape).eval(),
    generator,
    moods: random(7, 5),
    // Of contempt and the like there is nothing in the clips; disgust is not shown either.
    shown: [true, true, true, true, true, false, true],
    poses: new PoseMap(random(28, 4).mul(0.3)),
  };
  saveTalking(run, model, coderShape);
  head = await SpeakHead.load(run, picture);
});

const framesOf = async (options: Omit<Parameters<SpeakHead['animate']>[0], 'speech'>): Promise<RgbImage[]> => {
  const frames: RgbImage[] = [];
  for await (const frame of await head.animate({ speech: sound, pose: 'still', ...options })) frames.push(frame);
  return frames;
};
const bytes = (frames: readonly RgbImage[]): Buffer => Buffer.concat(frames.map(({ data }) => data));
const equal = (a: readonly RgbImage[], b: readonly RgbImage[]): boolean => bytes(a).equals(bytes(b));

let own: RgbImage[];

test('a head says a recording in as many frames as it has, the same each time, and sound moves it', async () => {
  own = await framesOf({});
  assert.deepEqual([own.length, own[0]!.width, own[0]!.height], [10, 32, 32]);
  assert.ok(equal(await framesOf({}), own));
  const { samples } = await readAudio(sound);
  const silent = { samples: new Float32Array(samples.length), rate: 16000 };
  const quiet: RgbImage[] = [];
  for await (const frame of await head.animate({ speech: silent, pose: 'still' })) quiet.push(frame);
  assert.equal(quiet.length, 10);
  assert.ok(!equal(quiet, own));
});

test('emotions by name, alone and together: none is the own face; what no clip shows is refused', async () => {
  const [none, neutral, some] = [
    await framesOf({ emotion: 'happy:0' }),
    await framesOf({ emotion: 'neutral' }),
    await framesOf({ emotion: 'happy:0.6' }),
  ];
  assert.ok(equal(none, own) && equal(neutral, own));
  assert.ok(!equal(some, own));
  assert.ok(equal(await framesOf({ emotion: 'happy:1', emotionScale: 0.6 }), some));
  assert.ok(!equal(await framesOf({ emotion: 'happy:0.6+sad:0.3' }), some));
  await assert.rejects(
    framesOf({ emotion: 'disgusted' }),
    /that the model's clips show \(neutral, happy.*got disgusted/,
  );
});

test('a picture or a video whose face is followed: of the portrait itself nothing changes', async () => {
  assert.ok(equal(await framesOf({ emotion: { file: picture } }), own));
  assert.ok(equal(await framesOf({ pose: { file: picture } }), own));
  const other = example('ben.jpg');
  assert.ok(!equal(await framesOf({ emotion: { file: other } }), own));
  assert.ok(equal(await framesOf({ emotion: { file: other }, emotionScale: 0 }), own));
  // Two pictures, shorter than the recording: to and fro.
  const film = join(folder, 'two.mp4');
  const image = await readImage(example('ana.jpg'));
  const small = (shift: number): RgbImage => half(image, shift);
  await writeVideo(film, [small(0), small(24)], { fps: 25, quality: 4 });
  const turned = await framesOf({ pose: { file: film } });
  assert.equal(turned.length, 10);
  assert.ok(!equal(turned, own));
  await assert.rejects(framesOf({ pose: { file: sound } }), /line\.wav/);
});

/** A picture at half its size, moved to the right. */
function half({ width, data }: RgbImage, shift: number): RgbImage {
  const side = 2 * Math.floor(width / 4);
  const small = new Uint8Array(3 * side * side);
  for (let y = 0; y < side; y++)
    for (let x = 0; x < side; x++) {
      const from = 3 * (2 * y * width + Math.max(0, 2 * (x - shift)));
      small.set(data.subarray(from, from + 3), 3 * (y * side + x));
    }
  return { width: side, height: side, data: small };
}

test('poses by numbers go by the map, and a scale of 0 leaves the head where it is', async () => {
  const turned = await framesOf({ pose: 'yaw=20' });
  assert.ok(!equal(turned, own));
  assert.ok(equal(await framesOf({ pose: 'yaw=40', poseScale: 0 }), own));
  const again = await framesOf({ pose: 'idle', seed: 3 });
  assert.ok(equal(await framesOf({ pose: 'idle', seed: 3 }), again));
  assert.ok(!equal(await framesOf({ pose: 'idle', seed: 4 }), again));
});

test('on the command line both modes have one report; what a model cannot do is told before it is loaded', async () => {
  const args = ['talk', 'animate', '--portrait', picture, '--audio', sound];
  const out = join(folder, 'o.mp4');
  const fails = async (more: readonly string[], what: RegExp): Promise<void> => {
    const { code, stderr } = await headrace([...args, '-o', out, ...more]);
    assert.equal(code, 1, stderr);
    assert.match(stderr, what);
    assert.ok(!existsSync(out));
  };
  await fails(['--model', 'speak'], /No model of SPEAK comes with Headrace yet: train one/);
  await fails(['--model', join(folder, 'none')], /portrait or a run of headrace talk train speak/);
  await fails(['--model', run, '--size', '64', '--full'], /cannot take --full, --size/);
  await fails(['--model', run, '--fps', '30'], /speaks at 25 frames a second, got --fps 30/);
  const report = join(folder, 'report.json');
  const made = await headrace([
    ...args,
    '-o',
    out,
    '--model',
    run,
    '--emotion',
    'sad:0.5',
    '--report',
    report,
    '--json',
  ]);
  assert.equal(made.code, 0, made.stderr);
  assert.equal((JSON.parse(made.stdout.trim().split('\n').at(-1)!) as { frames: number }).frames, 10);
  const told = JSON.parse(readFileSync(report, 'utf8')) as Record<string, unknown>;
  assert.deepEqual([told.model, told.frames, told.fps], [run, 10, 25]);
  assert.ok('pose' in told && 'sync' in told);
  const info = await mediaInfo(out);
  assert.deepEqual([info.video!.width, info.audio === null], [32, false]);
});

test('a picture without a face is refused', async () => {
  const grey = { width: 64, height: 64, data: new Uint8Array(3 * 64 * 64).fill(90) };
  await assert.rejects(SpeakHead.load(run, grey), /no face was found in it/);
});
