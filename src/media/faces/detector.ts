/** Finds the faces of frames: with the tiny detector at two scales and, where it finds none, with the larger one. */
import { functional as F } from '../../nn/index.js';
import { ConfigError, cat, noGrad, scope, type Tensor } from '../../torch/index.js';
import type { RgbImage } from '../frames.js';
import { decodeSsd, decodeTiny, suppress, type View } from './boxes.js';
import { frameTensor } from './crop.js';
import { type LoadedSsd, loadSsdFaceDetector, loadTinyFaceDetector } from './load.js';
import { type TinyFaceDetector, tinyStride } from './networks.js';
import { ssdBoxes, ssdSize } from './ssd.js';
import { checkFrame, type FaceDetection } from './types.js';

/** `'tiny'` is fast; `'ssd'` is some eight times slower and finds more; `'auto'` asks it where the first finds no face. */
export type DetectorName = 'tiny' | 'ssd' | 'auto';

export interface DetectorOptions {
  /** Default `'auto'`. */
  readonly detector?: DetectorName;
  /** The frame's longer side for the tiny detector, a multiple of 32. Default 416. Smaller is faster and misses small faces. */
  readonly inputSize?: number;
  /** Detections below are dropped. Default 0.5. */
  readonly minScore?: number;
  /** Of detections that overlap by more than this share the best stays. Default 0.4. */
  readonly maxOverlap?: number;
  /** `'cpu'` (default) or `'cuda:0'`. */
  readonly device?: string;
}

export const detectorOptionNames = ['detector', 'inputSize', 'minScore', 'maxOverlap', 'device'] as const;

/** A frame's longer side in the tiny detector's second look, for faces that fill the frame: its widest box is 290 pixels. */
const closeSize = 160;

/** Black around the frame for the larger detector, as a share of the longer side: without it, it misses faces that fill the frame. */
const ssdMargin = 0.25;

/** Frames that are read together at most: the first layers' outputs of each take some 20 MB. */
const atOnce = 8;

type Look = (frames: readonly RgbImage[]) => FaceDetection[][];

export class FaceDetector {
  readonly #tiny: TinyFaceDetector | null;
  readonly #ssd: LoadedSsd | null;
  readonly #sizes: readonly number[];
  /** A face that scores less is none, or a doubtful one. */
  readonly minScore: number;
  readonly #maxOverlap: number;
  readonly #device: string;

  private constructor(tiny: TinyFaceDetector | null, ssd: LoadedSsd | null, options: DetectorOptions) {
    const { inputSize = 416, minScore = 0.5, maxOverlap = 0.4, device = 'cpu' } = options;
    this.#tiny = tiny;
    this.#ssd = ssd;
    this.#sizes = inputSize > closeSize ? [inputSize, closeSize] : [inputSize];
    this.minScore = minScore;
    this.#maxOverlap = maxOverlap;
    this.#device = device;
  }

  /**
   * @param folder of the weights
   * @throws ConfigError, DataError (weights that cannot be read)
   */
  static async load(folder: string, options: DetectorOptions = {}): Promise<FaceDetector> {
    const { detector = 'auto', inputSize = 416, device = 'cpu' } = options;
    if (!['tiny', 'ssd', 'auto'].includes(detector)) {
      throw new ConfigError(`Expected detector 'tiny', 'ssd' or 'auto', got '${detector}'`);
    }
    if (!Number.isInteger(inputSize) || inputSize < 96 || inputSize % tinyStride !== 0) {
      throw new ConfigError(`Expected inputSize as a multiple of ${tinyStride}, 96 or more, got ${inputSize}`);
    }
    for (const [name, share] of Object.entries({
      minScore: options.minScore ?? 0.5,
      maxOverlap: options.maxOverlap ?? 0.4,
    })) {
      if (!(share >= 0 && share <= 1)) throw new ConfigError(`Expected ${name} from 0 to 1, got ${share}`);
    }
    const tiny = detector === 'ssd' ? null : await loadTinyFaceDetector(folder);
    const ssd = detector === 'tiny' ? null : await loadSsdFaceDetector(folder);
    // Pooling on the CPU is nine times faster with the channels last.
    for (const network of [tiny, ssd?.network]) network?.to({ device, memoryFormat: 'channelsLast' });
    return new FaceDetector(tiny, ssd, options);
  }

