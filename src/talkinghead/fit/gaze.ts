/** Where eyes look, by the dark disc of the iris in a picture. */
import type { RgbImage } from '../../media/index.js';
import { type EyeAngles, eyeTravel } from '../face/eyes.js';
import type { FaceModel } from '../face/face-model.js';
import { type Camera, type HeadTurn, rotation } from '../render/camera.js';

/** A head in a picture, as far as its eyes are concerned. */
export interface SeenHead {
  readonly camera: Camera;
  readonly pose: Required<HeadTurn>;
  readonly identity: Float32Array;
  /** `[136]`, pixels. */
  readonly landmarks: Float32Array;
}

/** cm: of the iris, which is alike in all people, and of the eyeball at the iris. */
const [irisRadius, eyeRadius] = [0.59, 1.1];

/** Degrees between the looks that are tried, and the spread of looks about straight ahead. */
const [step, yawSpread, pitchSpread] = [3, 20, 8];

/** Degrees up and down to which looks are tried. */
const highest = 24;

/**
 * Degrees by which each eye of a fitted head seems to look outwards, where both look ahead: its eyeballs lie some 3 mm nearer to
 * the nose than those of people, photographed or drawn (10 to 27 degrees of 18 heads). How far is found with the look.
 */
const outwards = { usual: 17, spread: 6, tried: [12, 18, 24] } as const;

/** How much darker the iris must be than what is around it, of 255, to be followed all the way. */
const clearContrast = 25;

/** An eye's lids: six points around the opening, in pixels. */
const lidsOf = { right: 36, left: 42 } as const;

/**
 * Where both eyes look together, in the head: the look under which the discs of the irises, as far as the lids leave them
 * free, are darkest against what is around them. Looks straight ahead are likelier; eyes without a visible iris look so.
 */
export function findGaze(picture: RgbImage, model: FaceModel, head: SeenHead): EyeAngles {
  const left = contrasts(picture, head, eyeOf(model, head, 'left'));
  const right = contrasts(picture, head, eyeOf(model, head, 'right'));
  const score = (yaw: number, pitch: number, outward: number): number => {
    const dark = (left(yaw + outward, pitch) + right(yaw - outward, pitch)) / (2 * clearContrast);
    const unusual = (outward - outwards.usual) / outwards.spread;
    return dark - ((yaw / yawSpread) ** 2 + (pitch / pitchSpread) ** 2 + unusual ** 2) / 2;
  };
  let [best, yaw, pitch, outward] = [-Infinity, 0, 0, 0];
  const attempt = (y: number, p: number, o: number): void => {
    const value = score(y, p, o);
    if (value > best) [best, yaw, pitch, outward] = [value, y, p, o];
  };
  // Every other look first, then those around the best.
  for (let y = -eyeTravel.sideways; y <= eyeTravel.sideways; y += 2 * step)
    for (let p = -highest; p <= highest; p += 2 * step) for (const o of outwards.tried) attempt(y, p, o);
  const [nearYaw, nearPitch, nearOutward] = [yaw, pitch, outward];
  const around = [-step, 0, step];
  for (const y of around)
    for (const p of around) for (const o of around) attempt(nearYaw + y, nearPitch + p, nearOutward + o);
  return {
    yaw: yaw + step * peak(score(yaw - step, pitch, outward), best, score(yaw + step, pitch, outward)),
    pitch: pitch + step * peak(score(yaw, pitch - step, outward), best, score(yaw, pitch + step, outward)),
  };
}

/** The contrast of an eye by its look, worked out once for each. */
function contrasts(picture: RgbImage, head: SeenHead, eye: Eye): (yaw: number, pitch: number) => number {
  const known = new Map<string, number>();
  return (yaw, pitch) => {
    const look = `${yaw} ${pitch}`;
    const value = known.get(look) ?? contrast(picture, head, eye, yaw, pitch);
    known.set(look, value);
    return value;
  };
}

/** Where between -1/2 and 1/2 a parabola through three values is highest. */
function peak(before: number, here: number, after: number): number {
  const bend = before + after - 2 * here;
  if (!(bend < 0)) return 0;
  return Math.min(0.5, Math.max(-0.5, (before - after) / (2 * bend)));
}

interface Eye {
  readonly centre: readonly [number, number, number];
  /** The lids' six points. */
  readonly lids: Float32Array;
}

function eyeOf(model: FaceModel, head: SeenHead, side: 'left' | 'right'): Eye {
  const first = 2 * lidsOf[side];
  return { centre: model.eyeCentre(side, head.identity), lids: head.landmarks.subarray(first, first + 12) };
}

/** How much darker the picture is in the disc of the iris than around it, between the lids: of 255. */
function contrast(picture: RgbImage, { camera, pose }: SeenHead, eye: Eye, yaw: number, pitch: number): number {
  const { x, y, radius } = irisAt(camera, pose, eye.centre, yaw, pitch);
  let [inside, insideCount, outside, outsideCount] = [0, 0, 0, 0];
  const reach = 1.7 * radius;
  const grain = Math.max(radius / 5, 0.35);
  for (let v = -reach; v <= reach; v += grain) {
    for (let u = -reach; u <= reach; u += grain) {
      const far = Math.hypot(u, v);
      if (far > reach || !between(eye.lids, x + u, y + v)) continue;
      const value = brightness(picture, x + u, y + v);
      if (far <= radius) [inside, insideCount] = [inside + value, insideCount + 1];
      else [outside, outsideCount] = [outside + value, outsideCount + 1];
    }
  }
  // A disc that the lids hide, or that hides all else, tells little.
  const whole = (Math.PI * radius ** 2) / grain ** 2;
  if (insideCount < 0.25 * whole || outsideCount < 0.1 * whole) return 0;
  return outside / outsideCount - inside / insideCount;
}

/** The iris in the picture. */
function irisAt(
  camera: Camera,
  pose: HeadTurn,
  centre: readonly [number, number, number],
  yaw: number,
  pitch: number,
): { x: number; y: number; radius: number } {
  const r = rotation('findGaze', { yaw, pitch, roll: 0 });
  const place = Float32Array.from(centre, (value, axis) => value + eyeRadius * r[3 * axis + 2]!);
  const [x, y, near] = camera.project(place, { pose });
  return { x: x!, y: y!, radius: irisRadius * camera.focal * near! };
}

/** Whether a point lies inside of a polygon. */
export function between(lids: Float32Array, x: number, y: number): boolean {
  let inside = false;
  for (let i = 0, j = lids.length - 2; i < lids.length; j = i, i += 2) {
    const [ax, ay, bx, by] = [lids[i]!, lids[i + 1]!, lids[j]!, lids[j + 1]!];
    if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) inside = !inside;
  }
  return inside;
}

/** Of a place between the pixels: green and red, in which irises of all colours are darker than the white. */
export function brightness({ data, width, height }: RgbImage, x: number, y: number): number {
  const clip = (value: number, most: number): number => Math.min(most - 1, Math.max(0, value));
  const [fx, fy] = [clip(x - 0.5, width), clip(y - 0.5, height)];
  const [x0, y0] = [Math.floor(fx), Math.floor(fy)];
  const [x1, y1] = [clip(x0 + 1, width), clip(y0 + 1, height)];
  const grey = (px: number, py: number): number => {
    const at = 3 * (py * width + px);
    return 0.5 * data[at]! + 0.5 * data[at + 1]!;
  };
  const [a, b] = [fx - x0, fy - y0];
  return (1 - b) * ((1 - a) * grey(x0, y0) + a * grey(x1, y0)) + b * ((1 - a) * grey(x0, y1) + a * grey(x1, y1));
}
