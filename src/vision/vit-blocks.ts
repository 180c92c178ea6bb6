/** The modules of vision transformers, with timm's keys and initial values. */
import {
  Conv2d,
  Dropout,
  DropPath,
  type FactoryOptions,
  functional,
  GELU,
  init,
  LayerNorm,
  Linear,
  Module,
  Parameter,
} from '../nn/index.js';
import { ConfigError, cat, empty, type Generator, ops, ShapeError, type Tensor } from '../torch/index.js';

/** What every block of a transformer is built from. */
export interface TransformerShape {
  readonly width: number;
  readonly heads: number;
  /** Width inside the MLP as a multiple of `width`. */
  readonly mlpRatio: number;
  /** Of the embedding, both projections and the MLP. */
  readonly dropout: number;
  /** Of the attention's weights. */
  readonly attentionDropout: number;
  /** Stochastic depth of this block: the share of samples that skip a branch. */
  readonly dropPath: number;
}

const EPS = 1e-6;

/**
 * timm's truncated normal with deviation .02. Its cut lies at ±2, a hundred deviations away, so nothing is cut; drawn
 * as a plain normal, because the usual inversion gives exactly -2 once in 2^24 draws.
 */
function drawWeight(weight: Tensor, generator: Generator): void {
  init.normal_(weight, 0, 0.02, { generator });
}

class VitLinear extends Linear {
  override resetParameters(g: Generator): void {
    drawWeight(this.weight, g);
    if (this.bias) init.zeros_(this.bias);
  }

  override get typeName(): string {
    return 'Linear';
  }
}

/** Cuts images into square patches and projects each. [B, C, H, W] to [B, patches, width]. Keys: `proj`. */
export class PatchEmbed extends Module {
  proj: Conv2d;

  constructor(
    readonly channels: number,
    readonly imageSize: readonly [number, number],
    readonly patch: number,
    width: number,
    made: FactoryOptions = {},
  ) {
    super();
    this.proj = new Conv2d(channels, width, patch, { ...made, stride: patch });
  }

  // The convolution's patches do not overlap, so it is a linear layer of each: one copy and one product.
  forward(x: Tensor): Tensor {
    const { channels, patch } = this;
    const [height, width] = this.imageSize;
    const shape = x.shape;
    if (shape.length !== 4 || shape[1] !== channels || shape[2] !== height || shape[3] !== width) {
      throw new ShapeError(`Expected images [batch, ${channels}, ${height}, ${width}], got [${shape}] in PatchEmbed`);
    }
    const [batch, rows, columns] = [shape[0]!, height / patch, width / patch];
    const patches = x
      .reshape([batch, channels, rows, patch, columns, patch])
      .permute([0, 2, 4, 1, 3, 5])
      .reshape([batch, rows * columns, channels * patch * patch]);
    return ops.linear(patches, this.proj.weight.flatten(1), this.proj.bias);
  }
}

/** Patches, a class token before them, positions. Output [B, 1 + patches, width]. */
export class Embed extends Module {
  cls_token: Parameter;
  pos_embed: Parameter;
  patch_embed: PatchEmbed;
  pos_drop: Dropout;

  constructor(
    channels: number,
    imageSize: readonly [number, number],
    patch: number,
    width: number,
    dropout: number,
    made: FactoryOptions = {},
  ) {
    super();
    const patches = (imageSize[0] / patch) * (imageSize[1] / patch);
    this.cls_token = new Parameter(empty([1, 1, width], made));
    this.pos_embed = new Parameter(empty([1, 1 + patches, width], made));
    this.patch_embed = new PatchEmbed(channels, imageSize, patch, width, made);
    this.pos_drop = new Dropout(dropout);
    this.initSelf(made);
  }

  override resetParameters(g: Generator): void {
    init.normal_(this.cls_token, 0, 1e-6, { generator: g });
    drawWeight(this.pos_embed, g);
  }

