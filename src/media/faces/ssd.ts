/**
 * The larger detector: SSD on MobileNet v1, as TensorFlow's object detection API builds it, for faces.
 * Slower than the tiny one; finds small, turned and drawn faces that it misses.
 */
import { Conv2d, Module, ModuleList } from '../../nn/index.js';
import { cat, scope, type Tensor } from '../../torch/index.js';
import { padAfter } from './networks.js';

/** Side of its square input. */
export const ssdSize = 512;

/** Boxes that it predicts for a picture. */
export const ssdBoxes = 5118;

/** A convolution and ReLU6. Batch normalisation is folded into it. */
class Unit extends Module {
  readonly conv: Conv2d;

  constructor(inChannels: number, outChannels: number, kernel: 1 | 3, stride: 1 | 2 = 1, depthwise = false) {
    super();
    const groups = depthwise ? inChannels : 1;
    const padding = kernel === 3 && stride === 1 ? 1 : 0;
    this.conv = new Conv2d(inChannels, outChannels, kernel, { stride, padding, groups });
  }

  forward(x: Tensor): Tensor {
    return this.conv.forward(this.conv.stride[0] === 2 ? padAfter(x) : x).clamp(0, 6);
  }
}

/** Channels after each pair of depthwise and pointwise convolutions, and the depthwise one's stride. */
const pairs: readonly (readonly [channels: number, stride: 1 | 2])[] = [
  [64, 1],
  [128, 2],
  [128, 1],
  [256, 2],
  [256, 1],
  [512, 2],
  [512, 1],
  [512, 1],
  [512, 1],
  [512, 1],
  [512, 1],
  [1024, 2],
  [1024, 1],
];

/** The layers after MobileNet: channels and kernel; those of 3x3 have stride 2. */
const extras: readonly (readonly [channels: number, kernel: 1 | 3])[] = [
  [256, 1],
  [512, 3],
  [128, 1],
  [256, 3],
  [128, 1],
  [256, 3],
  [64, 1],
  [128, 3],
];

/** Channels and boxes a cell of the six maps that predict. */
const predictors: readonly (readonly [channels: number, boxes: number])[] = [
  [512, 3],
  [1024, 6],
  [512, 6],
  [256, 6],
  [256, 6],
  [128, 6],
];

/** RGB in [0, 255], [B, 3, 512, 512], to box codes [B, 5118, 4] (y, x, log height, log width) and face logits [B, 5118]. */
export class SsdFaceDetector extends Module {
  readonly stem = new Unit(3, 32, 3, 2);
  readonly depthwise = new ModuleList<Unit>([]);
  readonly pointwise = new ModuleList<Unit>([]);
  readonly extra = new ModuleList<Unit>([]);
  readonly boxes = new ModuleList<Conv2d>([]);
  readonly scores = new ModuleList<Conv2d>([]);

  constructor() {
    super();
    let channels = 32;
    for (const [out, stride] of pairs) {
      this.depthwise.append(new Unit(channels, channels, 3, stride, true));
      this.pointwise.append(new Unit(channels, out, 1));
      channels = out;
    }
    for (const [out, kernel] of extras) {
      this.extra.append(new Unit(channels, out, kernel, kernel === 3 ? 2 : 1));
      channels = out;
    }
    for (const [inChannels, boxes] of predictors) {
      this.boxes.append(new Conv2d(inChannels, 4 * boxes, 1));
      this.scores.append(new Conv2d(inChannels, 3 * boxes, 1));
    }
  }

  forward(x: Tensor): { codes: Tensor; logits: Tensor } {
    x = this.stem.forward(x.div(127.5).sub(1));
    const maps: Tensor[] = [];
    for (let i = 0; i < pairs.length; i++) {
      x = scope(() => this.pointwise.at(i).forward(this.depthwise.at(i).forward(x)));
      if (i === 10 || i === 12) maps.push(x);
    }
    for (let i = 0; i < extras.length; i++) {
      x = this.extra.at(i).forward(x);
      if (i % 2 === 1) maps.push(x);
    }
    const rows = (map: Tensor, width: number) => map.permute([0, 2, 3, 1]).reshape([map.size(0), -1, width]);
    const codes = maps.map((map, i) => rows(this.boxes.at(i).forward(map), 4));
    const classes = maps.map((map, i) => rows(this.scores.at(i).forward(map), 3)); // background, face, unused
    return { codes: cat(codes, 1), logits: cat(classes, 1).select(2, 1) };
  }
}

const bnEpsilon = 0.001;

/**
 * The manifest's arrays as this module's: batch normalisation folded, the constants of the exported graph left out.
 * @returns the state, and the anchors [5118, 4]: top, left, bottom, right in fractions of the picture
 */
export function ssdState(weights: ReadonlyMap<string, Tensor>): { state: Map<string, Tensor>; anchors: Tensor } {
  const take = (name: string): Tensor => weights.get(name)!;
  const state = new Map<string, Tensor>();
  const put = (key: string, weight: Tensor, bias: Tensor) =>
    state.set(`${key}.weight`, weight).set(`${key}.bias`, bias);
  const folded = (key: string, name: string) =>
    put(key, take(`${name}/weights`), take(`${name}/convolution_bn_offset`));
  folded('stem.conv', 'MobilenetV1/Conv2d_0_pointwise');
  for (let i = 0; i < pairs.length; i++) {
    const name = `MobilenetV1/Conv2d_${i + 1}`;
    const [gamma, beta, mean, variance] = ['gamma', 'beta', 'moving_mean', 'moving_variance'].map((part) =>
      take(`${name}_depthwise/BatchNorm/${part}`),
    ) as [Tensor, Tensor, Tensor, Tensor];
    const scale = gamma.div(variance.add(bnEpsilon).sqrt());
    const weight = take(`${name}_depthwise/depthwise_weights`).mul(scale.view([-1, 1, 1, 1]));
    put(`depthwise.${i}.conv`, weight, beta.sub(mean.mul(scale)));
    folded(`pointwise.${i}.conv`, `${name}_pointwise`);
  }
  for (let i = 0; i < extras.length; i++) folded(`extra.${i}.conv`, `Prediction/Conv2d_${i}_pointwise`);
  for (let i = 0; i < predictors.length; i++) {
    const name = `Prediction/BoxPredictor_${i}`;
    const layer = (key: string, part: string) =>
      put(key, take(`${name}/${part}/weights`), take(`${name}/${part}/biases`));
    layer(`boxes.${i}`, 'BoxEncodingPredictor');
    layer(`scores.${i}`, 'ClassPredictor');
  }
  return { state, anchors: take('Output/extra_dim').reshape([-1, 4]) };
}
