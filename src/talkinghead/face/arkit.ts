/** ARKit's 52 expressions: the names that tools for faces share, and the shapes of ICT-FaceKit that make them. */
import { ConfigError, checkOptions } from '../../torch/index.js';

/**
 * In the order of Apple's documentation of `ARFaceAnchor.BlendShapeLocation`. Left and right are the subject's own; weights are
 * 0 at rest and 1 at the end of the movement.
 */
export const arkitNames = [
  'eyeBlinkLeft',
  'eyeLookDownLeft',
  'eyeLookInLeft',
  'eyeLookOutLeft',
  'eyeLookUpLeft',
  'eyeSquintLeft',
  'eyeWideLeft',
  'eyeBlinkRight',
  'eyeLookDownRight',
  'eyeLookInRight',
  'eyeLookOutRight',
  'eyeLookUpRight',
  'eyeSquintRight',
  'eyeWideRight',
  'jawForward',
  'jawLeft',
  'jawRight',
  'jawOpen',
  'mouthClose',
  'mouthFunnel',
  'mouthPucker',
  'mouthLeft',
  'mouthRight',
  'mouthSmileLeft',
  'mouthSmileRight',
  'mouthFrownLeft',
  'mouthFrownRight',
  'mouthDimpleLeft',
  'mouthDimpleRight',
  'mouthStretchLeft',
  'mouthStretchRight',
  'mouthRollLower',
  'mouthRollUpper',
  'mouthShrugLower',
  'mouthShrugUpper',
  'mouthPressLeft',
  'mouthPressRight',
  'mouthLowerDownLeft',
  'mouthLowerDownRight',
  'mouthUpperUpLeft',
  'mouthUpperUpRight',
  'browDownLeft',
  'browDownRight',
  'browInnerUp',
  'browOuterUpLeft',
  'browOuterUpRight',
  'cheekPuff',
  'cheekSquintLeft',
  'cheekSquintRight',
  'noseSneerLeft',
  'noseSneerRight',
  'tongueOut',
] as const;

export type ArkitName = (typeof arkitNames)[number];

/** 52 */
export const arkitCount: number = arkitNames.length;

const places = new Map<string, number>(arkitNames.map((name, i) => [plain(name), i]));

/** Small letters alone; `_L` and `_R` at the end written out. */
function plain(name: string): string {
  return name
    .trim()
    .replace(/_L$/i, 'Left')
    .replace(/_R$/i, 'Right')
    .replaceAll(/[_\s-]/g, '')
    .toLowerCase();
}

/**
 * The place of an expression among the 52, however it is spelled: `eyeBlinkLeft`, `EyeBlinkLeft`, `eyeBlink_L`, `eye_blink_left`.
 * @returns -1 where the name is none of ARKit's
 */
export function arkitIndex(name: string): number {
  return places.get(plain(name)) ?? -1;
}

/**
 * The 52 weights of an expression, by name; those not named are 0.
 * @throws ConfigError for a name that is not ARKit's, or a weight that is no finite number
 */
export function arkitWeights(values: Readonly<Partial<Record<ArkitName, number>>>): Float32Array {
  checkOptions('arkitWeights', values, arkitNames);
  const weights = new Float32Array(arkitCount);
  for (const [name, weight] of Object.entries(values)) {
    if (!Number.isFinite(weight))
      throw new ConfigError(`arkitWeights: expected ${name} to be a finite number, got ${weight}`);
    weights[arkitIndex(name)] = weight;
  }
  return weights;
}

/** For each of the 52, the place of its mirror image: `mouthLeft` and `mouthRight` change places, `jawOpen` stays. */
export const arkitMirror: readonly number[] = arkitNames.map((name) => {
  const other = name.endsWith('Left') ? name.replace(/Left$/, 'Right') : name.replace(/Right$/, 'Left');
  return arkitIndex(other);
});

/** Those that are named alike, those of which ICT-FaceKit has a left and a right one, and the one that it has not. */
const special: Readonly<Partial<Record<ArkitName, readonly string[]>>> = {
  jawLeft: ['jawLeft'],
  jawRight: ['jawRight'],
  mouthLeft: ['mouthLeft'],
  mouthRight: ['mouthRight'],
  browInnerUp: ['browInnerUp_L', 'browInnerUp_R'],
  cheekPuff: ['cheekPuff_L', 'cheekPuff_R'],
  tongueOut: [],
};

/**
 * The shapes of ICT-FaceKit whose sum is an expression of ARKit. ICT has none for `tongueOut`; its `cheekRaiser_L/R` and
 * `PupilDilate_L/R` are not among ARKit's and are reached by {@link FaceModel.shape}'s `expression` alone.
 */
export const ictShapes: Readonly<Record<ArkitName, readonly string[]>> = Object.fromEntries(
  arkitNames.map((name) => [name, special[name] ?? [name.replace(/Left$/, '_L').replace(/Right$/, '_R')]]),
) as Record<ArkitName, readonly string[]>;
