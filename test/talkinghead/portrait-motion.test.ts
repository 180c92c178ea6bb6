import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import type { RgbImage } from 'headrace/media';
import { type ArkitName, arkitIndex, arkitNames, arkitWeights, Portrait, SyntheticFace } from 'headrace/talkinghead';
import { example } from './examples.js';

let portrait: Portrait;
let rest: RgbImage;

before(async () => {
  portrait = await Portrait.load(example('ana.jpg'), { size: 320 });
  rest = portrait.frame();
});

function weights(set: Partial<Record<ArkitName, number>>): Float32Array {
  const all = portrait.rest.weights.slice();
  for (const [name, value] of Object.entries(set)) all[arkitIndex(name)] = value;
  return all;
}

const landmark = (k: number): [number, number] => [portrait.fit.landmarks[2 * k]!, portrait.fit.landmarks[2 * k + 1]!];

function brightness({ width, data }: RgbImage, x: number, y: number): number {
  const i = 3 * (Math.round(y) * width + Math.round(x));
  return data[i]! + data[i + 1]! + data[i + 2]!;
}

/** How unlike two pictures are about a place of each. */
function unlike(
  a: RgbImage,
  [ax, ay]: [number, number],
  b: RgbImage,
  [bx, by]: [number, number],
  reach: number,
): number {
  let sum = 0;
  for (let dy = -reach; dy <= reach; dy++)
    for (let dx = -reach; dx <= reach; dx++)
      sum += Math.abs(brightness(a, ax + dx, ay + dy) - brightness(b, bx + dx, by + dy));
  return sum;
}

/** By how many pixels what `rest` shows at a place is elsewhere in a frame. */
function shiftOf(frame: RgbImage, at: [number, number], search: number): [number, number] {
  let [best, least]: [[number, number], number] = [[0, 0], Infinity];
  for (let dy = -search; dy <= search; dy++)
    for (let dx = -search; dx <= search; dx++) {
      const cost = unlike(rest, at, frame, [at[0] + dx, at[1] + dy], 6);
      if (cost < least) [best, least] = [[dx, dy], cost];
    }
  return best;
}

test('a head that is moved and rolled is where the camera sees it', () => {
  const { camera } = portrait.fit;
  const moved = portrait.frame({ position: [1, -0.6, 0] });
  for (const k of [36, 45, 48, 54]) {
    const [dx, dy] = shiftOf(moved, landmark(k), 12);
    assert.ok(Math.abs(dx - camera.pixelsPerCm) <= 1.5, `landmark ${k}: ${dx} pixels to the right`);
    assert.ok(Math.abs(dy - 0.6 * camera.pixelsPerCm) <= 1.5, `landmark ${k}: ${dy} pixels down`);
  }
  // A roll of 8 degrees clockwise: what is 1 pixel further right of the eyes' line comes 0.14 further down.
  const rolled = portrait.frame({ pose: { roll: 8 } });
  const [left, right] = [landmark(36), landmark(45)];
  const [a, b] = [shiftOf(rolled, left, 14), shiftOf(rolled, right, 14)];
  const expected = Math.sin((8 * Math.PI) / 180) * (right[0] - left[0]);
  assert.ok(Math.abs(b[1] - a[1] - expected) <= 2, `${b[1] - a[1]} pixels down, expected ${expected}`);
});

test('eyes turn where they are told to, and nothing else does', () => {
  const { gaze } = portrait.fit;
  const [outer, inner] = [landmark(36), landmark(39)];
  const darkAt = (frame: RgbImage): number => {
    let [sum, weight] = [0, 0];
    const y = (landmark(37)[1] + landmark(41)[1]) / 2;
    for (let x = outer[0]; x <= inner[0]; x++)
      for (const dy of [-1, 0, 1]) {
        const dark = Math.max(0, 300 - brightness(frame, x, y + dy));
        [sum, weight] = [sum + dark * x, weight + dark];
      }
    return sum / weight;
  };
  const to = (yaw: number): RgbImage => portrait.frame({ gaze: { yaw: gaze.yaw + yaw, pitch: gaze.pitch } });
  const [left, ahead, right] = [to(-15), to(0), to(15)].map(darkAt) as [number, number, number];
  assert.ok(left < ahead - 0.3 && ahead + 0.3 < right, `${left}, ${ahead}, ${right}`);
  assert.equal(unlike(rest, landmark(30), to(15), landmark(30), 8), 0);
  assert.equal(unlike(rest, landmark(57), to(15), landmark(57), 8), 0);
});

