/**
 * Local heads: what trains a block of layers that is cut from the rest of the network. Each maps the features at a border
 * to logits, with fresh weights, and never writes to its input.
 */
import {
  AvgPool2d,
  BatchNorm1d,
  BatchNorm2d,
  type FactoryOptions,
  functional,
  LayerNorm,
  Linear,
  Module,
  ReLU,
  Sequential,
} from '../nn/index.js';
import { type BlockKind, conv, expansion, PoolClassifier, residualBlock } from '../nn/resnet-blocks.js';
import type { HeadKind, HeadModule, HeadOptions } from '../pipeline/model.js';
import { ConfigError, cat, ops, type Tensor } from '../torch/index.js';
import { Block, TokenClassifier, type TransformerShape } from './vit-blocks.js';

export interface VisionHeadOptions extends HeadOptions, FactoryOptions {
  /** Layers of an `auglocal` head at the first border; never more than follow the border. Default 1. */
  readonly depth?: number;
  /**
   * How far the depth has fallen, linearly, at the last border, as a share of `depth`: AugLocal's rule uses 0.5 and keeps
   * one layer at least; with 1 the last borders get none. Default 0, the same depth everywhere.
   */
  readonly pyramid?: number;
}

const kinds: readonly HeadKind[] = ['linear', 'dgl', 'auglocal'];

/** @throws ConfigError for a kind that is not known, or a border that is none of the `borders` */
function checkHead(kind: HeadKind, border: number, borders: number): void {
  if (!kinds.includes(kind)) throw new ConfigError(`Expected a head among ${kinds.join(', ')}, got ${kind}.`);
  if (!Number.isInteger(border) || border < 0 || border >= borders) {
    throw new ConfigError(
      `Expected a border from 0 to ${borders - 1} (border b lies after layer b; the last layer is the classifier itself), ` +
        `got ${border}.`,
    );
  }
}

/** Layers of the `auglocal` head at one of `borders` borders, after which `remaining` layers that it could mimic follow. */
export function auglocalDepth(options: VisionHeadOptions, border: number, borders: number, remaining: number): number {
  const { depth = 1, pyramid = 0 } = options;
  if (!Number.isInteger(depth) || depth < 0) {
    throw new ConfigError(`Expected a head's depth to be a whole number >= 0, got ${depth}.`);
  }
  if (!(pyramid >= 0 && pyramid <= 1)) throw new ConfigError(`Expected pyramid to lie in 0..1, got ${pyramid}.`);
  const fallen = depth * (1 - pyramid * (borders > 1 ? border / (borders - 1) : 0));
  const least = pyramid < 1 ? Math.min(1, depth) : 0;
  return Math.min(remaining, Math.max(least, Math.round(fallen)));
}

/** `count` of the indices `from` to `to`, evenly spaced, the last of them `to` (AugLocal's uniform choice). */
function evenly(from: number, to: number, count: number): number[] {
  const total = to - from + 1;
  return Array.from({ length: count }, (_, i) => from - 1 + Math.round(((i + 1) * total) / count));
}

/** A residual block as a head needs to know it: what it gives out, and at what resolution. */
export interface ResidualStep {
  readonly width: number;
  /** How often the map was halved when this block gives it out, from the stem's output on. */
  readonly halvings: number;
}

/** What heads need to know of a ResNet. */
export interface ResNetMap {
  readonly kind: BlockKind;
  readonly classes: number;
  readonly stemWidth: number;
  readonly blocks: readonly ResidualStep[];
}

/**
 * A head after a ResNet's layer `border`: 0 is the stem, then come the halves of the residual blocks. In the middle of a
 * block it reads the branch alone, the first of its two arguments: all that came before takes part in that.
 */
export function resnetHead(
  map: ResNetMap,
  kind: HeadKind,
  border: number,
  options: VisionHeadOptions = {},
): HeadModule {
  const borders = 2 * map.blocks.length + 1;
  checkHead(kind, border, borders);
  const { depth: _, pyramid: __, ...made } = options;
  const features = featuresAt(map, border);
  if (kind === 'linear') return new PoolClassifier(features.channels, map.classes, made);
  if (kind === 'dgl') return new DglHead(features.channels, map.classes, made);
  const first = Math.ceil(border / 2); // of the blocks that follow as a whole
  const depth = auglocalDepth(options, border, borders, map.blocks.length - first);
  return mimic(map, features, evenly(first, map.blocks.length - 1, depth), made);
}

/** What a head reads at a border. */
interface MapShape {
  readonly channels: number;
  readonly halvings: number;
}

function featuresAt({ kind, stemWidth, blocks }: ResNetMap, border: number): MapShape {
  if (border === 0) return { channels: stemWidth, halvings: 0 };
  const { width, halvings } = blocks[Math.ceil(border / 2) - 1]!;
  const inside = border % 2 === 1;
  return { channels: inside ? width : width * expansion[kind], halvings };
}

/** Fresh copies of the `chosen` blocks in a row, then pooling and a linear layer. */
function mimic(map: ResNetMap, from: MapShape, chosen: readonly number[], made: FactoryOptions): Sequential {
  const head = new Sequential();
  let { channels, halvings: halved } = from;
  for (const index of chosen) {
    const { width, halvings } = map.blocks[index]!;
    const missing = halvings - halved;
    // The block itself halves at most once. Averages come before it, where a longer stride would skip pixels.
    if (missing > 1) head.append(new AvgPool2d(2 ** (missing - 1), { ceilMode: true }));
    head.append(residualBlock(map.kind, { inChannels: channels, width, stride: missing > 0 ? 2 : 1 }, made));
    channels = width * expansion[map.kind];
    halved = halvings;
  }
  return head.append(new PoolClassifier(channels, map.classes, made));
}

