/** One photograph's part of a fit: its unknowns, and how its landmarks depend on them. */
import { fitPose, landmarkCount } from '../../media/index.js';
import type { ArkitName } from '../face/arkit.js';
import { Camera, type HeadTurn, rotation } from '../render/camera.js';
import { type Contour, contourCount } from './contour.js';
import { cameraDistance, type FitRig, fittedNames, fittedPlaces, headPivot } from './rig.js';

/** What is known of a photograph. */
export interface View {
  /** `[136]`, pixels, moved to where the model has them. */
  readonly landmarks: Float32Array;
  readonly width: number;
  readonly height: number;
  /** Pixels between the eyes' middles. */
  readonly eyes: number;
  /** What a rigid head's fit says of the pitch: landmarks alone hardly tell it from a long or short nose. */
  readonly pitch: number;
  /** How far the pitch may be from that: degrees. */
  readonly pitchSigma: number;
  /** `[52]`: weights that are known beforehand, such as where the eyes look; the fitted ones are 0 here. */
  readonly known: Float32Array;
  /** `[52]`: weights that the fitted ones are likely to be near. */
  readonly likely: Float32Array;
  /** How far weights may be from the likely ones, over what is usual: below 1 where the face is known to be at rest. */
  readonly liveliness: number;
}

/** Yaw, pitch and roll in degrees, pixels for 1 cm, and the pixel of the pivot; the weights follow. */
export const placeCount = 6;
export const viewUnknowns: number = placeCount + fittedPlaces.length;

/** The unknowns of a view: place, then weights in the order of `fittedNames`. */
export type ViewState = Float64Array;

/** Standard deviations in % of the eyes' distance, of the detector and of what the model cannot follow. */
const sigma = { eyes: 1.5, lips: 1.5, nose: 2, brows: 3, across: 4, along: 15 } as const;

/**
 * How far weights spread from the likely ones. Where several would do (an open jaw with the lips rolled in looks like a closed
 * one), those are preferred that move most by themselves.
 */
const weightSigma = 0.5;
const weightSigmas: Partial<Record<ArkitName, number>> = {
  jawOpen: 0.8,
  mouthClose: 0.15,
  mouthRollLower: 0.15,
  mouthRollUpper: 0.15,
  mouthFunnel: 0.25,
  mouthFrownLeft: 0.25,
  mouthFrownRight: 0.25,
};
const sigmas = fittedNames.map((name) => weightSigmas[name] ?? weightSigma);

export function sigmaOf(landmark: number): number {
  if (landmark < 27) return sigma.brows;
  if (landmark < 36) return sigma.nose;
  return landmark < 48 ? sigma.eyes : sigma.lips;
}

/** Distance between the middles of the two eyes. */
export function eyeDistanceOf(landmarks: ArrayLike<number>): number {
  let [dx, dy] = [0, 0];
  for (let i = 36; i < 42; i++) {
    dx += (landmarks[2 * i + 12]! - landmarks[2 * i]!) / 6;
    dy += (landmarks[2 * i + 13]! - landmarks[2 * i + 1]!) / 6;
  }
  return Math.hypot(dx, dy);
}

/** The place that a rigid head of mean shape has. */
export function firstState(rig: FitRig, view: View): ViewState {
  const { pose, interOcular } = fitPose(view.landmarks);
  const state = new Float64Array(viewUnknowns);
  state.set([pose.yaw, pose.pitch, pose.roll, interOcular / modelEyes(rig), 0, 0]);
  const seen = cameraOf(view, state).project(landmarkPoints(rig), { pose });
  for (let axis = 0; axis < 2; axis++) {
    let off = 0;
    for (let i = 27; i < landmarkCount; i++) off += view.landmarks[2 * i + axis]! - seen[3 * i + axis]!;
    state[4 + axis] = off / (landmarkCount - 27);
  }
  return state;
}

function landmarkPoints({ model }: FitRig): Float32Array {
  return Float32Array.from({ length: 3 * landmarkCount }, (_, i) => {
    return model.vertices[3 * model.landmarks[Math.floor(i / 3)]! + (i % 3)]!;
  });
}

/** cm between the eyes' middles of the mean face. */
function modelEyes(rig: FitRig): number {
  const points = landmarkPoints(rig);
  return eyeDistanceOf(Float32Array.from({ length: 2 * landmarkCount }, (_, i) => points[3 * (i >> 1) + (i & 1)]!));
}

