/** Eyelids: how far they close, and the pictures that closed lids and turned eyes show. */
import type { RgbImage } from '../../media/index.js';
import { arkitIndex } from '../face/arkit.js';
import type { PhotographedHead } from './head.js';
import { closedEyes } from './still/closed-eyes.js';
import { distanceTo, fillPolygon, smoothstep, valueAt } from './still/planes.js';

/** cm by which the upper lid goes past the lower one when an eye is shut. */
const overlap = 0.09;

/** In eye distances from the open eye: how far the picture of closed eyes counts, beside the lids that move. */
const [lidWhole, lidTo] = [0.02, 0.06];

/**
 * As far once eyes are as good as shut: past all that the picture has without lashes, liner and crease, which would stay behind as
 * lines beside closed lids, as would the white of an eye that is larger than was fitted.
 */
const [aroundWhole, aroundTo] = [0.14, 0.2];

/** The landmarks of an eye lie within its border: how much wider and higher the open eye is. */
const [wider, higher] = [1.15, 1.5];

/** Landmarks: of the corners and the upper lid, and of points of the upper and the lower lid above one another. */
const sides = {
  Right: { margin: [36, 37, 38, 39], pairs: [[37, 41], [38, 40]], outline: 36 }, // biome-ignore format: a table
  Left: { margin: [42, 43, 44, 45], pairs: [[43, 47], [44, 46]], outline: 42 }, // biome-ignore format: a table
} as const;

type Side = keyof typeof sides;

interface Blink {
  /** The place of its weight among the 52, and what that is in the photograph. */
  readonly place: number;
  readonly rest: number;
  readonly vertices: Uint32Array;
  /** cm at weight 1, three for each of `vertices`. */
  readonly moves: Float32Array;
  /** Upper and lower vertices, and how much nearer they come at weight 1, cm. */
  readonly pairs: readonly (readonly [upper: number, lower: number, closes: number])[];
}

export class Lids {
  /** `[V * 2]`, pixels: where each vertex is seen once the lids are shut. */
  readonly closedPlaces: Float32Array;
  /** `[V]`: how much of a vertex is lid, which comes down; and how much lies around, with lashes, liner and crease. */
  readonly lid: Float32Array;
  readonly around: Float32Array;
  /** The photograph with its eyes closed. */
  readonly closed: RgbImage;
  private readonly blinks: readonly Blink[];

  /** @param face - `[V * 3]`: the aligned face as photographed */
  constructor(head: PhotographedHead, picture: RgbImage, face: Float32Array) {
    const { model } = head;
    this.blinks = (['Right', 'Left'] as const).map((side) => blinkOf(head, side));
    const shut = Float32Array.from(face);
    this.close(shut, [1, 1]);
    const seen = head.project(shut);
    this.closedPlaces = Float32Array.from({ length: 2 * model.vertexCount }, (_, i) => seen[3 * (i >> 1) + (i & 1)]!);
    const open = new Uint8Array(head.width * head.height);
    for (const side of ['Right', 'Left'] as const)
      fillPolygon(open, head.width, head.height, grown(outlineOf(head, side)));
    const away = distanceTo(open, head.width, head.height);
    this.lid = new Float32Array(model.vertexCount);
    this.around = new Float32Array(model.vertexCount);
    for (let v = 0; v < model.parts.innerFace.vertices[1]; v++) {
      const down = face[3 * v + 1]! - shut[3 * v + 1]!;
      const pixels = valueAt(away, head.width, head.height, seen[3 * v]!, seen[3 * v + 1]!) / head.eyes;
      this.lid[v] = Math.max(smoothstep(0.05, 0.27, down), smoothstep(lidTo, lidWhole, pixels));
      this.around[v] = smoothstep(aroundTo, aroundWhole, pixels);
    }
    const eyes = (['Right', 'Left'] as const).map((side) => ({
      opening: grown(outlineOf(head, side)),
      margin: curve(
        sides[side].margin.map((k) => [seen[3 * model.landmarks[k]!]!, seen[3 * model.landmarks[k]! + 1]!]),
      ),
    }));
    this.closed = closedEyes(picture, eyes, head.eyes);
  }

  /** How far a vertex takes its colour from {@link closed} when its eye is closed by a share. */
  closedShare(v: number, share: number): number {
    return Math.max(this.lid[v]! * Math.min(1, share / 0.5), this.around[v]! * smoothstep(0.5, 0.9, share));
  }

