/** Photographs to fitted faces: found, read, fitted, or refused with the reason. */
import { type Face, FaceAnalyser, type RgbImage, readImage } from '../../media/index.js';
import { ConfigError, checkOptions, DataError } from '../../torch/index.js';
import type { FaceModel } from '../face/face-model.js';
import { checkWhole } from '../render/checks.js';
import { coveredParts } from './covered.js';
import type { FaceFit } from './face-fit.js';
import { type FaceLandmarks, fitFaces } from './fit-face.js';
import { findGaze } from './gaze.js';
import { fitRig } from './rig.js';
import { headYaw } from './turn.js';
import { eyeDistanceOf } from './view.js';

export interface FitPhotographOptions {
  /** Which of several faces: 0 (default) is the one that stands out most, by size and place. */
  readonly face?: number;
  /** By default one that is loaded for this call. */
  readonly analyser?: FaceAnalyser;
  /** Another face than the one that comes with Headrace. */
  readonly model?: FaceModel;
  /** Told of what was chosen, such as one of several faces. */
  readonly note?: (remark: string) => void;
  /** Told of each step as it begins, in words, and which of how many it is: each takes a second or so. */
  readonly onStep?: (what: string, step: number, of: number) => void;
}

const optionNames = ['face', 'analyser', 'model', 'note', 'onStep'] as const;

/** Steps after the faces are found. */
const fitSteps = ['fitting the face', 'reading the eyes', 'fitting the face with its eyes'] as const;

/** Pixels between the eyes: below, lips are a few pixels wide. */
export const leastEyeDistance = 12;

/** Degrees: beyond, half of the face is not seen, and landmarks are guesses. */
export const widestTurn = 40;

/** % of the eyes' distance: real faces, grimaces included, stay below; what is no whole face does not. */
const worstResidual = { eyes: 3.5, lips: 4.5 } as const;

/**
 * Finds the face of a photograph and fits the face model to it: camera, pose, person, expression, gaze.
 * @param picture - a file (any usual format; turned as EXIF says, white behind what is transparent, CMYK as sRGB), or pixels
 * @throws DataError for a picture that cannot be read, or a face that cannot be fitted: none there, too small, turned too far,
 * covered; ConfigError for options that cannot be used
 */
export async function fitPhotograph(picture: string | RgbImage, options: FitPhotographOptions = {}): Promise<FaceFit> {
  return (await fitPhotographs([picture], options))[0]!;
}

/**
 * As {@link fitPhotograph}, for several photographs of one person, who gets the same shape in all: each makes it surer.
 * @throws as {@link fitPhotograph}, naming the photograph
 */
export async function fitPhotographs(
  pictures: readonly (string | RgbImage)[],
  options: FitPhotographOptions = {},
): Promise<FaceFit[]> {
  checkOptions('fitPhotograph', options, optionNames);
  if (pictures.length === 0) throw new ConfigError('fitPhotographs: expected at least one photograph, got none');
  const named: NamedPicture[] = [];
  for (const picture of pictures) named.push(await namedPicture(picture));
  return fitNamed(named, options);
}

/** A photograph with what errors call it. */
export interface NamedPicture {
  readonly name: string;
  readonly image: RgbImage;
  /** Which of its faces, where that is not the same for all. */
  readonly face?: number;
}

/** Reads a file, or takes pixels as they are. @throws DataError for a file that cannot be read */
export async function namedPicture(picture: string | RgbImage): Promise<NamedPicture> {
  if (typeof picture !== 'string') return { name: 'The picture', image: picture };
  return { name: picture, image: await readImage(picture) };
}

