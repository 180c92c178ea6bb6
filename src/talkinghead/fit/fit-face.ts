/** Landmarks to a fitted face: no pictures, no networks. */
import { type Expressions, fitPose, landmarkCount } from '../../media/index.js';
import { misfit } from '../../torch/expect.js';
import { ConfigError, checkOptions, ShapeError } from '../../torch/index.js';
import { arkitCount, arkitIndex } from '../face/arkit.js';
import { type EyeAngles, eyeTravel } from '../face/eyes.js';
import type { FaceModel } from '../face/face-model.js';
import { checkFinite, checkWhole } from '../render/checks.js';
import { type Contour, contourCount } from './contour.js';
import { FaceFit, type FitResidual } from './face-fit.js';
import { fitViews, landmarkVertices } from './fit-views.js';
import { likelyWeights } from './likely.js';
import { asModelled } from './reading.js';
import { cameraDistance, type FitRig, fitRig, headPivot } from './rig.js';
import {
  eyeDistanceOf,
  landmarkShapes,
  pointsOf,
  poseOf,
  projected,
  type View,
  type ViewState,
  weightsOf,
} from './view.js';

export interface FitFaceOptions {
  /** Where the eyes look in the head, where it is known: landmarks do not tell. By default straight ahead. */
  readonly gaze?: EyeAngles;
  /** What a classifier sees in the face (`Face.expressions`): tells a smile from a wide mouth. */
  readonly expressions?: Expressions;
  /** Another face than the one that comes with Headrace. */
  readonly model?: FaceModel;
}

/** A photograph's pixels across and down; the photograph itself will do. */
export interface PictureSize {
  readonly width: number;
  readonly height: number;
}

/** One of several photographs of a person. */
export interface FaceLandmarks extends PictureSize {
  /** `[136]`, pixels, in the order of `Face.landmarks`. */
  readonly landmarks: Float32Array;
  /** As in {@link FitFaceOptions}. */
  readonly gaze?: EyeAngles;
  readonly expressions?: Expressions;
  /** How much expression there may be, over what is usual (1): less where the face is known to be at rest. */
  readonly liveliness?: number;
}

/** Degrees by which a photograph's pitch may differ from a rigid head's. */
const pitchSigma = 1.5;

/** Less far apart, in pixels, eyes tell nothing. */
const leastEyes = 1;

/**
 * Fits the face to the 68 landmarks of a photograph: where the camera is, how the head is turned, the person's shape and
 * expression. The result depends on nothing else, and is the same whenever it is made.
 * @param landmarks - `[136]`: x and y in pixels, as `Face.landmarks`
 * @throws ConfigError, ShapeError for numbers that are no landmarks
 */
export function fitFace(landmarks: Float32Array, size: PictureSize, options: FitFaceOptions = {}): FaceFit {
  checkOptions('fitFace', options, ['gaze', 'expressions', 'model']);
  const { model, ...known } = options;
  const { width, height } = size;
  return fitFaces([{ landmarks, width, height, ...known }], model)[0]!;
}

/**
 * As {@link fitFace}, for several photographs of one person: all have the same `identity`, which each makes surer.
 * @param model - another face than the one that comes with Headrace
 */
export function fitFaces(photographs: readonly FaceLandmarks[], model?: FaceModel): FaceFit[] {
  if (photographs.length === 0) throw new ConfigError('fitFaces: expected at least one photograph, got none');
  const views = photographs.map(viewOf);
  const rig = fitRig(model);
  const { identity, states, contours } = fitViews(rig, views);
  return views.map((view, v) => fitOf(rig, view, photographs[v]!, identity, states[v]!, contours[v]!));
}

const straight: EyeAngles = { yaw: 0, pitch: 0 };

