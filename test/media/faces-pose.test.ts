import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fitPose, type HeadPose, headModel, headMoves, landmarkCount, projectHead } from 'headrace/media';
import { Camera, emotionWeights, FaceModel } from 'headrace/talkinghead';
import { near } from './faces-support.js';
import { realData } from './support.js';

const poses: HeadPose[] = [-60, -25, 0, 10, 45].flatMap((yaw) =>
  [-30, 0, 20].flatMap((pitch) => [-40, 0, 15].map((roll) => ({ yaw, pitch, roll }))),
);

type Vector = [number, number, number];

/** Turns a point about one axis, as a school book has it. */
function turn([x, y, z]: Vector, axis: 'x' | 'y' | 'z', degrees: number): Vector {
  const [c, s] = [Math.cos((degrees * Math.PI) / 180), Math.sin((degrees * Math.PI) / 180)];
  if (axis === 'x') return [x, c * y - s * z, s * y + c * z];
  if (axis === 'y') return [c * x + s * z, y, c * z - s * x];
  return [c * x - s * y, s * x + c * y, z];
}

test('the head is rolled, pitched, turned and seen from ten eye distances away', () => {
  const pose = { yaw: 30, pitch: 12, roll: -20 };
  const projected = projectHead(pose, 50, 7, -3);
  for (const i of [0, 8, 30, 36, 54]) {
    const [mx, my, mz] = headModel[i]!;
    // With x to the right, y down and z away: a turn to the viewer's right is one by a negative angle about y, as is looking up about x.
    const [x, y, z] = turn(turn(turn([mx, my, mz], 'z', pose.roll), 'x', -pose.pitch), 'y', -pose.yaw);
    near(projected[2 * i]!, 7 + (50 * x * 10) / (10 + z), 1e-3, `x of ${i}`);
    near(projected[2 * i + 1]!, -3 + (50 * y * 10) / (10 + z), 1e-3, `y of ${i}`);
  }
});

test('the signs are the viewer’s: to the right, up, and clockwise are positive', () => {
  const tip = (pose: HeadPose): [number, number] => {
    const projected = projectHead(pose, 1);
    return [projected[60]!, projected[61]!];
  };
  const still = { yaw: 0, pitch: 0, roll: 0 };
  const [x, y] = tip(still);
  assert.ok(tip({ ...still, yaw: 20 })[0] > x + 0.1, 'the nose moves to the right');
  assert.ok(tip({ ...still, pitch: 20 })[1] < y - 0.1, 'the nose moves up');
  const tilted = projectHead({ ...still, roll: 20 }, 1);
  assert.ok(tilted[2 * 45 + 1]! > tilted[2 * 36 + 1]!, 'the right eye comes to lie lower');
});

test('a projected head is fitted exactly, at any place and size', () => {
  for (const pose of poses) {
    const fit = fitPose(projectHead(pose, 83, 412, 95));
    const what = JSON.stringify(pose);
    for (const angle of ['yaw', 'pitch', 'roll'] as const)
      near(fit.pose[angle], pose[angle], 0.02, `${angle} of ${what}`);
    near(fit.interOcular, 83, 0.02, `size of ${what}`);
    assert.ok(fit.error < 1e-4, what);
    const moving = fitPose(projectHead(pose, 83, 412, 95), { moving: true });
    for (const angle of ['yaw', 'pitch', 'roll'] as const)
      near(moving.pose[angle], pose[angle], 0.02, `${angle} of ${what}, on a face that may move`);
  }
});

test('an expression turns a face that may move by half as much as a rigid one, and by less than 3 degrees', () => {
  const face = FaceModel.load();
  const camera = new Camera({ width: 256, height: 256, pixelsPerCm: 9, distance: 65, pivot: [0, 0, 0] });
  const landmarksOf = (weights: Float32Array): Float32Array => {
    const points = camera.project(face.shape({ weights }));
    return Float32Array.from({ length: 136 }, (_, k) => points[3 * face.landmarks[k >> 1]! + (k & 1)]!);
  };
  const still = landmarksOf(new Float32Array(52));
  const turns = (moving: boolean): number[] =>
    Object.values(emotionWeights).map((weights) => {
      const [before, after] = [fitPose(still, { moving }).pose, fitPose(landmarksOf(weights), { moving }).pose];
      return Math.max(...(['yaw', 'pitch', 'roll'] as const).map((axis) => Math.abs(after[axis] - before[axis])));
    });
  const [rigid, moving] = [Math.max(...turns(false)), Math.max(...turns(true))];
  assert.ok(moving < 3 && rigid > 5, `${moving}, and ${rigid} where the head is rigid`);
});

test('noise of the landmarks moves the angles little', () => {
  let state = 1;
  const random = (): number => {
    state = (state * 48271) % 2147483647;
    return state / 2147483647;
  };
  const gauss = (): number => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const errors = { yaw: 0, pitch: 0, roll: 0 };
  for (const pose of poses) {
    const fit = fitPose(projectHead(pose, 100).map((value) => value + 4 * gauss()));
    for (const angle of ['yaw', 'pitch', 'roll'] as const)
      errors[angle] += Math.abs(fit.pose[angle] - pose[angle]) / poses.length;
  }
  assert.ok(errors.yaw < 1.5 && errors.pitch < 2 && errors.roll < 1, JSON.stringify(errors));
});

test('points that form no head fit badly', () => {
  const scattered = Float32Array.from({ length: 2 * landmarkCount }, (_, i) => ((i * 7919) % 101) * 2);
  assert.ok(fitPose(scattered).error > 0.2);
  assert.ok(fitPose(new Float32Array(2 * landmarkCount)).error >= 0, 'nor does one point end in an endless loop');
});

