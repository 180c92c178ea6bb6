/** The face networks with their weights, for inference; they can also be used on their own. */
import type { Module } from '../../nn/index.js';
import { FaceReader, networkKeys, TinyFaceDetector } from './networks.js';
import { SsdFaceDetector, ssdState } from './ssd.js';
import { expressionNames, landmarkCount } from './types.js';
import { type FaceNetwork, faceWeightsFolder, loadRenamed, readFaceWeights } from './weights.js';

/** Without a folder, the weights are those of the package `@vladmandic/face-api`. @throws DataError for weights that cannot be read */
export function loadTinyFaceDetector(folder = faceWeightsFolder()): Promise<TinyFaceDetector> {
  return filled(new TinyFaceDetector(), 'tiny_face_detector', folder);
}

/** x and y of each landmark in fractions of the picture. See {@link loadTinyFaceDetector}. */
export function loadLandmarkNetwork(folder = faceWeightsFolder()): Promise<FaceReader> {
  return filled(new FaceReader(2 * landmarkCount), 'face_landmark_68', folder);
}

/** Logits in the order of `expressionNames`. See {@link loadTinyFaceDetector}. */
export function loadExpressionNetwork(folder = faceWeightsFolder()): Promise<FaceReader> {
  return filled(new FaceReader(expressionNames.length), 'face_expression', folder);
}

async function filled<T extends Module>(network: T, name: FaceNetwork, folder: string): Promise<T> {
  const weights = await readFaceWeights(name, folder);
  loadRenamed(network, weights, networkKeys(weights.keys()));
  return network;
}

export interface LoadedSsd {
  readonly network: SsdFaceDetector;
  /** 5118 x (top, left, bottom, right), in fractions of the picture. */
  readonly anchors: Float32Array;
}

/** See {@link loadTinyFaceDetector}. */
export async function loadSsdFaceDetector(folder = faceWeightsFolder()): Promise<LoadedSsd> {
  const { state, anchors } = ssdState(await readFaceWeights('ssd_mobilenetv1', folder));
  const network = new SsdFaceDetector();
  loadRenamed(network, state, (name) => name);
  return { network, anchors: anchors.data() as Float32Array };
}
