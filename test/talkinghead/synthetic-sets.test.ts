import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { ConfigError, DataError, getNumThreads, ShapeError, setNumThreads } from 'headrace';
import { loadNpy } from 'headrace/io';
import { readImage } from 'headrace/media';
import {
  arkitWeights,
  Camera,
  FaceModel,
  FaceStage,
  makeSyntheticSet,
  Raster,
  readLabels,
  SyntheticFace,
} from 'headrace/talkinghead';

const face = FaceModel.load();
const stage = new FaceStage({ size: 48, face });
const folder = mkdtempSync(join(tmpdir(), 'headrace-synth-'));
after(() => rmSync(folder, { recursive: true }));

const weights = arkitWeights({ jawOpen: 0.4, mouthSmileLeft: 0.6, eyeLookUpLeft: 0.5, browInnerUp: 0.8 });
const pose = { yaw: 22, pitch: -7, roll: 5 };
const position = [0.5, -0.3, 1] as const;

/** The face's vertices before the person's camera, by the camera alone. */
function projected(person: SyntheticFace, gaze = { yaw: 8, pitch: 2 }): Float32Array {
  const vertices = face.shape({ identity: person.traits.identity, weights, gaze });
  return person.camera.project(vertices, { pose, position });
}

test('landmarks are vertices of the face, seen by the camera', () => {
  using person = new SyntheticFace(3, { stage });
  const { landmarks } = person.frame({ weights, pose, position, gaze: { yaw: 8, pitch: 2 } });
  const points = projected(person);
  for (const [k, vertex] of stage.landmarks.entries()) {
    assert.ok(Math.abs(landmarks[2 * k]! - points[3 * vertex]!) < 2e-3, `x of ${k}`);
    assert.ok(Math.abs(landmarks[2 * k + 1]! - points[3 * vertex + 1]!) < 2e-3, `y of ${k}`);
  }
});

test('brows are marked where people mark them: the model begins them too near to the nose', () => {
  const across = (landmarks: Uint32Array, k: number) => face.vertices[3 * landmarks[k]!]!;
  const middle = (across(face.landmarks, 42) + across(face.landmarks, 45)) / 2;
  // A brow begins over the inner corner of the eye; its middle lies over the outer half of the eye.
  assert.ok(Math.abs(across(stage.landmarks, 22) - across(face.landmarks, 42)) < 0.3);
  assert.ok(across(face.landmarks, 22) < across(face.landmarks, 42) - 0.5);
  assert.ok(across(stage.landmarks, 24) > middle && across(stage.landmarks, 24) < across(face.landmarks, 45));
  for (let k = 0; k < 5; k++) assert.equal(stage.landmarks[17 + k], face.mirror[stage.landmarks[26 - k]!]);
  for (let k = 27; k < 68; k++) assert.equal(stage.landmarks[k], face.landmarks[k]);
});

test('the jaw line is marked evenly from ears to chin', () => {
  const step = (marks: Uint32Array, k: number) =>
    Math.hypot(...[0, 1, 2].map((c) => face.vertices[3 * marks[k + 1]! + c]! - face.vertices[3 * marks[k]! + c]!));
  const spread = (marks: Uint32Array) => {
    const steps = Array.from({ length: 16 }, (_, k) => step(marks, k));
    return Math.max(...steps) / Math.min(...steps);
  };
  assert.ok(spread(stage.landmarks) < 1.35, `${spread(stage.landmarks)}`);
  assert.ok(spread(face.landmarks) > 1.5, `${spread(face.landmarks)}`);
  for (const k of [0, 8, 16]) assert.equal(stage.landmarks[k], face.landmarks[k]);
});

test('depth is the distance along the axis of the camera, of the nearest surface', () => {
  using person = new SyntheticFace(3, { stage });
  const { depth, mask } = person.frame({ weights, pose, position, gaze: { yaw: 8, pitch: 2 }, depth: true });
  using raster = new Raster(48, 48);
  // Nothing hides the middle of the face: there the whole picture is as deep as the face alone.
  raster.draw(projected(person), face.triangles, { range: face.parts.innerFace.triangles, cull: 'back' });
  const near = raster.depth.data() as Float32Array;
  let compared = 0;
  for (let p = 0; p < near.length; p++) {
    const [x, y] = [p % 48, Math.floor(p / 48)];
    if (near[p]! <= 0 || x < 22 || x > 28 || y < 20 || y > 26) continue;
    assert.ok(Math.abs(depth![p]! - 1 / near[p]!) < 5e-3, `${depth![p]} at ${x}, ${y}, not ${1 / near[p]!}`);
    compared++;
  }
  assert.ok(compared > 20, `${compared}`);
  // Nobody is in the corner, and the mask agrees.
  assert.equal(depth![0], Number.POSITIVE_INFINITY);
  assert.equal(mask[0], 0);
  assert.equal(mask[24 * 48 + 24], 255);
});

test('a seed gives the same bytes again, on any number of threads, whoever was drawn between; another seed gives others', () => {
  const draw = (seed: number, index = 0) => {
    using person = new SyntheticFace(seed, { stage });
    return person.frame({ weights, pose, index });
  };
  const threads = getNumThreads();
  setNumThreads(1);
  const first = draw(7);
  const other = draw(8);
  setNumThreads(4);
  const again = draw(7);
  setNumThreads(threads);
  assert.deepEqual(again.image.data, first.image.data);
  assert.deepEqual(again.mask, first.mask);
  assert.notDeepEqual(other.image.data, first.image.data);
  assert.notDeepEqual(draw(7, 1).image.data, first.image.data); // another grain
});

