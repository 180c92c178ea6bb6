import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import {
  FaceAnalyser,
  loadExpressionNetwork,
  loadLandmarkNetwork,
  loadSsdFaceDetector,
  loadTinyFaceDetector,
} from 'headrace/media';
import { noGrad, scope, type Tensor, tensor } from 'headrace/torch';
import { type DrawnFace, drawFaces } from './faces-drawing.js';
import { scratch } from './support.js';

type Scene = [size: number, faces: DrawnFace[]];

interface Golden {
  scenes: Record<'tiny' | 'ssd' | 'face', Scene>;
  tiny: { shape: number[]; values: number[] };
  /** Some of the 5118 boxes: top, left, bottom, right. */
  ssd: { row: number; box: number[]; score: number }[];
  landmarks: number[];
  expressions: number[];
}

const golden = JSON.parse(
  readFileSync(fileURLToPath(new URL('../../../test/media/golden/faces.json', import.meta.url)), 'utf8'),
) as Golden;

const input = ([size, faces]: Scene): Tensor =>
  tensor(drawFaces(size, size, faces), { shape: [1, size, size, 3] })
    .permute([0, 3, 1, 2])
    .to({ dtype: 'float32' });

const values = (run: () => Tensor): number[] => [
  ...(noGrad(() => scope(() => run().contiguous().data())) as Float32Array),
];

function assertClose(got: readonly number[], expected: readonly number[], tolerance: number): void {
  assert.equal(got.length, expected.length);
  const worst = Math.max(...got.map((value, i) => Math.abs(value - expected[i]!)));
  assert.ok(worst <= tolerance, `largest difference ${worst}`);
}

test('the tiny detector gives what it gives in TensorFlow.js', async () => {
  const network = await loadTinyFaceDetector();
  const got = values(() => network.forward(input(golden.scenes.tiny)).permute([0, 2, 3, 1]));
  assert.equal(got.length, 5 * 5 * 25);
  assertClose(got, golden.tiny.values, 3e-4); // of values up to 50
});

test('the landmark and expression networks give what they give in TensorFlow.js', async () => {
  const [landmarks, expressions] = [await loadLandmarkNetwork(), await loadExpressionNetwork()];
  assertClose(
    values(() => landmarks.forward(input(golden.scenes.face))),
    golden.landmarks,
    1e-5,
  );
  assertClose(
    values(() => expressions.forward(input(golden.scenes.face)).softmax(1)),
    golden.expressions,
    1e-5,
  );
});

test('the larger detector gives the scores and boxes that it gives in TensorFlow.js', async () => {
  const { network, anchors } = await loadSsdFaceDetector();
  const [codes, scores] = noGrad(() =>
    scope(() => {
      const output = network.forward(input(golden.scenes.ssd));
      return [output.codes.contiguous().data(), output.logits.sigmoid().data()];
    }),
  ) as [Float32Array, Float32Array];
  for (const { row, box, score } of golden.ssd) {
    const [top, left, bottom, right] = [...anchors.subarray(4 * row, 4 * row + 4)] as [number, number, number, number];
    const [y, x, h, w] = [...codes.subarray(4 * row, 4 * row + 4)] as [number, number, number, number];
    const [height, width] = [bottom - top, right - left];
    const [cy, cx] = [top + height / 2 + 0.1 * y * height, left + width / 2 + 0.1 * x * width];
    const [h2, w2] = [(Math.exp(0.2 * h) * height) / 2, (Math.exp(0.2 * w) * width) / 2];
    assertClose([cy - h2, cx - w2, cy + h2, cx + w2, scores[row]!], [...box, score], 1e-5);
  }
});

test('weights that are absent, damaged or of another form are named', async (t) => {
  const file = scratch();
  const folder = file('weights');
  mkdirSync(folder);
  const manifest = 'tiny_face_detector_model-weights_manifest.json';
  await assert.rejects(FaceAnalyser.load({ weights: folder }), { name: 'DataError', message: new RegExp(manifest) });
  await t.test('text that is no JSON', async () => {
    writeFileSync(join(folder, manifest), 'oops');
    await assert.rejects(loadTinyFaceDetector(folder), /manifest.*no JSON/);
  });
  await t.test('another form', async () => {
    writeFileSync(join(folder, manifest), '{"format": "x"}');
    await assert.rejects(loadTinyFaceDetector(folder), /groups of paths and weights/);
  });
  await t.test('a shard that ends early', async () => {
    const source = join(dirname(createRequire(import.meta.url).resolve('@vladmandic/face-api/package.json')), 'model');
    copyFileSync(join(source, manifest), join(folder, manifest));
    const shard = 'tiny_face_detector_model.bin';
    writeFileSync(join(folder, shard), readFileSync(join(source, shard)).subarray(0, 1000));
    await assert.rejects(loadTinyFaceDetector(folder), /expected \d+ bytes at \d+ for conv\d\/\w+, got 1000 in all/);
  });
});
