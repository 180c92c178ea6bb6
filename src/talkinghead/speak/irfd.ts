/**
 * IRFD of SPEAK (arXiv 2405.07257, section 3.1): a face's identity, emotion and pose as three codes that nobody labels. Codes of two
 * pictures are exchanged, decoded and encoded again.
 */
import { functional as F, type FactoryOptions, Linear, Module } from '../../nn/index.js';
import { inFull } from '../../pipeline/compute.js';
import { ops, type Tensor } from '../../torch/index.js';
import { type EncoderShape, FaceEncoder } from './encoder.js';
import { MappingNetwork, type MappingShape, type StyleShape, SynthesisNetwork } from './stylegan.js';

/** What codes are of, in the order in which the decoder takes them. */
export const factors = ['identity', 'emotion', 'pose'] as const;
export type Factor = (typeof factors)[number];

/** [B, size] of each factor. */
export type Codes = Readonly<Record<Factor, Tensor>>;

/** Pictures by the factors that are read from them. */
export type Views = Readonly<Partial<Record<Factor, Tensor>>>;

export interface CoderShape {
  /** Pixels of the sides of the pictures that it has learnt from. */
  readonly size: number;
  readonly encoder: EncoderShape;
  /** Numbers of each code. */
  readonly codes: Readonly<Record<Factor, number>>;
  /** Identity's code lies on a sphere: its numbers have a mean square of 1. */
  readonly sphere: boolean;
}

export interface IrfdShape extends StyleShape, CoderShape {
  readonly mapping: MappingShape;
  /** Emotions that the classifier tells apart. */
  readonly emotions: number;
}

/** Pictures at a size that a network has learnt from: larger ones are made smaller, each pixel the mean of those that it stands for. */
export function reduced(pictures: Tensor, size: number): Tensor {
  const times = Math.floor(pictures.shape[3]! / size);
  return times > 1 ? F.avgPool2d(pictures, times) : pictures;
}

/** Pictures to codes: what the second stage keeps. Keys: `identity`, `emotion`, `pose`, each as of {@link FaceEncoder}. */
export class FaceCoder extends Module {
  identity: FaceEncoder;
  emotion: FaceEncoder;
  pose: FaceEncoder;
  readonly size: number;
  readonly sphere: boolean;

  constructor({ size, encoder, codes, sphere }: CoderShape, made: FactoryOptions = {}) {
    super();
    this.identity = new FaceEncoder(encoder, codes.identity, made);
    this.emotion = new FaceEncoder(encoder, codes.emotion, made);
    this.pose = new FaceEncoder(encoder, codes.pose, made);
    this.size = size;
    this.sphere = sphere;
  }

  /** The code of one factor, of float32 under autocast too. @param pictures - [B, 3, n size, n size], from -1 to 1 */
  code(factor: Factor, pictures: Tensor): Tensor {
    const code = inFull('bfloat16', this[factor].forward(reduced(pictures, this.size)));
    return factor === 'identity' && this.sphere ? F.normalize(code).mul(Math.sqrt(this.identity.size)) : code;
  }

  /**
   * @param pictures - [B, 3, n size, n size], from -1 to 1
   * @param views - what the code of a factor is read from, where it is not these
   */
  encode(pictures: Tensor, views: Views = {}): Codes {
    const code = (factor: Factor): Tensor => this.code(factor, views[factor] ?? pictures);
    return { identity: code('identity'), emotion: code('emotion'), pose: code('pose') };
  }

  /** The codes one after another. */
  forward(pictures: Tensor): Tensor {
    const codes = this.encode(pictures);
    return ops.cat(
      factors.map((factor) => codes[factor]),
      1,
    );
  }
}

/** Keys: those of {@link FaceCoder}, `mapping`, `synthesis`, `classifier`. */
export class Irfd extends FaceCoder {
  mapping: MappingNetwork;
  synthesis: SynthesisNetwork;
  classifier: Linear;

  constructor(
    readonly shape: IrfdShape,
    made: FactoryOptions = {},
  ) {
    super(shape, made);
    const { codes, style, mapping, emotions } = shape;
    this.mapping = new MappingNetwork(codes.identity + codes.emotion + codes.pose, style, mapping, made);
    this.synthesis = new SynthesisNetwork(shape, made);
    this.classifier = new Linear(codes.emotion, emotions, made);
  }

  /** @returns [B, 3, size, size], about -1 to 1 */
  decode(codes: Codes): Tensor {
    return this.synthesis.forward(
      this.mapping.forward(
        ops.cat(
          factors.map((factor) => codes[factor]),
          1,
        ),
      ),
    );
  }

  /** Logits [B, emotions] of emotion codes. */
  classify(emotion: Tensor): Tensor {
    return this.classifier.forward(emotion);
  }

  /** Pictures as they come out again. */
  override forward(pictures: Tensor): Tensor {
    return this.decode(this.encode(pictures));
  }
}

/** `own` with one code from `other`. */
export function exchanged(own: Codes, other: Codes, factor: Factor): Codes {
  return { ...own, [factor]: other[factor] };
}
