/**
 * Vision transformers (Dosovitskiy et al. 2021) with timm's keys: cls_token, pos_embed, patch_embed.proj,
 * blocks.N.{norm1, attn.qkv, attn.proj, norm2, mlp.fc1, mlp.fc2}, norm, head.
 *
 * Layers to cut between: `embed`, both halves of each block (`blocks.0.attn`, `blocks.0.mlp`, …), `final` (norm, class
 * token, head). The last block works on the class token alone, [B, 1, width], because nothing else of it is read.
 */
import { ConfigError } from '../torch/index.js';
import { imageModelFunction } from './front.js';
import { vitHead } from './heads.js';
import {
  type ImageModelOptions,
  imageOptions,
  modelRef,
  requireWhole,
  type VisionLayer,
  type VisionModel,
} from './spec.js';
import { AttentionBranch, Embed, MlpBranch, TokenClassifier, type TransformerShape } from './vit-blocks.js';

export interface ViTPresetOptions extends ImageModelOptions {
  /** The patch's multiple in height and width. Default 32 for the small presets, 224 for `vit-b-p16`. */
  readonly imageSize?: number | readonly [height: number, width: number];
  /** Of the embedding, the projections and the MLPs. Default 0. */
  readonly dropout?: number;
  /** Of the attention's weights. Default 0. */
  readonly attentionDropout?: number;
  /** Stochastic depth of the last block; it rises linearly from 0 at the first. Default 0. */
  readonly dropPath?: number;
}

export interface ViTOptions extends ViTPresetOptions {
  /** Side of a patch in pixels. Default 4. */
  readonly patch?: number;
  /** Default 192. */
  readonly width?: number;
  /** Blocks. Default 12. */
  readonly depth?: number;
  /** Default: one for every 64 of width. */
  readonly heads?: number;
  /** Default 4. */
  readonly mlpRatio?: number;
}

const drops = ['dropout', 'attentionDropout', 'dropPath'];
const ofAnyForm = [...drops, 'patch', 'width', 'depth', 'heads', 'mlpRatio'];

/** A ViT of any form. */
export const vit = imageModelFunction<ViTOptions>('vit', ofAnyForm, (options) =>
  build('vit', options, options, imageOptions(options, 32)),
);

function preset(name: string, options: ViTPresetOptions, form: Partial<ViTOptions>, defaultSize: number): VisionModel {
  const image = imageOptions(options, defaultSize);
  return build(name, options, { ...options, ...form }, image);
}

/** Width 192, 12 blocks, 3 heads, patches of 4: 5.4 million parameters. */
export const vitTinyP4 = imageModelFunction<ViTPresetOptions>('vit-tiny-p4', drops, (options) =>
  preset('vit-tiny-p4', options, { width: 192, depth: 12, heads: 3, patch: 4 }, 32),
);
/** Width 384, 12 blocks, 6 heads, patches of 4: 21.3 million parameters. */
export const vitSmallP4 = imageModelFunction<ViTPresetOptions>('vit-small-p4', drops, (options) =>
  preset('vit-small-p4', options, { width: 384, depth: 12, heads: 6, patch: 4 }, 32),
);
/** Width 768, 12 blocks, 12 heads, patches of 16: timm's `vit_base_patch16_224`, 86.6 million parameters. */
export const vitBP16 = imageModelFunction<ViTPresetOptions>('vit-b-p16', drops, (options) =>
  preset('vit-b-p16', options, { width: 768, depth: 12, heads: 12, patch: 16 }, 224),
);

/** @param given - what the caller wrote, which is what another thread needs to make the same model again */
function build(
  name: string,
  given: ViTPresetOptions,
  options: ViTOptions,
  { classes, channels, size }: ReturnType<typeof imageOptions>,
): VisionModel {
  const { patch = 4, width = 192, depth = 12, mlpRatio = 4 } = options;
  const { heads = Math.max(1, Math.floor(width / 64)), dropout = 0, attentionDropout = 0, dropPath = 0 } = options;
  for (const [what, value] of Object.entries({ patch, width, depth, heads })) requireWhole(what, value);
  if (width % heads !== 0) throw new ConfigError(`Expected heads that divide the width ${width}, got ${heads}.`);
  if (size.some((side) => side % patch !== 0)) {
    throw new ConfigError(
      `Expected an image size that is a multiple of the patch ${patch}, got ${size.join(' x ')}: choose another patch.`,
    );
  }
  const shape = { width, heads, mlpRatio, dropout, attentionDropout, dropPath };
  return {
    name,
    classes,
    inputShape: [channels, ...size],
    layers: layersOf(classes, channels, size, patch, depth, shape),
    ref: modelRef(name, given),
    head: (kind, border, headOptions) =>
      vitHead({ classes, depth, grid: [size[0] / patch, size[1] / patch], shape }, kind, border, headOptions),
  };
}

function layersOf(
  classes: number,
  channels: number,
  size: readonly [number, number],
  patch: number,
  depth: number,
  shape: TransformerShape,
): VisionLayer[] {
  const block = (i: number): VisionLayer[] => {
    const own = { ...shape, dropPath: depth > 1 ? (shape.dropPath * i) / (depth - 1) : 0 };
    const classTokenOnly = i === depth - 1;
    const prefix = `blocks.${i}`;
    return [
      { name: `${prefix}.attn`, prefix, build: (made) => new AttentionBranch(own, { ...made, classTokenOnly }) },
      { name: `${prefix}.mlp`, prefix, build: (made) => new MlpBranch(own, made) },
    ];
  };
  return [
    { name: 'embed', prefix: '', build: (made) => new Embed(channels, size, patch, shape.width, shape.dropout, made) },
    ...Array.from({ length: depth }, (_, i) => block(i)).flat(),
    { name: 'final', prefix: '', build: (made) => new TokenClassifier(shape.width, classes, made) },
  ];
}