/** @throws ConfigError, ShapeError for numbers that are no landmarks of a face */
export function viewOf({
  landmarks,
  width,
  height,
  gaze = straight,
  expressions,
  liveliness = 1,
}: FaceLandmarks): View {
  const where = 'fitFace';
  if (!(landmarks instanceof Float32Array)) throw misfit(where, 'the landmarks in a Float32Array', landmarks);
  if (landmarks.length !== 2 * landmarkCount)
    throw new ShapeError(
      `${where}: expected x and y of ${landmarkCount} landmarks, ${2 * landmarkCount} numbers, got ${landmarks.length}`,
    );
  for (const [i, value] of landmarks.entries()) checkFinite(where, `landmarks[${i}]`, value);
  checkWhole(where, 'width', width, 1, 32768);
  checkWhole(where, 'height', height, 1, 32768);
  checkFinite(where, "the gaze's yaw", gaze.yaw);
  checkFinite(where, "the gaze's pitch", gaze.pitch);
  const eyes = eyeDistanceOf(landmarks);
  if (!(eyes >= leastEyes))
    throw new ConfigError(`${where}: expected eyes at least ${leastEyes} pixel apart, got landmarks with ${eyes}`);
  const { pitch } = fitPose(landmarks).pose;
  const meant = asModelled(landmarks, eyes);
  return {
    landmarks: meant,
    width,
    height,
    eyes,
    pitch,
    pitchSigma,
    known: lookWeights(gaze),
    likely: likelyWeights(expressions),
    liveliness,
  };
}

/** The weights that make both eyes look there, and the lids follow. */
export function lookWeights({ yaw, pitch }: EyeAngles): Float32Array {
  const weights = new Float32Array(arkitCount);
  const { sideways, up, down } = eyeTravel;
  const set = (name: string, value: number): void => {
    weights[arkitIndex(name)] = Math.min(1, Math.max(0, value));
  };
  // The left eye is at the viewer's right: outwards is to the right there.
  set('eyeLookOutLeft', yaw / sideways);
  set('eyeLookInRight', yaw / sideways);
  set('eyeLookInLeft', -yaw / sideways);
  set('eyeLookOutRight', -yaw / sideways);
  for (const side of ['Left', 'Right']) {
    set(`eyeLookUp${side}`, pitch / up);
    set(`eyeLookDown${side}`, -pitch / down);
  }
  return weights;
}

function fitOf(
  rig: FitRig,
  view: View,
  { landmarks, gaze = straight }: FaceLandmarks,
  identity: Float64Array,
  state: ViewState,
  contour: Contour,
): FaceFit {
  return new FaceFit({
    width: view.width,
    height: view.height,
    camera: {
      distance: cameraDistance,
      pixelsPerCm: state[3]!,
      centre: [state[4]!, state[5]!],
      pivot: headPivot,
    },
    pose: poseOf(state),
    identity: Float32Array.from(identity),
    weights: weightsOf(view, state),
    gaze,
    landmarks: landmarks.slice(),
    contour: contour.vertices,
    residual: residualOf(rig, view, landmarks, identity, state, contour),
  });
}

/** How far the fitted face's landmarks are from those that were found, as they were found. */
function residualOf(
  rig: FitRig,
  view: View,
  landmarks: Float32Array,
  identity: Float64Array,
  state: ViewState,
  contour: Contour,
): FitResidual {
  const base = rig.model.shape({ weights: view.known });
  const shapes = landmarkShapes(rig, landmarkVertices(rig, contour), base, identity.length);
  const seen = projected(pointsOf(shapes, identity, state), state);
  const off = (i: number): number => {
    const [x, y] = [seen[2 * i]! - landmarks[2 * i]!, seen[2 * i + 1]! - landmarks[2 * i + 1]!];
    if (i >= contourCount) return Math.hypot(x, y);
    return Math.abs(x * contour.normals[2 * i]! + y * contour.normals[2 * i + 1]!);
  };
  const mean = (first: number, end: number): number => {
    let sum = 0;
    for (let i = first; i < end; i++) sum += off(i);
    return (100 * sum) / (end - first) / view.eyes;
  };
  return { eyes: mean(36, 48), lips: mean(48, 68), nose: mean(27, 36), brows: mean(17, 27), contour: mean(0, 17) };
}
