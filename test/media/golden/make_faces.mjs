/**
 * Writes faces.json: what the face networks give for drawn faces in TensorFlow.js, the library that their weights are made for.
 *
 * Run after a build, in an empty folder of its own with these packages installed:
 *   npm install --ignore-scripts @vladmandic/face-api@1.7.15 @tensorflow/tfjs@4.22.0 @tensorflow/tfjs-backend-wasm@4.22.0
 *   node <repository>/test/media/golden/make_faces.mjs
 */
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { drawFaces } from '../../../build/test/media/faces-drawing.js';

const require = createRequire(join(process.cwd(), 'package.json'));
require('@tensorflow/tfjs-backend-wasm');
const tf = require('@tensorflow/tfjs');
const faceapi = require('@vladmandic/face-api/dist/face-api.node-wasm.js');
await tf.setBackend('wasm');
await tf.ready();
const folder = join(dirname(require.resolve('@vladmandic/face-api/package.json')), 'model');
const { tinyFaceDetector, ssdMobilenetv1, faceLandmark68Net, faceExpressionNet, faceRecognitionNet } = faceapi.nets;
for (const net of [tinyFaceDetector, ssdMobilenetv1, faceLandmark68Net, faceExpressionNet, faceRecognitionNet])
  await net.loadFromDisk(folder);

/** The faces of faces-networks.test.ts. */
const scenes = {
  tiny: [160, [{ x: 70, y: 62, eyes: 34 }]],
  ssd: [
    512,
    [
      { x: 150, y: 170, eyes: 60 },
      { x: 380, y: 300, eyes: 40, roll: 20, mouth: 0.6 },
    ],
  ],
  face: [112, [{ x: 56, y: 42, eyes: 36, mouth: 0.5 }]],
  chip: [150, [{ x: 75, y: 50, eyes: 52, mouth: 0.3 }]],
};
const picture = ([size, faces]) => tf.tensor3d(Int32Array.from(drawFaces(size, size, faces)), [size, size, 3], 'int32');
const input = async (scene) => faceapi.toNetInput(picture(scene));
const rounded = (values) => Array.from(values, (value) => Number(value.toPrecision(7)));

const ssd = ssdMobilenetv1.forwardInput(await input(scenes.ssd));
const [boxes, scores] = [await ssd.boxes[0].array(), await ssd.scores[0].array()];
const rows = scores.map((_, i) => i).filter((i) => i % 97 === 0 || scores[i] > 0.5);
const landmarks = faceLandmark68Net.forwardInput(await input(scenes.face));
const expressions = faceExpressionNet.forwardInput(await input(scenes.face));
const descriptor = faceRecognitionNet.forwardInput(await input(scenes.chip));
const tiny = tinyFaceDetector.forwardInput(await input(scenes.tiny), 160);
const golden = {
  scenes,
  tiny: { shape: tiny.shape, values: rounded(await tiny.data()) },
  ssd: rows.map((row) => ({ row, box: rounded(boxes[row]), score: Number(scores[row].toPrecision(7)) })),
  landmarks: rounded(await landmarks.data()),
  expressions: rounded(await expressions.data()),
  descriptor: rounded(await descriptor.data()),
};
writeFileSync(new URL('faces.json', import.meta.url), `${JSON.stringify(golden)}\n`);
