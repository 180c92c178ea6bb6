import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { centreOf, expressionNames, type Face, FaceAnalyser, type faceParts, landmarkCount } from 'headrace/media';
import { eyeErrors, mirror, near, scene } from './faces-support.js';

let analyser: FaceAnalyser;

before(async () => {
  analyser = await FaceAnalyser.load();
});

const analyse = (face: Parameters<typeof scene>[2][number]): Face => {
  const found = analyser.analyse(scene(280, 240, [face]));
  assert.ok(found !== null);
  return found;
};

test('the eyes lie where they were drawn, upright and tilted', () => {
  for (const roll of [-30, -12, 0, 20]) {
    const drawn = { x: 140, y: 100, eyes: 40, roll };
    const face = analyse(drawn);
    for (const error of eyeErrors(face, drawn)) assert.ok(error < 0.12, `roll ${roll}: eyes off by ${error}`);
    near(face.pose.roll, roll, 5, 'roll');
    near(face.interOcular, 40, 5, 'distance between the eyes');
    near(face.pose.yaw, 0, 6, 'yaw');
  }
});

test('the parts of the face lie in their order', () => {
  const { landmarks } = analyse({ x: 140, y: 100, eyes: 40 });
  assert.equal(landmarks.length, 2 * landmarkCount);
  const at = (part: keyof typeof faceParts) => centreOf(landmarks, part);
  const [brow, eye, nose, lips] = [at('leftBrow')[1], at('leftEye')[1], at('nose')[1], at('outerLips')[1]];
  assert.ok(brow < eye && eye < nose && nose < lips && lips < landmarks[2 * 8 + 1]!, 'from the brows down to the chin');
  assert.ok(at('leftEye')[0] < at('nose')[0] && at('nose')[0] < at('rightEye')[0], 'from left to right');
  near(at('outerLips')[1], 100 + 1.06 * 40, 8, 'the mouth, as drawn');
});

test('an open mouth is open', () => {
  const opening = (mouth: number): number => {
    const { landmarks, interOcular } = analyse({ x: 140, y: 100, eyes: 40, mouth });
    return (landmarks[2 * 66 + 1]! - landmarks[2 * 62 + 1]!) / interOcular;
  };
  const [shut, half, wide] = [opening(0), opening(0.5), opening(1)];
  assert.ok(shut + 0.05 < half && half + 0.05 < wide, `${shut}, ${half}, ${wide}`);
});

test('the expressions are probabilities, and neutral for a face that shows nothing', () => {
  const { expressions } = analyse({ x: 140, y: 100, eyes: 40, mouth: 0 });
  assert.deepEqual(Object.keys(expressions), [...expressionNames]);
  const scores = Object.values(expressions);
  assert.ok(scores.every((score) => score >= 0));
  near(
    scores.reduce((sum, score) => sum + score, 0),
    1,
    1e-5,
    'sum',
  );
});

test("a mirrored face's points are the mirror image of the face's", () => {
  const picture = scene(280, 240, [{ x: 120, y: 100, eyes: 40, roll: 10, mouth: 0.4 }]);
  const [plain, turned] = analyser.analyseBatch([picture, mirror(picture)]) as [Face, Face];
  for (const [point, other] of [
    [0, 16],
    [8, 8],
    [17, 26],
    [30, 30],
    [36, 45],
    [41, 46],
    [48, 54],
    [60, 64],
    [67, 65],
  ] as const) {
    near(turned.landmarks[2 * other]!, 280 - plain.landmarks[2 * point]!, 1.5, `x of ${point}`);
    near(turned.landmarks[2 * other + 1]!, plain.landmarks[2 * point + 1]!, 1.5, `y of ${point}`);
  }
  near(turned.pose.yaw, -plain.pose.yaw, 2, 'yaw');
  near(turned.pose.roll, -plain.pose.roll, 2, 'roll');
  near(turned.pose.pitch, plain.pose.pitch, 2, 'pitch');
});

test('a picture twice as large gives points twice as far', () => {
  const [small, large] = [
    analyse({ x: 90, y: 80, eyes: 30 }),
    analyser.analyse(scene(560, 480, [{ x: 180, y: 160, eyes: 60 }]))!,
  ];
  for (let i = 0; i < 2 * landmarkCount; i++) near(large.landmarks[i]! / 2, small.landmarks[i]!, 1.5, `number ${i}`);
});
