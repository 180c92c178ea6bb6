/** How expression and speech share a face, so that it shows its mood and the lips can still be read. */
import { type ArkitName, arkitCount, arkitIndex, arkitNames } from '../face/index.js';
import { clamp } from './curves.js';
import type { SpeechFrame } from './frame.js';
import { lipGap, reachGap, shareForGap, shrugCloses } from './lips.js';
import { openingPlaces } from './rest.js';

/** What meets in a frame. */
export interface FaceParts {
  /** `[52]`: what the face shows without speech. */
  readonly expression: ArrayLike<number>;
  readonly speech: Pick<SpeechFrame, 'mouth' | 'closure'> | null;
  /** 0 to 1: how much is being said just now. */
  readonly speaking: number;
  /** Multiplies what speech does; 1 by default. */
  readonly mouthScale?: number;
}

/** The numbers of the rules. */
export const compositionRules = {
  /** Full rounding takes this share of smile, dimples and stretch. */
  roundingTakes: 0.5,
  /** A jaw that speech opens so far leaves nothing of pressed, rolled and shrugged lips. */
  jawReleases: 0.25,
  /** Sealed lips take this share of a sneer, */
  sealTakesSneer: 0.5,
  /** and have at least so much of these. */
  seal: { mouthPressLeft: 0.35, mouthPressRight: 0.35, mouthRollLower: 0.12, mouthRollUpper: 0.08 },
  /** No weight is larger. */
  most: 1.1,
} as const;

const placesOf = (pattern: RegExp): readonly number[] =>
  arkitNames.flatMap((name, at) => (pattern.test(name) ? [at] : []));
/** What speech and expression share beside what parts the lips. */
const otherPlaces = placesOf(/^(jaw|mouth|cheekPuff|tongueOut)/).filter((at) => !openingPlaces.includes(at));
const widePlaces = placesOf(/^mouth(Smile|Dimple|Stretch)/);
const pressedPlaces = placesOf(/^mouth(Press|Roll|Shrug)/);
const sneerPlaces = placesOf(/^noseSneer/);
const sealPlaces = Object.entries(compositionRules.seal).map(([name, least]) => [arkitIndex(name), least] as const);
const place = (name: ArkitName): number => arkitIndex(name);
const [jawOpen, pucker, funnel] = [place('jawOpen'), place('mouthPucker'), place('mouthFunnel')];
const shrugLower = place('mouthShrugLower');

/**
 * The weights of a frame, `[52]`. The rules, in their order, with m the mouth that speech asks for, times `mouthScale`:
 *
 * 1. Brows, eyes, nose and cheeks are the expression's.
 * 2. Its smile, dimples and stretch are less by half of m's rounding, `mouthPucker + 0.6 mouthFunnel`.
 * 3. Its pressed, rolled and shrugged lips are less by m's `jawOpen / 0.25`.
 * 4. m is added, and weights are kept from 0 to 1.1.
 * 5. Closure: what parts the lips (`jawOpen`, `mouthFunnel`, `mouthLowerDown`, `mouthUpperUp`, `mouthShrugUpper`, with
 *    `mouthClose`, which goes with the jaw) is multiplied by `1 - closure`, whoever asked for it; a sneer is less by half of
 *    closure; lips are pressed and rolled by `closure` times a little at least; and what gap is left the lower lip closes, raised
 *    by `mouthShrugLower`. So at closure 1 lips touch, whatever the face shows.
 * 6. Gap: while speaking, the lips stand as far apart ({@link lipGap}) as they would on a neutral face that says the same.
 *    Where they would stand wider, the expression has a smaller share of what parts them; where that is not enough, the jaw
 *    closes, and then the lower lip rises (`mouthClose`). Where they would stand nearer, the jaw opens. All by exact amounts,
 *    times `speaking`, and times `mouthScale` where that is below 1.
 *
 * @param into - `[52]`, written to and returned; may be the expression itself
 */
