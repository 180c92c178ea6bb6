import assert from 'node:assert/strict';
import test from 'node:test';
import { tensor } from 'headrace';
import type { RgbImage } from 'headrace/media';
import {
  closedEyes,
  fillBackground,
  grainOf,
  inpaint,
  lightOf,
  lipLine,
  mouthColours,
  ownTeeth,
  personMask,
  shade,
  splitLayers,
} from 'headrace/talkinghead';
import { type Colour, draw, landmarksAt, partColours, partOf, random } from './drawn-face.js';

const size = 40;
const [width, height] = [301, 257];
const [eyesX, eyesY] = [148, 110];
const head = { landmarks: landmarksAt(eyesX, eyesY, size) };

/** A person before a background that changes from left to right and is grainy. */
function person(background: (x: number, y: number) => Colour, seed = 1): { picture: RgbImage; truth: Uint8Array } {
  const next = random(seed);
  const truth = new Uint8Array(width * height);
  const picture = draw(width, height, (x, y) => {
    const part = partOf((x - eyesX) / size, (y - eyesY) / size);
    if (part) truth[Math.floor(y) * width + Math.floor(x)] = 1;
    const colour = part ? partColours[part] : background(x, y);
    const grain = 8 * (next() - 0.5);
    return [colour[0] + grain, colour[1] + grain, colour[2] + grain];
  });
  return { picture, truth };
}

const sky = (x: number, y: number): Colour => [90 + 0.2 * x, 130 + 0.1 * x, 190 - 0.2 * y];

const grey = (picture: RgbImage): RgbImage => ({
  ...picture,
  data: picture.data.map((_, i) => picture.data[3 * Math.floor(i / 3) + 1]!),
});

function overlap(alpha: Float32Array, truth: Uint8Array): number {
  let [both, either] = [0, 0];
  for (let i = 0; i < truth.length; i++) {
    const inside = alpha[i]! > 0.5;
    if (inside && truth[i]) both++;
    if (inside || truth[i]) either++;
  }
  return both / either;
}

test('the mask is the drawn person, before a plain and a bushy background, in colour and in grey', () => {
  const bush = (x: number, y: number): Colour => {
    const leaf = 25 * Math.sin(x / 3) * Math.cos(y / 4);
    return [40 + leaf, 120 + leaf, 50 + leaf];
  };
  for (const [background, colour] of [
    [sky, true],
    [bush, true],
    [sky, false],
  ] as const) {
    const { picture, truth } = person(background);
    const mask = personMask(colour ? picture : grey(picture), head);
    assert.equal(mask.source, 'picture');
    assert.ok(mask.confidence > 0.8, `${mask.confidence}`);
    assert.ok(overlap(mask.alpha, truth) > (colour ? 0.97 : 0.93), `${overlap(mask.alpha, truth)}`);
    assert.ok(mask.alpha.every((value) => value >= 0 && value <= 1));
  }
});

test('the mask says so where the background cannot be told apart, and is a smooth head and shoulders', () => {
  const next = random(3);
  for (const picture of [
    draw(width, height, () => [128, 128, 128]),
    draw(width, height, () => [255 * next(), 255 * next(), 255 * next()]),
  ]) {
    const mask = personMask(picture, head);
    assert.equal(mask.source, 'geometry');
    assert.ok(mask.confidence < 0.35);
    const at = (x: number, y: number): number => mask.alpha[Math.floor(y) * width + Math.floor(x)]!;
    assert.equal(at(eyesX, eyesY), 1);
    assert.equal(at(eyesX, height - 2), 1);
    assert.equal(at(3, 3), 0);
    assert.equal(at(width - 3, eyesY), 0);
  }
});

test('the same picture gives the same mask', () => {
  const { picture } = person(sky);
  assert.deepEqual(personMask(picture, head), personMask(picture, head));
});

