/** Head pose by fitting a general head to the landmarks. */
import { checkOptions } from '../../torch/options.js';
import { headModel } from './head-model.js';
import { headMoves } from './head-moves.js';
import { tilt } from './landmarks.js';
import { type HeadPose, landmarkCount } from './types.js';

export interface PoseFit {
  readonly pose: HeadPose;
  /** Pixels between the eyes' centres of a face at this distance that looks at the camera. */
  readonly interOcular: number;
  /** Root mean square distance of the landmarks from the fitted head's, weighted, as a share of `interOcular`. */
  readonly error: number;
}

/**
 * Distance of the camera, in distances between the eyes: 65 cm, as before a laptop. What matters is how much nearer the nose is
 * than the ears; from 40 cm to infinity the angles change by a degree or two.
 */
const cameraDistance = 10;

/** Standard deviation of the networks' landmarks, as a share of the distance between the eyes. */
const landmarkNoise = 0.03;

/** How much each point counts: little where people differ or expressions move it. */
const weights = headModel.map(([, , , spread]) => landmarkNoise ** 2 / (landmarkNoise ** 2 + spread ** 2));

/** Rows of a rotation matrix. */
type Matrix = readonly [number, number, number, number, number, number, number, number, number];

interface State {
  readonly rotation: Matrix;
  readonly scale: number;
  readonly x: number;
  readonly y: number;
  /** How far the face has moved each way of `headMoves`; none on a rigid head. */
  readonly moves: readonly number[];
}

const degrees = 180 / Math.PI;

/** Yaw, pitch and roll in degrees to the rotation of the head: Ry(-yaw) Rx(-pitch) Rz(roll). */
export function poseMatrix({ yaw, pitch, roll }: HeadPose): Matrix {
  const [a, b, c] = [-yaw / degrees, -pitch / degrees, roll / degrees];
  const [ca, sa, cb, sb, cc, sc] = [Math.cos(a), Math.sin(a), Math.cos(b), Math.sin(b), Math.cos(c), Math.sin(c)];
  return [
    ca * cc + sa * sb * sc,
    sa * sb * cc - ca * sc,
    sa * cb,
    cb * sc,
    cb * cc,
    -sb,
    ca * sb * sc - sa * cc,
    sa * sc + ca * sb * cc,
    ca * cb,
  ];
}

function poseOf(r: Matrix): HeadPose {
  return {
    yaw: Math.atan2(-r[2], r[8]) * degrees,
    pitch: Math.asin(Math.min(1, Math.max(-1, r[5]))) * degrees,
    roll: Math.atan2(r[3], r[4]) * degrees,
  };
}

function multiply(a: Matrix, b: Matrix): Matrix {
  const product = new Array<number>(9).fill(0);
  for (let i = 0; i < 9; i++) {
    const [row, column] = [Math.floor(i / 3) * 3, i % 3];
    product[i] = a[row]! * b[column]! + a[row + 1]! * b[column + 3]! + a[row + 2]! * b[column + 6]!;
  }
  return product as unknown as Matrix;
}

/** The rotation about the vector (x, y, z) by its length (Rodrigues). */
function rotationAbout(x: number, y: number, z: number): Matrix {
  const angle = Math.hypot(x, y, z);
  if (angle < 1e-12) return [1, 0, 0, 0, 1, 0, 0, 0, 1];
  const [u, v, w, c, s] = [x / angle, y / angle, z / angle, Math.cos(angle), Math.sin(angle)];
  const d = 1 - c;
  return [
    c + u * u * d,
    u * v * d - w * s,
    u * w * d + v * s,
    v * u * d + w * s,
    c + v * v * d,
    v * w * d - u * s,
    w * u * d - v * s,
    w * v * d + u * s,
    c + w * w * d,
  ];
}

/** The head's points as the camera sees them, [x0, y0, ...]: perspective with the camera before the point between the eyes. */
export function projectHead(pose: HeadPose, scale: number, x = 0, y = 0): Float32Array {
  const projected = new Float32Array(2 * landmarkCount);
  const state = { rotation: poseMatrix(pose), scale, x, y, moves: [] };
  for (let i = 0; i < landmarkCount; i++) {
    const [px, py] = project(state, i);
    projected[2 * i] = px;
    projected[2 * i + 1] = py;
  }
  return projected;
}