export function composeFace(parts: FaceParts, into: Float32Array = new Float32Array(arkitCount)): Float32Array {
  const { expression, speech, speaking, mouthScale = 1 } = parts;
  into.set(expression);
  if (speech === null) return keepWithin(into);
  speak(into, speech, mouthScale);
  const held = clamp(speaking, 0, 1) * Math.min(1, mouthScale);
  if (held > 0) holdGap(into, speak(new Float32Array(arkitCount), speech, mouthScale), held);
  return into;
}

/** Rules 2 to 5. */
function speak(weights: Float32Array, speech: NonNullable<FaceParts['speech']>, mouthScale: number): Float32Array {
  addSpeech(weights, speech.mouth, mouthScale);
  closeLips(keepWithin(weights), clamp(speech.closure, 0, 1));
  return keepWithin(weights);
}

function keepWithin(weights: Float32Array): Float32Array {
  for (let at = 0; at < weights.length; at++) weights[at] = clamp(weights[at]!, 0, compositionRules.most);
  return weights;
}

function addSpeech(weights: Float32Array, mouth: ArrayLike<number>, mouthScale: number): void {
  const rules = compositionRules;
  const asked = (at: number): number => mouthScale * mouth[at]!;
  const rounding = clamp(asked(pucker) + 0.6 * asked(funnel), 0, 1);
  scale(weights, widePlaces, 1 - rules.roundingTakes * rounding);
  scale(weights, pressedPlaces, 1 - clamp(asked(jawOpen) / rules.jawReleases, 0, 1));
  for (const places of [openingPlaces, otherPlaces]) for (const at of places) weights[at]! += asked(at);
}

/**
 * Rule 6, in place.
 * @param alone - the weights of a neutral face that says the same
 * @param amount - 0 to 1
 */
function holdGap(weights: Float32Array, alone: Float32Array, amount: number): void {
  const gap = lipGap(alone);
  const held = weights.slice();
  if (lipGap(held) > gap) {
    const parting = new Float32Array(arkitCount);
    for (const at of openingPlaces) parting[at] = held[at]! - alone[at]!;
    const share = shareForGap(held, parting, gap);
    for (const at of openingPlaces) held[at]! -= (1 - share) * parting[at]!;
  }
  reachGap(held, 'jawOpen', gap, compositionRules.most);
  reachGap(held, 'mouthClose', gap, compositionRules.most);
  for (let at = 0; at < weights.length; at++) weights[at]! += amount * (held[at]! - weights[at]!);
}

function closeLips(weights: Float32Array, closure: number): void {
  if (closure === 0) return;
  scale(weights, openingPlaces, 1 - closure);
  scale(weights, sneerPlaces, 1 - compositionRules.sealTakesSneer * closure);
  for (const [at, least] of sealPlaces) weights[at] = Math.max(weights[at]!, least * closure);
  weights[shrugLower]! += (closure * Math.max(0, lipGap(weights))) / shrugCloses;
}

function scale(weights: Float32Array, places: readonly number[], factor: number): void {
  for (const at of places) weights[at]! *= factor;
}

const lids = (['Left', 'Right'] as const).map((side) => ({
  blink: place(`eyeBlink${side}`),
  others: [place(`eyeWide${side}`), place(`eyeSquint${side}`)],
}));

/** Closes the lids by `amount`, 0 to 1, in place: from where they are to closed; wide and squinted eyes give way. */
export function closeLids(weights: Float32Array, amount: number): void {
  for (const { blink, others } of lids) {
    weights[blink]! += amount * Math.max(0, 1 - weights[blink]!);
    scale(weights, others, 1 - amount);
  }
}

const brows = [
  [place('browInnerUp'), 1],
  [place('browOuterUpLeft'), 0.8],
  [place('browOuterUpRight'), 0.8],
] as const;
const drawnDown = [place('browDownLeft'), place('browDownRight')] as const;

/** Raises the brows by `amount`, in place, to 1 at most; brows that are drawn down stay so by as much as they are. */
export function raiseBrows(weights: Float32Array, amount: number): void {
  const free = 1 - clamp((weights[drawnDown[0]]! + weights[drawnDown[1]]!) / 2, 0, 1);
  for (const [at, share] of brows)
    weights[at] = Math.max(weights[at]!, Math.min(1, weights[at]! + amount * share * free));
}
