/** The picture as a grid in space: it turns with the head near the face, less and less further away, and follows expressions. */

import { mapInto } from '../../media/map-into.js';
import { op, scope, type Tensor, tensor } from '../../torch/index.js';
import { arkitCount, arkitNames, ictShapes } from '../face/arkit.js';
import { Raster } from '../render/raster.js';
import { extend, type GridValues, limitSlope, roughFill } from './extend.js';
import type { PhotographedHead } from './head.js';
import type { SeenSkin } from './seen.js';
import { blur, distanceTo, quickBlur, smoothstep } from './still/planes.js';

/** Share of the picture's sides by which the grid is larger, for what comes in from beyond its borders. */
const margin = 0.25;

/** Cells between the eyes, and pixels that a cell has at least. */
const [cellsBetweenEyes, leastCell] = [14, 4];

/** cm over which an expression's moves fall by e beyond the face. */
const expressionFade = 2.5;

/**
 * cm in the face's space, up: from where on, downwards, the body follows the head less, and where not at all. Beyond `aside` cm
 * from the middle it begins higher, by so much of a cm for each: a head that tilts moves what is further aside by more.
 */
const [follows, stays] = [-6.5, -18.5];
const [aside, sooner] = [8, 0.7];

/**
 * cm of depth for each cm across, at most. What is steeper would turn its back to the camera when the head turns as far as it
 * can; this much does so at 48 degrees. Noses and cheeks are steeper: the mesh shows them.
 */
const steepest = 0.9;

/** Of a side: how far from a border that cuts the person the picture stretches. */
const pinnedShare = 0.22;

/** In eye distances: how softly it does so along the border. */
const pinnedSoft = 0.35;

/** What a node of the grid sees of the face. */
interface FaceOnGrid {
  /** `[nodes]`: 1 on the front of the face, on the head. */
  readonly face: Uint8Array;
  readonly head: Uint8Array;
  /** cm from the camera, where the face is. */
  readonly away: Float32Array;
  /** `[nodes, 3 * arkitCount]`: what expressions move there. */
  readonly moves: GridValues;
}

export class PictureGrid {
  readonly columns: number;
  readonly rows: number;
  readonly step: number;
  /** `[G, 2]`, pixels: the place of each node in the photograph. */
  readonly sources: Tensor;
  /** `[T, 3]` */
  readonly triangles: Tensor;
  private readonly places: Float32Array;
  /** `[G * 3]`, in the face's space. */
  private readonly points: Tensor;
  /** `[52, G * 3]` */
  private readonly shapes: Tensor;
  /** `[G]`: how far a node follows the head. */
  private readonly follow: Float32Array;
  /** `[G * 2]`: how far a node follows to the right and down, and to the left and up: see {@link pinned}. */
  private readonly inwards: Float32Array;
  private readonly outwards: Float32Array;
  private readonly moved: Tensor;

  /**
   * @param face - `[V * 3]`: the aligned face as photographed
   * @param person - `[H * W]`: how much of each pixel is the person
   */
  constructor(
    private readonly head: PhotographedHead,
    face: Float32Array,
    skin: SeenSkin,
    person: Float32Array,
  ) {
    const { width, height } = head;
    this.step = Math.max(leastCell, Math.round(head.eyes / cellsBetweenEyes));
    const [left, top] = [this.cellsBeyond(width), this.cellsBeyond(height)];
    this.columns = Math.ceil(width / this.step) + 1 + 2 * left;
    this.rows = Math.ceil(height / this.step) + 1 + 2 * top;
    this.places = Float32Array.from({ length: 2 * this.count }, (_, i) =>
      i & 1 ? (Math.floor((i >> 1) / this.columns) - top) * this.step : (((i >> 1) % this.columns) - left) * this.step,
    );
    const seen = this.look(face, skin);
    const away = this.extendDepth(seen);
    const points = this.unproject(away);
    this.follow = Float32Array.from({ length: this.count }, (_, i) => followOf(points[3 * i]!, points[3 * i + 1]!));
    [this.inwards, this.outwards] = this.pinned(person);
    this.sources = tensor(this.places, { shape: [this.count, 2] }).keep();
    this.triangles = tensor(this.corners(), { shape: [2 * (this.columns - 1) * (this.rows - 1), 3] }).keep();
    this.points = tensor(points).keep();
    this.moved = tensor(points).keep();
    this.shapes = tensor(this.extendMoves(seen), { shape: [arkitCount, 3 * this.count] }).keep();
  }

  get count(): number {
    return this.columns * this.rows;
  }

