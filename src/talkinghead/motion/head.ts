/** Where the head is: as planned, or as a track has it, with what heads do by themselves. */
import { misfit } from '../../torch/expect.js';
import { checkOptions } from '../../torch/options.js';
import type { HeadTurn } from '../render/index.js';
import { type HeadShift, IdleHead } from './idle.js';
import { isTurn, type PoseAxis, type PosePlan, poseAt, poseAxes } from './pose-plan.js';
import { checkSource, type PoseSource, RowSource } from './source.js';

/** Where the head is at a moment, from where it was photographed; times grow from call to call. */
export interface HeadMotion {
  /** True where it may move along. */
  readonly moves: boolean;
  at(time: number): HeadShift;
  /** How much of nods there is. */
  readonly nods: number;
  /** How far it is asked to go at most, either way; what it does by itself comes on top. */
  readonly most: Readonly<Record<PoseAxis, number>>;
}

export function headOfPlan(plan: PosePlan, restPose: Required<HeadTurn>, seed: number): HeadMotion {
  checkOptions('pose', plan, ['idle', 'absolute', 'motions']);
  if (typeof plan.motions !== 'object') throw misfit('Performer', 'pose as text, a plan or a track', plan);
  const idle = plan.idle > 0 ? new IdleHead(seed) : null;
  const from: Record<'yaw' | 'pitch' | 'roll', number> = plan.absolute ? restPose : { yaw: 0, pitch: 0, roll: 0 };
  return {
    moves: idle !== null || ['x', 'y', 'z'].some((axis) => axis in plan.motions),
    nods: plan.idle,
    most: mostOf((axis) => askedOf(plan, axis).map((value) => value - (isTurn(axis) ? from[axis] : 0))),
    at: (time) => {
      const asked = poseAt(plan, time);
      const shift = idle?.at(time);
      const sum = (axis: keyof HeadShift): number => asked[axis] + plan.idle * (shift?.[axis] ?? 0);
      // An axis that is not told of stays as photographed, from the camera too.
      const turn = (axis: 'yaw' | 'pitch' | 'roll'): number => sum(axis) - (axis in plan.motions ? from[axis] : 0);
      return { yaw: turn('yaw'), pitch: turn('pitch'), roll: turn('roll'), x: sum('x'), y: sum('y'), z: sum('z') };
    },
  };
}

export function headOfTrack(source: PoseSource, restPose: Required<HeadTurn>): HeadMotion {
  const { track, relative = false } = checkSource('pose', source, ['track', 'relative']);
  const pose = new RowSource(track.pose, 3, track.fps);
  const position = track.position && new RowSource(track.position, 3, track.fps);
  const from = relative ? pose.first : [restPose.yaw, restPose.pitch, restPose.roll];
  return {
    moves: position !== null,
    nods: 0,
    most: mostOf((axis) => {
      const k = poseAxes.indexOf(axis);
      const start = k < 3 ? from[k]! : (position?.first[k - 3] ?? 0);
      return Array.from((k < 3 ? track.pose : track.position) ?? [])
        .filter((_, i) => i % 3 === k % 3)
        .map((value) => value - start);
    }),
    at: (time) => {
      const [yaw, pitch, roll] = [...pose.at(time)].map((angle, i) => angle - from[i]!) as [number, number, number];
      const [x, y, z] = position
        ? ([...position.at(time)].map((shift, i) => shift - position.first[i]!) as [number, number, number])
        : [0, 0, 0];
      return { yaw, pitch, roll, x, y, z };
    },
  };
}

/** Values that a plan goes between; none where it says nothing of the axis. */
function askedOf({ motions }: PosePlan, axis: PoseAxis): number[] {
  const motion = motions[axis];
  if (motion === undefined) return [];
  return motion.kind === 'sweep' ? [motion.from, motion.to] : motion.points.map(({ value }) => value);
}

function mostOf(values: (axis: PoseAxis) => readonly number[]): Record<PoseAxis, number> {
  const most = (axis: PoseAxis): number => values(axis).reduce((far, value) => Math.max(far, Math.abs(value)), 0);
  return Object.fromEntries(poseAxes.map((axis) => [axis, most(axis)])) as Record<PoseAxis, number>;
}
