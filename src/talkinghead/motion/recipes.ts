/** What emotions look like, in ARKit's weights. */
import type { ExpressionName } from '../../media/index.js';
import { arkitCount, arkitIndex } from '../face/index.js';

/** Names without a side stand for both sides. */
const recipes: Readonly<Record<ExpressionName, Readonly<Record<string, number>>>> = {
  neutral: {},
  happy: {
    mouthSmile: 0.85,
    cheekSquint: 0.7,
    eyeSquint: 0.4,
    mouthDimple: 0.15,
    mouthUpperUp: 0.12,
    browOuterUp: 0.1,
  },
  sad: {
    browInnerUp: 0.9,
    browDown: 0.15,
    mouthFrown: 0.7,
    mouthShrugLower: 0.3,
    eyeSquint: 0.2,
    mouthPress: 0.1,
    eyeBlink: 0.12,
  },
  angry: {
    browDown: 1,
    eyeSquint: 0.45,
    eyeWide: 0.15,
    noseSneer: 0.45,
    mouthPress: 0.35,
    mouthFrown: 0.3,
    mouthUpperUp: 0.12,
  },
  surprised: { browInnerUp: 1, browOuterUp: 1, eyeWide: 0.8, jawOpen: 0.24, mouthFunnel: 0.15 },
  fearful: {
    browInnerUp: 0.9,
    browOuterUp: 0.3,
    browDown: 0.35,
    eyeWide: 0.8,
    mouthStretch: 0.6,
    jawOpen: 0.06,
    mouthFrown: 0.2,
  },
  disgusted: {
    noseSneer: 0.9,
    mouthUpperUp: 0.5,
    browDown: 0.5,
    eyeSquint: 0.4,
    mouthFrown: 0.35,
    mouthShrugLower: 0.3,
    cheekSquint: 0.3,
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
