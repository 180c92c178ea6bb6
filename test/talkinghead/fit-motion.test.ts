import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { DataError } from 'headrace';
import { FaceAnalyser } from 'headrace/media';
import { arkitWeights, MotionFitter, type MotionFitterOptions, trackMotion } from 'headrace/talkinghead';
import { realData } from '../media/support.js';
import { landmarksOf, person, size } from './fit-truth.js';

const identity = person(4);
const fps = 25;
const frames = 50;
/** What the networks make of a head's turn: 10, 20 and 30 degrees are read as 8.5, 16.9 and 24.2. */
const asRead = (yaw: number): number => Math.sign(yaw) * (0.886 * Math.abs(yaw) - 0.0027 * yaw ** 2);
const yawAt = (frame: number): number => 20 * Math.sin((2 * Math.PI * frame) / 40);
/** A mouth that opens and closes twice in two seconds. */
const jawAt = (frame: number): number => 0.3 - 0.3 * Math.cos((2 * Math.PI * frame) / 25);
const readAt = (frame: number): { landmarks: Float32Array } => ({
  landmarks: landmarksOf({
    identity,
    weights: arkitWeights({ jawOpen: jawAt(frame) }),
    pose: { yaw: asRead(yawAt(frame)), pitch: 3, roll: -4 },
  }),
});
const read = Array.from({ length: frames }, (_, frame) => readAt(frame));

function follow(faces: readonly ({ landmarks: Float32Array } | null)[], more: Partial<MotionFitterOptions> = {}) {
  const fitter = new MotionFitter({ ...size, fps, identity, ...more });
  for (const face of faces) fitter.add(face);
  return fitter.end();
}

const column = (values: Float32Array, width: number, at: number): number[] =>
  Array.from(values).filter((_, i) => i % width === at);

/** How alike two curves are when the second is taken so many frames later. */
function correlation(a: readonly number[], b: readonly number[], later = 0): number {
  const pairs = a.flatMap((value, i) => (b[i + later] === undefined ? [] : [[value, b[i + later]!] as const]));
  const mean = (k: 0 | 1): number => pairs.reduce((sum, pair) => sum + pair[k], 0) / pairs.length;
  const [ma, mb] = [mean(0), mean(1)];
  let [ab, aa, bb] = [0, 0, 0];
  for (const [x, y] of pairs) [ab, aa, bb] = [ab + (x - ma) * (y - mb), aa + (x - ma) ** 2, bb + (y - mb) ** 2];
  return ab / Math.sqrt(aa * bb);
}

test('known motion is followed: the turn of the head to three degrees of 20, the jaw in step', () => {
  const { track, missing } = follow(read);
  assert.deepEqual([track.frames, track.fps, missing], [frames, fps, []]);
  const yaw = column(track.pose, 3, 0);
  const trueYaw = read.map((_, frame) => yawAt(frame));
  for (const [frame, value] of yaw.entries())
    assert.ok(Math.abs(value - trueYaw[frame]!) < 3, `frame ${frame}: yaw ${value}, not ${trueYaw[frame]}`);
  for (const roll of column(track.pose, 3, 2)) assert.ok(Math.abs(roll + 4) < 1, `roll ${roll}`);
  const jaw = [...track.curve('jawOpen')];
  const trueJaw = read.map((_, frame) => jawAt(frame));
  assert.ok(correlation(jaw, trueJaw) > 0.97, `jaw ${correlation(jaw, trueJaw)}`);
  assert.ok(Math.max(...jaw) > 0.45 && Math.min(...jaw) < 0.05, `jaw from ${Math.min(...jaw)} to ${Math.max(...jaw)}`);
  // Smoothing without delay: the curves fit best as they are, not a frame earlier or later.
  for (const [found, truth] of [
    [yaw, trueYaw],
    [jaw, trueJaw],
  ] as const) {
    const fits = [-1, 0, 1].map((later) => correlation(found, truth, later));
    assert.ok(fits[1]! > fits[0]! && fits[1]! > fits[2]!, String(fits));
  }
});

