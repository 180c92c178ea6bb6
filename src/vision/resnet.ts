/**
 * Residual networks: the CIFAR form (He et al. 2016, section 4.2, with projection shortcuts) and torchvision's ImageNet
 * form. Keys are torchvision's: conv1, bn1, layer1.0.conv1, …, layer2.0.downsample.0, …, fc.
 *
 * Layers to cut between: `stem`, the halves of each residual block, named by their first convolutions (`layer1.0.conv1`,
 * `layer1.0.conv2`, …; of a bottleneck `conv1` and `conv3`), `final` (average pooling and `fc`).
 */

import { type BlockKind, type BlockShape, blockHalves, expansion, PoolClassifier, Stem } from '../nn/resnet-blocks.js';
import { imageModelFunction } from './front.js';
import { type ResidualStep, resnetHead } from './heads.js';
import { type ImageModelOptions, imageOptions, modelRef, type VisionLayer, type VisionModel } from './spec.js';

export interface ResNetOptions extends ImageModelOptions {
  /** Default 32 for the CIFAR form, 224 for the ImageNet form; any size fits. */
  readonly imageSize?: number | readonly [height: number, width: number];
}

export interface ImageNetResNetOptions extends ResNetOptions {
  /**
   * Begin with a 3x3 convolution at full resolution instead of torchvision's 7x7 with stride 2 and pooling, which leaves
   * little of a small image. Default: true where the shorter side has at most 64 pixels. From 96 pixels on the full
   * resolution costs 16 times the work and is a choice to make.
   */
  readonly smallInput?: boolean;
}

interface Form {
  readonly kind: BlockKind;
  /** Of the stem, then of each group of blocks. */
  readonly stemWidth: number;
  readonly widths: readonly number[];
  readonly counts: readonly number[];
}

const cifar = (perGroup: number): Form => ({
  kind: 'basic',
  stemWidth: 16,
  widths: [16, 32, 64],
  counts: [perGroup, perGroup, perGroup],
});

const imagenet = (kind: BlockKind, ...counts: number[]): Form => ({
  kind,
  stemWidth: 64,
  widths: [64, 128, 256, 512],
  counts,
});

interface NamedBlock extends BlockShape, ResidualStep {
  readonly name: string;
}

/** Every residual block in order. The first of each group but the first halves the map. */
function blocksOf(form: Form): NamedBlock[] {
  let inChannels = form.stemWidth;
  return form.widths.flatMap((width, group) =>
    Array.from({ length: form.counts[group]! }, (_, i) => {
      const stride = group > 0 && i === 0 ? 2 : 1;
      const block = { name: `layer${group + 1}.${i}`, inChannels, width, stride, halvings: group };
      inChannels = width * expansion[form.kind];
      return block;
    }),
  );
}

function resnet(name: string, form: Form, options: ImageNetResNetOptions, defaultSize: number): VisionModel {
  const ofImageNet = form.widths.length === 4;
  const { classes, channels, size } = imageOptions(options, defaultSize);
  const large = ofImageNet && !(options.smallInput ?? Math.min(...size) <= 64);
  const { kind, stemWidth } = form;
  const blocks = blocksOf(form);
  const features = form.widths.at(-1)! * expansion[kind];
  const layers: VisionLayer[] = [
    { name: 'stem', prefix: '', build: (made) => new Stem(channels, stemWidth, large, made) },
    ...blocks.flatMap((block) =>
      blockHalves(kind, block).map(
        (half): VisionLayer => ({ ...half, name: `${block.name}.${half.name}`, prefix: block.name }),
      ),
    ),
    { name: 'final', prefix: '', build: (made) => new PoolClassifier(features, classes, made) },
  ];
  return {
    name,
    classes,
    inputShape: [channels, ...size],
    layers,
    ref: modelRef(name, options),
    head: (head, border, headOptions) => resnetHead({ kind, classes, stemWidth, blocks }, head, border, headOptions),
  };
}

/** 0.27 million parameters. */
export const resnet20 = imageModelFunction<ResNetOptions>('resnet20', [], (options) =>
  resnet('resnet20', cifar(3), options, 32),
);
/** 0.47 million parameters. */
export const resnet32 = imageModelFunction<ResNetOptions>('resnet32', [], (options) =>
  resnet('resnet32', cifar(5), options, 32),
);
/** 0.86 million parameters. */
export const resnet56 = imageModelFunction<ResNetOptions>('resnet56', [], (options) =>
  resnet('resnet56', cifar(9), options, 32),
);
/** 1.73 million parameters. */
export const resnet110 = imageModelFunction<ResNetOptions>('resnet110', [], (options) =>
  resnet('resnet110', cifar(18), options, 32),
);

/** 11.7 million parameters. */
export const resnet18 = imageModelFunction<ImageNetResNetOptions>('resnet18', ['smallInput'], (options) =>
  resnet('resnet18', imagenet('basic', 2, 2, 2, 2), options, 224),
);
/** 21.8 million parameters. */
export const resnet34 = imageModelFunction<ImageNetResNetOptions>('resnet34', ['smallInput'], (options) =>
  resnet('resnet34', imagenet('basic', 3, 4, 6, 3), options, 224),
);
/** 25.6 million parameters; the stride stands in the 3x3 convolution, as in torchvision. */
export const resnet50 = imageModelFunction<ImageNetResNetOptions>('resnet50', ['smallInput'], (options) =>
  resnet('resnet50', imagenet('bottleneck', 3, 4, 6, 3), options, 224),
);