  private cellsBeyond(side: number): number {
    return Math.ceil((margin * side) / this.step);
  }

  /**
   * The nodes as the camera sees them: `[G, 3]`, for `Raster.draw`.
   * @param weights - `[52]`: expressions, less those of the photograph
   */
  project(weights: Float32Array, place: ReturnType<PhotographedHead['place']>): Float32Array {
    const moved = scope(() => {
      op('headrace::blendShapes')(this.points, this.shapes, tensor(weights), this.moved);
      return this.moved.data() as Float32Array;
    });
    const seen = this.head.camera.project(moved, place, moved);
    for (let i = 0; i < this.count; i++)
      for (const c of [0, 1]) {
        const from = this.places[2 * i + c]!;
        const by = (seen[3 * i + c]! - from) * this.follow[i]!;
        seen[3 * i + c] = from + by * (by > 0 ? this.inwards[2 * i + c]! : this.outwards[2 * i + c]!);
      }
    return seen;
  }

  dispose(): void {
    for (const held of [this.sources, this.triangles, this.points, this.shapes, this.moved]) held.dispose();
  }

  private corners(): Int32Array {
    const out: number[] = [];
    for (let y = 0; y + 1 < this.rows; y++)
      for (let x = 0; x + 1 < this.columns; x++) {
        const a = y * this.columns + x;
        out.push(a, a + this.columns, a + 1, a + 1, a + this.columns, a + this.columns + 1);
      }
    return Int32Array.from(out);
  }

  /** What each node sees: the face's front, where the mesh is drawn over it, and the whole head. */
  private look(face: Float32Array, skin: SeenSkin): FaceOnGrid {
    const { model } = this.head;
    const points = this.head.project(face);
    for (let i = 0; i < points.length; i += 3)
      for (const c of [0, 1]) points[i + c] = (points[i + c]! - this.places[c]!) / this.step + 0.5;
    const eyes = [model.trianglesOf('scleraLeft'), model.trianglesOf('scleraRight')] as const;
    const draw = (triangles: Uint32Array): Raster => {
      const raster = new Raster(this.rows, this.columns);
      raster.draw(points, triangles);
      return raster;
    };
    return scope(() => {
      const whole = concatenated([model.trianglesOf('skin'), ...eyes]);
      const front = concatenated([frontTriangles(this.head, skin), ...eyes]);
      using all = draw(whole);
      using full = draw(concatenated([model.trianglesOf('innerFace'), ...eyes]));
      using inner = draw(front);
      const high = tensor(
        face.filter((_, i) => i % 3 === 1),
        { shape: [model.vertexCount, 1] },
      );
      const heights = all.interpolate(high, tensorOf(whole)).data() as Float32Array;
      const drawn = all.triangle.data() as Int32Array;
      const [depth, nearest] = [inner.depth.data() as Float32Array, full.depth.data() as Float32Array];
      const isFront = mapInto(new Uint8Array(depth.length), depth, (near, i) =>
        near > 0 && 1 / near < 1 / nearest[i]! + 0.3 ? 1 : 0,
      );
      const deltas = tensor(expressionDeltas(this.head), { shape: [model.vertexCount, 3 * arkitCount] });
      const moves = inner.interpolate(deltas, tensorOf(front)).data() as Float32Array;
      for (let i = 0; i < isFront.length; i++)
        if (!isFront[i]) moves.fill(0, i * 3 * arkitCount, (i + 1) * 3 * arkitCount);
      return {
        face: isFront,
        head: mapInto(new Uint8Array(drawn.length), drawn, (t, i) =>
          isFront[i] || (t >= 0 && heights[i]! > -8.5) ? 1 : 0,
        ),
        away: mapInto(new Float32Array(depth.length), depth, (near) => (near > 0 ? 1 / near : 0)),
        moves: { columns: this.columns, rows: this.rows, channels: 3 * arkitCount, values: moves },
      };
    });
  }

  /** Distances beyond the face: carried on, and further back away from it, as heads are round. */
  private extendDepth({ face, away }: FaceOnGrid): Float32Array {
    const { columns, rows } = this;
    const grid = { columns, rows, channels: 1, values: Float32Array.from(away) };
    roughFill(grid, face);
    extend(grid, face, 0, 200);
    const beyond = distanceTo(face, columns, rows).map((cells) => (cells * this.step) / this.head.pixelsPerCm);
    const receding = grid.values.map((value, i) => value + 2.5 * (1 - Math.exp(-beyond[i]! / 5)));
    const smooth = blur(receding, columns, rows, Math.max(1, this.head.pixelsPerCm / this.step));
    const values = receding.map((value, i) => value + Math.min(1, beyond[i]! / 2) * (smooth[i]! - value));
    return limitSlope({ columns, rows, channels: 1, values }, (steepest * this.step) / this.head.camera.focal);
  }

