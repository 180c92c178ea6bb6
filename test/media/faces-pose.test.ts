import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fitPose, type HeadPose, headModel, landmarkCount, projectHead } from 'headrace/media';
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
  }
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

test("the head is that of ICT-FaceKit's landmarks", { skip: ict.skip }, () => {
  const file = (name: string): ArrayBuffer => Uint8Array.from(readFileSync(join(ict.path, name))).buffer;
  const meta = JSON.parse(Buffer.from(file('meta.json')).toString('utf8')) as {
    nv: number;
    landmarks68: number[];
    identity: { names: string[]; scale: number[] };
    expression: { names: string[]; scale: number[] };
  };
  const neutral = new Float32Array(file('neutral.f32'));
  const points = meta.landmarks68.map((v): Vector => [neutral[3 * v]!, -neutral[3 * v + 1]!, -neutral[3 * v + 2]!]);
  const mean = (from: number, to: number): Vector => {
    const part = points.slice(from, to);
    return [0, 1, 2].map((k) => part.reduce((sum, point) => sum + point[k]!, 0) / part.length) as Vector;
  };
  const [left, right] = [mean(36, 42), mean(42, 48)];
  const unit = Math.hypot(right[0] - left[0], right[1] - left[1], right[2] - left[2]);
  const variance = new Float64Array(landmarkCount);
  for (const part of ['identity', 'expression'] as const) {
    const deltas = new Int16Array(file(`${part}.i16`));
    for (const [k, name] of meta[part].names.entries()) {
      const still = /^eyeLook|^PupilDilate/.test(name);
      const weight = part === 'identity' ? 1 : still ? 0 : name === 'jawOpen' ? 0.05 : 0.01;
      for (const [i, v] of meta.landmarks68.entries()) {
        const [x, y, z] = [...deltas.subarray(3 * (k * meta.nv + v), 3 * (k * meta.nv + v) + 3)] as Vector;
        variance[i]! += (weight * (x * x + y * y + z * z) * (meta[part].scale[k]! / unit) ** 2) / 3;
      }
    }
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
