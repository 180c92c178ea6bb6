/** What an expression that was read in a face says about its weights. */
import { type ExpressionName, type Expressions, expressionNames } from '../../media/index.js';
import { type ArkitName, arkitCount, arkitIndex } from '../face/arkit.js';

/** Half of a plain expression: landmarks decide about the rest. Names without a side stand for both. */
const plain: Readonly<Record<ExpressionName, Readonly<Record<string, number>>>> = {
  neutral: {},
  happy: { mouthSmile: 0.4, eyeSquint: 0.15 },
  sad: { mouthFrown: 0.25, browInnerUp: 0.3 },
  angry: { browDown: 0.4, eyeSquint: 0.1 },
  fearful: { browInnerUp: 0.4, eyeWide: 0.3, mouthStretch: 0.2 },
  disgusted: { mouthUpperUp: 0.3, browDown: 0.2 },
  surprised: { browInnerUp: 0.4, browOuterUp: 0.4, eyeWide: 0.3, jawOpen: 0.25 },
};

/** The 52 weights that are likely in a face that was read so; 0 where nothing was read. */
export function likelyWeights(expressions?: Expressions): Float32Array {
  const weights = new Float32Array(arkitCount);
  if (expressions === undefined) return weights;
  for (const name of expressionNames) {
    for (const [part, weight] of Object.entries(plain[name])) {
      for (const place of sides(part)) weights[place]! += expressions[name] * weight;
    }
  }
  return weights;
}

function sides(part: string): number[] {
  return [part, `${part}Left`, `${part}Right`].map((name) => arkitIndex(name as ArkitName)).filter((at) => at >= 0);
}