test('the background is filled from what is behind, without the colour of hair, and stays as it is elsewhere', () => {
  const { picture, truth } = person(sky);
  const filled = fillBackground(picture, Float32Array.from(truth));
  let [sum, most, count] = [0, 0, 0];
  for (let i = 0; i < truth.length; i++) {
    const wanted = sky((i % width) + 0.5, Math.floor(i / width) + 0.5);
    for (let c = 0; c < 3; c++) {
      if (!truth[i]) assert.equal(filled.data[3 * i + c], picture.data[3 * i + c]);
      else {
        const error = Math.abs(filled.data[3 * i + c]! - wanted[c]!);
        [sum, most, count] = [sum + error, Math.max(most, error), count + 1];
      }
    }
  }
  assert.ok(sum / count < 7, `mean ${sum / count}`);
  assert.ok(most < 40, `most ${most}`);
  assert.ok(grainOf(filled, truth).strength[1] > 1, 'its grain goes on');
});

test('person and background together are the photograph, and hair has its own colour', () => {
  const own: Colour = [60, 40, 30];
  const alphaAt = (x: number): number => Math.min(1, Math.max(0, (x - 60) / 40));
  const picture = draw(161, 90, (x) => {
    const a = alphaAt(x);
    return [own[0] * a + 200 * (1 - a), own[1] * a + 210 * (1 - a), own[2] * a + 220 * (1 - a)];
  });
  const mask = Float32Array.from({ length: 161 * 90 }, (_, i) => alphaAt((i % 161) + 0.5));
  const layers = splitLayers(picture, mask);
  for (let i = 0; i < mask.length; i++) {
    for (let c = 0; c < 3; c++) {
      const a = mask[i]!;
      const both = a * layers.person.data[3 * i + c]! + (1 - a) * layers.background.data[3 * i + c]!;
      assert.ok(Math.abs(both - picture.data[3 * i + c]!) <= 1);
      if (a > 0.2) assert.ok(Math.abs(layers.person.data[3 * i + c]! - own[c]!) < 12);
    }
  }
});

test('inpainting continues levels and slopes, and leaves the rest alone', () => {
  const slope = draw(61, 47, (x, y) => [2 * x, 3 * y, x + y]);
  const mask = new Uint8Array(61 * 47);
  for (let y = 18; y < 28; y++) for (let x = 25; x < 37; x++) mask[y * 61 + x] = 1;
  const holed = { ...slope, data: slope.data.map((value, i) => (mask[Math.floor(i / 3)] ? 255 : value)) };
  const mended = inpaint(holed, mask, 5);
  for (let i = 0; i < slope.data.length; i++) {
    const error = Math.abs(mended.data[i]! - slope.data[i]!);
    if (mask[Math.floor(i / 3)]) assert.ok(error <= 18, `${error}`);
    else assert.equal(error, 0);
  }
  const level = draw(20, 20, () => [7, 80, 200]);
  const hole = new Uint8Array(400).fill(1, 100, 300);
  assert.deepEqual(
    inpaint({ ...level, data: level.data.map((v, i) => (hole[Math.floor(i / 3)] ? 0 : v)) }, hole, 3),
    level,
  );
  assert.deepEqual(inpaint(level, new Uint8Array(400).fill(1), 3), level);
});

test('the light of a ball is found again, spots and shadows on it left aside', () => {
  const light = tensor([1.5, 0.3, 0.5, -0.4, 0.05, 0, 0.06, -0.05, 0.04]);
  const radius = 90;
  const normals: number[] = [];
  const points: number[] = [];
  const next = random(5);
  for (let k = 0; k < 3000; k++) {
    const [x, y] = [2 * next() - 1, 2 * next() - 1];
    if (x * x + y * y > 0.95) continue;
    normals.push(x, -y, Math.sqrt(1 - x * x - y * y));
    points.push(100 + radius * x, 100 + radius * y, 0.01);
  }
  const side = 200;
  const onBall = Float32Array.from({ length: 3 * side * side }, (_, i) => {
    const [x, y] = [((Math.floor(i / 3) % side) + 0.5 - 100) / radius, (Math.floor(i / 3 / side) + 0.5 - 100) / radius];
    return [x, -y, Math.sqrt(Math.max(0, 1 - x * x - y * y))][i % 3]!;
  });
  const lit = shade(tensor(onBall, { shape: [side * side, 3] }), light).data() as Float32Array;
  const picture = draw(side, side, (px, py) => {
    const [x, y] = [(px - 100) / radius, (py - 100) / radius];
    if (x * x + y * y > 1) return [0, 0, 0];
    const spot = Math.hypot(x - 0.2, y - 0.3) < 0.35 ? 0.5 : 1;
    const value = 255 * spot * lit[Math.floor(py) * side + Math.floor(px)]!;
    return [value, value, value];
  });
  const found = lightOf(picture, Float32Array.from(points), Float32Array.from(normals));
  const at = tensor(Float32Array.from(normals), { shape: [normals.length / 3, 3] });
  const wanted = shade(at, light).data() as Float32Array;
  const got = shade(at, tensor(found.light)).data() as Float32Array;
  const errors = wanted.map((value, i) => Math.abs(value - got[i]!)).sort();
  assert.ok(errors[Math.floor(errors.length / 2)]! < 0.015, `${errors[Math.floor(errors.length / 2)]}`);
  assert.ok(errors[Math.floor(errors.length * 0.95)]! < 0.05, `${errors[Math.floor(errors.length * 0.95)]}`);
});

