import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type RgbImage, writeVideo } from 'headrace/media';
import {
  bestOffset,
  evaluateTalk,
  jitter,
  Loudness,
  landmarkDistance,
  metricNames,
  mouthOpening,
  movement,
  psnr,
  ssim,
} from 'headrace/talkinghead';
import { drawFaces } from '../media/faces-drawing.js';
import { near } from '../media/faces-support.js';
import { damageMedia, scratch } from '../media/support.js';

interface Golden {
  width: number;
  height: number;
  a: [number, number];
  b: [number, number];
  psnr: number;
  ssim: number;
}

const golden = JSON.parse(
  readFileSync(fileURLToPath(new URL('../../../test/talkinghead/golden/ssim.json', import.meta.url)), 'utf8'),
) as Golden[];

/** The picture of make_ssim.py. */
function picture(width: number, height: number, [a, b]: [number, number], brighter = 0): RgbImage {
  const data = Uint8Array.from({ length: width * height * 3 }, (_, i) => {
    const [c, x, y] = [i % 3, Math.floor(i / 3) % width, Math.floor(i / 3 / width)];
    return Math.min(255, ((x * a + y * b + x * y * (c + 1) + 40 * c) % 256) + brighter);
  });
  return { width, height, data };
}

test('PSNR and SSIM are those of numpy, from the formulas', () => {
  for (const { width, height, a, b, ...expected } of golden) {
    const brighter = a[0] === b[0] && a[1] === b[1] ? 10 : 0;
    const [p, q] = [picture(width, height, a), picture(width, height, b, brighter)];
    near(psnr(p, q), expected.psnr, 1e-9, 'PSNR');
    near(ssim(p, q), expected.ssim, 1e-9, 'SSIM');
    assert.equal(ssim(q, p), ssim(p, q));
    assert.deepEqual([psnr(p, p), ssim(p, p)], [Infinity, 1]);
  }
});

test('PSNR is that of true differences, not of bytes that wrap', () => {
  const [dark, bright] = [0, 255].map((value) => ({ width: 2, height: 1, data: new Uint8Array(6).fill(value) }));
  assert.equal(psnr(dark!, bright!), 0);
});

test('pictures of different sizes, or smaller than the window of SSIM, are refused', () => {
  assert.throws(() => psnr(picture(4, 4, [1, 1]), picture(4, 5, [1, 1])), /one size, got 4 x 4 and 4 x 5/);
  assert.throws(() => ssim(picture(10, 40, [1, 1]), picture(10, 40, [1, 1])), /at least 11 pixels a side, got 10 x 40/);
});

/** 68 points in rows, of which some are moved. */
function points(move: (i: number) => readonly [number, number] = () => [0, 0]): Float32Array {
  const all = new Float32Array(136);
  for (let i = 0; i < 68; i++) {
    const [dx, dy] = move(i);
    all[2 * i] = (i % 10) * 10 + dx;
    all[2 * i + 1] = Math.floor(i / 10) * 10 + dy;
  }
  return all;
}

test('landmark distances take away where a face or mouth is, and nothing else', () => {
  const moved = points(() => [30, -7]);
  near(landmarkDistance(points(), moved, 'face'), 0, 1e-5, 'moved face');
  near(landmarkDistance(points(), moved, 'mouth'), 0, 1e-5, 'moved mouth');
  // Ten of the twenty points of the lips 4 to the right: the mean 2, so all twenty are off by 2.
  const half = points((i) => (i >= 58 ? [4, 0] : [0, 0]));
  near(landmarkDistance(points(), half, 'mouth'), 2, 1e-5, 'half of the mouth');
  // Of 68 points the mean is 40 / 68: ten are off by 4 - 40 / 68, the others by 40 / 68.
  near(landmarkDistance(points(), half, 'face'), (10 * (4 - 40 / 68) + 58 * (40 / 68)) / 68, 1e-5, 'half in the face');
  const mouthOnly = points((i) => (i >= 48 ? [0, 5] : [0, 0]));
  near(landmarkDistance(points(), mouthOnly, 'mouth'), 0, 1e-5, 'a mouth that is lower');
});

test('the opening of the mouth is the mean gap of the inner lips over the distance of the eyes', () => {
  const landmarks = points();
  const at = (i: number, x: number, y: number) => landmarks.set([x, y], 2 * i);
  at(61, 0, 0);
  at(67, 3, 4);
  at(62, 10, 0);
  at(66, 10, 8);
  at(63, 20, 0);
  at(65, 20, 2);
  assert.equal(mouthOpening({ landmarks, interOcular: 50 }), 5 / 50);
});

test('jitter is the bend of paths: none for even motion, and over gaps nothing', () => {
  const at = (x: number) => ({ landmarks: points(() => [x, 0]), interOcular: 50 });
  near(jitter([0, 1, 2, 3, 4].map(at)) as number, 0, 1e-6, 'even motion');
  // 0 1 0: each point bends by -2, 4 % of 50.
  near(jitter([0, 1, 0].map(at)) as number, 4, 1e-5, 'to and fro');
  assert.equal(jitter([at(0), null, at(5), at(9)]), null);
});

test('a curve that comes later is found to be later, by whole frames and parts of them', () => {
  const curve = (late: number): number[] =>
    Array.from(
      { length: 100 },
      (_, i) => Math.exp(-(((i - 40 - late) / 3) ** 2)) + Math.exp(-(((i - 62 - late) / 2) ** 2)),
    );
  for (const late of [0, 3, -4, 1.5]) {
    const found = bestOffset(curve(late), curve(0), 15)!;
    near(found.frames, late, 0.1, `late by ${late}`);
    assert.ok(found.correlation > 0.9);
  }
  assert.ok(bestOffset(curve(6), curve(0), 15)!.unmoved < 0.5);
  assert.equal(bestOffset(new Array(50).fill(0.3), curve(0), 15), null);
  assert.equal(bestOffset([1, 2, 3], [1, 2, 3], 15), null);
});

