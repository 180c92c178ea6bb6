/** What emotions look like, in ARKit's weights. */
import type { ExpressionName } from '../../media/index.js';
import { arkitCount, arkitIndex } from '../face/index.js';

/** Names without a side stand for both sides. */
const recipes: Readonly<Record<ExpressionName, Readonly<Record<string, number>>>> = {
  neutral: {},
  happy: {
    mouthSmile: 0.98,
    cheekSquint: 0.65,
    eyeSquint: 0.33,
    mouthDimple: 0.16,
    mouthUpperUp: 0.22,
    mouthLowerDown: 0.06,
    browOuterUp: 0.05,
  },
  sad: {
    browInnerUp: 1,
    browDown: 0.15,
    mouthFrown: 0.88,
    mouthShrugLower: 0.6,
    mouthPress: 0.13,
    mouthRollLower: 0.14,
    mouthStretch: 0.06,
    eyeSquint: 0.18,
    eyeBlink: 0.1,
  },
  angry: {
    browDown: 0.97,
    eyeWide: 0.73,
    noseSneer: 0.77,
    mouthFrown: 0.14,
    mouthShrugUpper: 0.23,
    mouthUpperUp: 0.19,
    mouthLowerDown: 0.84,
    mouthStretch: 0.29,
    mouthRollLower: 0.04,
    mouthRollUpper: 0.5,
    mouthFunnel: 0.43,
    jawForward: 0.14,
  },
  surprised: {
    browInnerUp: 0.95,
    browOuterUp: 0.85,
    eyeWide: 1,
    jawOpen: 0.56,
    mouthFunnel: 0.58,
    mouthPucker: 0.34,
    mouthUpperUp: 0.06,
    mouthLowerDown: 0.06,
  },
  fearful: {
    browInnerUp: 0.97,
    browDown: 0.73,
    eyeWide: 0.94,
    mouthStretch: 0.96,
    mouthFrown: 0.62,
    mouthLowerDown: 0.66,
    mouthUpperUp: 0.11,
    jawOpen: 0.39,
    mouthRollUpper: 0.13,
  },
  disgusted: {
    noseSneer: 1,
    mouthUpperUp: 0.51,
    browDown: 0.35,
    eyeSquint: 0.66,
    cheekSquint: 0.27,
    mouthFrown: 0.45,
    mouthShrugLower: 0.48,
    mouthShrugUpper: 0.17,
    browInnerUp: 0.12,
    eyeBlink: 0.1,
  },
};

/** The 52 weights of an emotion at strength 1. */
export const emotionWeights: Readonly<Record<ExpressionName, Float32Array>> = Object.fromEntries(
  Object.entries(recipes).map(([name, recipe]) => [name, weightsOf(recipe)]),
) as Record<ExpressionName, Float32Array>;

function weightsOf(recipe: Readonly<Record<string, number>>): Float32Array {
  const weights = new Float32Array(arkitCount);
  for (const [name, weight] of Object.entries(recipe)) {
    const both = [name, `${name}Left`, `${name}Right`].map(arkitIndex).filter((at) => at >= 0);
    for (const at of both) weights[at] = weight;
  }
  return weights;
}