/** What heads need to know of a ViT. */
export interface VitMap {
  readonly classes: number;
  readonly depth: number;
  /** Patches down and across. */
  readonly grid: readonly [number, number];
  readonly shape: TransformerShape;
}

/** A head after a ViT's layer `border`: 0 is the embedding, then come the halves of the blocks, attention and MLP. */
export function vitHead(map: VitMap, kind: HeadKind, border: number, options: VisionHeadOptions = {}): HeadModule {
  const borders = 2 * map.depth + 1;
  checkHead(kind, border, borders);
  const { depth: _, pyramid: __, ...made } = options;
  const { classes, shape } = map;
  if (kind === 'linear') return new TokenClassifier(shape.width, classes, made);
  if (kind === 'dgl') return new TokenDglHead(shape.width, classes, border < borders - 2 ? map.grid : null, made);
  const whole = Math.floor((borders - 1 - border) / 2); // blocks of which both halves follow
  const depth = auglocalDepth(options, border, borders, whole);
  const plain = { ...shape, dropPath: 0 };
  const blocks = evenly(1, depth, depth).map((n) => new Block(plain, { ...made, classTokenOnly: n === depth }));
  return new Sequential(...blocks, new TokenClassifier(shape.width, classes, made));
}

/** The widest layer in a DGL head. Wide networks would spend more on the head than on themselves. */
const DGL_WIDEST = 512;

/**
 * DGL's head (Belilovsky et al. 2020, "MLP-SR"): pool to a quarter of the map, three 1x1 convolutions, pool to 2x2, three
 * linear layers, with batch normalisation and ReLU between. Keys: `convs`, `mlp`.
 */
export class DglHead extends Module {
  convs: Sequential;
  mlp: Sequential;

  /** @param extra - features that join the 2x2 map before the linear layers */
  constructor(channels: number, classes: number, made: FactoryOptions = {}, extra = 0) {
    super();
    const width = Math.min(channels, DGL_WIDEST);
    this.convs = new Sequential();
    for (let i = 0; i < 3; i++) {
      this.convs.append(conv(i === 0 ? channels : width, width, 1, 1, made));
      this.convs.append(new BatchNorm2d(width, made)).append(new ReLU({ inplace: true }));
    }
    this.mlp = dglMlp(4 * width + extra, Math.min(4 * width, DGL_WIDEST), classes, made);
  }

  /** Features [B, channels, H, W] to logits [B, classes]. */
  forward(x: Tensor): Tensor {
    return this.mlp.forward(this.pooled(x));
  }

  /** What the linear layers read, but for the extra features: [B, 4 * channels], fewer for wide networks. */
  pooled(x: Tensor): Tensor {
    const [height, width] = x.shape.slice(2) as [number, number];
    const quarter = functional.adaptiveAvgPool2d(x, [Math.ceil(height / 4), Math.ceil(width / 4)]);
    return functional.adaptiveAvgPool2d(this.convs.forward(quarter), 2).flatten(1);
  }
}

/** The last batch of an epoch may hold one image, which has no variance: the running statistics serve for it. */
class VectorNorm extends BatchNorm1d {
  override forward(x: Tensor): Tensor {
    if (!this.training || x.shape[0] !== 1) return super.forward(x);
    return ops.batchNorm(x, this.weight, this.bias, this.running_mean, this.running_var, false, 0, this.eps, true);
  }

  override get typeName(): string {
    return 'BatchNorm1d';
  }
}

function dglMlp(inputs: number, hidden: number, classes: number, made: FactoryOptions): Sequential {
  const layer = (from: number) =>
    [new Linear(from, hidden, made), new VectorNorm(hidden, made), new ReLU({ inplace: true })] as const;
  return new Sequential(...layer(inputs), ...layer(hidden), new Linear(hidden, classes, made));
}

/**
 * {@link DglHead} for tokens: the patches as a map, and the class token beside its 2x2 pooling, so that it is trained too.
 * After the last block, where the class token is all that is left, the linear layers take it alone.
 * Keys: `norm`, and `dgl` or `mlp`.
 */
class TokenDglHead extends Module {
  norm: LayerNorm;
  dgl: DglHead | null;
  mlp: Sequential | null;

  constructor(
    width: number,
    classes: number,
    readonly grid: readonly [number, number] | null,
    made: FactoryOptions,
  ) {
    super();
    this.norm = new LayerNorm(width, { ...made, eps: 1e-6 });
    this.dgl = grid ? new DglHead(width, classes, made, width) : null;
    this.mlp = grid ? null : dglMlp(width, Math.min(4 * width, DGL_WIDEST), classes, made);
  }

  forward(x: Tensor): Tensor {
    const y = this.norm.forward(x);
    const token = y.select(1, 0);
    if (!this.dgl || !this.grid) return (this.mlp as Sequential).forward(token);
    const [batch, tokens, width] = y.shape as [number, number, number];
    const map = y
      .narrow(1, 1, tokens - 1)
      .transpose(1, 2)
      .reshape([batch, width, ...this.grid]);
    return this.dgl.mlp.forward(cat([this.dgl.pooled(map), token], 1));
  }
}
