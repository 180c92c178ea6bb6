/** Who a face is: the descriptor of face-api, 128 numbers that lie near each other for pictures of one person. */
import { Conv2d, functional as F, Module, Parameter } from '../../nn/index.js';
import { ConfigError, cat, empty, noGrad, scope, type Tensor } from '../../torch/index.js';
import { checkOptions } from '../../torch/options.js';
import type { RgbImage } from '../frames.js';
import { type Crop, cutOut, frameTensor } from './crop.js';
import { centreOf, tilt } from './landmarks.js';
import { centred, faceMean } from './networks.js';
import { checkFrame, type Face, landmarkCount } from './types.js';
import { faceWeightsFolder, loadRenamed, readFaceWeights } from './weights.js';

/** Numbers of a descriptor. */
export const descriptorSize = 128;

/** Side of the square pictures that {@link FaceRecognitionNetwork} reads. */
const chipSize = 150;

/** Of the square that is read: the distance from the eyes to the mouth, and how far above its middle the face's own lies. */
const chip = { eyesToMouth: 0.45, above: 0.07 } as const;

/** Faces that are read together. */
const atOnce = 16;

/** A convolution whose channels are scaled and shifted. */
class ScaledConv extends Module {
  readonly conv: Conv2d;
  readonly weights: Parameter;
  readonly biases: Parameter;

  constructor(inChannels: number, outChannels: number, kernel: 3 | 7, stride: 1 | 2 = 1) {
    super();
    this.conv = new Conv2d(inChannels, outChannels, kernel, { stride, padding: stride === 1 ? 1 : 0 });
    this.weights = new Parameter(empty([outChannels]));
    this.biases = new Parameter(empty([outChannels]));
  }

  forward(x: Tensor): Tensor {
    const each = (values: Tensor): Tensor => values.reshape([-1, 1, 1]);
    return this.conv.forward(x).mul(each(this.weights)).add(each(this.biases));
  }
}

/** Two convolutions beside what goes on unchanged; with `down` at half the size, and maybe with more channels. */
class Residual extends Module {
  readonly conv1: ScaledConv;
  readonly conv2: ScaledConv;

  constructor(
    inChannels: number,
    private readonly outChannels = inChannels,
    private readonly down = false,
  ) {
    super();
    this.conv1 = new ScaledConv(inChannels, outChannels, 3, down ? 2 : 1);
    this.conv2 = new ScaledConv(outChannels, outChannels, 3);
  }

  forward(x: Tensor): Tensor {
    let out = this.conv2.forward(F.relu(this.conv1.forward(x)));
    if (!this.down) return F.relu(out.add(x));
    let kept = F.avgPool2d(x, 2);
    const [lacking, more] = [kept.size(2) - out.size(2), this.outChannels - kept.size(1)];
    if (lacking > 0) out = F.pad(out, [0, lacking, 0, lacking]);
    if (more > 0) kept = F.pad(kept, [0, 0, 0, 0, 0, more]);
    return F.relu(out.add(kept));
  }
}

/**
 * The residual network of dlib's face recognition as face-api has it: RGB in [0, 255], [B, 3, 150, 150], to descriptors [B, 128].
 */
export class FaceRecognitionNetwork extends Module {
  readonly conv32_down = new ScaledConv(3, 32, 7, 2);
  readonly conv32_1 = new Residual(32);
  readonly conv32_2 = new Residual(32);
  readonly conv32_3 = new Residual(32);
  readonly conv64_down = new Residual(32, 64, true);
  readonly conv64_1 = new Residual(64);
  readonly conv64_2 = new Residual(64);
  readonly conv64_3 = new Residual(64);
  readonly conv128_down = new Residual(64, 128, true);
  readonly conv128_1 = new Residual(128);
  readonly conv128_2 = new Residual(128);
  readonly conv256_down = new Residual(128, 256, true);
  readonly conv256_1 = new Residual(256);
  readonly conv256_2 = new Residual(256);
  readonly conv256_down_out = new Residual(256, 256, true);
  readonly fc = new Parameter(empty([descriptorSize, 256]));

  forward(x: Tensor): Tensor {
    x = F.relu(this.conv32_down.forward(centred(x, faceMean)));
    x = F.maxPool2d(x, 3, { stride: 2 });
    const blocks = [
      [this.conv32_1, this.conv32_2, this.conv32_3],
      [this.conv64_down, this.conv64_1, this.conv64_2, this.conv64_3],
      [this.conv128_down, this.conv128_1, this.conv128_2],
      [this.conv256_down, this.conv256_1, this.conv256_2, this.conv256_down_out],
    ];
    for (const block of blocks.flat()) x = scope(() => block.forward(x));
    return F.linear(x.mean([2, 3]), this.fc);
  }
}

