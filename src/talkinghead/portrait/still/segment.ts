/** A person's pixels, at a working size: what lies where, which colours, and where the edges are. */

import type { RgbImage } from '../../../media/frames.js';
import { mapInto } from '../../../media/map-into.js';
import { clarity } from './clarity.js';
import { ColourModel } from './colour-model.js';
import { borderCosts, Cut } from './cut.js';
import { type Figure, facePixels, figureOf, personOdds } from './head-prior.js';
import { pieces } from './pieces.js';
import { blur, distanceTo, resize } from './planes.js';
import { type PicturedHead, planesOf } from './types.js';

export interface Segment {
  readonly width: number;
  readonly height: number;
  /** `[H * W]`: nearly 0 or 1. */
  readonly person: Float32Array;
  /** 0 to 1: how clearly. */
  readonly confidence: number;
}

/** Pixels of the longer side. */
const workingSide = 288;
const rounds = 5;
const components = 6;
/** What a border of one pixel's length costs where no edge is, in logs of odds. */
const stiffness = 3;

export function segment(picture: RgbImage, head: PicturedHead): Segment {
  const scale = Math.min(1, workingSide / Math.max(picture.width, picture.height));
  const width = Math.max(1, Math.round(picture.width * scale));
  const height = Math.max(1, Math.round(picture.height * scale));
  const planes = planesOf(picture).map((plane) =>
    blur(resize(plane, picture.width, picture.height, width, height), width, height, 0.5),
  );
  const figure = figureOf(head);
  const prior = new Float32Array(width * height);
  for (let y = 0, i = 0; y < height; y++)
    for (let x = 0; x < width; x++, i++)
      prior[i] = personOdds(figure, ((x + 0.5) * picture.width) / width, ((y + 0.5) * picture.height) / height);
  const face = facePixels(head, scale, width, height);
  for (let i = 0; i < prior.length; i++) if (face[i]) prior[i] = 12;
  const points = features(planes, width, height, figure, scale);
  let person = prior.map((odds) => 1 / (1 + Math.exp(-odds)));
  const cut = new Cut(borderCosts(planes, width, height, stiffness), width, height, person);
  const sides = new TwoSides(points);
  for (let round = 0; round < rounds; round++) {
    const odds = sides.odds(person, round < 2 ? prior : null);
    const cost = odds.map((value, i) => -(0.7 * Math.min(5, Math.max(-5, value)) + 0.8 * prior[i]!));
    const set = cut.solve(cost, round + 1 < rounds ? 60 : 150);
    // Some of what the colours say beside what was cut: a wrong first cut must not confirm itself.
    person = round + 1 < rounds ? set.map((value, i) => 0.7 * value + 0.3 / (1 + Math.exp(cost[i]!))) : set;
  }
  person = withoutSpecks(person, width, height, face, figure.frame.size * scale);
  const confidence = clarity(planes, person, prior, width, height, figure.frame.size * scale);
  return { width, height, person, confidence };
}

const dimensions = 5;

/** Colours, and places in units in which some eye distances are as much as colours that differ clearly. */
function features(
  planes: readonly Float32Array[],
  width: number,
  height: number,
  { frame }: Figure,
  scale: number,
): Float32Array {
  const points = new Float32Array(dimensions * width * height);
  const unit = 10 / (frame.size * scale);
  for (let y = 0, i = 0; y < height; y++)
    for (let x = 0; x < width; x++, i++)
      points.set([planes[0]![i]!, planes[1]![i]!, planes[2]![i]!, x * unit, y * unit], dimensions * i);
  return points;
}

const floor = [30, 30, 30, 900, 900];

/** The colours and places of a person and of what is behind, learnt again as the two become clearer. */
class TwoSides {
  private readonly every: number;
  private readonly some: Float32Array;
  private own: ColourModel | null = null;
  private behind: ColourModel | null = null;

  constructor(private readonly points: Float32Array) {
    const count = points.length / dimensions;
    this.every = Math.max(1, Math.floor(count / 6000));
    this.some = new Float32Array(dimensions * Math.ceil(count / this.every));
    for (let i = 0, k = 0; i < count; i += this.every, k++)
      this.some.set(points.subarray(dimensions * i, dimensions * (i + 1)), dimensions * k);
  }

  /**
   * log of the odds of person against background.
   * @param person - `[H * W]`, 0 to 1
   * @param prior - where given, both sides are learnt only from where their own is likely by the place alone
   */
  odds(person: Float32Array, prior: Float32Array | null): Float32Array<ArrayBuffer> {
    const count = this.some.length / dimensions;
    const [inside, outside] = [new Float32Array(count), new Float32Array(count)];
    for (let k = 0, i = 0; k < count; k++, i += this.every) {
      if (prior === null || prior[i]! > 0.8) inside[k] = person[i]! ** 2;
      if (prior === null || prior[i]! < -1.2) outside[k] = (1 - person[i]!) ** 2;
    }
    const learnt = (model: ColourModel | null, weights: Float32Array): ColourModel =>
      model === null
        ? ColourModel.fit(this.some, weights, dimensions, components, floor, 8)
        : model.improved(this.some, weights, floor, 4);
    const own = learnt(this.own, inside);
    const behind = learnt(this.behind, outside);
    [this.own, this.behind] = [own, behind];
    return mapInto(
      new Float32Array(person.length),
      person,
      (_, i) => own.logDensity(this.points, i) - behind.logDensity(this.points, i),
    );
  }
}

/**
 * One person: what hangs together with the face, or is nearer to that than a fifth of an eye distance, without holes smaller
 * than a quarter of one.
 */
function withoutSpecks(
  person: Float32Array<ArrayBuffer>,
  width: number,
  height: number,
  face: Uint8Array,
  unit: number,
): Float32Array<ArrayBuffer> {
  const inside = pieces(
    mapInto(new Uint8Array(person.length), person, (value) => (value > 0.5 ? 1 : 0)),
    width,
    height,
  );
  const pieceAt = (i: number): number => inside.piece[i]!;
  const own = new Uint8Array(inside.sizes.length);
  for (let i = 0; i < face.length; i++) if (face[i] && pieceAt(i) >= 0) own[pieceAt(i)] = 1;
  const away = distanceTo(
    mapInto(new Uint8Array(person.length), person, (_, i) => (pieceAt(i) >= 0 ? own[pieceAt(i)]! : 0)),
    width,
    height,
  );
  for (let i = 0; i < face.length; i++) if (pieceAt(i) >= 0 && away[i]! < 0.2 * unit) own[pieceAt(i)] = 1;
  const kept = person.map((value, i) => (pieceAt(i) >= 0 && !own[pieceAt(i)] ? 0 : value));
  const smallest = (0.25 * unit) ** 2;
  const outside = pieces(
    mapInto(new Uint8Array(kept.length), kept, (value) => (value > 0.5 ? 0 : 1)),
    width,
    height,
  );
  return kept.map((value, i) => (outside.piece[i]! >= 0 && outside.sizes[outside.piece[i]!]! < smallest ? 1 : value));
}
