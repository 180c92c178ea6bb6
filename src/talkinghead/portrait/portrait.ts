/** A photograph of a person that moves. */
import type { FaceAnalyser, RgbImage } from '../../media/index.js';
import { misfit } from '../../torch/expect.js';
import { ConfigError, checkOptions, ShapeError } from '../../torch/index.js';
import { type AnimateOptions, Animation } from '../animate/index.js';
import { arkitCount } from '../face/arkit.js';
import type { EyeAngles } from '../face/eyes.js';
import { FaceModel } from '../face/face-model.js';
import { fitNamed, type NamedPicture, namedPicture } from '../fit/fit-photograph.js';
import type { FaceFit } from '../fit/index.js';
import { portraitSizes, seeds } from '../ranges.js';
import type { HeadTurn } from '../render/camera.js';
import { checkChoice, checkFinite, checkTuple, checkWhole } from '../render/checks.js';
import { cropped, longerSide } from './crop.js';
import { FrameMaker, type Moment } from './frame-maker.js';
import { PhotographedHead } from './head.js';
import { type Stage, setUp, stageSteps, strike } from './stage.js';
import { checkPicture } from './still/types.js';

export interface PortraitOptions {
  /** Which of several faces: 0 (default) is the one that stands out most, by size and place. */
  readonly face?: number;
  /** How the photograph shows the face, in its own pixels; by default {@link fitPhotograph} finds it. */
  readonly fit?: FaceFit;
  /** Further photographs of the same person, which tell the shape of the face better; of each the face that stands out most. */
  readonly photos?: readonly (string | RgbImage)[];
  /** `'head'`, a square about head and shoulders, by default; or the `'full'` photograph. */
  readonly crop?: 'head' | 'full';
  /**
   * Pixels of the longer side; by default as many as the photograph has there, but at most 2048. Sides are even, as videos need them.
   */
  readonly size?: number;
  /** What finds the face; by default one that is loaded for this call. */
  readonly analyser?: FaceAnalyser;
  /** Told of what was chosen, such as one of several faces. */
  readonly note?: (remark: string) => void;
  /** Told of each step of loading as it begins, in words, and which of how many it is: of large pictures each takes seconds. */
  readonly onStep?: (what: string, step: number, of: number) => void;
}

const optionNames = ['face', 'fit', 'photos', 'crop', 'size', 'analyser', 'note', 'onStep'] as const;

/** Steps of loading before the stage is set up. */
const firstSteps = ['reading the picture', 'finding the face', 'cutting the picture'] as const;

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
  /**
   * The seed of film grain: pixels that are made, or looked up between the photograph's, get as much as they lack of its own. Another
   * seed for each frame makes it fresh. By default there is none.
   */
  readonly grain?: number;
}

/** What a photograph shows, as a motion. */
export interface PortraitRest {
  readonly weights: Float32Array;
  readonly pose: Required<HeadTurn>;
}

/** Pixels of the longer side that nobody asked for: more take minutes to set up, gigabytes, and few players show them. */
const usualLargest = 2048;

/** Beyond this no photograph can be turned: its other side would be seen. Degrees, and cm for shifts. */
export const portraitReach = { turn: 60, shift: 40 } as const;

/**
 * A photograph of a person whose head turns, speaks, blinks and looks around, with the photograph's own pixels wherever it
 * shows what is seen. What it does not show is made once, when it is loaded: the background behind the person, closed lids, the
 * mouth's inside.
 *
 * @example
 * const portrait = await Portrait.load('portrait.jpg', { size: 512 });
 * const { width, height, data } = portrait.frame({ pose: { yaw: 10 }, weights: arkitWeights({ jawOpen: 0.3 }) });
 */
export class Portrait {
  /** Pixels of each frame. */
  readonly width: number;
  readonly height: number;
  /** How the picture that moves shows the face, in its own pixels. */
  readonly fit: FaceFit;
  /** What gives the photograph back: its own expression, and no turn. */
  readonly rest: PortraitRest;
  private readonly stage: Stage;
  private readonly maker: FrameMaker;
  private struck = false;

  private constructor(picture: RgbImage, fit: FaceFit, begin: (what: string) => void) {
    this.width = picture.width;
    this.height = picture.height;
    this.fit = fit;
    this.rest = { weights: fit.weights, pose: { yaw: 0, pitch: 0, roll: 0 } };
    this.stage = setUp(new PhotographedHead(FaceModel.load(), fit), picture, begin);
    this.maker = new FrameMaker(this.stage);
  }

