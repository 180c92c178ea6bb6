/** Makes the frames of a performance, one after another. */
import type { Expressions } from '../../media/index.js';
import { arkitCount, type EyeAngles } from '../face/index.js';
import { type Accent, Accents } from './accents.js';
import { Blinks } from './blinks.js';
import { closeLids, composeFace, raiseBrows } from './compose.js';
import { HeardEmotion, PhraseEnds, Speaking, TurnBegins } from './cues.js';
import type { MotionFrame, SpeechFrame } from './frame.js';
import { Gaze, lookAside } from './gaze.js';
import { type PerformerOptions, type Plans, plansOf } from './performer-options.js';
import { type PoseAxis, poseAxes } from './pose-plan.js';
import { PhotographedMouth } from './rest.js';
import { RowSource } from './source.js';

const silence: SpeechFrame = { mouth: new Float32Array(arkitCount), closure: 0, energy: 0, stress: 0 };

/**
 * A performance: frames one after another, of expression, speech, head, eyes and lids together. Streaming, in constant memory;
 * the numbers depend on the options, the seed among them, and on the frames of speech so far alone.
 */
export class Performer {
  /** Frames a second. */
  readonly fps: number;
  readonly #plans: Plans;
  readonly #accents: Accents;
  readonly #blinks: Blinks | null;
  readonly #eyes: Gaze | null;
  readonly #mouth: PhotographedMouth;
  readonly #speaking: Speaking;
  readonly #heard: HeardEmotion;
  readonly #phrases = new PhraseEnds();
  readonly #turns: TurnBegins;
  #frame = 0;

  /** @throws ConfigError for options that cannot be used; one for a plan shows the place in it */
  constructor(options: PerformerOptions) {
    const plans = plansOf(options);
    const { fps, seed } = plans;
    this.fps = fps;
    this.#plans = plans;
    this.#accents = new Accents(seed);
    this.#blinks = plans.blinks ? new Blinks(seed, fps) : null;
    this.#eyes = plans.gaze === 'viewer' ? new Gaze(seed, plans.restGaze) : null;
    this.#mouth = new PhotographedMouth(plans.rest);
    this.#speaking = new Speaking(fps);
    this.#heard = new HeardEmotion(fps);
    this.#turns = new TurnBegins(fps);
  }

  /** How far the head is asked to go at most from where it was photographed, either way: degrees, cm. */
  get farthest(): Readonly<Record<PoseAxis, number>> {
    const { head, poseScale } = this.#plans;
    return Object.fromEntries(poseAxes.map((axis) => [axis, poseScale * head.most[axis]])) as Record<PoseAxis, number>;
  }

  /**
   * The next frame.
   * @param speech - null where nobody speaks
   * @throws ConfigError where the emotion is to be heard in a voice that tells none
   */
  next(speech: SpeechFrame | null): MotionFrame {
    const time = this.#frame++ / this.fps;
    const said = speech ?? silence;
    const speaking = this.#speaking.next(said);
    const rest = this.#mouth.next(speaking);
    const weights = this.#plans.expression(time, this.#hear(speech), rest, new Float32Array(arkitCount));
    composeFace({ expression: weights, speech: said, speaking, mouthScale: this.#plans.mouthScale }, weights);
    const accent = this.#accents.at(time, said.stress);
    raiseBrows(weights, accent.brows);
    const place = this.#place(time, accent);
    const gaze = this.#look(time, place.pose, weights);
    const turn = this.#turns.next(place.pose) || (this.#eyes?.glanced ?? false);
    const pause = this.#phrases.next(time, said.energy);
    if (this.#blinks !== null) closeLids(weights, this.#blinks.at(time, { pause, turn }));
    return { weights, ...place, ...(gaze === null ? {} : { gaze }) };
  }

  /** What has been heard so far: nothing, as probabilities too, before anyone has spoken enough; null in a voice that tells none. */
  #hear(speech: SpeechFrame | null): Expressions | null {
    const emotion = speech === null ? null : speech.emotion;
    const heard = this.#heard.next(emotion ?? null);
    return heard === null && emotion === null ? HeardEmotion.nothing : heard;
  }

  #place(time: number, accent: Accent): Pick<MotionFrame, 'pose' | 'position'> {
    const { head, poseScale } = this.#plans;
    const shift = head.at(time);
    const turn = (axis: 'yaw' | 'pitch' | 'roll'): number => poseScale * (shift[axis] + head.nods * accent[axis]);
    const pose = { yaw: turn('yaw'), pitch: turn('pitch'), roll: turn('roll') };
    return head.moves ? { pose, position: [poseScale * shift.x, poseScale * shift.y, poseScale * shift.z] } : { pose };
  }

  /** Where the eyes look, and lets the lids follow; null where the weights say it. */
  #look(time: number, pose: MotionFrame['pose'], weights: Float32Array): EyeAngles | null {
    const { gaze: plan, restGaze } = this.#plans;
    if (plan instanceof RowSource) {
      // A track's own weights let the lids follow its gaze.
      const [yaw, pitch] = plan.at(time) as unknown as [number, number];
      return { yaw, pitch };
    }
    const gaze = this.#eyes?.at(time, pose) ?? plan;
    if (typeof gaze === 'string') return null;
    lookAside(weights, { yaw: gaze.yaw - restGaze.yaw, pitch: gaze.pitch - restGaze.pitch });
    return gaze;
  }
}
