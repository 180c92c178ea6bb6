/** Reads found faces: landmarks, expressions and pose from crops. */
import { cat, noGrad, scope, type Tensor } from '../../torch/index.js';
import type { RgbImage } from '../frames.js';
import { type Crop, cutOut, frameTensor, toFrame } from './crop.js';
import { mirrorMean, squareAround } from './landmarks.js';
import { loadExpressionNetwork, loadLandmarkNetwork } from './load.js';
import { type FaceReader, faceSize } from './networks.js';
import { fitPose } from './pose.js';
import { type Expressions, expressionNames, type Face, type FaceDetection } from './types.js';

/** A face in a frame. */
export interface FoundFace {
  readonly frame: RgbImage;
  readonly detection: FaceDetection;
}

/** The square that is read, over the landmarks' extent: with less or more, the landmarks depend more on the detector's box. */
const share = 1.2;

/** Looks that only find the square for the last one. Without them the detector's box moves the landmarks by 2 % of the eyes' distance. */
const roughLooks = 2;

/**
 * Landmarks that lie further than this from the fitted head form no face: those of real faces, up to grimaces and half profiles, stay
 * below 0.12; where there is no face the looks run away, to 0.6 and more.
 */
const maxFitError = 0.2;

/** Faces that are read together. */
const atOnce = 16;

export class FeatureReader {
  readonly #landmarks: FaceReader;
  readonly #expressions: FaceReader;
  readonly #device: string;

  private constructor(landmarks: FaceReader, expressions: FaceReader, device: string) {
    this.#landmarks = landmarks;
    this.#expressions = expressions;
    this.#device = device;
  }

  /** @throws DataError (weights that cannot be read) */
  static async load(folder: string, device: string): Promise<FeatureReader> {
    const landmarks = await loadLandmarkNetwork(folder);
    const expressions = await loadExpressionNetwork(folder);
    return new FeatureReader(landmarks.to({ device }), expressions.to({ device }), device);
  }

  /** Reads each of the faces; null for one that proves to be none. */
  read(found: readonly FoundFace[]): (Face | null)[] {
    const faces: (Face | null)[] = [];
    for (let start = 0; start < found.length; start += atOnce) {
      faces.push(...noGrad(() => scope(() => this.#readBatch(found.slice(start, start + atOnce)))));
    }
    return faces;
  }

  #readBatch(found: readonly FoundFace[]): (Face | null)[] {
    const pixels = pixelsOf(found, this.#device);
    let crops = found.map(({ detection }) => squareOf(detection));
    for (let look = 0; look < roughLooks; look++) {
      const points = rows(this.#landmarks.forward(cut(pixels, crops)));
      crops = crops.map((crop, i) => squareAround(toFrame(points[i]!, crop), share));
    }
    // The last look sees the face and its mirror image.
    const pictures = cut(pixels, crops);
    const both = cat([pictures, pictures.flip([3])], 0);
    const points = rows(this.#landmarks.forward(both));
    const probabilities = rows(this.#expressions.forward(both).softmax(1));
    return found.map(({ detection }, i) => {
      const other = i + found.length;
      const landmarks = toFrame(mirrorMean(points[i]!, points[other]!), crops[i]!);
      return faceOf(detection, landmarks, expressionsOf(probabilities[i]!, probabilities[other]!));
    });
  }
}

/** Reads the one face of each frame that was chosen, if any. */
export function readChosen(
  reader: { read(found: readonly FoundFace[]): (Face | null)[] },
  frames: readonly RgbImage[],
  chosen: readonly (FaceDetection | null)[],
): (Face | null)[] {
  const found = chosen.flatMap((detection, i) => (detection === null ? [] : [{ frame: frames[i]!, detection }]));
  const faces = reader.read(found);
  return chosen.map((detection) => (detection === null ? null : faces.shift()!));
}

/** A face from what was read; the pose follows from the landmarks, whatever the expression. Null when they form no head. */
export function faceOf(detection: FaceDetection, landmarks: Float32Array, expressions: Expressions): Face | null {
  const { interOcular, error } = fitPose(landmarks);
  if (!(error <= maxFitError)) return null;
  const { pose } = fitPose(landmarks, { moving: true });
  const { box, score } = detection;
  return { box, score, landmarks, expressions, pose, interOcular };
}

/** Each face's frame; faces of one frame share it. */
function pixelsOf(found: readonly FoundFace[], device: string): Tensor[] {
  const made = new Map<RgbImage, Tensor>();
  return found.map(({ frame }) => {
    const pixels = made.get(frame) ?? frameTensor(frame, device);
    made.set(frame, pixels);
    return pixels;
  });
}

function cut(pixels: readonly Tensor[], crops: readonly Crop[]): Tensor {
  return cat(
    crops.map((crop, i) => cutOut(pixels[i]!, crop, faceSize)),
    0,
  );
}

function squareOf({ box }: FaceDetection): Crop {
  return { x: box.x + box.width / 2, y: box.y + box.height / 2, side: Math.max(box.width, box.height), angle: 0 };
}

function rows(output: Tensor): Float32Array[] {
  const [count, width] = output.shape as [number, number];
  const values = output.to({ device: 'cpu' }).contiguous().data() as Float32Array;
  return Array.from({ length: count }, (_, i) => values.slice(i * width, (i + 1) * width));
}

function expressionsOf(plain: Float32Array, mirror: Float32Array): Expressions {
  const entries = expressionNames.map((name, i) => [name, (plain[i]! + mirror[i]!) / 2]);
  return Object.fromEntries(entries) as Expressions;
}
