import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { FaceAnalyser, type FaceDetection } from 'headrace/media';
import { liveTensors } from 'headrace/torch';
import { assertFrames, blank, near, scene } from './faces-support.js';

const one = { x: 120, y: 90, eyes: 40 };
let tiny: FaceAnalyser;
let auto: FaceAnalyser;

before(async () => {
  tiny = await FaceAnalyser.load({ detector: 'tiny' });
  auto = await FaceAnalyser.load();
});

test('a face is framed, wherever it is and however large', () => {
  for (const face of [one, { x: 200, y: 140, eyes: 22 }, { x: 60, y: 60, eyes: 30 }]) {
    const [found] = tiny.detect([scene(280, 220, [face])]) as [FaceDetection[]];
    assert.equal(found.length, 1);
    assertFrames(found[0]!.box, face);
  }
});

test('a face that fills the picture is found, by both detectors', async () => {
  const face = { x: 48, y: 34, eyes: 36 };
  const picture = scene(96, 96, [face]);
  for (const analyser of [tiny, await FaceAnalyser.load({ detector: 'ssd' })]) {
    const [found] = analyser.detect([picture]) as [FaceDetection[]];
    assert.equal(found.length, 1);
    assertFrames(found[0]!.box, face);
  }
});

test('where the tiny detector finds nothing, the larger one is asked', async () => {
  const face = { x: 200, y: 80, eyes: 18 };
  const picture = scene(280, 200, [face]);
  const [small, larger] = [
    await FaceAnalyser.load({ detector: 'tiny', inputSize: 96 }),
    await FaceAnalyser.load({ detector: 'auto', inputSize: 96 }),
  ];
  assert.deepEqual(small.detect([picture]), [[]]);
  const [found] = larger.detect([picture]) as [FaceDetection[]];
  assert.equal(found.length, 1);
  assertFrames(found[0]!.box, face);
});

test('every face of a picture is found once, the main one first', () => {
  const [side, main] = [
    { x: 70, y: 60, eyes: 26 },
    { x: 220, y: 110, eyes: 40 },
  ];
  const picture = scene(400, 260, [side, main]);
  const faces = auto.analyseAll(picture);
  assert.equal(faces.length, 2);
  assertFrames(faces[0]!.box, main);
  assertFrames(faces[1]!.box, side);
  assertFrames(auto.analyse(picture)!.box, main);
});

test('nothing is found where there is nothing', () => {
  assert.equal(auto.analyse(blank(200, 120)), null);
  assert.deepEqual(auto.analyseAll(blank(64, 64)), []);
  assert.deepEqual(auto.analyseBatch([]), []);
});

test('pictures of several sizes together give what each gives alone', () => {
  const pictures = [
    scene(280, 220, [one]),
    blank(280, 220),
    scene(160, 200, [{ x: 80, y: 80, eyes: 34 }]),
    scene(280, 220, [one]),
  ];
  const together = tiny.analyseBatch(pictures);
  assert.deepEqual(
    together.map((face) => face !== null),
    [true, false, true, true],
  );
  for (const [i, face] of together.entries()) {
    if (face === null) continue;
    const alone = tiny.analyse(pictures[i]!)!;
    near(face.box.x, alone.box.x, 1e-2, 'box');
    near(face.landmarks[66]!, alone.landmarks[66]!, 1e-2, 'landmark');
    near(face.expressions.neutral, alone.expressions.neutral, 1e-4, 'expression');
  }
});

test('the analysis leaves no tensors behind', () => {
  const picture = scene(160, 160, [{ x: 80, y: 60, eyes: 34 }]);
  auto.analyse(picture);
  const live = liveTensors();
  for (let i = 0; i < 3; i++) auto.analyse(picture);
  assert.equal(liveTensors(), live);
});

test('what cannot be used is refused, with what was expected', async () => {
  assert.throws(() => tiny.analyse({ width: 10, height: 10, data: new Uint8Array(100) }), {
    name: 'ShapeError',
    message: /10 x 10 RGB pixels, 300 bytes, got 100/,
  });
  await assert.rejects(FaceAnalyser.load({ inputSize: 100 }), /multiple of 32/);
  await assert.rejects(FaceAnalyser.load({ minScore: 2 }), /minScore from 0 to 1, got 2/);
  await assert.rejects(FaceAnalyser.load({ detector: 'yolo' as 'tiny' }), /'tiny', 'ssd' or 'auto', got 'yolo'/);
});
