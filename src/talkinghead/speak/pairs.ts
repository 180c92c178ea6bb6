/** Pairs of pictures for a step of IRFD. */
import { expressionNames } from '../../media/index.js';
import { ops, type Tensor } from '../../torch/index.js';
import type { Chance } from '../training/chance.js';
import { displaced, recoloured } from './augment.js';
import type { ExactExchange, ExactExchanges } from './exchanges.js';
import { asSeen, emotionsOf, type Faces, faceWeights, picturesOf, rowsOf } from './faces.js';
import { type Factor, factors, type Views } from './irfd.js';
import type { LossWeights, PairBatch } from './losses.js';

export interface PairShares {
  readonly pairs: number;
  readonly exactShare: number;
  readonly clipShare: number;
  readonly personShare: number;
  /** How much more a pixel of the inner face counts than one elsewhere: 0 for no more. */
  readonly faceWeight: number;
  /** Whether encoders of emotion and pose see the pictures in other colours, and that of emotion elsewhere, too. */
  readonly augment: boolean;
}

/** A part of a step's pairs, and how much of the whole's losses it is. */
export interface DrawnPairs extends PairBatch {
  /** Of each loss: of those that are means over some rows alone, the share of these. */
  readonly shares: Readonly<Record<keyof LossWeights, number>>;
}

/** One of so many parts of a step: each n-th pair. */
export interface StepPart {
  readonly index: number;
  readonly count: number;
}

/** Frames to pair, sorted as pairs are drawn from them. */
export class PairSource {
  readonly #clips: readonly (readonly number[])[];
  /** Clips of each person. */
  readonly #people: readonly (readonly (readonly number[])[])[];
  /** Numbers of the exact exchanges of each factor. */
  readonly #exact: Readonly<Record<Factor, readonly number[]>>;

  constructor(
    private readonly faces: Faces,
    private readonly exchanges: ExactExchanges | null,
  ) {
    this.#clips = faces.train;
    const people = new Map<number, (readonly number[])[]>();
    for (const clip of faces.train) {
      const { person } = faces.labels[clip[0]!]!;
      people.set(person, [...(people.get(person) ?? []), clip]);
    }
    this.#people = [...people.values()];
    const list = exchanges?.list ?? [];
    const ofFactor = (name: Factor): number[] =>
      [...list.keys()].filter((number) => (list[number] as ExactExchange).factor === name);
    this.#exact = { identity: ofFactor('identity'), emotion: ofFactor('emotion'), pose: ofFactor('pose') };
  }

  /** One factor, and pairs of all kinds: drawn exactly, of one clip, of one person, of any two people. */
  draw(shares: PairShares, chance: Chance, part: StepPart = { index: 0, count: 1 }): DrawnPairs {
    const { pairs, exactShare, clipShare, personShare, faceWeight, augment } = shares;
    const factor = chance.pick(factors);
    const exact = this.#exact[factor];
    const counts = [exact.length === 0 ? 0 : exactShare, clipShare, personShare].map((share) =>
      Math.round(share * pairs),
    );
    const [exactCount = 0, clipCount = 0, personCount = 0] = counts;
    const inClip = Math.min(pairs, exactCount + clipCount);
    const chosen: ChosenPair[] = [];
    while (chosen.length < exactCount) {
      const number = chance.pick(exact);
      const { a, b } = this.exchanges!.list[number]!;
      chosen.push({ s: a, t: b, kind: 'exact', number });
    }
    while (chosen.length < pairs) {
      const at = chosen.length;
      const kind = at < inClip ? 'clip' : at < inClip + personCount ? 'person' : 'any';
      const [s, t] = this.#pair(kind, chance);
      chosen.push({ s, t, kind, number: -1 });
    }
    const numbers = [...chosen.keys()].filter((i) => i % part.count === part.index);
    const own = numbers.map((i) => chosen[i]!);
    // Of each picture its own, so that replicas change theirs as one alone would.
    const draws = augment ? [...numbers, ...numbers.map((i) => pairs + i)].map((i) => chance.fork(i)) : null;
    const share = (count: (some: readonly ChosenPair[]) => number): number => count(own) / Math.max(1, count(chosen));
    const rows = own.length / pairs;
    const parts = { self: rows, identity: rows, emotion: rows, pose: rows };
    const exactRows = share((some) => knownOf(some, factor).filter(Boolean).length);
    const labelled = share((some) => framesOf(some).filter((frame) => this.#labelled(frame)).length);
    return {
      ...this.#batch(own, factor, faceWeight, draws),
      shares: { ...parts, exact: exactRows, classification: labelled },
    };
  }

  #labelled(frame: number): boolean {
    return expressionNames.includes(this.faces.labels[frame]!.emotion);
  }

  /** Pairs as tensors. Those of exact exchanges come first. */
  #batch(
    chosen: readonly ChosenPair[],
    factor: Factor,
    faceWeight: number,
    draws: readonly Chance[] | null,
  ): PairBatch {
    const { labels, pictures: all } = this.faces;
    const frames = framesOf(chosen);
    const pictures = picturesOf({ pictures: all }, frames);
    const known = knownOf(chosen, factor);
    const numbers = chosen.flatMap(({ kind, number }) => (kind === 'exact' ? number : []));
    const person = (frame: number): number => labels[frame]!.person;
    return {
      factor,
      pictures,
      views: draws === null ? {} : changed(pictures, draws),
      emotions: emotionsOf(this.faces, frames),
      same: chosen.map(({ s, t }) => person(s) === person(t)),
      truth: known.includes(true) ? this.#truth(pictures, numbers, drawnAt(chosen, factor)) : null,
      known,
      weights: faceWeight === 0 ? null : faceWeights(this.faces, frames, faceWeight),
    };
  }

