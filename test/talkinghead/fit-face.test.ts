import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { ConfigError, DataError, ShapeError } from 'headrace';
import { arkitIndex, type arkitNames, arkitWeights, FaceFit, fitFace, fitFaces } from 'headrace/talkinghead';
import { camera, eyeDistance, face, landmarksOf, person, size, type Truth } from './fit-truth.js';

const still = { yaw: 0, pitch: 0, roll: 0 };

const truths: readonly Truth[] = [
  { identity: person(1), weights: arkitWeights({ jawOpen: 0.5 }), pose: { yaw: 0, pitch: -2, roll: 0 } },
  {
    identity: person(2),
    weights: arkitWeights({ mouthSmileLeft: 0.8, mouthSmileRight: 0.8 }),
    pose: { yaw: 12, pitch: 4, roll: -8 },
  },
  {
    identity: person(3),
    weights: arkitWeights({ jawOpen: 0.3, browInnerUp: 0.9, eyeBlinkLeft: 1, eyeBlinkRight: 1 }),
    pose: { yaw: -20, pitch: -8, roll: 15 },
  },
];

test('landmarks of a known face give its pose, its place and its landmarks back', () => {
  for (const truth of truths) {
    const landmarks = landmarksOf(truth);
    const fit = fitFace(landmarks, size);
    for (const axis of ['yaw', 'pitch', 'roll'] as const) {
      const off = Math.abs(fit.pose[axis] - truth.pose[axis]);
      assert.ok(off < (axis === 'pitch' ? 4 : 2), `${axis} ${fit.pose[axis]}, not ${truth.pose[axis]}`);
    }
    assert.ok(Math.abs(fit.camera.pixelsPerCm / 20 - 1) < 0.06, `${fit.camera.pixelsPerCm} pixels a cm, not 20`);
    const { eyes, lips, nose } = fit.residual;
    // Of the lips' twenty, six are read 1.75 % from where they are: 0.53 on average.
    assert.ok(eyes < 0.8 && lips < 0.53 + 0.35 && nose < 1, JSON.stringify(fit.residual));
    assert.equal(fit.eyeDistance.toFixed(3), eyeDistance(landmarks).toFixed(3));
  }
});

test('expressions are told apart, and stay between 0 and 1', () => {
  const [open, smile, up] = truths.map((truth) => fitFace(landmarksOf(truth), size));
  const of = (fit: FaceFit, name: (typeof arkitNames)[number]): number => fit.weights[arkitIndex(name)]!;
  assert.ok(of(open!, 'jawOpen') > 0.3 && of(open!, 'jawOpen') > 2 * of(smile!, 'jawOpen'));
  assert.ok(of(smile!, 'mouthSmileLeft') > 0.35 && of(smile!, 'mouthSmileRight') > 0.35);
  assert.ok(of(open!, 'mouthSmileLeft') < 0.15 && of(up!, 'mouthSmileLeft') < 0.15);
  assert.ok(of(up!, 'browInnerUp') > 0.25 && of(up!, 'eyeBlinkLeft') > 0.5 && of(open!, 'eyeBlinkLeft') < 0.2);
  // Twice as open as a jaw can be: held at the bound, not beyond.
  const wide = fitFace(
    landmarksOf({ identity: person(0, 0), weights: arkitWeights({ jawOpen: 2 }), pose: still }),
    size,
  );
  for (const fit of [open!, smile!, up!, wide])
    assert.ok(
      fit.weights.every((weight) => weight >= 0 && weight <= 1),
      String(fit.weights),
    );
});

test('the residual is the distance of the drawn landmarks from those that were found', () => {
  const truth = truths[1]!;
  const landmarks = landmarksOf(truth);
  // A grimace that no face can make: the corners of the mouth.
  landmarks[2 * 48]! -= 8;
  landmarks[2 * 54 + 1]! += 8;
  const fit = fitFace(landmarks, size);
  const seen = fit.view().project(face.shape({ identity: fit.identity, weights: fit.weights, gaze: fit.gaze }), {
    pose: fit.pose,
  });
  const off = (first: number, end: number): number => {
    let sum = 0;
    for (let i = first; i < end; i++) {
      const v = 3 * face.landmarks[i]!;
      sum += Math.hypot(seen[v]! - landmarks[2 * i]!, seen[v + 1]! - landmarks[2 * i + 1]!);
    }
    return (100 * sum) / (end - first) / eyeDistance(landmarks);
  };
  assert.ok(Math.abs(fit.residual.eyes - off(36, 48)) < 1e-3);
  assert.ok(Math.abs(fit.residual.nose - off(27, 36)) < 1e-3);
  assert.ok(Math.abs(fit.residual.brows - off(17, 27)) < 1e-3);
  assert.ok(Math.abs(fit.residual.lips - off(48, 68)) < 1e-3);
  assert.ok(fit.residual.lips > 0.8, 'the grimace is not followed whole');
});

