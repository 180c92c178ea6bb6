/** What a face shows beside speech: the photograph's own expression, and the emotion that is to be seen. */
import { type Expressions, expressionNames } from '../../media/index.js';
import { misfit } from '../../torch/expect.js';
import { ConfigError, checkOptions } from '../../torch/index.js';
import { arkitCount, arkitNames } from '../face/index.js';
import { type EmotionMix, type EmotionPlan, emotionMix, needsVoice } from './emotion-plan.js';
import { emotionWeights } from './recipes.js';
import { checkSource, type EmotionSource, moodOf, RowSource } from './source.js';

const placesOf = (pattern: RegExp): readonly number[] =>
  arkitNames.flatMap((name, at) => (pattern.test(name) ? [at] : []));
/** Where the eyes look is no expression: a photograph's stays whatever the emotion. */
const lookPlaces = placesOf(/^eyeLook/);
const mouthPlaces = placesOf(/^(jaw|mouth|tongueOut)/);

/** Gives the 52 weights of a moment. @param rest - those that the photograph has then */
export type ExpressionAt = (
  time: number,
  heard: Expressions | null,
  rest: ArrayLike<number>,
  into: Float32Array,
) => Float32Array;

/** The photograph's expression gives way to emotions: `rest (1 - strengths) + the sum of strength x recipe`. */
export function expressionOfPlan(plan: EmotionPlan, scale: number): ExpressionAt {
  checkOptions('emotion', plan, ['spans', 'ramp']);
  if (!Array.isArray(plan.spans)) throw misfit('Performer', 'emotion as text, a plan or a track', plan);
  const voiced = needsVoice(plan);
  return (time, heard, rest, into) => {
    if (voiced && heard === null)
      throw new ConfigError("Emotion 'auto' needs frames of speech with an emotion, got one without: name an emotion");
    return mixEmotions(emotionMix(plan, time, heard), rest, scale, into);
  };
}

/**
 * The weights that a mix of emotions has on a face whose own expression is `rest`.
 * @param scale - multiplies all strengths
 */
export function mixEmotions(
  mix: EmotionMix,
  rest: ArrayLike<number>,
  scale = 1,
  into: Float32Array = new Float32Array(arkitCount),
): Float32Array {
  const strengths = expressionNames.map((name) => ({ strength: scale * mix[name], recipe: emotionWeights[name] }));
  const kept =
    1 -
    Math.min(
      1,
      strengths.reduce((sum, { strength }) => sum + strength, 0),
    );
  for (let at = 0; at < into.length; at++) {
    let weight = kept * rest[at]!;
    for (const { strength, recipe } of strengths) weight += strength * recipe[at]!;
    into[at] = weight;
  }
  for (const at of lookPlaces) into[at] = rest[at]!;
  return into;
}

/** The expression of a track: where it is followed by how it changes, added to the photograph's. */
export function expressionOfTrack(source: EmotionSource, scale: number): ExpressionAt {
  const {
    track,
    relative = false,
    keepMouth = false,
  } = checkSource('emotion', source, ['track', 'relative', 'keepMouth']);
  const weights = new RowSource(keepMouth ? track.weights : moodOf(track, mouthPlaces), arkitCount, track.fps);
  const kept = relative ? 1 : 1 - Math.min(1, scale);
  return (time, _heard, rest, into) => {
    weights.at(time, into);
    for (let at = 0; at < into.length; at++)
      into[at] = kept * rest[at]! + scale * (into[at]! - (relative ? weights.first[at]! : 0));
    return into;
  };
}
