/**
 * The small networks of face-api: a detector after tiny YOLO v2, and the trunk of the landmark and expression networks.
 * Defined here anew from their published architecture; their weights are those of `@vladmandic/face-api`.
 */
import { Conv2d, functional as F, LeakyReLU, Linear, Module } from '../../nn/index.js';
import { ops, scope, type Tensor } from '../../torch/index.js';

/** A depthwise 3x3 convolution followed by a pointwise one, whose bias serves both. */
export class SeparableConv extends Module {
  readonly depthwise: Conv2d;
  readonly pointwise: Conv2d;

  constructor(inChannels: number, outChannels: number, stride: 1 | 2 = 1) {
    super();
    // With stride 2, TensorFlow's 'same' padding of an even size adds its one row and column after the image.
    const padding = stride === 1 ? 1 : 0;
    this.depthwise = new Conv2d(inChannels, inChannels, 3, { stride, padding, groups: inChannels, bias: false });
    this.pointwise = new Conv2d(inChannels, outChannels, 1);
  }

  forward(x: Tensor): Tensor {
    return this.pointwise.forward(this.depthwise.forward(this.depthwise.stride[0] === 2 ? padAfter(x) : x));
  }
}

/** A row below and a column to the right. */
export function padAfter(x: Tensor, value = 0): Tensor {
  return F.pad(x, [0, 1, 0, 1], 'constant', value);
}

/** Pixels between the cells of {@link TinyFaceDetector}. */
export const tinyStride = 32;

/** Boxes for each cell of {@link TinyFaceDetector}, and numbers for each box: x, y, log width, log height, score. */
export const tinyAnchors: readonly (readonly [width: number, height: number])[] = [
  [1.603231, 2.094468],
  [6.041143, 7.080126],
  [2.882459, 3.518061],
  [4.266906, 5.178857],
  [9.041765, 10.66308],
];

const tinyMean = [117.001, 114.697, 97.404] as const;

/** RGB in [0, 255] to the network's range. */
export function centred(x: Tensor, mean: readonly [number, number, number]): Tensor {
  return ops
    .stack(
      mean.map((value, channel) => x.select(1, channel).sub(value)),
      1,
    )
    .div(255);
}

/** RGB in [0, 255], [B, 3, H, W] with sides that 32 divides, to raw predictions [B, 25, H / 32, W / 32]. */
export class TinyFaceDetector extends Module {
  readonly conv0 = new Conv2d(3, 16, 3);
  readonly conv1 = new SeparableConv(16, 32);
  readonly conv2 = new SeparableConv(32, 64);
  readonly conv3 = new SeparableConv(64, 128);
  readonly conv4 = new SeparableConv(128, 256);
  readonly conv5 = new SeparableConv(256, 512);
  readonly conv8 = new Conv2d(512, 5 * tinyAnchors.length, 1);
  readonly #leaky = new LeakyReLU(0.1);

  forward(x: Tensor): Tensor {
    const layers = [this.conv0, this.conv1, this.conv2, this.conv3, this.conv4, this.conv5];
    for (const layer of layers) {
      // What a layer makes on its way is freed before the next: it is large.
      x = scope(() => {
        const input = layer === this.conv0 ? centred(x, tinyMean) : F.maxPool2d(x, 2, { ceilMode: true });
        return this.#leaky.forward(layer.forward(input));
      });
    }
    return this.conv8.forward(F.maxPool2d(padAfter(x, Number.NEGATIVE_INFINITY), 2, { stride: 1 }));
  }
}

/** Four convolutions, each of which sees the sum of all outputs before it; halves the size. */
class DenseBlock extends Module {
  readonly conv0: Conv2d | SeparableConv;
  readonly conv1: SeparableConv;
  readonly conv2: SeparableConv;
  readonly conv3: SeparableConv;

  constructor(inChannels: number, outChannels: number, first = false) {
    super();
    this.conv0 = first
      ? new Conv2d(inChannels, outChannels, 3, { stride: 2 })
      : new SeparableConv(inChannels, outChannels, 2);
    this.conv1 = new SeparableConv(outChannels, outChannels);
    this.conv2 = new SeparableConv(outChannels, outChannels);
    this.conv3 = new SeparableConv(outChannels, outChannels);
  }

  forward(x: Tensor): Tensor {
    let sum = F.relu(this.conv0.forward(this.conv0 instanceof Conv2d ? padAfter(x) : x));
    let seen = sum;
    for (const conv of [this.conv1, this.conv2, this.conv3]) {
      sum = sum.add(conv.forward(seen));
      seen = F.relu(sum);
    }
    return seen;
  }
}

/** Side of the square pictures that {@link FaceReader} reads. */
export const faceSize = 112;

export const faceMean = [122.782, 117.001, 104.298] as const;

/**
 * RGB in [0, 255], [B, 3, 112, 112], to `outputs` numbers a face: 68 landmarks as x, y in fractions of the picture, or the
 * logits of the expressions.
 */
export class FaceReader extends Module {
  readonly dense0 = new DenseBlock(3, 32, true);
  readonly dense1 = new DenseBlock(32, 64);
  readonly dense2 = new DenseBlock(64, 128);
  readonly dense3 = new DenseBlock(128, 256);
  readonly fc: Linear;

  constructor(outputs: number) {
    super();
    this.fc = new Linear(256, outputs);
  }

  forward(x: Tensor): Tensor {
    x = centred(x, faceMean);
    for (const block of [this.dense0, this.dense1, this.dense2, this.dense3]) x = scope(() => block.forward(x));
    return this.fc.forward(x.mean([2, 3]));
  }
}

/** The keys of the arrays of these networks' manifests. */
export function networkKeys(names: Iterable<string>): (name: string) => string {
  const separable = new Set([...names].flatMap((name) => name.match(/^(.*)\/depthwise_filter$/)?.[1] ?? []));
  const parts: Readonly<Record<string, string>> = {
    filters: 'weight',
    weights: 'weight',
    depthwise_filter: 'depthwise.weight',
    pointwise_filter: 'pointwise.weight',
  };
  return (name) => {
    const cut = name.lastIndexOf('/');
    const [layer, last] = [name.slice(0, cut), name.slice(cut + 1)];
    const part = last === 'bias' && separable.has(layer) ? 'pointwise.bias' : (parts[last] ?? last);
    return `${layer.replaceAll('/', '.')}.${part}`;
  };
}