/** {@link fitPhotographs} of pictures that were read. @throws as there */
export async function fitNamed(pictures: readonly NamedPicture[], options: FitPhotographOptions): Promise<FaceFit[]> {
  const steps = pictures.length + fitSteps.length;
  const begin = (what: string, step: number): void => options.onStep?.(what, step, steps);
  begin(`finding the face of ${pictures[0]!.name}`, 1);
  const analyser = options.analyser ?? (await FaceAnalyser.load());
  const found: (NamedPicture & { readonly seen: FaceLandmarks })[] = [];
  for (const { name, image, ...own } of pictures) {
    if (found.length > 0) begin(`finding the face of ${name}`, found.length + 1);
    const face = chooseFace(name, image, analyser, { ...options, ...own });
    const { landmarks, expressions } = face;
    const seen = { landmarks, expressions, width: image.width, height: image.height };
    found.push({ name, image, seen });
  }
  // First without the eyes' looks, which need the fit to be found; then with the lids that follow them.
  const beginFit = (k: 0 | 1 | 2): void => begin(fitSteps[k], pictures.length + 1 + k);
  beginFit(0);
  const rough = fitFaces(
    found.map(({ seen }) => seen),
    options.model,
  );
  beginFit(1);
  const { model } = fitRig(options.model);
  const looking = found.map(({ image, seen }, i) => {
    const { pose, identity, landmarks } = rough[i]!;
    return { ...seen, gaze: findGaze(image, model, { camera: rough[i]!.view(), pose, identity, landmarks }) };
  });
  beginFit(2);
  const fits = fitFaces(looking, options.model);
  for (const [i, fit] of fits.entries()) refuseUnlike(found[i]!.name, found[i]!.image, fit);
  return fits;
}

/** @throws DataError where there is none, or not as many */
function chooseFace(name: string, image: RgbImage, analyser: FaceAnalyser, options: FitPhotographOptions): Face {
  const chosen = checkWhole('fitPhotograph', 'face', options.face ?? 0, 0, 1000);
  const faces = analyser.analyseAll(image);
  const size = `${image.width} x ${image.height} pixels`;
  if (faces.length === 0) {
    throw new DataError(
      `${name}: no face was found (${size}). A portrait needs a face that looks towards the camera, upright, at least some ` +
        `${3 * leastEyeDistance} pixels wide, and not covered`,
      { code: 'NO_FACE' },
    );
  }
  const face = faces[chosen];
  if (face === undefined) {
    const known = faces.length > 1 ? `${faces.length} were found, 0 to ${faces.length - 1}` : 'one was found, face 0';
    throw new DataError(`${name}: expected a face ${chosen}, but ${known}`, { code: 'NO_FACE' });
  }
  if (faces.length > 1 && options.face === undefined) {
    options.note?.(
      `${name} shows ${faces.length} faces: the one at ${placeOf(face)} is taken, which stands out most; choose with face: 0 to ${faces.length - 1}`,
    );
  }
  const eyes = eyeDistanceOf(face.landmarks);
  if (eyes < leastEyeDistance) {
    throw new DataError(
      `${name}: the face at ${placeOf(face)} is too small: its eyes are ${eyes.toFixed(0)} pixels apart, where ${leastEyeDistance} are needed. ` +
        'Use a larger picture, or one that shows the face from nearer',
      { code: 'SMALL_FACE' },
    );
  }
  return face;
}

/** Where a face is, in words. */
function placeOf({ box }: Face): string {
  return `(${Math.round(box.x + box.width / 2)}, ${Math.round(box.y + box.height / 2)})`;
}

/** @throws DataError for a face that is turned too far, covered in part, or that the model does not follow */
function refuseUnlike(name: string, image: RgbImage, fit: FaceFit): void {
  const [yaw, pitch] = [headYaw(fit.pose.yaw), fit.pose.pitch];
  if (Math.abs(yaw) > widestTurn || Math.abs(pitch) > widestTurn) {
    const turned = `yaw ${yaw.toFixed(0)}, pitch ${pitch.toFixed(0)} degrees`;
    throw new DataError(
      `${name}: the face is turned too far: ${turned}, where ${widestTurn} are the most. Use a picture that shows it from nearer the front`,
      { code: 'TURNED_FACE' },
    );
  }
  const covered = coveredParts(image, fit.landmarks);
  if (covered.length > 0) {
    throw new DataError(
      `${name}: ${covered.join(' and ')} of the face cannot be seen: covered by a hand, hair, a mask or dark glasses, or out of the picture. Use a picture that shows the whole face`,
      { code: 'COVERED_FACE' },
    );
  }
  const { eyes, lips } = fit.residual;
  if (eyes <= worstResidual.eyes && lips <= worstResidual.lips) return;
  throw new DataError(
    `${name}: the face cannot be fitted: its eyes are ${eyes.toFixed(1)} % and its lips ${lips.toFixed(1)} % of the eyes' distance off, where ` +
      `${worstResidual.eyes} and ${worstResidual.lips} are the most. It may be covered in part, or be no real face`,
    { code: 'COVERED_FACE' },
  );
}
