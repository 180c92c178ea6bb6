/** How a photograph shows a face, in numbers. */
import {
  isAtLeast,
  isList,
  isNumber,
  isObject,
  isOneOf,
  isWhole,
  leaf,
  readJsonFile,
  type Shape,
  writeFileAtomic,
} from '../../io/index.js';
import { landmarkCount } from '../../media/index.js';
import { checkOptions, DataError, ShapeError } from '../../torch/index.js';
import { arkitCount, arkitNames } from '../face/arkit.js';
import type { EyeAngles } from '../face/eyes.js';
import { shortest } from '../motion/numbers.js';
import { Camera, type HeadTurn } from '../render/camera.js';
import { contourCount } from './contour.js';
import { asModelled } from './reading.js';
import { eyeDistanceOf } from './view.js';

/** The camera that sees the face as the photograph does: options of `Camera`. */
export interface FitCamera {
  /** cm from the head's pivot. */
  readonly distance: number;
  readonly pixelsPerCm: number;
  /** The pixel in which the pivot is seen. */
  readonly centre: readonly [x: number, y: number];
  /** The point of the face's space about which the head turns. */
  readonly pivot: readonly [x: number, y: number, z: number];
}

/** Mean distances of the landmarks from those of the fitted face, in % of the distance of the eyes. */
export interface FitResidual {
  readonly eyes: number;
  readonly lips: number;
  readonly nose: number;
  readonly brows: number;
  /** Of the jaw line, across it. */
  readonly contour: number;
}

/** How a photograph shows a face: plain numbers. */
export interface FaceFitValues {
  /** The upright photograph's pixels. */
  readonly width: number;
  readonly height: number;
  readonly camera: FitCamera;
  /** The head's, in degrees, as the viewer sees it. */
  readonly pose: Required<HeadTurn>;
  /** Coefficients of `FaceModel.identity`. */
  readonly identity: Float32Array;
  /** ARKit's 52 weights, as the photograph shows them. */
  readonly weights: Float32Array;
  /** Where the eyes look, in the head. */
  readonly gaze: EyeAngles;
  /** `[136]`: the 68 that were found in the picture, in pixels. */
  readonly landmarks: Float32Array;
  /** The 17 vertices of `FaceModel` to which the jaw line slid. */
  readonly contour: Uint32Array;
  readonly residual: FitResidual;
}

const valueNames = [
  'width',
  'height',
  'camera',
  'pose',
  'identity',
  'weights',
  'gaze',
  'landmarks',
  'contour',
  'residual',
] as const;

const format = 'headrace-fit-1';

const isCount = (shape: Shape, count: number): Shape => {
  const counted = leaf(`a list of ${count}`, (value) => Array.isArray(value) && value.length === count);
  return (value, at) => [...counted(value, at), ...isList(shape)(value, at)].slice(0, 5);
};

const isFit: Shape = isObject({
  format: isOneOf([format]),
  width: isWhole(1),
  height: isWhole(1),
  camera: isObject({
    distance: isAtLeast(0),
    pixelsPerCm: isAtLeast(0),
    centre: isCount(isNumber, 2),
    pivot: isCount(isNumber, 3),
  }),
  pose: isObject({ yaw: isNumber, pitch: isNumber, roll: isNumber }),
  identity: isList(isNumber),
  weights: isObject(Object.fromEntries(arkitNames.map((name) => [name, isNumber]))),
  gaze: isObject({ yaw: isNumber, pitch: isNumber }),
  landmarks: isCount(isCount(isNumber, 2), landmarkCount),
  contour: isCount(isWhole(0), contourCount),
  residual: isObject({ eyes: isNumber, lips: isNumber, nose: isNumber, brows: isNumber, contour: isNumber }),
});

/**
 * How a photograph shows a face: the camera before it, the head's pose, the person's shape, the expression and where the eyes
 * look. `fitFace` and `fitPhotograph` make it. `face.shape({ identity, weights, gaze })` of these has the vertices, and
 * `fit.view().project(vertices, { pose })` the pixels.
 */