test('movement is the change of an evened curve', () => {
  // Evened (1, 2, 1) / 4 with the ends held: 0, 1, 2, 1, 0.
  assert.deepEqual([...movement([0, 0, 4, 0, 0])], [1, 1, -1, -1]);
});

test('loudness is told in decibels below the loudest frame, wherever samples are cut', () => {
  const samples = new Float32Array(400);
  samples.fill(0.5, 0, 100);
  samples.fill(0.05, 100, 200);
  samples.fill(0.001, 200, 300);
  for (const step of [400, 7]) {
    const loudness = new Loudness(1000, 10);
    for (let i = 0; i < 400; i += step) loudness.push(samples.subarray(i, i + step));
    const curve = loudness.curve(5)!;
    for (const [i, expected] of [0, -20, -30, -30, -30].entries()) near(curve[i]!, expected, 1e-4, `frame ${i}`);
  }
  assert.equal(new Loudness(1000, 10).curve(3), null);
});

/** A drawn face that speaks: the mouth opens `late` frames after the sound. */
async function speaking(path: string, late: number, more: { x?: number; frames?: number } = {}): Promise<void> {
  const { x = 0, frames = 32 } = more;
  const open = (frame: number): number => Math.max(0, Math.sin(frame / 2.2) * Math.sin(frame / 9));
  function* pictures(): Generator<RgbImage> {
    for (let i = 0; i < frames; i++) {
      const data = drawFaces(160, 160, [{ x: 80 + x, y: 66, eyes: 38, mouth: open(i - late) }]);
      yield { width: 160, height: 160, data };
    }
  }
  const samples = Float32Array.from(
    { length: frames * 640 },
    (_, i) => 0.8 * open(i / 640 - 0.5) ** 2 * Math.sin(i / 4),
  );
  await writeVideo(path, pictures(), { fps: 25, audio: { samples, rate: 16000 } });
}

test('a generated video is measured beside its reference, and the controls say what the figures are worth', async () => {
  const file = scratch();
  for (const folder of ['made', 'true']) mkdirSync(file(folder));
  await speaking(file('true/a.mp4'), 0);
  await speaking(file('made/a.mp4'), 3, { x: 1 });
  const { videos, mean } = await evaluateTalk(file('made'), file('true'), { emotion: 'neutral' });
  const [video] = videos;
  assert.equal(videos.length, 1);
  assert.deepEqual([video!.frames, video!.longer, video!.notes], [32, 0, []]);
  const { generated, truth, still, shuffled } = video!.figures;
  assert.deepEqual([truth.psnr, truth.ssim, truth.lmdMouth, truth.identity, truth.yaw], [Infinity, 1, 0, 0, 0]);
  assert.ok(generated.psnr! > 15 && generated.psnr! < 45, `PSNR ${generated.psnr}`);
  assert.ok(generated.ssim! > 0.6 && generated.ssim! < 1, `SSIM ${generated.ssim}`);
  near(generated.syncMouth!, 3, 0.7, 'offset to the true mouth');
  near(generated.syncSound! - truth.syncSound!, 3, 0.8, 'offset to the sound, beside the truth');
  assert.ok(shuffled.syncSoundR! < generated.syncSoundR!, 'sound at the wrong time agrees less');
  assert.ok(still.lmdMouth! > 0.5 && still.syncMouth === null && still.jitter === 0);
  assert.equal(generated.found, 100);
  assert.ok(generated.identity! < 0.2);
  assert.deepEqual(Object.keys(mean.generated), metricNames);
  assert.equal(mean.generated.lmdMouth, generated.lmdMouth);
});

test('what cannot be compared is told', async () => {
  const file = scratch();
  await speaking(file('a.mp4'), 0, { frames: 6 });
  await speaking(file('b.mp4'), 0, { frames: 10, x: 60 });
  damageMedia(file('b.mp4'), file('damaged.mp4'), 0.4, 0.7);
  const { videos } = await evaluateTalk(file('damaged.mp4'), file('a.mp4'));
  assert.match(videos[0]!.notes.join('\n'), /damaged\.mp4: its (video|audio) is damaged/);
  assert.equal(videos[0]!.figures.generated.psnr, null);
  assert.match(videos[0]!.notes.join('\n'), /4 frames longer than the reference: 6 compared/);
  assert.match(videos[0]!.notes.join('\n'), /the face is elsewhere in the picture/);
  const blank = Array.from({ length: 2 }, () => ({ width: 64, height: 64, data: new Uint8Array(64 * 64 * 3) }));
  await writeVideo(file('none.mp4'), blank, { fps: 25 });
  await assert.rejects(evaluateTalk(file('none.mp4'), file('a.mp4')), /none\.mp4: no face was found in any of its 2/);
  mkdirSync(file('folder'));
  await assert.rejects(evaluateTalk(file('folder'), file('a.mp4')), /two videos or two folders/);
  await assert.rejects(evaluateTalk(file('folder'), file('folder')), /expected videos, found none/);
  await assert.rejects(evaluateTalk(file('a.mp4'), file('c.mp4')), /No such file or folder/);
  await assert.rejects(evaluateTalk('a', 'b', { emotion: 'joyful' as never }), /emotion among neutral/);
});