const lineAt = (x: number): number => eyesY + 1.06 * size + 1.5 * Math.cos((x - eyesX) / 5);

/** A mouth whose lips meet along a known wave; `gap` opens it and shows teeth. */
function mouth(gap = 0): RgbImage {
  return draw(width, height, (x, y) => {
    const [u, v] = [(x - eyesX) / size, (y - eyesY) / size];
    if (Math.hypot(u / 0.42, (v - 1.06) / 0.16) > 1) return [205, 160, 140];
    const away = lineAt(x) - y;
    if (away > 0.5 && away < gap) return [215, 205, 195];
    return Math.abs(away) < 1 ? [90, 40, 40] : [180, 95, 95];
  });
}

test('the lip line is the drawn one', () => {
  const { points, depth } = lipLine(mouth(), head);
  assert.equal(points.length, 42);
  for (let k = 2; k < 19; k++) {
    const error = Math.abs(points[2 * k + 1]! - lineAt(points[2 * k]!));
    assert.ok(error < 0.8, `${k}: ${error}`);
  }
  assert.ok(depth > 30);
  assert.equal(lipLine(mouth(), head, { columns: 9 }).points.length, 18);
  assert.throws(() => lipLine(mouth(), head, { columns: 2 }), /columns to be a whole number from 5/);
});

test('teeth are seen where they are, and colour those that are drawn later', () => {
  assert.equal(ownTeeth(mouth(), head).seen, false);
  assert.equal(ownTeeth(mouth(), head).colour, null);
  const shown = ownTeeth(mouth(3), head);
  assert.equal(shown.seen, true);
  assert.ok(Math.abs(shown.colour![0] - 215) < 6 && Math.abs(shown.colour![2] - 195) < 6);
  assert.deepEqual(mouthColours(mouth(3), head).teeth, shown.colour);
  const { skin, lip, teeth, gums, tongue, socket } = mouthColours(mouth(), head);
  assert.deepEqual(skin, [205, 160, 140]);
  assert.deepEqual(lip, [180, 95, 95]);
  const bright = (colour: Colour): number => colour[0] + colour[1] + colour[2];
  assert.ok(bright(teeth) > bright(lip) && bright(lip) > bright(tongue) && bright(tongue) > bright(socket));
  assert.ok(bright(gums) > bright(socket));
  const dark = mouthColours({ ...mouth(), data: mouth().data.map((value) => value / 2) }, head);
  assert.ok(bright(dark.teeth) < 0.6 * bright(teeth), 'as dark as the photograph');
});

test('grain is as strong as it was drawn', () => {
  const next = random(9);
  const noise = (): number => 5 * Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
  const grainy = draw(200, 120, (x) => [100 + 0.2 * x + noise(), 120 + noise(), 110 + noise()]);
  for (const strength of grainOf(grainy).strength) assert.ok(Math.abs(strength - 5) < 0.6, `${strength}`);
  const none = { strength: [0, 0, 0], likeness: 0, together: 0 };
  assert.deepEqual(grainOf(draw(40, 40, () => [9, 9, 9])), none);
  assert.deepEqual(grainOf(draw(3, 2, () => [9, 9, 9])), none);
});

