import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { extractVision, meanExpressions, visionColumns, visionRow, visionRows, visionSpec } from 'headrace/features';
import { type Face, FaceAnalyser, projectHead, type RgbImage, writeVideo } from 'headrace/media';
import { blank, near, scene } from '../media/faces-support.js';
import { scratch } from '../media/support.js';

let analyser: FaceAnalyser;

before(async () => {
  analyser = await FaceAnalyser.load({ detector: 'tiny' });
});

const drawn = (mouth: number): RgbImage => scene(320, 240, [{ x: 150, y: 90, eyes: 44, mouth }]);
const expressions = { neutral: 0.5, happy: 0.25, sad: 0.25, angry: 0, fearful: 0, disgusted: 0, surprised: 0 };
const face = (landmarks: Float32Array, pose: Face['pose'], interOcular: number): Face => ({
  box: { x: 0, y: 0, width: 1, height: 1 },
  score: 1,
  landmarks,
  expressions,
  pose,
  interOcular,
});

test('a row has 146 named numbers', () => {
  assert.equal(visionColumns.length, 146);
  assert.equal(new Set(visionColumns).size, 146);
  assert.deepEqual(visionColumns.slice(134, 141), ['x67', 'y67', 'yaw', 'pitch', 'roll', 'neutral', 'happy']);
  assert.deepEqual(visionSpec(), {
    name: 'face-landmarks-pose-expressions',
    dims: 146,
    unit: 'frame',
    rate: 5,
    version: '2',
  });
  assert.equal(visionSpec(12.5).rate, 12.5);
  assert.throws(() => visionSpec(0), { name: 'ConfigError', message: /rate > 0, rows a second, got 0/ });
});

test('landmarks are centred between the eyes, in eye distances; angles are radians', () => {
  const still = { yaw: 0, pitch: 0, roll: 0 };
  const row = visionRow(face(projectHead(still, 50, 300, 200), still, 50));
  const at = (name: string): number => row[visionColumns.indexOf(name)]!;
  const eye = (from: number, axis: 'x' | 'y'): number =>
    [0, 1, 2, 3, 4, 5].reduce((sum, i) => sum + at(`${axis}${from + i}`) / 6, 0);
  near(eye(36, 'x'), -0.5, 0.01, 'left eye');
  near(eye(42, 'x'), 0.5, 0.01, 'right eye');
  near(eye(36, 'y'), 0, 1e-5, 'level');
  assert.ok(at('y8') > 1 && at('y8') < 2, 'the chin lies below');
  const turned = visionRow(face(projectHead(still, 50), { yaw: 90, pitch: -45, roll: 180 }, 50));
  for (const [i, angle] of [Math.PI / 2, -Math.PI / 4, Math.PI].entries()) near(turned[136 + i]!, angle, 1e-6, 'angle');
  assert.deepEqual([...turned.slice(139)], Object.values(expressions));
});

test('the expressions of an utterance are the mean of the pictures in which there is a face', () => {
  const still = { yaw: 0, pitch: 0, roll: 0 };
  const shown = face(projectHead(still, 50), still, 50);
  const sad = { ...expressions, neutral: 0, happy: 0, sad: 1 };
  const rows = [visionRow(shown), new Float32Array(146), visionRow({ ...shown, expressions: sad })];
  const mean = meanExpressions(Float32Array.from(rows.flatMap((row) => [...row])))!;
  near(mean.neutral, 0.25, 1e-6, 'neutral');
  near(mean.sad, 0.625, 1e-6, 'sad');
  assert.equal(meanExpressions(new Float32Array(2 * 146)), null);
});

test('where a face lies, how large it is and how it is tilted leaves the landmarks as they are', () => {
  const row = (scale: number, x: number, y: number, roll: number): Float32Array => {
    const pose = { yaw: 0, pitch: 8, roll };
    return visionRow(face(projectHead(pose, scale, x, y), pose, scale)).slice(0, 136);
  };
  const [plain, moved] = [row(40, 100, 100, 0), row(90, 20, -30, 0)];
  for (let i = 0; i < 136; i++) near(moved[i]!, plain[i]!, 1e-4, visionColumns[i]!);
  // A tilt about the nose that also looks up is no exact turn in the picture.
  const tilted = row(40, 100, 100, 25);
  for (let i = 0; i < 136; i++) near(tilted[i]!, plain[i]!, 0.12, visionColumns[i]!);
});

test('turning a face does not enlarge its mouth', () => {
  const opening = (yaw: number): number => {
    const pose = { yaw, pitch: 0, roll: 0 };
    const row = visionRow(face(projectHead(pose, 60), pose, 60));
    return row[2 * 57 + 1]! - row[2 * 51 + 1]!;
  };
  near(opening(50) / opening(0), 1, 0.12, 'height of the lips');
});

test('pictures without a face are rows of zeros that the mask tells', async () => {
  const pictures = [blank(320, 240), drawn(0), blank(320, 240), drawn(1), drawn(0.5)];
  const { rows, mask, length, spec } = await visionRows(analyser, pictures);
  assert.equal(length, 5);
  assert.equal(rows.length, 5 * spec.dims);
  assert.deepEqual([...mask], [0, 1, 0, 1, 1]);
  for (let i = 0; i < length; i++) {
    const row = rows.subarray(i * 146, (i + 1) * 146);
    assert.equal(
      row.every((value) => value === 0),
      mask[i] === 0,
    );
    assert.ok(row.every(Number.isFinite));
  }
  const open = (i: number): number => rows[i * 146 + 133]! - rows[i * 146 + 125]!;
  assert.ok(open(1) < open(4) && open(4) < open(3), 'the mouth opens as it was drawn');
  const none = await visionRows(analyser, [blank(64, 64)]);
  assert.deepEqual([none.length, none.mask[0]], [1, 0]);
});

test('a video gives rows at the rate asked for, each utterance on its own', async () => {
  const path = scratch()('talk.mp4');
  await writeVideo(
    path,
    Array.from({ length: 20 }, (_, k) => (k < 10 ? drawn(k / 10) : blank(320, 240))),
    { fps: 10 },
  );
  const [whole] = await extractVision(analyser, path);
  assert.deepEqual([...whole!.mask], [1, 1, 1, 1, 1, 0, 0, 0, 0, 0]);
  assert.equal(whole!.spec.rate, 5);
  const spans = [
    { start: 0.4, end: 0.8 },
    { start: 1.2, end: 1.6 },
    { start: 0, end: 0.1 },
  ];
  const cut = await extractVision(analyser, path, spans, 5);
  assert.deepEqual(
    cut.map(({ mask }) => [...mask]),
    [[1, 1], [0, 0], [1]],
  );
  near(cut[0]!.rows[133]!, whole!.rows[2 * 146 + 133]!, 1e-4, 'the row at 0.4 s');
  const [beyond] = await extractVision(analyser, path, [{ start: 5, end: 6 }]);
  assert.deepEqual([beyond!.length, ...beyond!.mask], [1, 0]);
  assert.ok(beyond!.rows.every((value) => value === 0));
  await assert.rejects(extractVision(analyser, path, [{ start: 1, end: 1 }]), /0 <= start < end/);
});
