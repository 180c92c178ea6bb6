import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { type Face, FaceAnalyser, OneEuroFilter, type RgbImage, type TrackOptions } from 'headrace/media';
import type { DrawnFace } from './faces-drawing.js';
import { assertFrames, eyeErrors, near, scene } from './faces-support.js';

let analyser: FaceAnalyser;

before(async () => {
  analyser = await FaceAnalyser.load({ detector: 'tiny', inputSize: 320 });
});

const frame = (...faces: DrawnFace[]): RgbImage => scene(320, 200, faces);
const follow = (frames: readonly RgbImage[], options: TrackOptions = {}): (Face | null)[] =>
  analyser.follow({ smooth: false, ...options }).next(frames);

test('a person is followed while another, larger one comes in', () => {
  const person = (k: number): DrawnFace => ({ x: 70 + 6 * k, y: 80, eyes: 28 });
  const other: DrawnFace = { x: 235, y: 90, eyes: 38 };
  const frames = [frame(person(0)), frame(person(1)), frame(person(2), other), frame(person(3), other)];
  const faces = follow(frames);
  for (const [k, face] of faces.entries()) {
    assert.ok(face !== null, `frame ${k}`);
    for (const error of eyeErrors(face, person(k))) assert.ok(error < 0.15, `frame ${k}: eyes off by ${error}`);
  }
  // On its own, the last frame's main face is the other.
  assertFrames(analyser.analyse(frames[3]!)!.box, other);
});

test('while the person is away others are ignored, until patience ends', () => {
  const person: DrawnFace = { x: 80, y: 80, eyes: 30 };
  const other: DrawnFace = { x: 245, y: 90, eyes: 30 };
  const frames = [frame(person, other), frame(other), frame(other), frame(person, other)];
  const patient = follow(frames, { rate: 10, patience: 1 });
  const first = patient[0]!.box.x < 160 ? person : other;
  assert.equal(first, person);
  assert.deepEqual([patient[1], patient[2]], [null, null]);
  assertFrames(patient[3]!.box, person);
  const hasty = follow(frames, { rate: 10, patience: 0 });
  assert.equal(hasty[1], null);
  assertFrames(hasty[2]!.box, other);
  assertFrames(hasty[3]!.box, other);
});

test('of several people the one that is asked for is followed, also when others become larger', () => {
  const small = (k: number): DrawnFace => ({ x: 80 + 3 * k, y: 80, eyes: 28 });
  const large: DrawnFace = { x: 235, y: 95, eyes: 40 };
  const frames = [0, 1, 2, 3].map((k) => (k === 0 ? frame(large) : frame(small(k), large)));
  const [alone, ...both] = follow(frames, { face: 1 });
  assert.equal(alone, null);
  for (const [k, face] of both.entries()) assertFrames(face!.box, small(k + 1));
  for (const face of follow(frames, { face: 0 })) assertFrames(face!.box, large);
  assert.deepEqual(follow(frames, { face: 2 }), [null, null, null, null]);
  assert.throws(() => follow(frames, { face: 0.5 }), /face as a whole number from 0 on, got 0.5/);
});

test('after a cut another person may be chosen at once', () => {
  const before: DrawnFace = { x: 80, y: 80, eyes: 30 };
  const after: DrawnFace = { x: 240, y: 90, eyes: 34 };
  const dark = frame(after);
  const cut = { ...dark, data: dark.data.map((value) => Math.round(value * 0.6)) };
  const faces = follow([frame(before), cut]);
  assertFrames(faces[0]!.box, before);
  assertFrames(faces[1]!.box, after);
});

test('the frames may come in any portions', () => {
  const frames = Array.from({ length: 5 }, (_, k) => frame({ x: 120 + 4 * k, y: 80, eyes: 30, mouth: k / 5 }));
  const whole = analyser.follow().next(frames);
  const tracker = analyser.follow();
  const parts = [...tracker.next(frames.slice(0, 2)), ...tracker.next([]), ...tracker.next(frames.slice(2))];
  for (const [k, face] of whole.entries()) {
    near(parts[k]!.landmarks[133]!, face!.landmarks[133]!, 1e-2, `frame ${k}`);
    near(parts[k]!.pose.yaw, face!.pose.yaw, 0.05, `yaw of frame ${k}`);
  }
  tracker.reset();
  assert.deepEqual(tracker.next(frames.slice(0, 1))[0]!.box, analyser.analyse(frames[0]!)!.box);
});

test('smoothing begins with the first face and again after a gap', () => {
  const [here, there] = [frame({ x: 120, y: 80, eyes: 30 }), frame({ x: 130, y: 80, eyes: 30 })];
  const raw = follow([here, there]) as Face[];
  const smooth = analyser.follow({ rate: 25 }).next([here, there, frame(), there]) as Face[];
  assert.deepEqual(smooth[0]!.landmarks, raw[0]!.landmarks);
  const nose = 2 * 30;
  const [from, to, got] = [raw[0]!.landmarks[nose]!, raw[1]!.landmarks[nose]!, smooth[1]!.landmarks[nose]!];
  assert.ok(got > from && got < to, `${got} lies between ${from} and ${to}`);
  assert.equal(smooth[2], null);
  near(smooth[3]!.landmarks[nose]!, to, 1e-3, 'after the gap');
  near(
    Object.values(smooth[1]!.expressions).reduce((sum, score) => sum + score, 0),
    1,
    1e-5,
    'sum of the expressions',
  );
});

test('the one-euro filter gives what its formulas give', () => {
  const [rate, minCutoff, beta] = [10, 1, 0.5];
  const filter = new OneEuroFilter({ rate, minCutoff, beta });
  const share = (cutoff: number): number => 1 / (1 + rate / (2 * Math.PI * cutoff));
  assert.deepEqual([...filter.next(Float32Array.of(2))], [2]);
  const speed = share(1) * (3 - 2) * rate; // from rest
  const first = 2 + share(minCutoff + (beta * speed) / 4) * (3 - 2);
  near(filter.next(Float32Array.of(3), 4)[0]!, first, 1e-6, 'second value');
  const speed2 = speed + share(1) * ((3 - first) * rate - speed);
  near(
    filter.next(Float32Array.of(3), 4)[0]!,
    first + share(minCutoff + (beta * speed2) / 4) * (3 - first),
    1e-6,
    'third',
  );
  filter.reset();
  assert.deepEqual([...filter.next(Float32Array.of(7))], [7]);
});

test('a rate that is none is refused', () => {
  assert.throws(() => analyser.follow({ rate: 0 }), { name: 'ConfigError', message: /rate above 0/ });
  assert.throws(() => analyser.follow({ patience: -1 }), /patience of 0 or more/);
});