export class FaceFit implements FaceFitValues {
  readonly width: number;
  readonly height: number;
  readonly camera: FitCamera;
  readonly pose: Required<HeadTurn>;
  readonly identity: Float32Array;
  readonly weights: Float32Array;
  readonly gaze: EyeAngles;
  readonly landmarks: Float32Array;
  readonly contour: Uint32Array;
  readonly residual: FitResidual;

  /** @throws ConfigError, ShapeError for values that do not fit each other */
  constructor(values: FaceFitValues) {
    checkOptions('FaceFit', values, valueNames);
    const count = (name: 'weights' | 'landmarks' | 'contour', expected: number): void => {
      if (values[name].length !== expected)
        throw new ShapeError(`FaceFit: expected ${name} of ${expected} numbers, got ${values[name].length}`);
    };
    count('weights', arkitCount);
    count('landmarks', 2 * landmarkCount);
    count('contour', contourCount);
    this.width = values.width;
    this.height = values.height;
    this.camera = values.camera;
    this.pose = values.pose;
    this.identity = values.identity;
    this.weights = values.weights;
    this.gaze = values.gaze;
    this.landmarks = values.landmarks;
    this.contour = values.contour;
    this.residual = values.residual;
    this.view(); // which checks the camera
  }

  /** Pixels between the middles of the two eyes, in the picture. */
  get eyeDistance(): number {
    return eyeDistanceOf(this.landmarks);
  }

  /**
   * `[136]`: {@link landmarks} moved to where the model has its own. The networks read the inner borders of touching lips apart, and
   * brows elsewhere; what is left between these and the model's is what the fit could not follow.
   */
  get modelLandmarks(): Float32Array {
    return asModelled(this.landmarks, this.eyeDistance);
  }

  /** The camera that sees the head as the photograph does. @throws ConfigError for numbers that no camera has */
  view(): Camera {
    return new Camera({ width: this.width, height: this.height, ...this.camera });
  }

  /** Reads what {@link save} wrote. @throws DataError that names the file and each fault */
  static load(path: string): FaceFit {
    const read = readJsonFile<FitFile>(path, 'a fitted face', isFit);
    const { format: _, weights, landmarks, identity, contour, ...rest } = read;
    try {
      return new FaceFit({
        ...rest,
        identity: Float32Array.from(identity),
        weights: Float32Array.from(arkitNames, (name) => weights[name]!),
        landmarks: Float32Array.from(landmarks.flat()),
        contour: Uint32Array.from(contour),
      });
    } catch (cause) {
      throw new DataError(`Expected ${path} to hold a fitted face: ${(cause as Error).message}`, { cause });
    }
  }

  /** Writes it as JSON, whole or not at all; reading it gives the same numbers back. @throws DataError when it cannot be written */
  save(path: string): void {
    writeFileAtomic(path, `${this.text()}\n`);
  }

  private text(): string {
    const list = (values: ArrayLike<number>): string => `[${Array.from(values, shortest).join(', ')}]`;
    const points = Array.from({ length: landmarkCount }, (_, i) => list(this.landmarks.subarray(2 * i, 2 * i + 2)));
    const weights = arkitNames.map((name, i) => `"${name}": ${shortest(this.weights[i]!)}`);
    const fields = [
      `"format": "${format}"`,
      `"width": ${this.width}`,
      `"height": ${this.height}`,
      `"camera": ${JSON.stringify(this.camera)}`,
      `"pose": ${JSON.stringify(this.pose)}`,
      `"gaze": ${JSON.stringify(this.gaze)}`,
      `"residual": ${JSON.stringify(this.residual)}`,
      `"identity": ${list(this.identity)}`,
      `"weights": {\n    ${weights.join(',\n    ')}\n  }`,
      `"landmarks": [\n    ${points.join(',\n    ')}\n  ]`,
      `"contour": [${Array.from(this.contour).join(', ')}]`,
    ];
    return `{\n  ${fields.join(',\n  ')}\n}`;
  }
}

/** As JSON has it. */
type FitFile = Pick<FaceFitValues, 'width' | 'height' | 'camera' | 'pose' | 'gaze' | 'residual'> & {
  readonly format: string;
  readonly identity: readonly number[];
  readonly weights: Readonly<Record<string, number>>;
  readonly landmarks: readonly (readonly number[])[];
  readonly contour: readonly number[];
};
