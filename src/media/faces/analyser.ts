/** Finds and reads the faces of pictures. */
import { checkOptions } from '../../torch/options.js';
import type { RgbImage } from '../frames.js';
import { mainFace, prominence } from './boxes.js';
import { type DetectorOptions, detectorOptionNames, FaceDetector } from './detector.js';
import { FeatureReader, type FoundFace, readChosen } from './reader.js';
import { FaceTracker, type TrackOptions } from './tracker.js';
import type { Face, FaceDetection } from './types.js';
import { faceWeightsFolder } from './weights.js';

export interface FaceAnalyserOptions extends DetectorOptions {
  /** The folder of the networks' weights. By default that of the package `@vladmandic/face-api`. */
  readonly weights?: string;
}

/**
 * Face detection, 68 landmarks, expressions and head pose, with the networks of face-api run on libtorch.
 *
 * A call works in the calling thread until it is done, some 40 ms a frame on one CPU core. The networks were trained on photographs of
 * faces that look roughly at the camera; profiles, hidden and strongly tilted faces (beyond some 45 degrees) are often missed or
 * misread. The expression scores say what a face resembles, not what a person feels.
 */
export class FaceAnalyser {
  readonly #detector: FaceDetector;
  readonly #reader: FeatureReader;

  private constructor(detector: FaceDetector, reader: FeatureReader) {
    this.#detector = detector;
    this.#reader = reader;
  }

  /** @throws ConfigError for options that cannot be used, DataError for weights that cannot be read */
  static async load(options: FaceAnalyserOptions = {}): Promise<FaceAnalyser> {
    checkOptions('FaceAnalyser.load', options, [...detectorOptionNames, 'weights']);
    const folder = options.weights ?? faceWeightsFolder();
    const detector = await FaceDetector.load(folder, options);
    return new FaceAnalyser(detector, await FeatureReader.load(folder, options.device ?? 'cpu'));
  }

  /** The score from which a detection is taken for a face. */
  get minScore(): number {
    return this.#detector.minScore;
  }

  /**
   * Where the faces of each frame are, the best first.
   * @param floor scores below are dropped; {@link minScore} by default
   */
  detect(frames: readonly RgbImage[], floor = this.minScore): FaceDetection[][] {
    return this.#detector.detect(frames, floor);
  }

  /** Reads faces whose boxes are known; null for one that proves to be none. */
  read(found: readonly FoundFace[]): (Face | null)[] {
    return this.#reader.read(found);
  }

  /** The main face of one picture, the largest and most central one; null where there is none. */
  analyse(frame: RgbImage): Face | null {
    return this.analyseBatch([frame])[0]!;
  }

  /** The main face of each of several pictures that have nothing to do with one another. Faster than one by one. */
  analyseBatch(frames: readonly RgbImage[]): (Face | null)[] {
    return readChosen(
      this,
      frames,
      this.detect(frames).map((found, i) => mainFace(found, frames[i]!)),
    );
  }

  /** Every face of a picture, the main one first. */
  analyseAll(frame: RgbImage): Face[] {
    const [found] = this.detect([frame]) as [FaceDetection[]];
    const sorted = found.sort((a, b) => prominence(b, frame) - prominence(a, frame));
    return this.read(sorted.map((detection) => ({ frame, detection }))).filter((face) => face !== null);
  }

  /** Follows one person through a video. */
  follow(options: TrackOptions = {}): FaceTracker {
    return new FaceTracker(this, options);
  }
}