/** Without a folder, the weights are those of the package `@vladmandic/face-api`. @throws DataError for weights that cannot be read */
export async function loadRecognitionNetwork(folder = faceWeightsFolder()): Promise<FaceRecognitionNetwork> {
  const network = new FaceRecognitionNetwork();
  const last: Readonly<Record<string, string>> = {
    filters: 'conv.weight',
    bias: 'conv.bias',
    weights: 'weights',
    biases: 'biases',
    fc: 'fc',
  };
  const rename = (name: string): string => {
    const parts = name.split('/');
    // conv64_1/conv2/scale/weights: the parts before the last but one are the layer's own name.
    return [...parts.slice(0, -2), last[parts.at(-1)!] ?? parts.at(-1)!].join('.');
  };
  loadRenamed(network, await readFaceWeights('face_recognition', folder), rename);
  return network;
}

export interface FaceDescriberOptions {
  /** The folder of the network's weights. By default that of the package `@vladmandic/face-api`. */
  readonly weights?: string;
  /** `'cpu'` (default) or `'cuda:0'`. */
  readonly device?: string;
}

/** A face in a frame, by its landmarks. */
export interface ShownFace {
  readonly frame: RgbImage;
  readonly face: Pick<Face, 'landmarks'>;
}

/**
 * Tells who a face is, as far as a network can: descriptors of one person mostly lie less than 0.6 apart, and those of two people further.
 * Some 20 ms a face on one CPU core.
 */
export class FaceDescriber {
  private constructor(
    private readonly network: FaceRecognitionNetwork,
    private readonly device: string,
  ) {}

  /** @throws ConfigError for options that cannot be used, DataError for weights that cannot be read */
  static async load(options: FaceDescriberOptions = {}): Promise<FaceDescriber> {
    checkOptions('FaceDescriber.load', options, ['weights', 'device']);
    const { device = 'cpu' } = options;
    const network = await loadRecognitionNetwork(options.weights ?? faceWeightsFolder());
    return new FaceDescriber(network.to({ device }), device);
  }

  /**
   * The descriptor of each face: 128 numbers. What is read is a square around the eyes and the mouth, turned so that the eyes are level.
   * @throws ShapeError for a frame whose pixels do not fit its size, ConfigError for landmarks of another number
   */
  describe(faces: readonly ShownFace[]): Float32Array[] {
    for (const { frame, face } of faces) {
      checkFrame(frame);
      if (face.landmarks.length !== 2 * landmarkCount)
        throw new ConfigError(`Expected ${2 * landmarkCount} numbers of landmarks, got ${face.landmarks.length}`);
    }
    const descriptors: Float32Array[] = [];
    for (let start = 0; start < faces.length; start += atOnce) {
      const some = faces.slice(start, start + atOnce);
      const rows = noGrad(() => scope(() => this.network.forward(this.#chips(some)).to({ device: 'cpu' }).data()));
      for (let i = 0; i < some.length; i++)
        descriptors.push((rows as Float32Array).slice(i * descriptorSize, (i + 1) * descriptorSize));
    }
    return descriptors;
  }

  #chips(faces: readonly ShownFace[]): Tensor {
    return cat(
      faces.map(({ frame, face }) => cutOut(frameTensor(frame, this.device), chipOf(face.landmarks), chipSize)),
      0,
    );
  }
}

/** The square of dlib's alignment, around the mean of the eyes' and the mouth's middles. */
function chipOf(landmarks: ArrayLike<number>): Crop {
  const [left, right] = [centreOf(landmarks, 'leftEye'), centreOf(landmarks, 'rightEye')];
  const mouth = centreOfMouth(landmarks);
  const distance = ([x, y]: readonly [number, number]): number => Math.hypot(mouth[0] - x, mouth[1] - y);
  const side = (distance(left) + distance(right)) / 2 / chip.eyesToMouth;
  const angle = tilt(landmarks);
  const [x, y] = [(left[0] + right[0] + mouth[0]) / 3, (left[1] + right[1] + mouth[1]) / 3];
  return { x: x - Math.sin(angle) * chip.above * side, y: y + Math.cos(angle) * chip.above * side, side, angle };
}

/** Of all its points, the outer and the inner lips'. */
function centreOfMouth(landmarks: ArrayLike<number>): [number, number] {
  const [outer, inner] = [centreOf(landmarks, 'outerLips'), centreOf(landmarks, 'innerLips')];
  return [(12 * outer[0] + 8 * inner[0]) / 20, (12 * outer[1] + 8 * inner[1]) / 20];
}

/** Euclidean, between two descriptors: 0 for the same picture, about 0.6 where one person ends and another begins. */
export function descriptorDistance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < descriptorSize; i++) sum += (a[i]! - b[i]!) ** 2;
  return Math.sqrt(sum);
}
