/** A camera before a head: from the face's space to a picture. */

import { misfit } from '../../torch/expect.js';
import { ConfigError, checkOptions, ShapeError } from '../../torch/index.js';
import { checkFinite, checkTuple, checkWhole } from './checks.js';

/**
 * How a head is turned, in degrees and as the viewer sees it: `yaw` > 0 to the viewer's right, `pitch` > 0 up, `roll` > 0
 * clockwise. It is rolled first, then pitched, then turned, as in `MotionTrack`. What is left out is 0.
 */
export interface HeadTurn {
  readonly yaw?: number;
  readonly pitch?: number;
  readonly roll?: number;
}

/** Where a head is. */
export interface HeadPlace {
  readonly pose?: HeadTurn;
  /** cm: to the viewer's right, up, towards the viewer. */
  readonly position?: readonly [number, number, number];
}

export interface CameraOptions {
  /** Pixels. */
  readonly width: number;
  readonly height: number;
  /** cm from the camera to the head's pivot, where its position is 0; 80 by default. */
  readonly distance?: number;
  /** Degrees from the picture's upper to its lower border, as the camera sees them. Either this or `pixelsPerCm`. */
  readonly fieldOfView?: number;
  /** How large 1 cm is at the pivot's distance. */
  readonly pixelsPerCm?: number;
  /** The pixel in which the camera looks straight ahead, where the pivot is seen; by default the picture's middle. */
  readonly centre?: readonly [x: number, y: number];
  /** The point of the face's space, in cm, about which the head turns; (0, 0, 0) by default. */
  readonly pivot?: readonly [number, number, number];
}

const optionNames = ['width', 'height', 'distance', 'fieldOfView', 'pixelsPerCm', 'centre', 'pivot'] as const;

/** cm from the camera: what is not further away is behind it or too near to be seen. */
const nearest = 0.1;

/** Rows of a rotation. */
export type Matrix = readonly [number, number, number, number, number, number, number, number, number];

/**
 * A pinhole camera at a head: the face's space (cm; +x the viewer's right, +y up, +z towards the viewer) to pixels, y down.
 * (0, 0) is the upper left corner of the first pixel.
 */
export class Camera {
  readonly width: number;
  readonly height: number;
  readonly distance: number;
  readonly centre: readonly [x: number, y: number];
  readonly pivot: readonly [number, number, number];
  /** The focal length, in pixels: something of 1 cm that is 1 cm away would be as large. */
  readonly focal: number;

  /** @throws ConfigError */
  constructor(options: CameraOptions) {
    const where = 'Camera';
    checkOptions(where, options, optionNames);
    const { width, height, distance = 80, fieldOfView, pixelsPerCm } = options;
    this.width = checkWhole(where, 'width', width, 1, 32768);
    this.height = checkWhole(where, 'height', height, 1, 32768);
    this.distance = checkFinite(where, 'distance', distance, nearest);
    this.centre = [...checkTuple(where, 'centre', options.centre ?? [width / 2, height / 2], 2)] as [number, number];
    this.pivot = [...checkTuple(where, 'pivot', options.pivot ?? [0, 0, 0], 3)] as [number, number, number];
    if ((fieldOfView === undefined) === (pixelsPerCm === undefined))
      throw new ConfigError('Camera: expected either fieldOfView, in degrees, or pixelsPerCm, got both or none');
    if (pixelsPerCm !== undefined) this.focal = checkFinite(where, 'pixelsPerCm', pixelsPerCm, 0) * distance;
    else this.focal = height / 2 / Math.tan((checkAngle(where, fieldOfView as number) * Math.PI) / 360);
  }

  /**
   * Points of the face's space `[V * 3]` to what {@link Raster.draw} takes: x and y in pixels, and 1 / distance along the
   * camera's axis, in 1 / cm, of which the larger is the nearer. A point that is not before the camera becomes NaN.
   * @param into - to write to, which may be `points` itself; by default a new array
   * @throws ConfigError, ShapeError
   */
  project(
    points: Float32Array,
    place: HeadPlace = {},
    into: Float32Array = new Float32Array(points.length),
  ): Float32Array {
    const where = 'Camera.project';
    checkOptions(where, place, ['pose', 'position']);
    const [px, py, pz] = checkTuple(where, 'position', place.position ?? [0, 0, 0], 3) as [number, number, number];
    const r = rotation(where, place.pose);
    checkPoints(where, points, into);
    const [ox, oy, oz] = this.pivot;
    const [cx, cy] = this.centre;
    for (let i = 0; i < points.length; i += 3) {
      const x = points[i]! - ox;
      const y = points[i + 1]! - oy;
      const z = points[i + 2]! - oz;
      const away = this.distance - pz - (r[6] * x + r[7] * y + r[8] * z);
      const near = away > nearest ? 1 / away : Number.NaN;
      into[i] = cx + this.focal * near * (px + r[0] * x + r[1] * y + r[2] * z);
      into[i + 1] = cy - this.focal * near * (py + r[3] * x + r[4] * y + r[5] * z);
      into[i + 2] = near;
    }
    return into;
  }

  /** Directions of the face's space, such as normals, `[V * 3]`: turned with the head. @throws ConfigError, ShapeError */
  turn(
    directions: Float32Array,
    pose: HeadTurn,
    into: Float32Array = new Float32Array(directions.length),
  ): Float32Array {
    const where = 'Camera.turn';
    const r = rotation(where, pose);
    checkPoints(where, directions, into);
    for (let i = 0; i < directions.length; i += 3) {
      const [x, y, z] = [directions[i]!, directions[i + 1]!, directions[i + 2]!];
      into[i] = r[0] * x + r[1] * y + r[2] * z;
      into[i + 1] = r[3] * x + r[4] * y + r[5] * z;
      into[i + 2] = r[6] * x + r[7] * y + r[8] * z;
    }
    return into;
  }
}

function checkAngle(where: string, degrees: number): number {
  if (checkFinite(where, 'fieldOfView', degrees, 0) < 180) return degrees;
  throw misfit(where, 'fieldOfView to be below 180 degrees', degrees);
}

function checkPoints(where: string, points: Float32Array, into: Float32Array): void {
  if (!(points instanceof Float32Array)) throw misfit(where, 'three numbers a vertex in a Float32Array', points);
  if (!(into instanceof Float32Array)) throw misfit(where, 'a Float32Array for into', into);
  if (points.length % 3 !== 0)
    throw new ShapeError(`${where}: expected three numbers a vertex, got ${points.length} numbers`);
  if (into.length !== points.length)
    throw new ShapeError(`${where}: expected into of ${points.length} numbers, got ${into.length}`);
}

/** The head's turn: about the vertical by yaw, after about the horizontal by pitch, after about its nose by roll. */
export function rotation(where: string, pose: HeadTurn = {}): Matrix {
  checkOptions(`the pose of ${where}`, pose, ['yaw', 'pitch', 'roll']);
  const radians = (name: keyof HeadTurn): number => (checkFinite(where, name, pose[name] ?? 0) * Math.PI) / 180;
  const [a, b, c] = [radians('yaw'), radians('pitch'), radians('roll')];
  const [ca, sa, cb, sb, cc, sc] = [Math.cos(a), Math.sin(a), Math.cos(b), Math.sin(b), Math.cos(c), Math.sin(c)];
  return [
    ca * cc + sa * sb * sc,
    ca * sc - sa * sb * cc,
    sa * cb,
    -cb * sc,
    cb * cc,
    sb,
    ca * sb * sc - sa * cc,
    -sa * sc - ca * sb * cc,
    ca * cb,
  ];
}