/** Of the inner face, moved to the middle and scaled to one size: landmarks do not tell how large a head is. */
function shapeOf(identity: Float32Array): Float64Array {
  const [shape, count] = [face.shape({ identity }), face.parts.innerFace.vertices[1]];
  const middle = [0, 1, 2].map((axis) => {
    let sum = 0;
    for (let v = 0; v < count; v++) sum += shape[3 * v + axis]! / count;
    return sum;
  });
  const centred = Float64Array.from({ length: 3 * count }, (_, i) => shape[i]! - middle[i % 3]!);
  const radius = Math.hypot(
    ...Array.from({ length: count }, (_, v) => Math.hypot(...centred.subarray(3 * v, 3 * v + 3))),
  );
  return centred.map((value) => value / radius);
}

test('several photographs of a person tell its shape better than one, and share it', () => {
  const identity = person(5, 0.7);
  const poses = [still, { ...still, yaw: 15 }, { ...still, yaw: -15 }, { ...still, pitch: -8 }];
  const photographs = poses.map((pose, i) => ({
    ...size,
    landmarks: landmarksOf({ identity, pose, weights: arkitWeights({ jawOpen: 0.15 * i }) }),
  }));
  const all = fitFaces(photographs);
  for (const fit of all) assert.deepEqual(fit.identity, all[0]!.identity);
  const truth = shapeOf(identity);
  const off = (fit: FaceFit): number => Math.hypot(...shapeOf(fit.identity).map((value, i) => value - truth[i]!));
  for (const { landmarks } of photographs) {
    const one = off(fitFace(landmarks, size));
    assert.ok(off(all[0]!) < 0.8 * one, `off by ${off(all[0]!)} with four, ${one} with one`);
  }
});

test('landmarks where the model has them differ on brows and inner lips alone', () => {
  const landmarks = landmarksOf({ identity: person(0, 0), weights: arkitWeights({}), pose: { ...still, roll: 12 } });
  const fit = fitFace(landmarks, size);
  const moved = fit.modelLandmarks;
  for (let i = 0; i < 68; i++) {
    const by = Math.hypot(moved[2 * i]! - landmarks[2 * i]!, moved[2 * i + 1]! - landmarks[2 * i + 1]!);
    const where = (i >= 17 && i < 27) || [61, 62, 63, 65, 66, 67].includes(i);
    assert.equal(by > 0, where, `landmark ${i} moved by ${by}`);
  }
  // They were read so from vertices of the model, to which they go back.
  const seen = camera.project(face.shape({ identity: person(0, 0) }), { pose: { ...still, roll: 12 } });
  for (const i of [17, 21, 22, 26, 62, 66]) {
    const v = 3 * face.landmarks[i]!;
    const off = Math.hypot(moved[2 * i]! - seen[v]!, moved[2 * i + 1]! - seen[v + 1]!);
    assert.ok(off < 0.004 * fit.eyeDistance, `landmark ${i} is ${off} pixels off`);
  }
});

test('the same landmarks give the same bytes', () => {
  const landmarks = landmarksOf(truths[1]!);
  assert.deepEqual(fitFace(landmarks, size), fitFace(landmarks.slice(), size));
});

test('a fit is saved and read back bit for bit; a damaged file names its faults', () => {
  const fit = fitFace(landmarksOf(truths[2]!), size, { gaze: { yaw: 7.25, pitch: -3 } });
  assert.deepEqual(fit.gaze, { yaw: 7.25, pitch: -3 });
  assert.ok(fit.weights[arkitIndex('eyeLookOutLeft')]! > 0.2 && fit.weights[arkitIndex('eyeLookDownLeft')]! > 0.05);
  const path = join(mkdtempSync(join(tmpdir(), 'fit-')), 'fit.json');
  fit.save(path);
  assert.deepEqual(FaceFit.load(path), fit);
  const { weights, ...rest } = JSON.parse(readFileSync(path, 'utf8'));
  writeFileSync(path, JSON.stringify({ ...rest, weights: { ...weights, jawOpen: 'wide' }, contour: [1, 2] }));
  assert.throws(() => FaceFit.load(path), {
    name: 'DataError',
    message: /weights\.jawOpen to be a number, got "wide".*contour to be a list of 17/s,
  });
  assert.throws(() => FaceFit.load(`${path}.absent`), DataError);
});

test('what are no landmarks is refused with what was expected', () => {
  assert.throws(() => fitFace(new Float32Array(134), size), ShapeError);
  assert.throws(() => fitFace(new Float32Array(136), size), /expected eyes at least 1 pixel apart/);
  assert.throws(() => fitFace(landmarksOf(truths[0]!).fill(Number.NaN, 0, 1), size), /landmarks\[0\]/);
  assert.throws(() => fitFaces([]), ConfigError);
  assert.throws(() => fitFace(landmarksOf(truths[0]!), { ...size, width: 0.5 }), /width to be a whole number/);
});

test('a camera looks as the fit says', () => {
  const truth = truths[0]!;
  const fit = fitFace(landmarksOf(truth), size);
  const view = fit.view();
  assert.equal(view.distance, camera.distance);
  assert.ok(Math.hypot(view.centre[0] - 310, view.centre[1] - 240) < 12, String(view.centre));
});