/** A point of the head in the frame, its turned coordinates, and how much nearer things are larger. */
function project(state: State, i: number): [number, number, number, number, number, number] {
  const { rotation: r, scale, x, y, moves } = state;
  let [mx, my, mz] = headModel[i]!;
  for (const [k, by] of moves.entries()) {
    const move = headMoves[k]!;
    mx += by * move[3 * i]!;
    my += by * move[3 * i + 1]!;
    mz += by * move[3 * i + 2]!;
  }
  const tx = r[0] * mx + r[1] * my + r[2] * mz;
  const ty = r[3] * mx + r[4] * my + r[5] * mz;
  const tz = r[6] * mx + r[7] * my + r[8] * mz;
  const near = 1 / (1 + tz / cameraDistance);
  return [x + scale * tx * near, y + scale * ty * near, tx, ty, tz, near];
}

/** Weighted sum of squared distances, in pixels, and what the face's moves cost. @param price - of a move of one deviation */
function cost(state: State, landmarks: ArrayLike<number>, price: number): number {
  let sum = price * state.moves.reduce((total, move) => total + move * move, 0);
  for (let i = 0; i < landmarkCount; i++) {
    const [px, py] = project(state, i);
    sum += weights[i]! * ((landmarks[2 * i]! - px) ** 2 + (landmarks[2 * i + 1]! - py) ** 2);
  }
  return sum;
}

export interface PoseOptions {
  /** Whether the face may have an expression, which then does not turn the head; a rigid head by default. */
  readonly moving?: boolean;
}

/**
 * Fits the head by damped Gauss-Newton (Levenberg-Marquardt) over its rotation, size and place, from an upright frontal start; and,
 * where the face may move, over six ways in which expressions move the landmarks, as far as they are likely.
 * @param landmarks x and y of the 68 points, in pixels
 * @throws ConfigError for unknown options
 */
export function fitPose(landmarks: ArrayLike<number>, options: PoseOptions = {}): PoseFit {
  checkOptions('fitPose', options, ['moving']);
  const { moving = false } = options;
  let state = start(landmarks, moving ? headMoves.length : 0);
  // Distances weigh as if the landmarks' noise were 1; a move is as likely as its deviation says.
  const price = (landmarkNoise * state.scale) ** 2;
  let error = cost(state, landmarks, price);
  let damping = 1e-3;
  for (let step = 0; step < 30; step++) {
    const { normal, gradient } = equations(state, landmarks, price);
    let [next, lower] = [state, error];
    do {
      next = moved(state, solve(normal, gradient, damping));
      lower = cost(next, landmarks, price);
      damping *= lower < error ? 0.1 : 10;
    } while (!(lower < error) && damping < 1e6);
    if (!(lower < error)) break;
    const done = error - lower < 1e-7 * error;
    [state, error] = [next, lower];
    if (done) break;
  }
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const distances = cost(state, landmarks, 0);
  return { pose: poseOf(state.rotation), interOcular: state.scale, error: Math.sqrt(distances / total) / state.scale };
}

function start(landmarks: ArrayLike<number>, moves: number): State {
  const angle = tilt(landmarks);
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  // The size by the spread of all points: the eyes alone shrink when a face turns.
  let [x, y, mx, my] = [0, 0, 0, 0];
  for (let i = 0; i < landmarkCount; i++) {
    x += landmarks[2 * i]! / landmarkCount;
    y += landmarks[2 * i + 1]! / landmarkCount;
    mx += headModel[i]![0] / landmarkCount;
    my += headModel[i]![1] / landmarkCount;
  }
  let [seen, model] = [0, 0];
  for (let i = 0; i < landmarkCount; i++) {
    seen += (landmarks[2 * i]! - x) ** 2 + (landmarks[2 * i + 1]! - y) ** 2;
    model += (headModel[i]![0] - mx) ** 2 + (headModel[i]![1] - my) ** 2;
  }
  const scale = Math.sqrt(seen / model) || 1;
  return {
    rotation: [cos, -sin, 0, sin, cos, 0, 0, 0, 1],
    scale,
    x: x - scale * (mx * cos - my * sin),
    y: y - scale * (mx * sin + my * cos),
    moves: new Array<number>(moves).fill(0),
  };
}

