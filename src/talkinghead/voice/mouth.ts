/** From the moves of a mouth to ARKit's weights, with lips that meet. */
import { arkitCount, arkitIndex } from '../face/index.js';
import { type MouthMove, mouthMoves } from './visemes.js';

/** The places of a move among ARKit's 52: one, or both sides'. */
const places: readonly (readonly number[])[] = mouthMoves.map((name) => {
  const one = arkitIndex(name);
  return one >= 0 ? [one] : [arkitIndex(`${name}Left`), arkitIndex(`${name}Right`)];
});

/** What sealed lips keep shut. */
export const openingMoves: readonly MouthMove[] = ['jawOpen', 'mouthLowerDown', 'mouthUpperUp', 'mouthFunnel'];
const opens = mouthMoves.map((name) => openingMoves.includes(name));

/**
 * How much further real mouths open than the table of visemes says, which was measured mostly on one man who opens his little: he is
 * followed best with 1.2, others who were filmed with 1.4.
 */
const OPENING = 1.3;

/**
 * ARKit's weights of moves: `[52]`.
 * @param moves - in the order of `mouthMoves`, from `at` on
 * @param closure - 0 to 1: how far the lips are sealed, whatever the moves say
 */
export function mouthWeights(moves: ArrayLike<number>, at: number, closure: number): Float32Array {
  const weights = new Float32Array(arkitCount);
  places.forEach((each, i) => {
    const value = Math.max(0, moves[at + i]!) * (opens[i] ? OPENING * (1 - closure) : 1);
    for (const place of each) weights[place] = Math.min(1, value);
  });
  return weights;
}

/** Moves of ARKit's weights, sides averaged. */
export function movesOf(weights: ArrayLike<number>): Float32Array {
  return Float32Array.from(places, (each) => each.reduce((sum, place) => sum + weights[place]! / each.length, 0));
}