test('what trembles is evened out', () => {
  // Noise that is the same every time: half a pixel, of 126 between the eyes.
  let state = 1;
  const noise = (): number => {
    state = (state * 48271) % 2147483647;
    return state / 2147483647 - 0.5;
  };
  const resting = Array.from({ length: 20 }, () => ({
    landmarks: readAt(0).landmarks.map((value) => value + noise()),
  }));
  const tremble = (smooth: boolean): number => {
    const yaw = column(follow(resting, { smooth }).track.pose, 3, 0);
    return yaw.slice(1).reduce((sum, value, i) => sum + Math.abs(value - yaw[i]!), 0);
  };
  assert.ok(tremble(true) < 0.5 * tremble(false), `${tremble(true)} of ${tremble(false)}`);
});

test('frames without a face hold what was before, and are told', () => {
  const gaps = read.slice(0, 12).map((face, frame) => (frame < 2 || (frame >= 5 && frame < 8) ? null : face));
  const { track, missing } = follow(gaps, { smooth: false });
  assert.deepEqual(missing, [
    [0, 2],
    [5, 8],
  ]);
  const yaw = column(track.pose, 3, 0);
  assert.deepEqual([yaw[0], yaw[1]], [yaw[2], yaw[2]]);
  assert.deepEqual(yaw.slice(5, 8), [yaw[4], yaw[4], yaw[4]]);
  assert.notEqual(yaw[8], yaw[4]);
  assert.throws(() => follow([null, null]), DataError);
});

test('motion is told from the first frame or from the usual face, where that is asked for', () => {
  const first = follow(read.slice(3, 20), { relative: 'first', smooth: false }).track;
  assert.deepEqual([...first.pose.subarray(0, 3), ...first.position!.subarray(0, 3)], [0, 0, 0, 0, 0, 0]);
  assert.ok(first.weights.subarray(0, 52).every((weight) => weight === 0));
  const usual = follow(read, { relative: 'neutral' }).track;
  const yaw = column(usual.pose, 3, 0);
  assert.ok(Math.abs(yaw.reduce((sum, value) => sum + value, 0)) < 1e-3);
  assert.ok(usual.weights.every((weight) => weight >= 0));
  assert.throws(
    () => follow(read, { relative: 'last' as 'first' }),
    /relative 'none', 'first' or 'neutral', got 'last'/,
  );
});

test('a head that comes nearer has a position', () => {
  const { landmarks } = read[0]!;
  const nearer = landmarks.map((value, i) =>
    i % 2 === 0 ? 310 + 1.1 * (value - 310) + 20 : 240 + 1.1 * (value - 240),
  );
  const { track } = follow([{ landmarks }, { landmarks: nearer }], { smooth: false });
  const [, , , x, y, z] = track.position!;
  assert.ok(Math.abs(z! - 80 * (1 - 1 / 1.1)) < 1, `${z} cm nearer`);
  assert.ok(Math.abs(x! - 20 / 22) < 0.3 && Math.abs(y!) < 0.3, `${x} cm to the right, ${y} up`);
});

const grid = realData('grid');

test('GRID: a speaker is followed, and blinks where the picture does', { skip: grid.skip }, async () => {
  const analyser = await FaceAnalyser.load();
  const clip = join(grid.path, 's1_bbaf2n.mpg');
  const seen: number[] = [];
  const track = await trackMotion(clip, { analyser, end: 2.6, onProgress: (done) => seen.push(done) });
  assert.deepEqual([track.frames, track.fps, seen.at(-1)], [65, 25, 65]);
  const blink = track.curve('eyeBlinkLeft');
  const closed = [...blink.keys()].filter((frame) => blink[frame]! > 0.8);
  // By eye: closed in frames 43, 44 and 50 to 53, open in all before 41 and after 64.
  assert.ok(closed.includes(43) && closed.includes(52), String(closed));
  assert.ok(
    closed.every((frame) => frame > 41 && frame < 56),
    String(closed),
  );
  assert.ok(blink.subarray(0, 40).every((weight) => weight < 0.15));
  // By eye: lips closed at the end and at the beginning, most open in frames 36 and 49.
  const jaw = track.curve('jawOpen');
  assert.ok(jaw[36]! > 0.15 && jaw[49]! > 0.15 && jaw[60]! < 0.08, [jaw[36], jaw[49], jaw[60]].join());
  assert.ok(track.pose.every((angle) => Math.abs(angle) < 15));
  assert.ok(track.gaze!.every((angle) => Math.abs(angle) < 15));
  const stop = AbortSignal.abort(new Error('enough'));
  await assert.rejects(trackMotion(clip, { analyser, identity: new Float32Array(50), signal: stop }), /enough/);
});
