/** Where a head points over time: what is written as `yaw=-15..15,pitch=0`. */
import { ConfigError, nearest } from '../../torch/index.js';
import { type CurvePoint, through } from './curves.js';
import { cut, numberFrom, type Piece, pieceOf, secondsFrom, split, wrong } from './plan-text.js';

export const poseAxes = ['yaw', 'pitch', 'roll', 'x', 'y', 'z'] as const;

/** Yaw, pitch and roll in degrees; x, y and z in cm, to the viewer's right, up, towards the viewer. */
export type PoseAxis = (typeof poseAxes)[number];

export const isTurn = (axis: PoseAxis): axis is 'yaw' | 'pitch' | 'roll' => poseAxes.indexOf(axis) < 3;

/** What one axis does: goes through points, or to and fro between two values. */
export type AxisMotion =
  | { readonly kind: 'points'; readonly points: readonly CurvePoint[] }
  | { readonly kind: 'sweep'; readonly from: number; readonly to: number; readonly period: number };

export interface PosePlan {
  /** How much of idle sway, breathing and nods there is: 0 to 3. */
  readonly idle: number;
  /** True where angles count from the camera, not from the photograph's own pose. */
  readonly absolute: boolean;
  readonly motions: Readonly<Partial<Record<PoseAxis, AxisMotion>>>;
}

/** Seconds to and fro. */
const usualPeriod = 6;
/** Beyond these nothing of a face is left to see. */
const limits: Readonly<Record<PoseAxis, number>> = { yaw: 90, pitch: 90, roll: 180, x: 50, y: 50, z: 50 };

/**
 * Reads where a head points over time.
 *
 * `idle` sways, breathes and nods as people do, `idle:0.5` half as much; `still` holds the photograph's pose. Or, divided by
 * commas, what each axis does, `AXIS=MOTION`: a number; a range that is swept to and fro, `-15..15`, in 6 seconds, or in 4,
 * `-15..15/4`; points in time, `yaw=0@0,20@1.5,0@3`, smoothly joined and held at both ends. `idle` may be added to these, and
 * `absolute`, by which angles count from the camera instead of from the photograph's own pose.
 *
 * @throws ConfigError that shows the place
 */
export function parsePose(text: string): PosePlan {
  if (typeof text !== 'string') throw new ConfigError(`parsePose: expected a text such as 'idle', got ${typeof text}`);
  const motions: Partial<Record<PoseAxis, AxisMotion>> = {};
  let [idle, absolute, still] = [0, false, false];
  let axis: PoseAxis | null = null;
  const pieces = split(pieceOf(text), ',');
  for (const piece of pieces) {
    const [word, motion] = cut(piece, '=');
    if (motion !== null) {
      axis = axisFrom(word);
      if (motions[axis]) throw wrong(word, 'each axis once', `Points of one axis follow it: ${axis}=0@0,10@1.`);
      motions[axis] = motionFrom(motion, axis);
    } else if (/^[+\-.\d]/.test(piece.text)) {
      if (axis === null) throw wrong(piece, 'an axis before the first point', 'Write it so: yaw=0@0,20@1.5.');
      motions[axis] = withPoint(motions[axis]!, piece, axis);
    } else {
      const [name, amount] = cut(piece, ':');
      if (name.text === 'idle') idle = amount === null ? 1 : numberFrom(amount, 'how much of idle', 0, 3);
      else if (piece.text === 'absolute') absolute = true;
      else if (piece.text === 'still') still = true;
      else throw wrong(piece, expected, advice(piece));
    }
  }
  if (still && pieces.length > 1) throw wrong(pieces[0]!, 'still alone', 'It holds the photograph’s pose.');
  return { idle, absolute, motions };
}

const expected = `idle, still, or what an axis does: ${poseAxes.join(', ')}, such as yaw=-15..15`;

function advice({ text }: Piece): string {
  if (/\.(csv|json)$/i.test(text)) return 'A track is read by MotionTrack.load.';
  if (/\.\w{2,4}$/.test(text)) return 'How a head in a video moves is read by trackMotion.';
  const near = nearest(text, ['idle', 'still', 'absolute']);
  return near === null ? '' : `Did you mean ${near}?`;
}

function axisFrom(piece: Piece): PoseAxis {
  const axis = poseAxes.find((name) => name === piece.text.toLowerCase());
  if (axis !== undefined) return axis;
  const near = nearest(piece.text, poseAxes);
  throw wrong(piece, `an axis, one of ${poseAxes.join(', ')}`, near === null ? '' : `Did you mean ${near}?`);
}

function motionFrom(piece: Piece, axis: PoseAxis): AxisMotion {
  const [from, rest] = cut(piece, '..');
  if (rest === null) return { kind: 'points', points: [pointFrom(piece, axis)] };
  const [to, seconds] = cut(rest, '/');
  const period = seconds === null ? usualPeriod : numberFrom(seconds, 'the seconds to and fro', 0.5, 600);
  return { kind: 'sweep', from: valueFrom(from, axis), to: valueFrom(to, axis), period };
}

function valueFrom(piece: Piece, axis: PoseAxis): number {
  return numberFrom(piece, axis, -limits[axis], limits[axis]);
}

function pointFrom(piece: Piece, axis: PoseAxis): CurvePoint {
  const [value, time] = cut(piece, '@');
  return { value: valueFrom(value, axis), time: time === null ? 0 : secondsFrom(time) };
}

function withPoint(motion: AxisMotion, piece: Piece, axis: PoseAxis): AxisMotion {
  if (!piece.text.includes('@')) throw wrong(piece, `a point of ${axis} in time`, 'Write it so: yaw=0@0,20@1.5.');
  if (motion.kind === 'sweep') throw wrong(piece, `either a range or points in time for ${axis}`);
  const point = pointFrom(piece, axis);
  const last = motion.points.at(-1)!;
  if (point.time > last.time) return { kind: 'points', points: [...motion.points, point] };
  throw wrong(piece, `a time after ${last.time} s, that of the point before`);
}

/** The value of each axis at a time; those without a motion are 0. */
export function poseAt({ motions }: PosePlan, time: number): Record<PoseAxis, number> {
  const value = (motion: AxisMotion | undefined): number => {
    if (motion === undefined) return 0;
    if (motion.kind === 'points') return through(motion.points, time);
    const way = (1 - Math.cos((2 * Math.PI * time) / motion.period)) / 2;
    return motion.from + (motion.to - motion.from) * way;
  };
  return Object.fromEntries(poseAxes.map((axis) => [axis, value(motions[axis])])) as Record<PoseAxis, number>;
}
