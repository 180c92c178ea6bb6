/** The pictures of two videos beside one another: the same square of both, frame by frame. */
import { overlap, type RgbImage, readFrames } from '../../media/index.js';
import { type CropBox, cutSquare, inside, squareAround, union } from '../prepare/crop.js';
import { decibels, meanSquaredError, ssim } from './pictures.js';
import { type FaceReading, looksASecond } from './reading.js';

/** The face crop is the square around the face's box in all frames and this share of it on every side. */
const margin = 0.1;

/** Boxes around the faces of two videos of one framing overlap by at least this. */
const sameFraming = 0.5;

export interface PixelFigures {
  readonly psnr: number;
  readonly ssim: number;
}

/** The square of a video's frames that is looked at. */
export function faceSquare(reading: FaceReading): CropBox {
  return inside(squareAround(around(reading), margin), reading);
}

/** Whether two videos show the face at the same place of the picture, whatever their resolutions. */
export function framedAlike(a: FaceReading, b: FaceReading): boolean {
  const [x, y] = [a.width / b.width, a.height / b.height];
  const box = around(b);
  const moved = { x: box.x * x, y: box.y * y, width: box.width * x, height: box.height * y };
  return Math.abs(x / y - 1) < 0.01 && overlap(around(a), moved) >= sameFraming;
}

function around({ faces }: FaceReading): { x: number; y: number; width: number; height: number } {
  return faces.flatMap((face) => (face === null ? [] : [face.box])).reduce(union);
}

/**
 * Compares the pictures of two videos of one framing, at the reference's size and within its square.
 * @param size - pixels of the crops' sides
 * @returns the generated video's figures; those of the reference with itself, and of its first picture held, from some frames a second
 */
export async function comparePictures(
  generated: FaceReading,
  reference: FaceReading,
  size: number,
): Promise<{ readonly generated: PixelFigures; readonly truth: PixelFigures; readonly still: PixelFigures }> {
  const { fps, width, height } = reference;
  const box = faceSquare(reference);
  const every = Math.max(1, Math.round(fps / looksASecond));
  const [ours, truth, still] = [new Figures(), new Figures(), new Figures()];
  const others = readFrames(generated.path, { fps, width, height });
  let first: RgbImage | null = null;
  try {
    for await (const frame of readFrames(reference.path, { fps })) {
      const other = await others.next();
      if (other.done) break;
      const crop = cutSquare(frame, box, size);
      first ??= crop;
      ours.add(cutSquare(other.value, box, size), crop);
      if (frame.index % every !== 0) continue;
      truth.add(crop, crop);
      still.add(first, crop);
    }
  } finally {
    await others.return();
  }
  return { generated: ours.figures(), truth: truth.figures(), still: still.figures() };
}

/** Means over frames: of SSIM, and of squared errors, from which PSNR follows. */
class Figures {
  #count = 0;
  #error = 0;
  #similarity = 0;

  add(ours: RgbImage, truth: RgbImage): void {
    this.#count++;
    this.#error += meanSquaredError(ours, truth);
    this.#similarity += ssim(ours, truth);
  }

  figures(): PixelFigures {
    return { psnr: decibels(this.#error / this.#count), ssim: this.#similarity / this.#count };
  }
}