/** Unknowns: a rotation vector applied after the rotation so far, the logarithm of the size, the place in sizes; then the moves. */
const rigidUnknowns = 6;

function moved({ rotation, scale, x, y, moves }: State, step: readonly number[]): State {
  const [rx, ry, rz, size, dx, dy] = step as [number, number, number, number, number, number];
  return {
    rotation: multiply(rotationAbout(rx, ry, rz), rotation),
    scale: scale * Math.exp(size),
    x: x + scale * dx,
    y: y + scale * dy,
    moves: moves.map((move, k) => move + step[rigidUnknowns + k]!),
  };
}

/** The normal equations of the linearised problem. */
function equations(
  state: State,
  landmarks: ArrayLike<number>,
  price: number,
): { normal: Float64Array; gradient: Float64Array } {
  const { rotation: r, moves } = state;
  const unknowns = rigidUnknowns + moves.length;
  const normal = new Float64Array(unknowns * unknowns);
  const gradient = new Float64Array(unknowns);
  const { scale } = state;
  for (let i = 0; i < landmarkCount; i++) {
    const [px, py, tx, ty, tz, near] = project(state, i);
    const far = near / cameraDistance; // d(near) / dz = -near * far
    const s = scale * near;
    const rows: readonly number[][] = [
      [-s * tx * ty * far, s * (tz + tx * tx * far), -s * ty, px - state.x, scale, 0],
      [-s * (tz + ty * ty * far), s * tx * ty * far, s * tx, py - state.y, 0, scale],
    ];
    for (const k of moves.keys()) {
      const [mx, my, mz] = headMoves[k]!.slice(3 * i, 3 * i + 3) as [number, number, number];
      const [dx, dy, dz] = [0, 3, 6].map((at) => r[at]! * mx + r[at + 1]! * my + r[at + 2]! * mz) as [
        number,
        number,
        number,
      ];
      rows[0]!.push(s * (dx - tx * far * dz));
      rows[1]!.push(s * (dy - ty * far * dz));
    }
    const residuals = [landmarks[2 * i]! - px, landmarks[2 * i + 1]! - py];
    for (const [axis, row] of rows.entries()) {
      for (let a = 0; a < unknowns; a++) {
        const weighted = weights[i]! * row[a]!;
        gradient[a]! += weighted * residuals[axis]!;
        for (let b = 0; b < unknowns; b++) normal[a * unknowns + b]! += weighted * row[b]!;
      }
    }
  }
  for (const [k, move] of moves.entries()) {
    const at = rigidUnknowns + k;
    normal[at * unknowns + at]! += price;
    gradient[at]! -= price * move;
  }
  return { normal, gradient };
}

/** Solves (N + damping * diag N) x = g by Cholesky's factors. */
function solve(normal: Float64Array, gradient: Float64Array, damping: number): number[] {
  const n = gradient.length;
  const lower = new Float64Array(n * n);
  const x = Array.from(gradient);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = normal[i * n + j]! * (i === j ? 1 + damping : 1);
      for (let k = 0; k < j; k++) sum -= lower[i * n + k]! * lower[j * n + k]!;
      lower[i * n + j] = i === j ? Math.sqrt(Math.max(sum, 1e-12)) : sum / lower[j * n + j]!;
    }
  }
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < i; k++) x[i]! -= lower[i * n + k]! * x[k]!;
    x[i]! /= lower[i * n + i]!;
  }
  for (let i = n - 1; i >= 0; i--) {
    for (let k = i + 1; k < n; k++) x[i]! -= lower[k * n + i]! * x[k]!;
    x[i]! /= lower[i * n + i]!;
  }
  return x;
}
