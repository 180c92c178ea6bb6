/** A face to a code: a ResNet's trunk and a linear layer. */
import { type FactoryOptions, Linear, Module, Sequential, type UnaryModule } from '../../nn/index.js';
import { type BlockKind, type BlockShape, expansion, residualBlock, Stem } from '../../nn/resnet-blocks.js';
import type { Tensor } from '../../torch/index.js';

/** Blocks of each of the four groups; 10 is the 18 with one block a group. */
const depths = {
  10: ['basic', [1, 1, 1, 1]],
  18: ['basic', [2, 2, 2, 2]],
  34: ['basic', [3, 4, 6, 3]],
  50: ['bottleneck', [3, 4, 6, 3]],
} as const satisfies Readonly<Record<number, readonly [BlockKind, readonly number[]]>>;

export type EncoderDepth = keyof typeof depths;
export const encoderDepths = Object.keys(depths).map(Number) as readonly EncoderDepth[];

export interface EncoderShape {
  readonly depth: EncoderDepth;
  /** Channels of the first group: 64 in torchvision's ResNets. */
  readonly width: number;
}

/** The blocks of a trunk, group by group. */
export function trunkGroups({ depth, width }: EncoderShape): {
  readonly blocks: readonly { readonly kind: BlockKind; readonly shape: BlockShape }[];
  readonly outChannels: number;
}[] {
  const [kind, counts] = depths[depth];
  let inChannels = width;
  return counts.map((count, group) => {
    const blocks = Array.from({ length: count }, (_, i) => {
      const shape = { inChannels, width: width << group, stride: group > 0 && i === 0 ? 2 : 1 };
      inChannels = shape.width * expansion[kind];
      return { kind, shape };
    });
    return { blocks, outChannels: inChannels };
  });
}

/**
 * A residual network whose last layer tells a code instead of classes. Input [B, 3, H, W] from -1 to 1, output [B, size].
 * Keys are torchvision's, so that its weights of the same depth and width 64 load, but for `fc`.
 */
export class FaceEncoder extends Module {
  // Its key is the last, as torchvision has it.
  declare readonly fc: Linear;

  constructor(
    shape: EncoderShape,
    readonly size: number,
    made: FactoryOptions = {},
  ) {
    super();
    const own = this as unknown as Record<string, Module>;
    // The stem's keys stand among the trunk's own, as torchvision has them.
    own[''] = new Stem(3, shape.width, true, made);
    const groups = trunkGroups(shape);
    for (const [group, { blocks }] of groups.entries())
      own[`layer${group + 1}`] = new Sequential(...blocks.map((each) => residualBlock(each.kind, each.shape, made)));
    const inChannels = groups.at(-1)!.outChannels;
    this.fc = new Linear(inChannels, size, made);
  }

  /** What each of the four groups makes of pictures, the largest map first. */
  maps(x: Tensor): Tensor[] {
    let map = x;
    const maps: Tensor[] = [];
    for (const [name, child] of this.namedChildren()) {
      if (name === 'fc') continue;
      map = (child as UnaryModule).forward(map);
      if (name.startsWith('layer')) maps.push(map);
    }
    return maps;
  }

  /** The trunk's features, the mean over the last map: [B, features]. */
  features(x: Tensor): Tensor {
    return this.maps(x).at(-1)!.mean([2, 3]);
  }

  forward(x: Tensor): Tensor {
    return this.fc.forward(this.features(x));
  }
}