test('lips that were open meet again, smiling or not', () => {
  const dark = (frame: RgbImage): number => {
    const [[left], [right], [, top], [, bottom]] = [landmark(60), landmark(64), landmark(51), landmark(57)];
    const lip = brightness(rest, ...landmark(57));
    let count = 0;
    for (let y = top; y < bottom; y++)
      for (let x = left; x < right; x++) if (brightness(frame, x, y) < 0.45 * lip) count++;
    return count;
  };
  const shut = Object.fromEntries(arkitNames.filter((name) => /^(jaw|mouth)/.test(name)).map((name) => [name, 0]));
  const open = dark(portrait.frame({ weights: weights({ ...shut, jawOpen: 0.6 }) }));
  assert.ok(open > 60, `${open} dark pixels between open lips`);
  for (const smile of [0, 0.7]) {
    const closed = dark(
      portrait.frame({ weights: weights({ ...shut, mouthSmileLeft: smile, mouthSmileRight: smile }) }),
    );
    assert.ok(closed < 0.15 * open, `smile ${smile}: ${closed} dark pixels of ${open}`);
  }
});

test('a mouth that is torn open is dark from corner to corner: nothing of the lips is seen through its walls', () => {
  const { data, width } = portrait.frame({
    weights: weights({ jawOpen: 1, mouthSmileLeft: 1, mouthSmileRight: 1 }),
  });
  const [[left], [right], [, top]] = [landmark(48), landmark(54), landmark(51)];
  const isDark = (x: number, y: number): boolean => brightness({ width, height: 0, data }, x, y) < 135;
  let [all, red] = [0, 0];
  for (let y = Math.round(top); y < top + portrait.fit.eyeDistance; y++) {
    const row = Array.from({ length: Math.ceil(right - left) + 20 }, (_, i) => Math.round(left) - 10 + i);
    const [first, last] = [row.find((x) => isDark(x, y)), row.findLast((x) => isDark(x, y))];
    for (const x of row) {
      if (first === undefined || last === undefined || x < first || x > last) continue;
      const i = 3 * (y * width + x);
      all++;
      if (data[i]! - data[i + 1]! > 35) red++;
    }
  }
  assert.ok(all > 500 && red < 0.01 * all, `${red} of ${all} pixels are lips`);
});

test('an open mouth is the photograph, and what it shows stays below the upper lip when the mouth opens further', async () => {
  using person = new SyntheticFace(5, { size: 256 });
  const { image } = person.frame({
    weights: arkitWeights({ jawOpen: 0.25, mouthUpperUpLeft: 0.4, mouthUpperUpRight: 0.4 }),
  });
  using open = await Portrait.load(image, { crop: 'full' });
  const { landmarks } = open.fit;
  const [x, top, bottom] = [landmarks[2 * 62]!, landmarks[2 * 62 + 1]!, landmarks[2 * 66 + 1]!];
  const box = { left: landmarks[2 * 60]!, right: landmarks[2 * 64]!, top: landmarks[2 * 51 + 1]!, bottom };
  const still = open.frame();
  let [off, all] = [0, 0];
  for (let y = box.top; y < box.bottom; y++)
    for (let at = box.left; at < box.right; at++, all++) if (unlike(still, [at, y], image, [at, y], 0) > 20) off++;
  assert.ok(off < 0.01 * all, `${off} of ${all} pixels are not the photograph's`);
  const wide = Float32Array.from(open.rest.weights);
  wide[arkitIndex('jawOpen')]! += 0.25;
  const wider = open.frame({ weights: wide });
  const tooth: [number, number] = [x, top + 0.3 * (bottom - top)];
  assert.ok(unlike(wider, tooth, image, tooth, 1) <= 9 * 3 * 8, 'the teeth are where they were');
  const lip: [number, number] = [x, bottom + 2];
  assert.ok(unlike(wider, lip, image, lip, 1) > 9 * 3 * 20, 'the lower lip is not');
});

test('frames take no memory that stays', () => {
  const motion = (i: number) => ({
    pose: { yaw: 10 * Math.sin(i) },
    weights: weights({ jawOpen: 0.3 * Math.abs(Math.cos(i)) }),
  });
  for (let i = 0; i < 40; i++) portrait.frame(motion(i));
  const before = process.memoryUsage().rss;
  for (let i = 0; i < 200; i++) portrait.frame(motion(i));
  const grown = (process.memoryUsage().rss - before) / 2 ** 20;
  assert.ok(grown < 60, `${grown.toFixed(0)} MB more after 200 frames of 0.3 MB`);
});