  /**
   * The faces of each frame, the best first. Frames of one size that follow one another are read together.
   * @param floor scores below are dropped: lower than `minScore` to see doubtful faces too
   * @throws ShapeError for a frame whose pixels do not fit its size
   */
  detect(frames: readonly RgbImage[], floor = this.minScore): FaceDetection[][] {
    for (const frame of frames) checkFrame(frame);
    const [tiny, ssd] = [this.#tiny, this.#ssd];
    const found =
      tiny === null ? frames.map(() => []) : this.#look(frames, (batch) => this.#runTiny(tiny, batch, floor));
    if (ssd === null) return found;
    const unsure = frames.map((_, i) => found[i]!.every(({ score }) => score < this.minScore));
    const more = this.#look(
      frames.filter((_, i) => unsure[i]),
      (batch) => this.#runSsd(ssd, batch, floor),
    );
    return found.map((seen, i) => (unsure[i] ? suppress([...seen, ...more.shift()!], this.#maxOverlap) : seen));
  }

  #look(frames: readonly RgbImage[], look: Look): FaceDetection[][] {
    return batches(frames).flatMap((batch) =>
      noGrad(() => scope(() => look(batch))).map((found) => suppress(found, this.#maxOverlap)),
    );
  }

  #runTiny(network: TinyFaceDetector, frames: readonly RgbImage[], floor: number): FaceDetection[][] {
    const found: FaceDetection[][] = frames.map(() => []);
    const pixels = this.#pixels(frames);
    for (const size of this.#sizes) {
      const { input, view } = place(pixels, size, 0, tinyStride);
      const output = network.forward(input).permute([0, 2, 3, 1]).contiguous().to({ device: 'cpu' });
      const [, rows, columns, width] = output.shape as [number, number, number, number];
      const [values, each] = [output.data() as Float32Array, rows * columns * width];
      for (const [i, all] of found.entries()) {
        all.push(...decodeTiny(values.subarray(i * each, (i + 1) * each), columns, view, floor));
      }
    }
    return found;
  }

  #runSsd({ network, anchors }: LoadedSsd, frames: readonly RgbImage[], floor: number): FaceDetection[][] {
    const { input, view } = place(this.#pixels(frames), ssdSize, ssdMargin, ssdSize);
    const { codes, logits } = network.forward(input);
    const scores = logits.sigmoid().to({ device: 'cpu' }).data() as Float32Array;
    const boxes = codes.contiguous().to({ device: 'cpu' }).data() as Float32Array;
    return frames.map((_, i) => {
      const output = {
        codes: boxes.subarray(i * ssdBoxes * 4, (i + 1) * ssdBoxes * 4),
        scores: scores.subarray(i * ssdBoxes, (i + 1) * ssdBoxes),
        anchors,
        size: ssdSize,
      };
      return decodeSsd(output, view, floor);
    });
  }

  /** Frames of one size as floats [B, 3, H, W]. */
  #pixels(frames: readonly RgbImage[]): Tensor {
    const pixels = frames.map((frame) => frameTensor(frame, this.#device).unsqueeze(0));
    return cat(pixels, 0).permute([0, 3, 1, 2]).to({ dtype: 'float32' });
  }
}

/**
 * Resizes so that the longer side with its margins is `size`, and adds black: the margins on the left and above, and what
 * makes the sides multiples of `stride` on the right and below.
 */
function place(pixels: Tensor, size: number, share: number, stride: number): { input: Tensor; view: View } {
  const [, , height, width] = pixels.shape as [number, number, number, number];
  const margin = Math.round((size * share) / (1 + 2 * share));
  const scale = (size - 2 * margin) / Math.max(width, height);
  const [h, w] = [Math.max(1, Math.round(height * scale)), Math.max(1, Math.round(width * scale))];
  const resized =
    h === height && w === width
      ? pixels
      : F.interpolate(pixels, { size: [h, w], mode: 'bilinear', antialias: scale < 1 });
  const after = (side: number): number => Math.ceil((side + 2 * margin) / stride) * stride - margin - side;
  const input = F.pad(resized, [margin, after(w), margin, after(h)]);
  return { input: input.to({ memoryFormat: 'channelsLast' }), view: { scale, margin } };
}

/** Splits at changes of size, and so that no batch is too large. */
export function batches(frames: readonly RgbImage[]): RgbImage[][] {
  const split: RgbImage[][] = [];
  for (const frame of frames) {
    const last = split.at(-1);
    const fits = last !== undefined && last.length < atOnce;
    if (fits && last[0]!.width === frame.width && last[0]!.height === frame.height) last.push(frame);
    else split.push([frame]);
  }
  return split;
}
