/** A photograph and a trained second stage: a head that speaks. */
import {
  expressionNames,
  type Face,
  FaceAnalyser,
  type HeadPose,
  type RgbImage,
  readImage,
} from '../../../media/index.js';
import { ConfigError, DataError, noGrad, scope, type Tensor } from '../../../torch/index.js';
import { mouthSquare } from '../clips/mouths.js';
import { type SoundEncoder, soundEncoder } from '../talking/sound-encoder.js';
import { loadTalking, type TalkingModel } from '../talking/talking-model.js';
import { cutFramed, framedSquare, landmarksWithin } from './framing.js';
import { codeOf, seenBy } from './sources.js';
import { type SpeakAnimateOptions, SpeakFilm } from './speak-film.js';

export interface SpeakHeadOptions {
  /** Which face, of several: 0, the one that stands out most, by default. */
  readonly face?: number;
}

export class SpeakHead {
  private constructor(
    readonly model: TalkingModel,
    readonly sound: SoundEncoder,
    readonly analyser: FaceAnalyser,
    /** The portrait as the model sees it. */
    readonly portrait: RgbImage,
    /** Where it points. */
    readonly pose: HeadPose,
    /** [1, 3, size, size], and codes [1, ...]. */
    readonly seen: Tensor,
    readonly codes: { readonly identity: Tensor; readonly emotion: Tensor; readonly pose: Tensor },
  ) {}

  /**
   * @param model - a run of `headrace talk train speak`, or its model
   * @param photograph - a picture's name, or a picture
   * @throws DataError for a model that cannot be read, or a picture without a face
   */
  static async load(model: string, photograph: string | RgbImage, options: SpeakHeadOptions = {}): Promise<SpeakHead> {
    const talking = loadTalking(model);
    const sound = soundEncoder(talking.config.sound);
    const image = typeof photograph === 'string' ? await readImage(photograph) : photograph;
    const name = typeof photograph === 'string' ? photograph : 'the portrait';
    const analyser = await FaceAnalyser.load();
    const face = chosen(analyser, image, options.face, name);
    const square = framedSquare(face.landmarks, talking.framing);
    const portrait = cutFramed(image, square, talking.generator.shape.size);
    const mouth = mouthSquare(landmarksWithin(face.landmarks, square), 0, 1);
    const [seen, codes] = noGrad(() =>
      scope(() => {
        const picture = seenBy(talking, [portrait]);
        const code = (factor: 'identity' | 'emotion' | 'pose'): Tensor =>
          codeOf(talking, factor, picture, [mouth]).keep();
        return [picture.keep(), { identity: code('identity'), emotion: code('emotion'), pose: code('pose') }] as const;
      }),
    );
    return new SpeakHead(talking, sound, analyser, portrait, face.pose, seen, codes);
  }

  get width(): number {
    return this.portrait.width;
  }

  get height(): number {
    return this.portrait.height;
  }

  /** The portrait as the model sees it. */
  frame(): RgbImage {
    return this.portrait;
  }

  /** Expressions that may be asked for by name: those that its clips show. */
  get emotions(): string[] {
    return expressionNames.filter((_, i) => this.model.shown[i]);
  }

  /**
   * Makes it speak. Videos that are to be followed are read first.
   * @throws ConfigError, DataError for what cannot be followed
   */
  animate(options: SpeakAnimateOptions): Promise<SpeakFilm> {
    return SpeakFilm.of(this, options);
  }
}

function chosen(analyser: FaceAnalyser, image: RgbImage, which: number | undefined, name: string): Face {
  const faces =
    which === undefined ? [analyser.analyse(image)].filter((face) => face !== null) : analyser.analyseAll(image);
  if (faces.length === 0)
    throw new DataError(`${name}: no face was found in it: take a photograph of one that looks at the camera`, {
      code: 'NO_FACE',
    });
  const face = faces[which ?? 0];
  if (face === undefined) throw new ConfigError(`${name}: expected a face from 0 to ${faces.length - 1}, got ${which}`);
  return face;
}