const ict = realData('ictface');

interface Ict {
  readonly unit: number;
  readonly points: readonly Vector[];
  /** How each shape of a kind moves the 68, `[3 * 68]` in distances between the eyes, in the axes of the head model. */
  moves(part: 'identity' | 'expression'): { name: string; by: Float64Array }[];
}

function readIct(): Ict {
  const file = (name: string): ArrayBuffer => Uint8Array.from(readFileSync(join(ict.path, name))).buffer;
  const meta = JSON.parse(Buffer.from(file('meta.json')).toString('utf8')) as {
    nv: number;
    landmarks68: number[];
    identity: { names: string[]; scale: number[] };
    expression: { names: string[]; scale: number[] };
  };
  const neutral = new Float32Array(file('neutral.f32'));
  const points = meta.landmarks68.map((v): Vector => [neutral[3 * v]!, -neutral[3 * v + 1]!, -neutral[3 * v + 2]!]);
  const [left, right] = [meanOf(points, 36, 42), meanOf(points, 42, 48)];
  const unit = Math.hypot(right[0] - left[0], right[1] - left[1], right[2] - left[2]);
  const moves: Ict['moves'] = (part) => {
    const deltas = new Int16Array(file(`${part}.i16`));
    return meta[part].names.map((name, k) => ({
      name,
      by: Float64Array.from({ length: 3 * landmarkCount }, (_, i) => {
        const at = 3 * (k * meta.nv + meta.landmarks68[Math.floor(i / 3)]!) + (i % 3);
        return ((i % 3 === 0 ? 1 : -1) * deltas[at]! * meta[part].scale[k]!) / unit;
      }),
    }));
  };
  return { unit, points, moves };
}

function meanOf(points: readonly Vector[], from: number, to: number): Vector {
  const part = points.slice(from, to);
  return [0, 1, 2].map((k) => part.reduce((sum, point) => sum + point[k]!, 0) / part.length) as Vector;
}

const isEyeball = (name: string): boolean => /^eyeLook|^PupilDilate/.test(name);

test("the head is that of ICT-FaceKit's landmarks", { skip: ict.skip }, () => {
  const { unit, points, moves } = readIct();
  const [left, right] = [meanOf(points, 36, 42), meanOf(points, 42, 48)];
  const variance = new Float64Array(landmarkCount);
  for (const part of ['identity', 'expression'] as const)
    for (const { name, by } of moves(part)) {
      const weight = part === 'identity' ? 1 : isEyeball(name) ? 0 : name === 'jawOpen' ? 0.05 : 0.01;
      for (const [i, value] of by.entries()) variance[Math.floor(i / 3)]! += (weight * value * value) / 3;
    }
  for (const [i, [x, y, z, spread]] of headModel.entries()) {
    const other = headModel.findIndex((point) => point[0] === -x && point[1] === y && point[2] === z);
    assert.ok(other >= 0, `point ${i} has its mirror image`);
    near(x, (points[i]![0] - (left[0] + right[0]) / 2) / unit, 1e-3, `x of ${i}`);
    near(y, (points[i]![1] - (left[1] + right[1]) / 2) / unit, 1e-3, `y of ${i}`);
    near(z, (points[i]![2] - (left[2] + right[2]) / 2) / unit, 1e-3, `z of ${i}`);
    near(spread, Math.sqrt((variance[i]! + variance[other]!) / 2), 1e-3, `spread of ${i}`);
  }
});

test("the head's moves are the first principal components of ICT-FaceKit's expressions", { skip: ict.skip }, () => {
  const mirror = headModel.map(([x, y, z]) => headModel.findIndex((p) => p[0] === -x && p[1] === y && p[2] === z));
  const mirrored = (by: Float64Array): Float64Array =>
    by.map((_, i) => (i % 3 === 0 ? -1 : 1) * by[3 * mirror[Math.floor(i / 3)]! + (i % 3)]!);
  const shapes = readIct()
    .moves('expression')
    .filter(({ name }) => !isEyeball(name))
    .flatMap(({ name, by }) => {
      const deviation = Math.sqrt((name === 'jawOpen' ? 0.1 : 0.05) / 2);
      return [by, mirrored(by)].map((side) => side.map((value) => deviation * value));
    });
  const dot = (a: Float64Array, b: Float64Array): number => a.reduce((sum, value, i) => sum + value * b[i]!, 0);
  const stored = headMoves.map((by) => Float64Array.from(by));
  /** The covariance of all expressions, without what is stored where `less` is set, times a vector. */
  const times = (vector: Float64Array, less: boolean): Float64Array => {
    const out = new Float64Array(vector.length);
    const add = (by: Float64Array, sign: number): void => {
      const share = sign * dot(by, vector);
      for (const [i, value] of by.entries()) out[i]! += share * value;
    };
    for (const by of shapes) add(by, 1);
    if (less) for (const by of stored) add(by, -1);
    return out;
  };
  for (const [k, by] of stored.entries()) {
    const variance = dot(by, by);
    for (const [i, value] of times(by, false).entries()) near(value, variance * by[i]!, 2e-4, `move ${k}, number ${i}`);
  }
  // No other direction varies more: the power method on what is left.
  let vector = Float64Array.from({ length: 3 * landmarkCount }, (_, i) => Math.sin(i + 1));
  for (let step = 0; step < 200; step++) {
    const next = times(vector, true);
    const length = Math.sqrt(dot(next, next));
    vector = next.map((value) => value / length);
  }
  const left = dot(vector, times(vector, true));
  assert.ok(left < Math.min(...stored.map((by) => dot(by, by))), `${left} is left`);
});
