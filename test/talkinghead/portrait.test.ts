import assert from 'node:assert/strict';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { getNumThreads, setNumThreads } from 'headrace';
import { type RgbImage, readImage } from 'headrace/media';
import { type ArkitName, arkitIndex, fitPhotographs, Portrait, parseEmotion } from 'headrace/talkinghead';
import sharp from 'sharp';
import { example } from './examples.js';

let photograph: RgbImage;
let portrait: Portrait;

before(async () => {
  photograph = await readImage(example('ana.jpg'));
  portrait = await Portrait.load(photograph, { size: 320 });
});

/** The photograph's own weights, with some of them set. */
function weights(set: Partial<Record<ArkitName, number>>): Float32Array {
  const all = portrait.rest.weights.slice();
  for (const [name, value] of Object.entries(set)) all[arkitIndex(name)] = value;
  return all;
}

/** Where the camera sees a landmark, by the fit: what a frame has to show there. */
function landmark(k: number): [number, number] {
  return [portrait.fit.landmarks[2 * k]!, portrait.fit.landmarks[2 * k + 1]!];
}

function difference(a: RgbImage, b: RgbImage): number {
  return a.data.reduce((sum, value, i) => sum + Math.abs(value - b.data[i]!), 0) / a.data.length;
}

/** Mean change of the pixels within `reach` of a place. */
function changeAt(a: RgbImage, b: RgbImage, [x, y]: readonly [number, number], reach: number): number {
  let [sum, count] = [0, 0];
  for (let py = Math.round(y - reach); py <= y + reach; py++)
    for (let px = Math.round(x - reach); px <= x + reach; px++)
      for (let c = 0; c < 3; c++, count++) {
        const i = 3 * (py * a.width + px) + c;
        sum += Math.abs(a.data[i]! - b.data[i]!);
      }
  return sum / count;
}

test('no motion gives the photograph back', async () => {
  const steps: number[] = [];
  const onStep = (_what: string, step: number, of: number): void => void steps.push(step, of);
  const whole = await Portrait.load(photograph, { crop: 'full', onStep });
  assert.deepEqual(steps, [1, 7, 2, 7, 3, 7, 4, 7, 5, 7, 6, 7, 7, 7]);
  assert.deepEqual([whole.width, whole.height], [photograph.width, photograph.height]);
  assert.ok(difference(whole.frame(), photograph) < 0.1);
  assert.ok(difference(whole.frame(whole.rest), photograph) < 0.1);
  whole.dispose();
  assert.throws(() => whole.frame(), /was disposed/);
});

test('the same motion gives the same bytes, on any number of threads', () => {
  const motion = { weights: weights({ jawOpen: 0.5, eyeBlinkLeft: 0.6 }), pose: { yaw: 11, pitch: -7, roll: 4 } };
  const first = portrait.frame(motion);
  portrait.frame({ pose: { yaw: -20 } });
  const before = getNumThreads();
  for (const threads of [1, 2, 3]) {
    setNumThreads(threads);
    assert.deepEqual(portrait.frame(motion).data, first.data, `${threads} threads`);
  }
  setNumThreads(before);
});

test('what moves is what was asked for: lids, jaw, head; the rest of the picture stays', () => {
  const rest = portrait.frame();
  const eyes = portrait.fit.eyeDistance;
  const corner: [number, number] = [12, portrait.height - 12];
  const [left, right, lip] = [landmark(37), landmark(43), landmark(57)];
  const eye = (at: readonly [number, number]): [number, number] => [at[0] + 0.05 * eyes, at[1] + 0.08 * eyes];
  const wink = portrait.frame({ weights: weights({ eyeBlinkLeft: 1 }) });
  assert.ok(changeAt(rest, wink, eye(right), 3) > 12, "the left eye, at the viewer's right, is shut");
  assert.ok(changeAt(rest, wink, eye(left), 3) < 1, 'the other is not');
  assert.ok(changeAt(rest, wink, lip, 5) < 0.5);
  const open = portrait.frame({ weights: weights({ jawOpen: 0.8 }) });
  assert.ok(changeAt(rest, open, lip, 5) > 8);
  assert.ok(changeAt(rest, open, eye(left), 3) < 1);
  const turned = portrait.frame({ pose: { yaw: 15 } });
  assert.ok(changeAt(rest, turned, landmark(30), 5) > 4);
  for (const frame of [wink, open, turned]) assert.ok(changeAt(rest, frame, corner, 8) < 1);
});

test('a wrong motion is refused with what was expected', async () => {
  assert.throws(() => portrait.frame({ weights: new Float32Array(51) }), /expected 52 weights, got 51/);
  assert.throws(() => portrait.frame({ pose: { yaw: 80 } }), /yaw from -60 to 60/);
  assert.throws(() => portrait.frame({ pose: { tilt: 1 } as object }), /among yaw, pitch, roll/);
  assert.throws(() => portrait.frame({ position: [0, 0, 100] }), /position\[2\]/);
  await assert.rejects(Portrait.load(photograph, { size: 8 }), /size/);
  await assert.rejects(
    Portrait.load(photograph, { fit: portrait.fit }),
    /expected a fit of this picture's 768 x 768 pixels/,
  );
  const { width, height } = photograph;
  const empty = { width, height, data: new Uint8Array(3 * width * height).fill(120) };
  await assert.rejects(Portrait.load(empty), /no face was found/);
});

test('an emotion changes the face, and its absence does not', () => {
  assert.ok(parseEmotion('happy:0.7'));
  const smile = portrait.frame({ weights: weights({ mouthSmileLeft: 0.8, mouthSmileRight: 0.8 }) });
  assert.ok(changeAt(portrait.frame(), smile, landmark(48), 5) > 3);
});

test('further photographs of a person tell the shape of the face, each by the face that stands out most', async () => {
  const turned = portrait.frame({ pose: { yaw: 12 } });
  const fits = await fitPhotographs([photograph, turned]);
  const both = await Portrait.load(photograph, { size: 64, photos: [turned], face: 0 });
  assert.deepEqual(both.fit.identity, fits[0]!.identity);
  assert.notDeepEqual(both.fit.identity, portrait.fit.identity);
  both.dispose();
  await assert.rejects(Portrait.load(photograph, { photos: 'side.jpg' as never }), /photos as a list/);
  const blank = { width: 200, height: 200, data: new Uint8Array(120_000).fill(128) };
  await assert.rejects(Portrait.load(photograph, { photos: [blank] }), /no face was found \(200 x 200 pixels\)/);
});

test('a file without a face is named, and a photograph of thousands of pixels is made smaller and told', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'portrait-'));
  const grey = sharp({ create: { width: 200, height: 200, channels: 3, background: '#999' } });
  await grey.png().toFile(join(folder, 'wall.png'));
  await assert.rejects(Portrait.load(join(folder, 'wall.png')), /^DataError: .*wall\.png: no face was found/);
  const wide = sharp(example('ana.jpg')).extend({ right: 2000, extendWith: 'copy' });
  await wide.jpeg().toFile(join(folder, 'wide.jpg'));
  const notes: string[] = [];
  const large = await Portrait.load(join(folder, 'wide.jpg'), { crop: 'full', note: (text) => void notes.push(text) });
  assert.deepEqual([large.width, large.height], [2048, 568]);
  assert.match(notes.join(), /wide\.jpg has 2768 pixels a side there: made 2048 of them; choose with size/);
  large.dispose();
});