test('the same person elsewhere has the same face in other light', () => {
  using here = new SyntheticFace(7, { stage });
  using there = new SyntheticFace(7, { stage, place: 9 });
  assert.deepEqual(there.traits, here.traits);
  assert.notDeepEqual(there.place, here.place);
});

test('closed eyes hide the whites, and an opened mouth shows another inside', () => {
  using person = new SyntheticFace(12, { stage });
  const rest = person.frame();
  /** The largest change of a pixel within the box of some landmarks. */
  const changed = (other: ReturnType<SyntheticFace['frame']>, from: number, to: number): number => {
    const along = (odd: number) => Array.from({ length: to - from }, (_, k) => rest.landmarks[2 * (from + k) + odd]!);
    const [xs, ys] = [along(0), along(1)];
    let most = 0;
    for (let y = Math.floor(Math.min(...ys)); y <= Math.max(...ys); y++) {
      for (let x = Math.floor(Math.min(...xs)); x <= Math.max(...xs); x++) {
        const at = 3 * (y * 48 + x);
        const change = [0, 1, 2].map((c) => Math.abs(rest.image.data[at + c]! - other.image.data[at + c]!));
        most = Math.max(most, ...change);
      }
    }
    return most;
  };
  const blink = person.frame({ weights: arkitWeights({ eyeBlinkLeft: 1, eyeBlinkRight: 1 }) });
  const open = person.frame({ weights: arkitWeights({ jawOpen: 0.7 }) });
  assert.ok(changed(blink, 36, 42) > 30, `${changed(blink, 36, 42)}`);
  assert.ok(changed(open, 60, 68) > 30, `${changed(open, 60, 68)}`);
  assert.ok(changed(open, 36, 42) < 12, `${changed(open, 36, 42)}`);
});

test('numbers that cannot be are refused', () => {
  assert.throws(() => new SyntheticFace(-1, { stage }), ConfigError);
  assert.throws(() => new SyntheticFace(1, { stage, size: 64 }), /stage's size, 48/);
  assert.throws(() => new FaceStage({ size: 8 }), ConfigError);
  using person = new SyntheticFace(1, { stage });
  assert.throws(() => person.frame({ weights: [1] }), ShapeError);
  assert.throws(() => person.frame({ pose: { yaw: Number.NaN } }), ConfigError);
  // @ts-expect-error no such option
  assert.throws(() => person.frame({ weight: weights }), /weights/);
});

test('a set has a label for each picture, which gives the picture back', async () => {
  const out = join(folder, 'stills');
  const result = await makeSyntheticSet(out, { seed: 5, count: 3, size: 48, people: 2, depth: true });
  assert.deepEqual([result.items, result.pictures, result.before], [3, 3, 0]);
  const labels = readLabels(result.labels!);
  assert.deepEqual(
    labels.map(({ item, frame }) => [item, frame]),
    [
      [0, 0],
      [1, 0],
      [2, 0],
    ],
  );
  assert.equal(labels[0]!.person, labels[2]!.person);
  assert.notEqual(labels[0]!.person, labels[1]!.person);
  for (const label of labels) {
    // The numbers of the label alone tell where the landmarks are.
    const vertices = face.shape({
      identity: label.identity,
      weights: label.weights,
      ...(label.gaze && { gaze: label.gaze }),
    });
    const { distance, focal, centre, pivot } = label.camera;
    const camera = new Camera({
      width: 48,
      height: 48,
      distance,
      pixelsPerCm: focal / distance,
      centre: centre as [number, number],
      pivot: pivot as [number, number, number],
    });
    const points = camera.project(vertices, { pose: label.pose, position: label.position as [number, number, number] });
    for (const [k, vertex] of stage.landmarks.entries())
      assert.ok(Math.abs(label.landmarks[2 * k]! - points[3 * vertex]!) < 2e-3);
    const image = await readImage(join(out, label.image));
    assert.equal(image.width, 48);
    const depth = loadNpy(join(out, label.depth!));
    assert.deepEqual(depth.shape, [48, 48]);
  }
});

test('a set that was broken off goes on, and is the same bytes as one that was not', async () => {
  const options = { seed: 6, count: 3, size: 32, frames: 2 };
  const [whole, broken] = [join(folder, 'whole'), join(folder, 'broken')];
  await makeSyntheticSet(whole, options);
  let asked = 0;
  const first = await makeSyntheticSet(broken, { ...options, stopped: () => asked++ > 0 });
  assert.deepEqual([first.items, first.labels], [1, null]);
  // As a process leaves it that was killed while it wrote.
  writeFileSync(
    join(broken, 'labels.partial.jsonl'),
    `${readFileSync(join(broken, 'labels.partial.jsonl'), 'utf8')}{"image":`,
  );
  const second = await makeSyntheticSet(broken, options);
  assert.deepEqual([second.items, second.before], [3, 1]);
  for (const name of ['labels.jsonl', 'sheet.png', 'images/0002-0001.png', 'masks/0000-0001.png', 'set.json'])
    assert.deepEqual(readFileSync(join(broken, name)), readFileSync(join(whole, name)), name);
  const { labels } = await makeSyntheticSet(whole, options); // nothing is left to do
  assert.equal(readLabels(labels!).length, 6);
  await assert.rejects(makeSyntheticSet(whole, { ...options, seed: 7 }), /another set \(seed 6, not 7\)/);
});

test('a label that is none is named with its line', () => {
  const path = join(folder, 'wrong.jsonl');
  writeFileSync(path, '\n{"image": 3}\n');
  assert.throws(
    () => readLabels(path),
    (error: Error) => error instanceof DataError && /line 2/.test(error.message),
  );
});
