/** Eyeballs: they turn as wholes about their middles. */
import { arkitIndex } from './arkit.js';

/** Degrees by which an eye has turned where the weight of a look is 1: the ends of what eyes do without effort. */
export const eyeTravel = { sideways: 30, up: 25, down: 30 } as const;

/** Where an eye looks, in degrees and as the viewer sees it: `yaw` > 0 to the viewer's right, `pitch` > 0 up. */
export interface EyeAngles {
  readonly yaw: number;
  readonly pitch: number;
}

const looks = (side: 'Left' | 'Right') => ({
  inwards: arkitIndex(`eyeLookIn${side}`),
  outwards: arkitIndex(`eyeLookOut${side}`),
  up: arkitIndex(`eyeLookUp${side}`),
  down: arkitIndex(`eyeLookDown${side}`),
  /** The left eye of a face is at the viewer's right: outwards is to the right there. */
  outwardSign: side === 'Left' ? 1 : -1,
});
const places = { left: looks('Left'), right: looks('Right') };

/** Where the weights of ARKit let an eye look. */
export function eyeAngles(weights: ArrayLike<number>, side: 'left' | 'right'): EyeAngles {
  const at = places[side];
  return {
    yaw: eyeTravel.sideways * at.outwardSign * (weights[at.outwards]! - weights[at.inwards]!),
    pitch: eyeTravel.up * weights[at.up]! - eyeTravel.down * weights[at.down]!,
  };
}

/** Turns the vertices `[first, end)` about `centre`, in place: up or down first, then about the vertical. */
export function turnEye(
  vertices: Float32Array,
  [first, end]: readonly [number, number],
  centre: readonly [number, number, number],
  { yaw, pitch }: EyeAngles,
): void {
  const [a, b] = [(yaw * Math.PI) / 180, (pitch * Math.PI) / 180];
  const [ca, sa, cb, sb] = [Math.cos(a), Math.sin(a), Math.cos(b), Math.sin(b)];
  for (let i = 3 * first; i < 3 * end; i += 3) {
    const x = vertices[i]! - centre[0];
    const y = vertices[i + 1]! - centre[1];
    const z = vertices[i + 2]! - centre[2];
    const forward = cb * z - sb * y;
    vertices[i] = centre[0] + ca * x + sa * forward;
    vertices[i + 1] = centre[1] + cb * y + sb * z;
    vertices[i + 2] = centre[2] + ca * forward - sa * x;
  }
}