  forward(x: Tensor): Tensor {
    const patches = this.patch_embed.forward(x);
    const [batch, , width] = patches.shape as [number, number, number];
    const tokens = cat([this.cls_token.expand([batch, 1, width]), patches], 1);
    return this.pos_drop.forward(tokens.add_(this.pos_embed));
  }
}

/** Self-attention in `heads` subspaces. Keys: `qkv` [3 * width, width], `proj`. */
export class Attention extends Module {
  qkv: Linear;
  proj: Linear;
  proj_drop: Dropout;
  /** Source of the dropout of the attention's weights. */
  generator: Generator | null = null;
  readonly heads: number;
  readonly attentionDropout: number;

  constructor({ width, heads, dropout, attentionDropout }: TransformerShape, made: FactoryOptions = {}) {
    super();
    if (width % heads !== 0) throw new ConfigError(`Expected heads that divide the width ${width}, got ${heads}.`);
    this.heads = heads;
    this.attentionDropout = attentionDropout;
    this.qkv = new VitLinear(width, 3 * width, made);
    this.proj = new VitLinear(width, width, made);
    this.proj_drop = new Dropout(dropout);
  }

  /** [B, N, width] to [B, N, width]. */
  forward(x: Tensor): Tensor {
    const [batch, tokens, width] = x.shape as [number, number, number];
    const parts = this.qkv.forward(x).reshape([batch, tokens, 3, this.heads, width / this.heads]);
    const [q, k, v] = parts.permute([2, 0, 3, 1, 4]).unbind(0) as [Tensor, Tensor, Tensor];
    const dropoutP = this.training ? this.attentionDropout : 0;
    const mixed = functional.scaledDotProductAttention(q, k, v, { dropoutP, generator: this.generator });
    return this.proj_drop.forward(this.proj.forward(mixed.transpose(1, 2).reshape([batch, tokens, width])));
  }

  /**
   * The first token's row of {@link forward}, [B, N, width] to [B, 1, width], without the keys and values of the rest.
   *
   * With one query a head, q · (K x + bk) = (q K) · x + q · bk, whose last term is the same for all tokens, so that the
   * softmax loses it; and the mixture of V x + bv is V of the mixture of x, + bv where the weights sum to one. Two
   * products with `x` as it is take the place of two projections of every token: for N tokens about N * width / heads
   * times less work.
   */
  firstToken(x: Tensor): Tensor {
    const [batch, , width] = x.shape as [number, number, number];
    const { heads } = this;
    const size = width / heads;
    const weights = this.qkv.weight.view([3, heads, size, width]);
    const first = x.select(1, 0);
    const q = ops.linear(first, this.qkv.weight.narrow(0, 0, width), this.qkv.bias?.narrow(0, 0, width));
    const byHead = q
      .mul(size ** -0.5)
      .view([batch, heads, size])
      .transpose(0, 1);
    const keyed = byHead.bmm(weights.select(0, 1)).transpose(0, 1); // [B, heads, width]
    const soft = keyed.bmm(x.transpose(1, 2)).softmax(-1); // [B, heads, N]
    const kept = functional.dropout(soft, this.attentionDropout, this.training, this.generator);
    const mixed = kept.bmm(x).transpose(0, 1).bmm(weights.select(0, 2).transpose(1, 2)).transpose(0, 1);
    const bias = this.qkv.bias?.narrow(0, 2 * width, width).view([heads, size]);
    const values = bias ? mixed.add(kept === soft ? bias : kept.sum([-1], true).mul(bias)) : mixed;
    return this.proj_drop.forward(this.proj.forward(values.reshape([batch, 1, width])));
  }

  override extraRepr(): string {
    return `heads=${this.heads}`;
  }
}

/** Two linear layers and a GELU. Keys: `fc1`, `fc2`. */
export class Mlp extends Module {
  fc1: Linear;
  act: GELU;
  drop1: Dropout;
  fc2: Linear;
  drop2: Dropout;

