/**
 * SyncNet (Chung and Zisserman 2016, as SPEAK trains it again): frames of a mouth and what is heard with them to two points that lie
 * together where both belong together. Frames are stacked as channels; sound is a picture of mel bands over time.
 */
import {
  BatchNorm2d,
  Conv2d,
  functional as F,
  type FactoryOptions,
  Linear,
  Module,
  ReLU,
  Sequential,
} from '../../../nn/index.js';
import { inFull } from '../../../pipeline/compute.js';
import { ConfigError, ShapeError, type Tensor } from '../../../torch/index.js';
import { melBands } from '../../voice/mel-stream.js';
import { columnsPerFrame } from '../clips/sound-columns.js';

export interface SyncShape {
  /** Frames of a window. */
  readonly frames: number;
  /** Pixels of the mouth's square: a power of two from 8 on. */
  readonly mouth: number;
  /** Channels of the first layers. */
  readonly width: number;
  /** Numbers of a point. */
  readonly embedding: number;
}

type Stride = readonly [down: number, across: number];

/** Convolutions of 3 x 3, each normalised and rectified; channels double where the map shrinks, up to four times the first. */
function pyramid(inChannels: number, width: number, strides: readonly Stride[], made: FactoryOptions): Sequential {
  let [channels, next] = [inChannels, width];
  const layers = strides.flatMap((stride) => {
    const conv = new Conv2d(channels, next, 3, { stride: [...stride], padding: 1, bias: false, ...made });
    channels = next;
    next = Math.min(2 * next, 4 * width);
    return [conv, new BatchNorm2d(channels, made), new ReLU()];
  });
  return new Sequential(...layers);
}

/** Keys: `pictures`, `seen`, `sounds`, `heard`: each a pyramid of convolutions, and the layer that tells the point. */
export class SyncNet extends Module {
  pictures: Sequential;
  seen: Linear;
  sounds: Sequential;
  heard: Linear;

  constructor(
    readonly shape: SyncShape,
    made: FactoryOptions = {},
  ) {
    super();
    const { frames, mouth, width, embedding } = shape;
    const halvings = Math.log2(mouth) - 2;
    if (!Number.isInteger(halvings) || halvings < 1)
      throw new ConfigError(`Expected a mouth of a power of two of pixels, from 8 on, got ${mouth}`);
    const halve: Stride[] = Array.from({ length: halvings }, () => [2, 2]);
    this.pictures = pyramid(3 * frames, width, [[1, 1], ...halve], made);
    const channels = (layers: number): number => Math.min(width << (layers - 1), 4 * width);
    this.seen = new Linear(16 * channels(halvings + 1), embedding, made);
    // 40 bands to 5; 20 columns to 5.
    this.sounds = pyramid(
      1,
      width,
      [
        [1, 1],
        [2, 1],
        [2, 2],
        [2, 2],
      ],
      made,
    );
    const columns = Math.ceil((frames * columnsPerFrame) / 4);
    this.heard = new Linear((melBands / 8) * columns * channels(4), embedding, made);
  }

  /** @param mouths - [B, 3 * frames, mouth, mouth], from -1 to 1 @returns [B, embedding], of length 1 */
  see(mouths: Tensor): Tensor {
    const { frames, mouth } = this.shape;
    if (mouths.ndim !== 4 || mouths.shape[1] !== 3 * frames || mouths.shape[2] !== mouth)
      throw new ShapeError(`Expected mouths [B, ${3 * frames}, ${mouth}, ${mouth}], got [${mouths.shape}] in SyncNet`);
    return F.normalize(inFull('bfloat16', this.seen.forward(this.pictures.forward(mouths).flatten(1))));
  }

  /** @param columns - [B, 1, melBands, frames * columnsPerFrame] @returns [B, embedding], of length 1 */
  hear(columns: Tensor): Tensor {
    return F.normalize(inFull('bfloat16', this.heard.forward(this.sounds.forward(columns).flatten(1))));
  }

  /** Distances of what is seen from what is heard, [B]: 0 to 2. */
  forward(mouths: Tensor, columns: Tensor): Tensor {
    return apart(this.see(mouths), this.hear(columns));
  }
}

/** Distances of points, [B]. Never quite 0, where the root has no slope. */
export function apart(a: Tensor, b: Tensor): Tensor {
  return a.sub(b).square().sum(1).add(1e-12).sqrt();
}

/**
 * Equation 11, printed and meant alike: what belongs together is drawn together, and what does not is pushed apart up to a margin.
 * @param distances - [N] @param together - of each, whether it is in sync
 * @returns half the mean of squares
 */
export function contrastive(distances: Tensor, together: Tensor, margin: number): Tensor {
  const apartBy = distances.neg().add(margin).relu();
  const near = distances.square().mul(together);
  return near
    .add(apartBy.square().mul(together.neg().add(1)))
    .mean()
    .div(2);
}