test('closed eyes are skin with a line of lashes, and nothing else changes', () => {
  const picture = draw(width, height, (x, y) => {
    const [u, v] = [(x - eyesX) / size, (y - eyesY) / size];
    for (const side of [-0.5, 0.5]) {
      if (Math.hypot(u - side, v) < 0.08) return [20, 15, 12];
      if (Math.hypot((u - side) / 0.22, v / 0.09) < 1) return [235, 235, 235];
    }
    return [200, 160, 140];
  });
  const eyes = [-0.5, 0.5].map((side, k) => ({
    opening: head.landmarks.subarray(72 + 12 * k, 84 + 12 * k),
    margin: Float32Array.from(
      [-0.22, 0.02, 0, 0.08, 0.22, 0.02].map((value, i) =>
        i % 2 === 0 ? eyesX + size * (side + value) : eyesY + size * value,
      ),
    ),
  }));
  const closed = closedEyes(picture, eyes, size);
  let [iris, replaced, lashes] = [0, 0, 0];
  for (let i = 0; i < width * height; i++) {
    const [u, v] = [((i % width) + 0.5 - eyesX) / size, (Math.floor(i / width) + 0.5 - eyesY) / size];
    const away = Math.min(
      Math.hypot(Math.max(0, Math.abs(u + 0.5) - 0.22), v),
      Math.hypot(Math.max(0, Math.abs(u - 0.5) - 0.22), v),
    );
    if (away > 0.36) assert.deepEqual(closed.data.slice(3 * i, 3 * i + 3), picture.data.slice(3 * i, 3 * i + 3));
    const nearEye = Math.min(Math.hypot(u + 0.5, v), Math.hypot(u - 0.5, v));
    if (nearEye < 0.05) {
      iris++;
      if (Math.abs(closed.data[3 * i]! - 200) < 30) replaced++;
    }
    if (v > 0.05 && v < 0.1 && closed.data[3 * i]! < 110) lashes++;
  }
  assert.ok(replaced >= 0.95 * iris, `${replaced} of ${iris}`);
  assert.ok(lashes > 10, `${lashes}`);
  const colourless = closedEyes(grey(picture), eyes, size);
  assert.deepEqual(colourless, grey(colourless));
});

test('pictures of a few pixels pass through all', () => {
  for (const [w, h] of [
    [1, 1],
    [3, 2],
    [2, 7],
  ] as const) {
    const tiny = draw(w, h, (x, y) => [40 * x, 30 * y, 90]);
    const face = { landmarks: landmarksAt(w / 2, h / 2, 1) };
    const mask = personMask(tiny, face);
    assert.equal(mask.alpha.length, w * h);
    assert.ok(mask.alpha.every(Number.isFinite));
    assert.equal(fillBackground(tiny, mask.alpha).data.length, 3 * w * h);
    assert.deepEqual(fillBackground(tiny, new Float32Array(w * h)), tiny);
    assert.deepEqual(fillBackground(tiny, new Float32Array(w * h).fill(1)), tiny);
    splitLayers(tiny, mask.alpha);
    inpaint(tiny, new Uint8Array(w * h).fill(1, 0, 1), 3);
    lipLine(tiny, face);
    mouthColours(tiny, face);
    const margin = face.landmarks.slice(72, 80);
    assert.equal(closedEyes(tiny, [{ opening: face.landmarks.slice(72, 84), margin }], 1).data.length, 3 * w * h);
  }
});

test('what is not a picture, a mask or a face is refused with what was expected', () => {
  const picture = draw(4, 4, () => [0, 0, 0]);
  assert.throws(
    () => personMask({ ...picture, width: 5 }, head),
    /personMask: expected 60 bytes for 5 x 4 RGB pixels, got 48/,
  );
  assert.throws(
    () => personMask(picture, { landmarks: new Float32Array(10) }),
    /expected landmarks of 136 numbers, got 10/,
  );
  assert.throws(
    () => personMask(picture, { landmarks: new Float32Array(136).fill(Number.NaN) }),
    /expected landmarks of finite numbers, got NaN at 0/,
  );
  assert.throws(
    () => fillBackground(picture, new Float32Array(3)),
    /fillBackground: expected mask of 16 numbers, one a pixel, got 3/,
  );
  assert.throws(
    () => inpaint(picture, new Uint8Array(16), 0),
    /inpaint: expected radius to be a finite number above 0/,
  );
  assert.throws(
    () => lightOf(picture, new Float32Array(3), new Float32Array(3)),
    /at least 16 visible vertices in the picture, got 0/,
  );
  assert.throws(() => closedEyes(picture, [], Number.NaN), /expected eyeDistance to be a finite number above 0/);
});