  /** The weights with lids as photographed, which `close` then closes further; and by how much: 0 not, 1 shut. */
  split(weights: ArrayLike<number>): { weights: Float32Array; shares: readonly number[] } {
    const out = Float32Array.from(weights);
    const shares = this.blinks.map(({ place, rest }) => {
      const share = (out[place]! - rest) / Math.max(1 - rest, 0.1);
      if (share > 0) out[place] = rest;
      return Math.min(1, Math.max(0, share));
    });
    return { weights: out, shares };
  }

  /**
   * Closes the lids of a face, in place, wherever they are: 1 until they meet, whatever else moves them.
   * @param shares - of the eye at the viewer's left, and of the other
   * @returns the weights of the two blinks that did it
   */
  close(face: Float32Array, shares: readonly number[]): number[] {
    return this.blinks.map(({ vertices, moves, pairs }, i) => {
      let weight = 0;
      for (const [upper, lower, closes] of pairs)
        weight += (Math.max(0, face[3 * upper + 1]! - face[3 * lower + 1]!) + overlap) / closes / pairs.length;
      weight = shares[i]! * Math.min(1.6, weight);
      if (weight > 0)
        for (let k = 0; k < vertices.length; k++)
          for (let axis = 0; axis < 3; axis++) face[3 * vertices[k]! + axis]! += weight * moves[3 * k + axis]!;
      return weight;
    });
  }

  /** Adds the weights that `close` gave to the 52. */
  addTo(weights: Float32Array, blinks: readonly number[]): void {
    for (const [i, { place }] of this.blinks.entries()) weights[place]! += blinks[i]!;
  }
}

const outlineOf = ({ fit }: PhotographedHead, side: Side): Float32Array =>
  fit.landmarks.subarray(2 * sides[side].outline, 2 * sides[side].outline + 12);

/** An eye's outline, drawn out from its middle along the eye and across it. */
function grown(outline: Float32Array): Float32Array {
  const [dx, dy] = [outline[6]! - outline[0]!, outline[7]! - outline[1]!];
  const length = Math.hypot(dx, dy) || 1;
  const [ux, uy] = [dx / length, dy / length];
  const middle = (c: number): number => [0, 1, 2, 3, 4, 5].reduce((sum, k) => sum + outline[2 * k + c]! / 6, 0);
  const [mx, my] = [middle(0), middle(1)];
  const out = new Float32Array(12);
  for (let k = 0; k < 6; k++) {
    const [x, y] = [outline[2 * k]! - mx, outline[2 * k + 1]! - my];
    const [along, across] = [wider * (x * ux + y * uy), higher * (y * ux - x * uy)];
    out.set([mx + along * ux - across * uy, my + along * uy + across * ux], 2 * k);
  }
  return out;
}

/** A smooth line near four points: Bézier's cubic through the first and the last. */
function curve(points: readonly (readonly number[])[]): Float32Array {
  const [a, b, c, d] = points as [number[], number[], number[], number[]];
  const steps = 16;
  const out = new Float32Array(2 * (steps + 1));
  for (let i = 0; i <= steps; i++) {
    const t = i / steps;
    const u = 1 - t;
    for (const axis of [0, 1]) {
      // The control points by which the curve passes the two inner ones at a third and two thirds of its way.
      const p = (-5 * a[axis]! + 18 * b[axis]! - 9 * c[axis]! + 2 * d[axis]!) / 6;
      const q = (2 * a[axis]! - 9 * b[axis]! + 18 * c[axis]! - 5 * d[axis]!) / 6;
      out[2 * i + axis] = u ** 3 * a[axis]! + 3 * u * u * t * p + 3 * u * t * t * q + t ** 3 * d[axis]!;
    }
  }
  return out;
}

function blinkOf({ model, fit }: PhotographedHead, side: Side): Blink {
  const delta = model.expressionDelta(side === 'Left' ? 'eyeBlink_L' : 'eyeBlink_R');
  const vertices: number[] = [];
  for (let v = 0; v < model.vertexCount; v++)
    if (delta[3 * v] !== 0 || delta[3 * v + 1] !== 0 || delta[3 * v + 2] !== 0) vertices.push(v);
  const place = arkitIndex(`eyeBlink${side}`);
  return {
    place,
    rest: fit.weights[place]!,
    vertices: Uint32Array.from(vertices),
    moves: Float32Array.from(vertices.flatMap((v) => [delta[3 * v]!, delta[3 * v + 1]!, delta[3 * v + 2]!])),
    pairs: sides[side].pairs.map(([up, low]) => {
      const [upper, lower] = [model.landmarks[up]!, model.landmarks[low]!];
      return [upper, lower, delta[3 * lower + 1]! - delta[3 * upper + 1]!] as const;
    }),
  };
}