  #pair(kind: 'clip' | 'person' | 'any', chance: Chance): readonly [number, number] {
    if (kind === 'any') return [chance.pick(chance.pick(this.#clips)), chance.pick(chance.pick(this.#clips))];
    if (kind === 'person') {
      const clips = chance.pick(this.#people);
      return [chance.pick(chance.pick(clips)), chance.pick(chance.pick(clips))];
    }
    const clip = chance.pick(this.#clips);
    return [chance.pick(clip), chance.pick(clip)];
  }

  /** The pictures themselves, and in place of rows from `at` on the exchanges. */
  #truth(pictures: Tensor, numbers: readonly number[], at: number): Tensor {
    if (numbers.length === 0) return pictures;
    const drawn = asSeen(ops.indexSelect(this.exchanges!.pictures, 0, rowsOf(numbers)));
    const rest = pictures.shape[0]! - at - numbers.length;
    return ops.cat([pictures.narrow(0, 0, at), drawn, pictures.narrow(0, at + numbers.length, rest)], 0);
  }
}

/** An expression is told by neither light nor place, where a head points not by light. @param draws - of each picture */
function changed(pictures: Tensor, draws: readonly Chance[]): Views {
  const pose = recoloured(pictures, 1, draws);
  return { pose, emotion: displaced(recoloured(pictures, 1, draws), 1, draws) };
}

/** Two frames, and of an exact exchange its number. */
interface ChosenPair {
  readonly s: number;
  readonly t: number;
  readonly kind: 'exact' | 'clip' | 'person' | 'any';
  readonly number: number;
}

/** All S, then all T. */
function framesOf(chosen: readonly ChosenPair[]): number[] {
  return [...chosen.map(({ s }) => s), ...chosen.map(({ t }) => t)];
}

/** Of an exact exchange the person of S is drawn, whose picture comes of T's codes where identities change places. */
function drawnAt(chosen: readonly ChosenPair[], factor: Factor): number {
  return factor === 'identity' ? chosen.length : 0;
}

/** Of which rows the truth of the exchange is known. */
function knownOf(chosen: readonly ChosenPair[], factor: Factor): boolean[] {
  const known = [...chosen, ...chosen].map(() => false);
  for (const [i, { kind }] of chosen.entries()) {
    if (kind === 'exact') known[drawnAt(chosen, factor) + i] = true;
    // Within a clip the identity is the same, and exchanging it changes nothing.
    if (kind === 'clip' && factor === 'identity') known[i] = known[chosen.length + i] = true;
  }
  return known;
}
