/** Pairs of pictures for a step of IRFD. */
import { ops, type Tensor } from '../../torch/index.js';
import type { Chance } from '../training/chance.js';
import type { ExactExchange, ExactExchanges } from './exchanges.js';
import { asSeen, emotionsOf, type Faces, picturesOf, rowsOf } from './faces.js';
import { type Factor, factors } from './irfd.js';
import type { PairBatch } from './losses.js';

export interface PairShares {
  readonly pairs: number;
  readonly exactShare: number;
  readonly clipShare: number;
  readonly personShare: number;
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
  draw({ pairs, exactShare, clipShare, personShare }: PairShares, chance: Chance): PairBatch {
    const factor = chance.pick(factors);
    const { labels, pictures: all } = this.faces;
    const exact = this.#exact[factor];
    const counts = [exact.length === 0 ? 0 : exactShare, clipShare, personShare].map((share) =>
      Math.round(share * pairs),
    );
    const [exactCount = 0, clipCount = 0, personCount = 0] = counts;
    const chosen: (readonly [s: number, t: number])[] = [];
    const numbers: number[] = [];
    while (numbers.length < exactCount) {
      const number = chance.pick(exact);
      const { a, b } = this.exchanges!.list[number]!;
      numbers.push(number);
      chosen.push([a, b]);
    }
    const inClip = exactCount + clipCount;
    while (chosen.length < pairs)
      chosen.push(
        this.#pair(chosen.length < inClip ? 'clip' : chosen.length < inClip + personCount ? 'person' : 'any', chance),
      );
    const frames = [...chosen.map(([s]) => s), ...chosen.map(([, t]) => t)];
    const pictures = picturesOf({ pictures: all }, frames);
    const known = frames.map(() => false);
    // Of an exact exchange the person of S is drawn, whose picture comes of T's codes where identities change places.
    const drawnAt = factor === 'identity' ? pairs : 0;
    for (let i = 0; i < exactCount; i++) known[drawnAt + i] = true;
    // Within a clip the identity is the same, and exchanging it changes nothing.
    if (factor === 'identity')
      for (let i = exactCount; i < Math.min(inClip, pairs); i++) known[i] = known[pairs + i] = true;
    const person = (frame: number): number => labels[frame]!.person;
    return {
      factor,
      pictures,
      emotions: emotionsOf(this.faces, frames),
      same: chosen.map(([s, t]) => person(s) === person(t)),
      truth: known.includes(true) ? this.#truth(pictures, numbers, drawnAt) : null,
      known,
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
