/** A fitted head in its photograph: the model, the camera and the way it is turned there, and moves from there. */
import { arkitCount } from '../face/arkit.js';
import type { EyeAngles } from '../face/eyes.js';
import type { FaceModel } from '../face/face-model.js';
import type { FaceFit } from '../fit/index.js';
import type { Camera, HeadTurn } from '../render/camera.js';

/**
 * How much further the face turns than it is asked to. A photograph's hair and cheeks turn less than a head does, since the
 * picture has no depth there; so a face that turns by 20 degrees is seen as turned by 15, by networks that read photographs.
 * `npm run bench control` measures it.
 */
const yawGain = 1.34;

/** Degrees from the camera beyond which a photograph has little more to show: turns go on, at so much of their speed. */
const [widest, beyond] = [30, 0.4];

function seenYaw(degrees: number): number {
  const past = Math.max(0, Math.abs(degrees) - widest);
  return degrees - Math.sign(degrees) * (1 - beyond) * past;
}

/** The middle of the neck, in the face's space: what a head turns about. */
const neck: readonly [number, number, number] = [0, -7, -1];

export class PhotographedHead {
  readonly camera: Camera;
  /** Pixels between the middles of the eyes. */
  readonly eyes: number;
  /** `[9]`: the columns of the photograph's rotation, which are the head's axes as the camera sees them. */
  private readonly axes: Float32Array;

  constructor(
    readonly model: FaceModel,
    readonly fit: FaceFit,
  ) {
    this.camera = fit.view();
    this.axes = this.camera.turn(Float32Array.of(1, 0, 0, 0, 1, 0, 0, 0, 1), fit.pose);
    this.eyes = fit.eyeDistance;
  }

  get width(): number {
    return this.fit.width;
  }

  get height(): number {
    return this.fit.height;
  }

  get pixelsPerCm(): number {
    return this.fit.camera.pixelsPerCm;
  }

  /** The person with these weights, at rest where none are given: `[V * 3]` in cm. */
  shape(weights: ArrayLike<number> = new Float32Array(arkitCount), gaze: EyeAngles = this.fit.gaze): Float32Array {
    return this.model.shape({ identity: this.fit.identity, weights, gaze });
  }

  /** Where the camera sees points of the face's space, as photographed: x, y, 1 / distance. */
  project(points: Float32Array): Float32Array {
    return this.camera.project(points, { pose: this.fit.pose });
  }

  /** A direction of the camera's space (x to the right, y up, z towards it) as one of the face's. */
  toFace(x: number, y: number, z: number): [number, number, number] {
    const a = this.axes;
    return [0, 3, 6].map((i) => a[i]! * x + a[i + 1]! * y + a[i + 2]! * z) as [number, number, number];
  }

  /** Where the head is once it has turned by `by` about its neck, which stays where it was, and moved. */
  place(by: Required<HeadTurn>, moved: readonly [number, number, number]) {
    const { pose, camera } = this.fit;
    const turned = { yaw: pose.yaw + by.yaw, pitch: pose.pitch + by.pitch, roll: pose.roll + by.roll };
    const arm = Float32Array.from(neck, (value, axis) => value - camera.pivot[axis]!);
    const before = this.camera.turn(arm, pose);
    const after = this.camera.turn(arm, turned);
    const position = [0, 1, 2].map((axis) => moved[axis]! + before[axis]! - after[axis]!);
    // At rest the photograph's own yaw, however wide, to the last bit.
    const seen = { ...turned, yaw: pose.yaw + seenYaw(pose.yaw + yawGain * by.yaw) - seenYaw(pose.yaw) };
    return { pose: seen, position: position as [number, number, number] };
  }
}