  private unproject(away: Float32Array): Float32Array {
    const { camera } = this.head;
    const points = new Float32Array(3 * this.count);
    for (let i = 0; i < this.count; i++) {
      const x = ((this.places[2 * i]! - camera.centre[0]) * away[i]!) / camera.focal;
      const y = ((camera.centre[1] - this.places[2 * i + 1]!) * away[i]!) / camera.focal;
      const point = this.head.toFace(x, y, camera.distance - away[i]!);
      for (let axis = 0; axis < 3; axis++) points[3 * i + axis] = point[axis]! + camera.pivot[axis]!;
    }
    return points;
  }

  /**
   * Where the picture's upper or side borders cut the person, what is next to them does not move inwards, but stretches: what
   * is beyond is not known.
   */
  private pinned(person: Float32Array): [Float32Array, Float32Array] {
    const { width, height, eyes } = this.head;
    const soft = quickBlur(person, width, height, pinnedSoft * eyes);
    const at = (x: number, y: number): number =>
      soft[Math.min(height - 1, Math.max(0, Math.floor(y))) * width + Math.min(width - 1, Math.max(0, Math.floor(x)))]!;
    const hold = (cut: number, away: number, side: number): number => 1 - cut * smoothstep(pinnedShare * side, 0, away);
    const [forwards, backwards] = [new Float32Array(2 * this.count), new Float32Array(2 * this.count).fill(1)];
    for (let i = 0; i < this.count; i++) {
      const [x, y] = [this.places[2 * i]!, this.places[2 * i + 1]!];
      forwards[2 * i] = hold(at(0, y), x, width);
      backwards[2 * i] = hold(at(width, y), width - x, width);
      forwards[2 * i + 1] = hold(at(x, 0), y, height);
    }
    return [forwards, backwards];
  }

  /** `[52 * G * 3]` */
  private extendMoves({ face, moves }: FaceOnGrid): Float32Array {
    const { columns, rows, count } = this;
    const cellCm = this.step / this.head.pixelsPerCm;
    const beyond = distanceTo(face, columns, rows);
    const near = [...face.keys()].filter((i) => !face[i] && beyond[i]! * cellCm < 4 * expressionFade);
    extend(moves, face, (cellCm / expressionFade) ** 2, 40, Uint32Array.from(near));
    const out = new Float32Array(arkitCount * 3 * count);
    for (let i = 0; i < count; i++)
      for (let k = 0; k < arkitCount; k++)
        for (let axis = 0; axis < 3; axis++)
          out[(k * count + i) * 3 + axis] = moves.values[(i * arkitCount + k) * 3 + axis]!;
    return out;
  }
}

function followOf(x: number, y: number): number {
  return smoothstep(stays, follows + sooner * Math.max(0, Math.abs(x) - aside), y);
}

const tensorOf = (triangles: Uint32Array): Tensor =>
  tensor(Int32Array.from(triangles), { shape: [triangles.length / 3, 3] });

export function concatenated(lists: readonly Uint32Array[]): Uint32Array {
  return Uint32Array.from(lists.flatMap((list) => [...list]));
}

/** Of the inner face, those that face the camera and count. */
function frontTriangles({ model }: PhotographedHead, { normals, over }: SeenSkin): Uint32Array {
  const triangles = model.trianglesOf('innerFace');
  const out: number[] = [];
  for (let t = 0; t < triangles.length; t += 3) {
    const corners = triangles.subarray(t, t + 3);
    if (corners.every((v) => normals[3 * v + 2]! > 0.3 && over[v]! > 0.02)) out.push(...corners);
  }
  return Uint32Array.from(out);
}

/** `[V * 3 * 52]`: what each expression moves at weight 1, on the skin. */
function expressionDeltas({ model }: PhotographedHead): Float32Array {
  const out = new Float32Array(model.vertexCount * 3 * arkitCount);
  for (const [k, name] of arkitNames.entries())
    for (const shape of ictShapes[name]) {
      const delta = model.expressionDelta(shape);
      for (let v = 0; v < model.parts.skin.vertices[1]; v++)
        for (let axis = 0; axis < 3; axis++) out[(v * arkitCount + k) * 3 + axis]! += delta[3 * v + axis]!;
    }
  return out;
}
