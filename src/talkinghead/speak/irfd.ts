/**
 * IRFD of SPEAK (arXiv 2405.07257, section 3.1): a face's identity, emotion and pose as three codes that nobody labels. Codes of two
 * pictures are exchanged, decoded and encoded again.
 */
import { functional as F, type FactoryOptions, Linear, Module } from '../../nn/index.js';
import { ops, type Tensor } from '../../torch/index.js';
import { type EncoderShape, FaceEncoder } from './encoder.js';
import { MappingNetwork, type MappingShape, type StyleShape, SynthesisNetwork } from './stylegan.js';

/** What codes are of, in the order in which the decoder takes them. */
export const factors = ['identity', 'emotion', 'pose'] as const;
export type Factor = (typeof factors)[number];

/** [B, size] of each factor. */
export type Codes = Readonly<Record<Factor, Tensor>>;

export interface IrfdShape extends StyleShape {
  readonly encoder: EncoderShape;
  /** Numbers of each code. */
  readonly codes: Readonly<Record<Factor, number>>;
  /** Identity's code lies on a sphere: its numbers have a mean square of 1. */
  readonly sphere: boolean;
  readonly mapping: MappingShape;
  /** Emotions that the classifier tells apart. */
  readonly emotions: number;
}

/** Keys: `identity`, `emotion`, `pose`, each as of {@link FaceEncoder}, `mapping`, `synthesis`, `classifier`. */
export class Irfd extends Module {
  identity: FaceEncoder;
  emotion: FaceEncoder;
  pose: FaceEncoder;
  mapping: MappingNetwork;
  synthesis: SynthesisNetwork;
  classifier: Linear;

  constructor(
    readonly shape: IrfdShape,
    made: FactoryOptions = {},
  ) {
    super();
    const { encoder, codes, style, mapping, emotions } = shape;
    this.identity = new FaceEncoder(encoder, codes.identity, made);
    this.emotion = new FaceEncoder(encoder, codes.emotion, made);
    this.pose = new FaceEncoder(encoder, codes.pose, made);
    this.mapping = new MappingNetwork(codes.identity + codes.emotion + codes.pose, style, mapping, made);
    this.synthesis = new SynthesisNetwork(shape, made);
    this.classifier = new Linear(codes.emotion, emotions, made);
  }

  /** @param pictures - [B, 3, size, size], from -1 to 1 */
  encode(pictures: Tensor): Codes {
    const identity = this.identity.forward(pictures);
    return {
      identity: this.shape.sphere ? F.normalize(identity).mul(Math.sqrt(this.identity.size)) : identity,
      emotion: this.emotion.forward(pictures),
      pose: this.pose.forward(pictures),
    };
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
  forward(pictures: Tensor): Tensor {
    return this.decode(this.encode(pictures));
  }
}

/** `own` with one code from `other`. */
export function exchanged(own: Codes, other: Codes, factor: Factor): Codes {
  return { ...own, [factor]: other[factor] };
}
