/** Makes the frames of a performance, one after another. */
import type { ExpressionName } from '../../media/index.js';
import { ConfigError, checkOptions, nearest } from '../../torch/index.js';
import { arkitCount, arkitIndex, arkitNames, type EyeAngles } from '../face/index.js';
import type { HeadTurn } from '../render/index.js';
import type { MotionFrame, SpeechFrame } from './frame.js';
import { emotionWeights } from './recipes.js';

export interface PerformerOptions {
  /** Frames a second. */
  readonly fps: number;
  /** The same seed gives the same performance; 0 by default. */
  readonly seed?: number;
  /** `[52]`: the expression that the photograph shows; by default a neutral face. */
  readonly rest?: ArrayLike<number>;
  /** Where the photograph's head points, needed for poses that are told from the camera. */
  readonly restPose?: HeadTurn;
  /** Where the photograph's eyes look in the head; by default what `rest` says. */
  readonly restGaze?: EyeAngles;
  /** `'happy:0.7'`; by default the photograph's own expression. */
  readonly emotion?: string;
  /** `'idle'`, the default, or `'still'`. */
  readonly pose?: string;
  /** Multiplies the strength of emotions; 1 by default. */
  readonly emotionScale?: number;
  /** Multiplies the head's movement; 1 by default. */
  readonly poseScale?: number;
  /** Multiplies what speech does to the mouth; 1 by default. */
  readonly mouthScale?: number;
}

const optionNames = [
  'fps',
  'seed',
  'rest',
  'restPose',
  'restGaze',
  'emotion',
  'pose',
  'emotionScale',
  'poseScale',
  'mouthScale',
] as const;

const openings = arkitNames.flatMap((name, at) =>
  /^(jawOpen|mouth(LowerDown|UpperUp|Funnel))/.test(name) ? [at] : [],
);
const mouthPlaces = arkitNames.flatMap((name, at) => (/^(jaw|mouth)/.test(name) ? [at] : []));

/** Streaming, seeded, in constant memory: the numbers depend on the seed and on the frames of speech alone. */
export class Performer {
  readonly fps: number;
  readonly #options: PerformerOptions;
  readonly #base: Float32Array;
  #frame = 0;

  /** @throws ConfigError */
  constructor(options: PerformerOptions) {
    checkOptions('Performer', options, optionNames);
    this.fps = options.fps;
    this.#options = options;
    const [name, strength = '1'] = (options.emotion ?? 'neutral:0').split(':') as [string, string?];
    const recipe = emotionWeights[name as ExpressionName];
    if (!recipe)
      throw new ConfigError(`Expected an emotion, got ${name}: ${nearest(name, Object.keys(emotionWeights))}?`);
    const share = Math.min(1, Number(strength) * (options.emotionScale ?? 1));
    this.#base = new Float32Array(arkitCount).map(
      (_, at) => (options.rest?.[at] ?? 0) * (1 - share) + share * recipe[at]!,
    );
  }

  /** The next frame. @param speech - null where nobody speaks */
  next(speech: SpeechFrame | null): MotionFrame {
    const time = this.#frame++ / this.fps;
    const weights = this.#base.slice();
    if (speech !== null) {
      for (const at of mouthPlaces) weights[at]! += (this.#options.mouthScale ?? 1) * speech.mouth[at]!;
      for (const at of openings) weights[at]! *= 1 - speech.closure;
    }
    const blink = Math.max(0, 1 - Math.abs(((time + 2) % 3.5) - 0.2) / 0.15);
    for (const side of ['Left', 'Right']) {
      const at = arkitIndex(`eyeBlink${side}`);
      weights[at]! += (1 - weights[at]!) * blink;
    }
    const scale = this.#options.pose === 'still' ? 0 : (this.#options.poseScale ?? 1) * Math.min(1, time);
    const wave = (rate: number, size: number): number => scale * size * Math.sin(2 * Math.PI * rate * time);
    return {
      weights: weights.map((weight) => Math.min(1, Math.max(0, weight))),
      pose: { yaw: wave(0.21, 2.2), pitch: wave(0.33, 1.4), roll: wave(0.17, 1.2) },
    };
  }
}
