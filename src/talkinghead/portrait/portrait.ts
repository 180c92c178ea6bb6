/** A photograph of a person that moves. */
import { FaceAnalyser, type RgbImage, readImage } from '../../media/index.js';
import { checkOptions, DataError, ShapeError } from '../../torch/index.js';
import { arkitCount } from '../face/arkit.js';
import type { EyeAngles } from '../face/eyes.js';
import { FaceModel } from '../face/face-model.js';
import { type FaceFit, fitFace } from '../fit/index.js';
import type { HeadTurn } from '../render/camera.js';
import { checkChoice, checkFinite, checkTuple, checkWhole } from '../render/checks.js';
import { cropped } from './crop.js';
import { FrameMaker } from './frame-maker.js';
import { type FittedFace, PhotographedHead } from './head.js';
import { setUp, type Stage, strike } from './stage.js';
import { checkPicture } from './still/types.js';

export interface PortraitOptions {
  /** Which face, from the largest on, where the photograph shows several; 0 by default. */
  readonly face?: number;
  /** How the photograph shows the face, in its own pixels; by default it is fitted. */
  readonly fit?: FaceFit;
  /** `'head'`, a square about head and shoulders, by default; or the `'full'` photograph. */
  readonly crop?: 'head' | 'full';
  /** Pixels of the longer side; by default as many as the photograph has there. */
  readonly size?: number;
}

/** One instant of a head's motion. What is left out stays as photographed. */
export interface PortraitMotion {
  /** ARKit's 52 weights; 0 is a neutral face. */
  readonly weights?: ArrayLike<number>;
  /** Degrees from the pose that the photograph shows. */
  readonly pose?: HeadTurn;
  /** cm from where the photograph shows the head: to the viewer's right, up, towards the viewer. */
  readonly position?: readonly [number, number, number];
  /** Where both eyes look in the head, instead of where the weights let them look. */
  readonly gaze?: EyeAngles;
}

/** A portrait's motion, all of it told. */
export interface PortraitRest {
  readonly weights: Float32Array;
  readonly pose: Required<HeadTurn>;
}

/** Pixels of a side. */
const [smallest, largest] = [16, 8192];

export class Portrait {
  /** Pixels of each frame. */
  readonly width: number;
  readonly height: number;
  /** How the photograph shows the face, in the portrait's pixels. */
  readonly fit: FittedFace;
  /** What gives the photograph back. */
  readonly rest: PortraitRest;
  private readonly stage: Stage;
  private readonly maker: FrameMaker;

  private constructor(picture: RgbImage, fit: FittedFace) {
    this.width = picture.width;
    this.height = picture.height;
    this.fit = fit;
    this.rest = { weights: fit.weights, pose: { yaw: 0, pitch: 0, roll: 0 } };
    this.stage = setUp(new PhotographedHead(FaceModel.load(), fit), picture);
    this.maker = new FrameMaker(this.stage);
  }

  static async load(picture: string | RgbImage, options: PortraitOptions = {}): Promise<Portrait> {
    const where = 'Portrait.load';
    checkOptions(where, options, ['face', 'fit', 'crop', 'size']);
    const crop = checkChoice(where, 'crop', options.crop ?? 'head', ['head', 'full']);
    const { size } = options;
    if (size !== undefined) checkWhole(where, 'size', size, smallest, largest);
    const image = typeof picture === 'string' ? await readImage(picture) : picture;
    checkPicture(where, image);
    const analyser = await FaceAnalyser.load();
    const found = analyser.analyse(image);
    if (found === null) throw new DataError('no face');
    const fit = options.fit ?? fitFace(found.landmarks, { width: image.width, height: image.height });
    const part = cropped(image, fit, { crop, ...(size !== undefined && { size }) });
    return new Portrait(part.picture, part.fit);
  }

  /** The frame of an instant. The same motion gives the same bytes. */
  frame(motion: PortraitMotion = {}): RgbImage {
    const where = 'Portrait.frame';
    checkOptions(where, motion, ['weights', 'pose', 'position', 'gaze']);
    const { weights = this.rest.weights, pose = {}, position = [0, 0, 0], gaze } = motion;
    if (weights.length !== arkitCount)
      throw new ShapeError(`${where}: expected ${arkitCount} weights, got ${weights.length}`);
    checkOptions(`the pose of ${where}`, pose, ['yaw', 'pitch', 'roll']);
    const angle = (name: keyof HeadTurn): number => checkFinite(where, name, pose[name] ?? 0);
    const turn = { yaw: angle('yaw'), pitch: angle('pitch'), roll: angle('roll') };
    const data = this.maker.make({
      weights: Float32Array.from(weights),
      pose: turn,
      position: checkTuple(where, 'position', position as [number, number, number], 3),
      ...(gaze && { gaze }),
    });
    return { width: this.width, height: this.height, data };
  }

  dispose(): void {
    this.maker.dispose();
    strike(this.stage);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
