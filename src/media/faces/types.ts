/** The words of the face analysis: frames, boxes, faces. */
import { ShapeError } from '../../torch/index.js';
import type { RgbImage } from '../frames.js';

/** In pixels of the frame: (0, 0) is the upper left corner of its first pixel. May reach beyond the frame. */
export interface FaceBox {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** Where a face was found. */
export interface FaceDetection {
  readonly box: FaceBox;
  /** 0 to 1 */
  readonly score: number;
}

export const expressionNames = ['neutral', 'happy', 'sad', 'angry', 'fearful', 'disgusted', 'surprised'] as const;

export type ExpressionName = (typeof expressionNames)[number];

/** Probabilities, which sum to 1. */
export type Expressions = Readonly<Record<ExpressionName, number>>;

/**
 * Where a head points, in degrees and as the viewer sees it; all 0 for a face that looks straight at the camera.
 * `yaw` > 0: turned to the viewer's right. `pitch` > 0: looking up. `roll` > 0: tilted clockwise. The head is rolled about
 * its nose first, then pitched, then turned about the vertical, so yaw and pitch alone say where the nose points.
 */
export interface HeadPose {
  readonly yaw: number;
  readonly pitch: number;
  readonly roll: number;
}

/** Landmarks of a face. */
export const landmarkCount = 68;

export interface Face extends FaceDetection {
  /**
   * x and y of 68 points in pixels, [x0, y0, x1, y1, ...], in the order of the iBUG 300-W markup: jaw 0-16, brows 17-26,
   * nose 27-35, eyes 36-47, lips 48-67, each from the viewer's left.
   */
  readonly landmarks: Float32Array;
  readonly expressions: Expressions;
  readonly pose: HeadPose;
  /** Between the eyes' centres, in pixels, as it would be were the face turned to the camera: the face's size whatever its pose. */
  readonly interOcular: number;
}

/** @throws ShapeError when the pixels are not width x height x 3 */
export function checkFrame({ data, width, height }: RgbImage): void {
  if (width < 1 || height < 1 || data.length !== width * height * 3) {
    throw new ShapeError(
      `Expected a frame of ${width} x ${height} RGB pixels, ${width * height * 3} bytes, got ${data.length} bytes`,
    );
  }
}