export function cameraOf({ width, height }: View, state: ViewState): Camera {
  return new Camera({
    width,
    height,
    distance: cameraDistance,
    pixelsPerCm: state[3]!,
    centre: [state[4]!, state[5]!],
    pivot: headPivot,
  });
}

export function poseOf(state: ViewState): Required<HeadTurn> {
  return { yaw: state[0]!, pitch: state[1]!, roll: state[2]! };
}

/** All 52 weights of a view. */
export function weightsOf(view: View, state: ViewState): Float32Array {
  const weights = Float32Array.from(view.known);
  for (const [k, place] of fittedPlaces.entries()) weights[place] = state[placeCount + k]!;
  return weights;
}

/** The shapes at the 68 vertices that landmarks lie on: `[shapes, 68, 3]`, the people's first, and the points at rest. */
export interface LandmarkShapes {
  readonly rest: Float64Array;
  readonly deltas: Float64Array;
  readonly people: number;
  readonly count: number;
}

/**
 * @param base - the face where all unknown coefficients are 0
 * @param people - how many coefficients of the person are unknown
 */
export function landmarkShapes(rig: FitRig, vertices: Uint32Array, base: Float32Array, people: number): LandmarkShapes {
  const count = people + rig.expressions.length;
  const deltas = new Float64Array(count * 3 * landmarkCount);
  const rest = new Float64Array(3 * landmarkCount);
  for (const [i, v] of vertices.entries()) {
    rest.set(base.subarray(3 * v, 3 * v + 3), 3 * i);
    for (let k = 0; k < count; k++) {
      const shape = k < people ? rig.shape('identity', k, v) : rig.shape('expression', k - people, v);
      deltas.set(shape, 3 * (k * landmarkCount + i));
    }
  }
  return { rest, deltas, people, count };
}

/** The landmarks' points in the face's space. */
export function pointsOf(shapes: LandmarkShapes, identity: Float64Array, state: ViewState): Float64Array {
  const points = shapes.rest.slice();
  const width = points.length;
  for (let k = 0; k < shapes.count; k++) {
    const weight = k < shapes.people ? identity[k]! : state[placeCount + k - shapes.people]!;
    if (weight !== 0) for (let i = 0; i < width; i++) points[i]! += weight * shapes.deltas[k * width + i]!;
  }
  return points;
}

/** The landmarks as the view's camera sees them: `[136]`, pixels. */
export function projected(points: Float64Array, state: ViewState): Float64Array {
  const r = rotation('fit', poseOf(state));
  const seen = new Float64Array(2 * landmarkCount);
  for (let i = 0; i < landmarkCount; i++) {
    const { x, y } = seenFrom(r, points, i, state);
    seen[2 * i] = x;
    seen[2 * i + 1] = y;
  }
  return seen;
}

interface Seen {
  readonly x: number;
  readonly y: number;
  /** In the camera's space, from the pivot. */
  readonly turned: readonly [number, number, number];
  /** Pixels for 1 cm there. */
  readonly size: number;
}

function seenFrom(r: ArrayLike<number>, points: Float64Array, i: number, state: ViewState): Seen {
  const [x, y, z] = [0, 1, 2].map((axis) => points[3 * i + axis]! - headPivot[axis]!) as [number, number, number];
  const turned = [0, 3, 6].map((row) => r[row]! * x + r[row + 1]! * y + r[row + 2]! * z) as [number, number, number];
  const size = (state[3]! * cameraDistance) / (cameraDistance - turned[2]);
  return { x: state[4]! + size * turned[0], y: state[5]! - size * turned[1], turned, size };
}

/** Normal equations of a view: of its people's coefficients first, then of its own unknowns. */
export interface ViewEquations {
  readonly normal: Float64Array;
  readonly gradient: Float64Array;
}

/**
 * The linearised problem at a state: how the weighted squares of the landmarks' errors change, with the priors on pitch and
 * weights; that on the person is not in it.
 */
export function viewEquations(
  view: View,
  shapes: LandmarkShapes,
  contour: Contour,
  identity: Float64Array,
  state: ViewState,
): ViewEquations {
  const n = shapes.people + viewUnknowns;
  const normal = new Float64Array(n * n);
  const gradient = new Float64Array(n);
  const points = pointsOf(shapes, identity, state);
  const r = rotation('fit', poseOf(state));
  const turns = [0, 1, 2].map((axis) => turnSlope(state, axis));
  const rows: [Float64Array, Float64Array] = [new Float64Array(n), new Float64Array(n)];
  const unit = 100 / view.eyes;
  for (let i = 0; i < landmarkCount; i++) {
    const seen = seenFrom(r, points, i, state);
    slopes(seen, r, turns, points, i, shapes, state, rows);
    const off = [seen.x - view.landmarks[2 * i]!, seen.y - view.landmarks[2 * i + 1]!] as const;
    for (const [x, y, s] of directions(i, contour)) {
      const factor = unit / s;
      addRow(normal, gradient, rows, x * factor, y * factor, (x * off[0] + y * off[1]) * factor);
    }
  }
  addPriors(normal, gradient, view, state, shapes.people);
  return { normal, gradient };
}

