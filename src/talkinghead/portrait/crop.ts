/** The part of a photograph that a portrait shows, at the size that it has. */
import type { RgbImage } from '../../media/index.js';
import { scope, tensor } from '../../torch/index.js';
import { FaceFit } from '../fit/index.js';
import { sample } from '../render/sample.js';
import { headFrame } from './still/head-frame.js';
import { resize } from './still/planes.js';
import { pictureOf, planeOf } from './still/types.js';

export interface CropOptions {
  /** `'head'`: a square about head and shoulders; `'full'`: the whole photograph. */
  readonly crop: 'head' | 'full';
  /** Pixels of the longer side. */
  readonly size: number;
}

/** In eye distances: the side of the square, and how far below the eyes its middle is. */
const [headSide, headBelow] = [4.8, 0.62];

export interface Cropped {
  readonly picture: RgbImage;
  readonly fit: FaceFit;
}

/** A rectangle of whole pixels. */
interface Part {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** The picture to animate, and the face's fit in it. */
export function cropped(picture: RgbImage, fit: FaceFit, { crop, size }: CropOptions): Cropped {
  const part = partOf(fit, crop);
  const scale = size / Math.max(part.width, part.height);
  const [width, height] = [even(part.width * scale), even(part.height * scale)];
  const [sx, sy] = [width / part.width, height / part.height];
  const { camera } = fit;
  return {
    picture: resized(cut(picture, part), width, height),
    fit: new FaceFit({
      width,
      height,
      camera: {
        distance: camera.distance,
        pixelsPerCm: camera.pixelsPerCm * Math.sqrt(sx * sy),
        centre: [(camera.centre[0] - part.left) * sx, (camera.centre[1] - part.top) * sy],
        pivot: camera.pivot,
      },
      pose: fit.pose,
      identity: fit.identity,
      weights: fit.weights,
      gaze: fit.gaze,
      landmarks: fit.landmarks.map((value, i) => (i & 1 ? (value - part.top) * sy : (value - part.left) * sx)),
      contour: fit.contour,
      residual: fit.residual,
    }),
  };
}

/** As many pixels as the photograph has along the longer side of the part that is shown. */
export function longerSide(fit: FaceFit, crop: CropOptions['crop']): number {
  const { width, height } = partOf(fit, crop);
  return Math.max(width, height);
}

function partOf(fit: FaceFit, crop: CropOptions['crop']): Part {
  return crop === 'full' ? { left: 0, top: 0, width: even(fit.width), height: even(fit.height) } : headPart(fit);
}

/** The even number next to a side, or before it: videos need even sides. */
const even = (side: number): number => Math.max(2, 2 * Math.floor(side / 2 + 1e-6));

/** A square of an even side, within the picture. */
function headPart(fit: FaceFit): Part {
  const frame = headFrame(fit);
  const side = even(Math.min(headSide * frame.size, fit.width, fit.height));
  const place = (middle: number, length: number): number =>
    Math.round(Math.min(length - side, Math.max(0, middle - side / 2)));
  return {
    left: place(frame.x + headBelow * frame.size * frame.down[0], fit.width),
    top: place(frame.y + headBelow * frame.size * frame.down[1], fit.height),
    width: side,
    height: side,
  };
}

function cut({ width, data }: RgbImage, part: Part): RgbImage {
  const out = new Uint8Array(3 * part.width * part.height);
  for (let y = 0; y < part.height; y++) {
    const from = 3 * ((part.top + y) * width + part.left);
    out.set(data.subarray(from, from + 3 * part.width), 3 * y * part.width);
  }
  return { width: part.width, height: part.height, data: out };
}

/** Means of areas where it becomes smaller, bicubic where it becomes larger. */
export function resized(picture: RgbImage, width: number, height: number): RgbImage {
  if (width === picture.width && height === picture.height) return picture;
  if (width <= picture.width && height <= picture.height) {
    // One channel after another: of large photographs each takes hundreds of megabytes.
    const small = (channel: number): Float32Array =>
      resize(planeOf(picture, channel), picture.width, picture.height, width, height);
    return pictureOf([small(0), small(1), small(2)], width, height);
  }
  const map = new Float32Array(2 * width * height);
  for (let i = 0; i < width * height; i++) {
    map[2 * i] = (((i % width) + 0.5) * picture.width) / width;
    map[2 * i + 1] = ((Math.floor(i / width) + 0.5) * picture.height) / height;
  }
  return scope(() => {
    const from = tensor(Uint8Array.from(picture.data), { shape: [picture.height, picture.width, 3] });
    const large = sample(from, tensor(map, { shape: [height, width, 2] }));
    return { width, height, data: Uint8Array.from(large.data() as Uint8Array) };
  });
}
