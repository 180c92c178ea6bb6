/** The modules of residual networks, with torchvision's keys and initial values. */
import type { Generator, Tensor } from '../torch/index.js';
import { Sequential } from './containers.js';
import { Conv2d } from './conv.js';
import * as init from './init.js';
import { Linear } from './linear.js';
import { type FactoryOptions, Module } from './module.js';
import { BatchNorm2d } from './norm.js';
import { MaxPool2d } from './pooling.js';

/** A convolution drawn as torchvision's ResNets draw it: He-normal by the fan-out. */
class HeConv2d extends Conv2d {
  override resetParameters(g: Generator): void {
    init.kaimingNormal_(this.weight, { mode: 'fanOut', nonlinearity: 'relu', generator: g });
  }

  override get typeName(): string {
    return 'Conv2d';
  }
}

/** A convolution without bias, as batch normalisation follows, that keeps the map's size but for the stride. */
export function conv(inC: number, outC: number, kernel: number, stride: number, made: FactoryOptions = {}): Conv2d {
  return new HeConv2d(inC, outC, kernel, { ...made, stride, padding: (kernel - 1) / 2, bias: false });
}

/** What a residual block is built from. */
export interface BlockShape {
  readonly inChannels: number;
  /** Channels inside; a bottleneck gives four times as many. */
  readonly width: number;
  readonly stride: number;
}

/** Two kinds of residual block, and how many channels each gives out for a width. */
export type BlockKind = 'basic' | 'bottleneck';
export const expansion: Readonly<Record<BlockKind, number>> = { basic: 1, bottleneck: 4 };

function shortcut({ inChannels, width, stride }: BlockShape, kind: BlockKind, made: FactoryOptions): Sequential | null {
  const outChannels = width * expansion[kind];
  if (stride === 1 && inChannels === outChannels) return null;
  return new Sequential(conv(inChannels, outChannels, 1, stride, made), new BatchNorm2d(outChannels, made));
}

/**
 * The first half of a residual block, all but its last convolution. Input [B, inChannels, H, W]; output the branch as it
 * is under way, [B, width, ceil(H / stride), ...], and the input, which the shortcut needs.
 */
abstract class Entry extends Module {
  abstract branch(x: Tensor): Tensor;

  override forward(x: Tensor): Tensor[] {
    return [this.branch(x), x];
  }
}

/** A 3x3 convolution. Keys: `conv1`, `bn1`. */
class BasicEntry extends Entry {
  conv1: Conv2d;
  bn1: BatchNorm2d;

  constructor({ inChannels, width, stride }: BlockShape, made: FactoryOptions) {
    super();
    this.conv1 = conv(inChannels, width, 3, stride, made);
    this.bn1 = new BatchNorm2d(width, made);
  }

  branch(x: Tensor): Tensor {
    return this.bn1.forwardRelu(this.conv1.forward(x));
  }
}

/** Convolutions of 1x1, and of 3x3, which strides. Keys: `conv1`, `bn1`, `conv2`, `bn2`. */
class BottleneckEntry extends Entry {
  conv1: Conv2d;
  bn1: BatchNorm2d;
  conv2: Conv2d;
  bn2: BatchNorm2d;

  constructor({ inChannels, width, stride }: BlockShape, made: FactoryOptions) {
    super();
    this.conv1 = conv(inChannels, width, 1, 1, made);
    this.bn1 = new BatchNorm2d(width, made);
    this.conv2 = conv(width, width, 3, stride, made);
    this.bn2 = new BatchNorm2d(width, made);
  }

  branch(x: Tensor): Tensor {
    return this.bn2.forwardRelu(this.conv2.forward(this.bn1.forwardRelu(this.conv1.forward(x))));
  }
}

/** The last convolution, 3x3, and the shortcut's sum. Keys: `conv2`, `bn2`, `downsample`. */
class BasicExit extends Module {
  conv2: Conv2d;
  bn2: BatchNorm2d;
  downsample: Sequential | null;

  constructor(shape: BlockShape, made: FactoryOptions) {
    super();
    this.conv2 = conv(shape.width, shape.width, 3, 1, made);
    this.bn2 = new BatchNorm2d(shape.width, made);
    this.downsample = shortcut(shape, 'basic', made);
  }

  override forward(y: Tensor, x: Tensor): Tensor {
    return this.bn2.forwardRelu(this.conv2.forward(y), this.downsample ? this.downsample.forward(x) : x);
  }
}

