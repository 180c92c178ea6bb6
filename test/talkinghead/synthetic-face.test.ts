import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { getNumThreads, setNumThreads } from 'headrace';
import { FaceAnalyser } from 'headrace/media';
import { arkitWeights, FaceModel, FaceStage, makeSyntheticSet, readLabels, SyntheticFace } from 'headrace/talkinghead';

const stage = new FaceStage({ size: 128 });

test('a seed is a person: the same bytes again, on any number of threads, and another person for another seed', () => {
  const motion = { weights: arkitWeights({ jawOpen: 0.4 }), pose: { yaw: 12, pitch: -5, roll: 3 } };
  const first = new SyntheticFace(7, { stage }).frame(motion).image.data.slice();
  const before = getNumThreads();
  for (const threads of [1, 2, 3]) {
    setNumThreads(threads);
    assert.deepEqual(new SyntheticFace(7, { stage }).frame(motion).image.data, first, `${threads} threads`);
  }
  setNumThreads(before);
  assert.notDeepEqual(new SyntheticFace(8, { stage }).frame(motion).image.data, first);
});

test('landmarks are the face model, as the camera sees it', () => {
  const person = new SyntheticFace(3, { stage });
  const weights = arkitWeights({ jawOpen: 0.5, mouthSmileLeft: 0.3 });
  const frame = person.frame({ weights, depth: true });
  const face = FaceModel.load();
  const points = person.camera.project(face.shape({ identity: person.traits.identity, weights }));
  for (const [k, v] of stage.landmarks.entries())
    for (const c of [0, 1])
      assert.ok(Math.abs(frame.landmarks[2 * k + c]! - points[3 * v + c]!) < 0.05, `landmark ${k}`);
  // The tip of the nose is what is nearest to the camera there.
  const [x, y] = [Math.floor(frame.landmarks[60]!), Math.floor(frame.landmarks[61]!)];
  const away = 1 / points[3 * face.landmarks[30]! + 2]!;
  assert.ok(Math.abs(frame.depth![y * 128 + x]! - away) < 0.4);
  assert.equal(frame.mask[y * 128 + x], 255);
  assert.equal(frame.mask[0], 0);
});

test('people are found by a detector that knows real faces, and read where they are', async () => {
  const analyser = await FaceAnalyser.load();
  let [found, off] = [0, 0];
  const seeds = Array.from({ length: 12 }, (_, i) => 100 + i);
  for (const seed of seeds) {
    const person = new SyntheticFace(seed, { stage });
    const { image, landmarks } = person.frame({ pose: { yaw: (seed % 3) * 10 - 10 } });
    const face = analyser.analyse(image);
    if (face === null) continue;
    found += 1;
    const eyes = Math.hypot(landmarks[72]! - landmarks[90]!, landmarks[73]! - landmarks[91]!);
    let sum = 0;
    for (let k = 36; k < 68; k++)
      sum += Math.hypot(face.landmarks[2 * k]! - landmarks[2 * k]!, face.landmarks[2 * k + 1]! - landmarks[2 * k + 1]!);
    off += sum / 32 / eyes;
  }
  assert.ok(found >= 11, `${found} of 12 found`);
  assert.ok(off / found < 0.05, `landmarks ${off / found} of the eyes' distance off`);
});

test('a set of labelled faces is the same twice, goes on where it was stopped, and reads back', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'synthetic-'));
  const make = (name: string, stopped?: () => boolean) =>
    makeSyntheticSet(join(folder, name), { seed: 4, count: 5, size: 64, ...(stopped && { stopped }) });
  const whole = await make('a');
  let asked = 0;
  assert.equal((await make('b', () => ++asked > 2)).labels, null);
  const rest = await make('b');
  assert.ok(rest.before > 0 && rest.items === 5);
  assert.deepEqual(readFileSync(rest.labels!), readFileSync(whole.labels!));
  const labels = readLabels(whole.labels!);
  assert.equal(labels.length, 5);
  await assert.rejects(makeSyntheticSet(join(folder, 'c'), { seed: -1, count: 5, size: 64 }), /seed/);
});