  constructor({ width, mlpRatio, dropout }: TransformerShape, made: FactoryOptions = {}) {
    super();
    const hidden = Math.round(width * mlpRatio);
    this.fc1 = new VitLinear(width, hidden, made);
    this.act = new GELU();
    this.drop1 = new Dropout(dropout);
    this.fc2 = new VitLinear(hidden, width, made);
    this.drop2 = new Dropout(dropout);
  }

  forward(x: Tensor): Tensor {
    const hidden = this.drop1.forward(this.act.forward(this.fc1.forward(x)));
    return this.drop2.forward(this.fc2.forward(hidden));
  }
}

export interface BlockOptions extends FactoryOptions {
  /**
   * Give out the class token alone, [B, 1, width]. For a block after which nothing else is read: the same numbers at a
   * fraction of the work. Default false.
   */
  readonly classTokenOnly?: boolean;
}

/** The first half of a pre-norm block: x + attn(norm1(x)). [B, N, width] to [B, N, width]. Keys: `norm1`, `attn`. */
export class AttentionBranch extends Module {
  norm1: LayerNorm;
  attn: Attention;
  drop_path1: DropPath;
  readonly classTokenOnly: boolean;

  constructor(shape: TransformerShape, options: BlockOptions = {}) {
    super();
    const { classTokenOnly = false, ...made } = options;
    this.classTokenOnly = classTokenOnly;
    this.norm1 = new LayerNorm(shape.width, { ...made, eps: EPS });
    this.attn = new Attention(shape, made);
    this.drop_path1 = new DropPath(shape.dropPath);
  }

  forward(x: Tensor): Tensor {
    const normed = this.norm1.forward(x);
    const attended = this.classTokenOnly ? this.attn.firstToken(normed) : this.attn.forward(normed);
    return (this.classTokenOnly ? x.narrow(1, 0, 1) : x).add(this.drop_path1.forward(attended));
  }

  override extraRepr(): string {
    return this.classTokenOnly ? 'class_token_only=True' : '';
  }
}

/** The second half of a pre-norm block: x + mlp(norm2(x)). [B, N, width] to [B, N, width]. Keys: `norm2`, `mlp`. */
export class MlpBranch extends Module {
  norm2: LayerNorm;
  mlp: Mlp;
  drop_path2: DropPath;

  constructor(shape: TransformerShape, made: FactoryOptions = {}) {
    super();
    this.norm2 = new LayerNorm(shape.width, { ...made, eps: EPS });
    this.mlp = new Mlp(shape, made);
    this.drop_path2 = new DropPath(shape.dropPath);
  }

  forward(x: Tensor): Tensor {
    return x.add(this.drop_path2.forward(this.mlp.forward(this.norm2.forward(x))));
  }
}

/** A pre-norm transformer block, both halves. Keys: `norm1`, `attn`, `norm2`, `mlp`. */
export class Block extends Module {
  private readonly halves: readonly [AttentionBranch, MlpBranch];

  constructor(shape: TransformerShape, options: BlockOptions = {}) {
    super();
    const { classTokenOnly: _, ...made } = options;
    this.halves = [new AttentionBranch(shape, options), new MlpBranch(shape, made)];
  }

  forward(x: Tensor): Tensor {
    const [attention, mlp] = this.halves;
    return mlp.forward(attention.forward(x));
  }

  /** The halves have no names of their own: their keys stand side by side, as timm has them. */
  override *namedChildren(): IterableIterator<[string, Module]> {
    for (const half of this.halves) yield ['', half];
  }
}

/** Normalises the class token and classifies it: a ViT's end, and the lightest local head. Keys: `norm`, `head`. */
export class TokenClassifier extends Module {
  norm: LayerNorm;
  head: Linear;

  constructor(width: number, classes: number, made: FactoryOptions = {}) {
    super();
    this.norm = new LayerNorm(width, { ...made, eps: EPS });
    this.head = new VitLinear(width, classes, made);
  }

  /** Tokens [B, N, width], the first of them the class token, to logits [B, classes]. */
  forward(x: Tensor): Tensor {
    return this.head.forward(this.norm.forward(x.select(1, 0)));
  }
}
