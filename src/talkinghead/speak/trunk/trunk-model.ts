/**
 * The trunk of a face's encoder as a model of the engine, which can be cut between its groups: each stage but the last has a local
 * head, that tells who, how and where a picture is and draws it small.
 */
import { Conv2d, functional as F, type FactoryOptions, Linear, Module, Sequential } from '../../../nn/index.js';
import { residualBlock, Stem } from '../../../nn/resnet-blocks.js';
import { MeanMetric, type ModelSpec, type Task } from '../../../pipeline/index.js';
import { ops, type Tensor } from '../../../torch/index.js';
import { type EncoderShape, trunkGroups } from '../encoder.js';
import { asSeen } from '../faces.js';

/** Pixels of the sides of the small picture. */
export const smallSide = 16;

export interface TrunkShape {
  readonly encoder: EncoderShape;
  /** Pixels of the pictures' sides. */
  readonly size: number;
  /** Emotions and people that are told apart. */
  readonly emotions: number;
  readonly people: number;
}

/** Pictures as bytes [B, 3, H, W] to the first map. Keys: those of the stem. */
class SeeingStem extends Stem {
  override forward(bytes: Tensor): Tensor {
    return super.forward(asSeen(bytes));
  }
}

/** A map to one row: emotions, people, yaw, pitch and roll, the small picture. Keys: `told`, `drawn`. */
class FactorHead extends Module {
  told: Linear;
  drawn: Conv2d;

  constructor(channels: number, numbers: number, made: FactoryOptions = {}) {
    super();
    this.told = new Linear(channels, numbers, made);
    this.drawn = new Conv2d(channels, 3, 3, { padding: 1, ...made });
  }

  forward(map: Tensor): Tensor {
    const sized = F.interpolate(map, { size: smallSide, mode: 'bilinear' });
    return ops.cat([this.told.forward(map.mean([2, 3])), this.drawn.forward(sized).flatten(1)], 1);
  }
}

/** Rows that have a label; 0 where none has. */
function labelled(logits: Tensor, labels: Tensor): Tensor {
  const sum = F.crossEntropy(logits, labels, { ignoreIndex: -1, reduction: 'sum' });
  return sum.div(Math.max(1, labels.ge(0).sum().item()));
}

/** What heads learn by: cross-entropies of emotion and person, distances of angles and of the small picture. */
export function trunkTask({ emotions, people }: Pick<TrunkShape, 'emotions' | 'people'>): Task {
  const parts = (output: Tensor): Tensor[] =>
    output.split([emotions, people, 3, output.shape[1]! - emotions - people - 3], 1);
  const drawing = (picture: Tensor, small: Tensor): Tensor => picture.sub(asSeen(small).flatten(1)).abs().mean();
  const loss = (output: Tensor, ...[emotion, person, pose, small]: Tensor[]): Tensor => {
    const [how, who, where, picture] = parts(output) as [Tensor, Tensor, Tensor, Tensor];
    return labelled(how, emotion!)
      .add(labelled(who, person!))
      .add(F.mseLoss(where, pose!))
      .add(drawing(picture, small!).mul(5));
  };
  const of = (measure: (parts: Tensor[], targets: Tensor[]) => Tensor): MeanMetric =>
    new MeanMetric((output, ...targets) => measure(parts(output), targets));
  return {
    name: 'faces',
    loss,
    metrics: () => ({
      emotion: of(([how], [emotion]) => how!.argmax(1).eq(emotion!).to({ dtype: 'float32' }).mean()),
      // Angles are in units of 20 degrees.
      pose: of(([, , where], [, , pose]) => where!.sub(pose!).abs().mean().mul(20)),
      drawing: of(([, , , picture], [, , , small]) => drawing(picture!, small!)),
      loss: new MeanMetric(loss),
    }),
    selects: { metric: 'loss', best: 'lowest' },
  };
}

/** Layers: `stem`, `layer1` to `layer4`, `end`. Keys of all but the last are an encoder's. */
export function trunkModel(shape: TrunkShape): ModelSpec {
  const { encoder, size, emotions, people } = shape;
  const groups = trunkGroups(encoder);
  const channels = [encoder.width, ...groups.map(({ outChannels }) => outChannels)];
  const head = (border: number): FactorHead => new FactorHead(channels[border]!, emotions + people + 3);
  return {
    name: `trunk${encoder.depth}`,
    task: trunkTask(shape),
    example: (count, generator) => {
      const bytes = (side: number): Tensor =>
        ops.randint(256, [count, 3, side, side], { generator, dtype: 'int64' }).to({ dtype: 'uint8' });
      const classes = (most: number): Tensor => ops.randint(most, [count], { generator, dtype: 'int64' });
      const pose = ops.randn([count, 3], { generator });
      return { inputs: [bytes(size)], targets: [classes(emotions), classes(people), pose, bytes(smallSide)] };
    },
    layers: [
      { name: 'stem', prefix: '', build: () => new SeeingStem(3, encoder.width, true) },
      ...groups.map(({ blocks }, i) => ({
        name: `layer${i + 1}`,
        prefix: `layer${i + 1}`,
        build: () => new Sequential(...blocks.map(({ kind, shape: block }) => residualBlock(kind, block))),
      })),
      { name: 'end', prefix: 'end', build: () => head(groups.length) },
    ],
    head: (_, border) => head(border),
  };
}