/** Along which directions of the picture a landmark's error counts, and how far it may be off there. */
function directions(i: number, contour: Contour): readonly (readonly [x: number, y: number, sigma: number])[] {
  if (i >= contourCount) {
    const s = sigmaOf(i);
    return [
      [1, 0, s],
      [0, 1, s],
    ];
  }
  const [x, y] = [contour.normals[2 * i]!, contour.normals[2 * i + 1]!];
  return [
    [x, y, sigma.across],
    [-y, x, sigma.along],
  ];
}

/** How the rotation changes with an angle, for a degree. */
function turnSlope(state: ViewState, axis: number): Float64Array {
  const step = 1e-3;
  const [more, less] = [step, -step].map((by) => {
    const moved = state.slice();
    moved[axis]! += by;
    return rotation('fit', poseOf(moved));
  });
  return Float64Array.from({ length: 9 }, (_, i) => (more![i]! - less![i]!) / (2 * step));
}

/** How a landmark's x and y in the picture change with each unknown. */
function slopes(
  { x, y, turned, size }: Seen,
  r: ArrayLike<number>,
  turns: readonly Float64Array[],
  points: Float64Array,
  i: number,
  shapes: LandmarkShapes,
  state: ViewState,
  [rowX, rowY]: readonly [Float64Array, Float64Array],
): void {
  const away = cameraDistance - turned[2];
  const move = (at: number, dx: number, dy: number, dz: number): void => {
    rowX[at] = size * (dx + (turned[0] * dz) / away);
    rowY[at] = -size * (dy + (turned[1] * dz) / away);
  };
  for (let k = 0; k < shapes.count; k++) {
    const from = 3 * (k * landmarkCount + i);
    const [a, b, c] = [shapes.deltas[from]!, shapes.deltas[from + 1]!, shapes.deltas[from + 2]!];
    const at = k < shapes.people ? k : k + placeCount;
    move(at, r[0]! * a + r[1]! * b + r[2]! * c, r[3]! * a + r[4]! * b + r[5]! * c, r[6]! * a + r[7]! * b + r[8]! * c);
  }
  const [a, b, c] = [0, 1, 2].map((axis) => points[3 * i + axis]! - headPivot[axis]!) as [number, number, number];
  for (const [axis, t] of turns.entries()) {
    const at = shapes.people + axis;
    move(at, t[0]! * a + t[1]! * b + t[2]! * c, t[3]! * a + t[4]! * b + t[5]! * c, t[6]! * a + t[7]! * b + t[8]! * c);
  }
  const at = shapes.people + 3;
  rowX[at] = (x - state[4]!) / state[3]!;
  rowY[at] = (y - state[5]!) / state[3]!;
  rowX[at + 1] = rowY[at + 2] = 1;
  rowX[at + 2] = rowY[at + 1] = 0;
}

function addRow(
  normal: Float64Array,
  gradient: Float64Array,
  [rowX, rowY]: readonly [Float64Array, Float64Array],
  x: number,
  y: number,
  error: number,
): void {
  const n = gradient.length;
  const row = Float64Array.from({ length: n }, (_, k) => x * rowX[k]! + y * rowY[k]!);
  for (let a = 0; a < n; a++) {
    const value = row[a]!;
    if (value === 0) continue;
    gradient[a]! += value * error;
    for (let b = 0; b <= a; b++) normal[a * n + b]! += value * row[b]!;
  }
}

function addPriors(normal: Float64Array, gradient: Float64Array, view: View, state: ViewState, people: number): void {
  const n = gradient.length;
  const prior = (at: number, off: number, s: number): void => {
    normal[at * n + at]! += 1 / s ** 2;
    gradient[at]! += off / s ** 2;
  };
  prior(people + 1, state[1]! - view.pitch, view.pitchSigma);
  for (let k = placeCount; k < viewUnknowns; k++) {
    const likely = view.likely[fittedPlaces[k - placeCount]!]!;
    prior(people + k, state[k]! - likely, view.liveliness * sigmas[k - placeCount]!);
  }
}