  /**
   * Makes a photograph ready to move, which takes some seconds.
   * @param picture - a file (any usual format; turned as EXIF says, white behind what is transparent), or pixels
   * @throws DataError for a picture that cannot be read, or without a face that can be fitted, see {@link fitPhotograph};
   * ConfigError, ShapeError for options that cannot be used
   */
  static async load(picture: string | RgbImage, options: PortraitOptions = {}): Promise<Portrait> {
    const where = 'Portrait.load';
    checkOptions(where, options, optionNames);
    const { crop = 'head', size, note, onStep } = options;
    checkChoice(where, 'crop', crop, ['head', 'full']);
    if (size !== undefined) checkWhole(where, 'size', size, ...portraitSizes);
    const steps: readonly string[] = [...firstSteps, ...stageSteps];
    const begin = (what: string): void => onStep?.(what, steps.indexOf(what) + 1, steps.length);
    begin(firstSteps[0]);
    const named = await namedPicture(picture);
    const { image } = named;
    checkPicture(where, image);
    begin(firstSteps[1]);
    const fit = options.fit ?? (await fitted(named, options));
    if (fit.width !== image.width || fit.height !== image.height)
      throw new ShapeError(
        `${where}: expected a fit of this picture's ${image.width} x ${image.height} pixels, got one of ${fit.width} x ${fit.height}`,
      );
    const own = longerSide(fit, crop);
    if (size === undefined && own > usualLargest)
      note?.(`${named.name} has ${own} pixels a side there: made ${usualLargest} of them; choose with size`);
    begin(firstSteps[2]);
    const part = cropped(image, fit, { crop, size: size ?? Math.min(own, usualLargest) });
    return new Portrait(part.picture, part.fit, begin);
  }

  /**
   * The frame of an instant. The same motion gives the same bytes, on any number of threads.
   * @throws ConfigError, ShapeError for numbers that are no motion, or turn the head by more than 60 degrees or shift it by more
   * than 40 cm
   */
  frame(motion: PortraitMotion = {}): RgbImage {
    if (this.struck) throw new ConfigError('Portrait.frame: the portrait was disposed; load it again');
    return { width: this.width, height: this.height, data: this.maker.make(this.moment(motion)) };
  }

  /**
   * The portrait speaks: pictures as long as what is said, which can be looped over or written to a file, see {@link Animation}.
   * @throws ConfigError for options that cannot be used
   */
  animate(options: AnimateOptions): Animation {
    const { pose: restPose, gaze: restGaze } = this.fit;
    const frame = (motion: PortraitMotion): RgbImage => this.frame(motion);
    return new Animation({ rest: this.rest.weights, restPose, restGaze, reach: portraitReach, frame }, options);
  }

  private moment(motion: PortraitMotion): Moment {
    const where = 'Portrait.frame';
    checkOptions(where, motion, ['weights', 'pose', 'position', 'gaze', 'grain']);
    const { weights = this.rest.weights, pose = {}, position = [0, 0, 0], gaze, grain } = motion;
    if (grain !== undefined) checkWhole(where, 'grain', grain, ...seeds);
    if (weights.length !== arkitCount)
      throw new ShapeError(`${where}: expected ${arkitCount} weights, got ${weights.length}`);
    checkOptions(`the pose of ${where}`, pose, ['yaw', 'pitch', 'roll']);
    const angle = (name: keyof HeadTurn): number => within(where, name, pose[name] ?? 0, portraitReach.turn);
    const shift = checkTuple(where, 'position', position as [number, number, number], 3);
    for (const [axis, cm] of shift.entries()) within(where, `position[${axis}]`, cm, portraitReach.shift);
    return {
      weights: Float32Array.from(weights),
      pose: { yaw: angle('yaw'), pitch: angle('pitch'), roll: angle('roll') },
      position: shift,
      ...(gaze && { gaze }),
      ...(grain !== undefined && { grain }),
    };
  }

  /** Frees the pictures. */
  dispose(): void {
    if (this.struck) return;
    this.struck = true;
    this.maker.dispose();
    strike(this.stage);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** The fit of the picture that moves, whose person the other photographs tell of, too. */
async function fitted(picture: NamedPicture, { face, photos = [], analyser, note }: PortraitOptions): Promise<FaceFit> {
  if (!Array.isArray(photos)) throw misfit('Portrait.load', 'photos as a list of files or pictures', photos);
  const others: NamedPicture[] = [];
  for (const photo of photos) others.push(await namedPicture(photo));
  for (const { image } of others) checkPicture('Portrait.load', image);
  const all = [{ ...picture, ...(face !== undefined && { face }) }, ...others];
  const fits = await fitNamed(all, { ...(analyser && { analyser }), ...(note && { note }) });
  return fits[0]!;
}

/** @throws ConfigError */
function within(where: string, name: string, value: number, most: number): number {
  if (Math.abs(checkFinite(where, name, value)) <= most) return value;
  throw misfit(where, `${name} from -${most} to ${most}`, value);
}
