import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { descriptorDistance, FaceAnalyser, FaceDescriber, loadRecognitionNetwork, type RgbImage } from 'headrace/media';
import { noGrad, scope, tensor } from 'headrace/torch';
import { type DrawnFace, drawFaces } from './faces-drawing.js';
import { scene } from './faces-support.js';

interface Golden {
  scenes: { chip: [size: number, faces: DrawnFace[]] };
  descriptor: number[];
}

const golden = JSON.parse(
  readFileSync(fileURLToPath(new URL('../../../test/media/golden/faces.json', import.meta.url)), 'utf8'),
) as Golden;

test('the recognition network gives the descriptor that it gives in TensorFlow.js', async () => {
  const network = await loadRecognitionNetwork();
  const [size, faces] = golden.scenes.chip;
  const picture = tensor(drawFaces(size, size, faces), { shape: [1, size, size, 3] })
    .permute([0, 3, 1, 2])
    .to({ dtype: 'float32' });
  const got = noGrad(() => scope(() => network.forward(picture).data())) as Float32Array;
  const worst = Math.max(...golden.descriptor.map((value, i) => Math.abs(value - got[i]!)));
  assert.equal(got.length, 128);
  assert.ok(worst < 1e-5, `largest difference ${worst}`);
});

test('a face keeps its descriptor when it is moved, enlarged and tilted, and the describer takes several at once', async () => {
  const [analyser, describer] = [await FaceAnalyser.load(), await FaceDescriber.load()];
  const shown = (picture: RgbImage) => ({ frame: picture, face: analyser.analyse(picture)! });
  const pictures = [
    scene(256, 256, [{ x: 120, y: 110, eyes: 50 }]),
    scene(300, 280, [{ x: 160, y: 130, eyes: 62 }]),
    scene(256, 256, [{ x: 128, y: 118, eyes: 50, roll: 20 }]),
  ].map(shown);
  const all = describer.describe(pictures);
  const [first, larger, tilted] = all as [Float32Array, Float32Array, Float32Array];
  assert.ok(descriptorDistance(first, larger) < 0.2, `${descriptorDistance(first, larger)}`);
  assert.ok(descriptorDistance(first, tilted) < 0.25, `${descriptorDistance(first, tilted)}`);
  const [alone] = describer.describe([pictures[1]!]) as [Float32Array];
  assert.ok(descriptorDistance(alone, larger) < 1e-4);
});

test('the distance of descriptors is Euclidean', () => {
  const [a, b] = [new Float32Array(128), new Float32Array(128)];
  b[3] = 0.3;
  b[90] = -0.4;
  assert.ok(Math.abs(descriptorDistance(a, b) - 0.5) < 1e-7);
});

test('what cannot be described is refused', async () => {
  const describer = await FaceDescriber.load();
  const frame = { width: 8, height: 8, data: new Uint8Array(192) };
  const few = { frame, face: { landmarks: new Float32Array(10) } };
  assert.throws(() => describer.describe([few]), /Expected 136 numbers of landmarks, got 10/);
  const torn = { frame: { ...frame, data: new Uint8Array(9) }, face: { landmarks: new Float32Array(136) } };
  assert.throws(() => describer.describe([torn]), /192 bytes, got 9/);
  await assert.rejects(FaceDescriber.load({ wieghts: 'x' } as never), /Did you mean weights/);
  await assert.rejects(FaceDescriber.load({ weights: '/nowhere' }), /face_recognition_model-weights_manifest\.json/);
});