/** The last convolution, 1x1 to four times the width, and the shortcut's sum. Keys: `conv3`, `bn3`, `downsample`. */
class BottleneckExit extends Module {
  conv3: Conv2d;
  bn3: BatchNorm2d;
  downsample: Sequential | null;

  constructor(shape: BlockShape, made: FactoryOptions) {
    super();
    const outChannels = shape.width * expansion.bottleneck;
    this.conv3 = conv(shape.width, outChannels, 1, 1, made);
    this.bn3 = new BatchNorm2d(outChannels, made);
    this.downsample = shortcut(shape, 'bottleneck', made);
  }

  override forward(y: Tensor, x: Tensor): Tensor {
    return this.bn3.forwardRelu(this.conv3.forward(y), this.downsample ? this.downsample.forward(x) : x);
  }
}

/** A half of a residual block, by the name of its first convolution. */
export interface BlockHalf {
  readonly name: string;
  build(made?: FactoryOptions): HalfModule;
}

interface HalfModule extends Module {
  forward(...inputs: Tensor[]): Tensor | Tensor[];
}

/** The halves of a residual block, in order. */
export function blockHalves(kind: BlockKind, shape: BlockShape): readonly [entry: BlockHalf, exit: BlockHalf] {
  return kind === 'basic'
    ? [
        { name: 'conv1', build: (made = {}) => new BasicEntry(shape, made) },
        { name: 'conv2', build: (made = {}) => new BasicExit(shape, made) },
      ]
    : [
        { name: 'conv1', build: (made = {}) => new BottleneckEntry(shape, made) },
        { name: 'conv3', build: (made = {}) => new BottleneckExit(shape, made) },
      ];
}

/** A whole block, of both its halves. */
abstract class ResidualBlock extends Module {
  private readonly halves: readonly HalfModule[];

  constructor(kind: BlockKind, shape: BlockShape, made: FactoryOptions) {
    super();
    this.halves = blockHalves(kind, shape).map((half) => half.build(made));
  }

  override forward(x: Tensor): Tensor {
    const [entry, exit] = this.halves as [HalfModule, HalfModule];
    return exit.forward(...(entry.forward(x) as Tensor[])) as Tensor;
  }

  /** The halves have no names of their own: their keys stand side by side, as torchvision has them. */
  override *namedChildren(): IterableIterator<[string, Module]> {
    for (const half of this.halves) yield ['', half];
  }
}

/** Two 3x3 convolutions and a shortcut. Input [B, inChannels, H, W], output [B, width, ceil(H / stride), ...]. */
export class BasicBlock extends ResidualBlock {
  constructor(shape: BlockShape, made: FactoryOptions = {}) {
    super('basic', shape, made);
  }
}

/** 1x1, 3x3 (which strides), 1x1 to four times the width. Output [B, 4 * width, ceil(H / stride), ...]. */
export class Bottleneck extends ResidualBlock {
  constructor(shape: BlockShape, made: FactoryOptions = {}) {
    super('bottleneck', shape, made);
  }
}

export function residualBlock(kind: BlockKind, shape: BlockShape, made: FactoryOptions = {}): BasicBlock | Bottleneck {
  return kind === 'basic' ? new BasicBlock(shape, made) : new Bottleneck(shape, made);
}

/** What comes before the first residual block. Input [B, channels, H, W]. Keys: `conv1`, `bn1`. */
export class Stem extends Module {
  conv1: Conv2d;
  bn1: BatchNorm2d;
  maxpool: MaxPool2d | null;

  /** @param large - a 7x7 convolution and a pooling, which together quarter the map, instead of a 3x3 convolution */
  constructor(channels: number, width: number, large: boolean, made: FactoryOptions = {}) {
    super();
    this.conv1 = large ? conv(channels, width, 7, 2, made) : conv(channels, width, 3, 1, made);
    this.bn1 = new BatchNorm2d(width, made);
    this.maxpool = large ? new MaxPool2d(3, { stride: 2, padding: 1 }) : null;
  }

  forward(x: Tensor): Tensor {
    const y = this.bn1.forwardRelu(this.conv1.forward(x));
    return this.maxpool ? this.maxpool.forward(y) : y;
  }
}

/** The mean over the map and a linear layer: a ResNet's end, and the lightest local head. Keys: `fc`. */
export class PoolClassifier extends Module {
  fc: Linear;

  constructor(channels: number, classes: number, made: FactoryOptions = {}) {
    super();
    this.fc = new Linear(channels, classes, made);
  }

  /** Features [B, channels, H, W] to logits [B, classes]. */
  forward(x: Tensor): Tensor {
    return this.fc.forward(x.mean([2, 3]));
  }
}
