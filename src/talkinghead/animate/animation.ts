/** Speech to moving pictures of a head: what is heard, what the head does, what is seen, as it comes. */
import { type Audio, type RgbImage, readAudioChunks, resampleChunks } from '../../media/index.js';
import { ConfigError, checkOptions, DataError, deriveSeed, HeadraceError } from '../../torch/index.js';
import type { EyeAngles } from '../face/index.js';
import { clamp } from '../motion/curves.js';
import { type MotionFrame, Performer, type PerformerOptions, type SpeechFrame } from '../motion/index.js';
import { isTurn, poseAxes } from '../motion/pose-plan.js';
import { animationRates } from '../ranges.js';
import { checkWithin } from '../render/checks.js';
import type { HeadTurn } from '../render/index.js';
import { VoiceModel, voiceRate } from '../voice/index.js';
import { Film, type Moment } from './film.js';
import { type KnownMouths, type KnownSounds, knownMouths, wordsIn } from './transcript.js';

/** A head that can be moved: a `Portrait` is one. */
export interface Actor {
  /** `[52]`: its expression where nothing is asked of it. */
  readonly rest: Float32Array;
  /** Where it points, and its eyes look, before it moves. */
  readonly restPose: HeadTurn;
  readonly restGaze: EyeAngles;
  /** How far it can be moved from there, in degrees and cm; any distance where it does not say. */
  readonly reach?: { readonly turn: number; readonly shift: number };
  frame(motion: MotionFrame & { readonly grain?: number }): RgbImage;
}

export interface AnimateOptions extends Omit<PerformerOptions, 'fps' | 'rest' | 'restPose' | 'restGaze'> {
  /** What is said: a recording or a video of any length, or samples. */
  readonly speech: string | Audio;
  /**
   * The words that are said, all of them and in English, which pocketsphinx finds in the sound (of at most five minutes); or the
   * sounds and their times, such as `synthesise` tells. The mouth then says exactly those; mood and stress are heard all the same.
   */
  readonly transcript?: string | KnownSounds;
  /** Pictures a second, 10 to 60; 25 by default. */
  readonly fps?: number;
  /** What hears it; by default the model that comes with Headrace. */
  readonly voice?: VoiceModel;
  /** Whether a mark in the pictures says that they are made. By default the file alone says it. */
  readonly mark?: boolean;
  /** Whether pixels that are made get fresh grain as the photograph has it, see {@link PortraitMotion}; by default they get none. */
  readonly grain?: boolean;
  /** Takes what there is of a recording that was cut short, which is an error otherwise. */
  readonly allowTruncated?: boolean;
  /** Told of sound that is damaged, and therefore left out. */
  readonly note?: (remark: string) => void;
  /** Ends the work when it is aborted: what is being written is removed. */
  readonly signal?: AbortSignal;
}

const ownNames = ['speech', 'transcript', 'fps', 'voice', 'mark', 'grain', 'allowTruncated', 'note', 'signal'] as const;
const performerNames = [
  'seed',
  'emotion',
  'pose',
  'gaze',
  'blinks',
  'emotionScale',
  'poseScale',
  'mouthScale',
] as const;

/**
 * A head that speaks: pictures, one after another, as long as the sound is (`round(seconds * fps)` of them, at least one). Each
 * loop over it begins anew and gives the same pictures. Sound is read as it is needed, so that memory does not grow with its length.
 *
 * @example
 * for await (const { width, height, data } of portrait.animate({ speech: 'hello.wav' })) show(data);
 * await portrait.animate({ speech: 'hello.wav', emotion: 'happy:0.7' }).write('hello.mp4');
 */
export class Animation extends Film {
  readonly fps: number;
  protected readonly mark: boolean;
  readonly #actor: Actor;
  readonly #options: AnimateOptions;
  #said: KnownMouths | null = null;

  /** @throws ConfigError for options that cannot be used */
  constructor(actor: Actor, options: AnimateOptions) {
    super();
    checkOptions('animate', options, [...ownNames, ...performerNames]);
    const { fps = 25, speech, transcript } = options;
    checkWithin('animate', 'fps', fps, animationRates);
    if (typeof speech !== 'string' && !(speech?.samples instanceof Float32Array))
      throw new ConfigError('animate: expected speech as the name of a file or { samples: Float32Array, rate }');
    if (typeof transcript === 'string') wordsIn(transcript);
    else if (transcript !== undefined && !Array.isArray(transcript?.sounds))
      throw new ConfigError(
        'animate: expected transcript as the words that are said, or { sounds: [{ sound, start, end }] }',
      );
    this.fps = fps;
    this.mark = options.mark === true;
    this.#actor = actor;
    this.#options = options;
    this.#checkReach(this.#performer()); // which checks the plans
  }

  /** @throws ConfigError for a head that is to go where the actor cannot */
  #checkReach({ farthest }: Performer): void {
    const { reach } = this.#actor;
    if (reach === undefined) return;
    for (const axis of poseAxes) {
      const [most, unit] = isTurn(axis) ? [reach.turn, 'degrees'] : [reach.shift, 'cm'];
      if (farthest[axis] <= most) continue;
      throw new ConfigError(
        `animate: expected a pose within ${most} ${unit} of where the head was photographed, got ${axis} up to ${Number(farthest[axis].toFixed(1))}: a picture does not show what would be seen then. Ask for less, or make poseScale smaller`,
      );
    }
  }

  /** What nods and sways add ends where the actor does. */
  #within({ pose, position, ...rest }: MotionFrame): MotionFrame {
    const { turn, shift } = this.#actor.reach ?? { turn: Number.POSITIVE_INFINITY, shift: Number.POSITIVE_INFINITY };
    const [yaw, pitch, roll] = [pose.yaw, pose.pitch, pose.roll].map((angle) => clamp(angle, -turn, turn));
    const [x, y, z] = (position ?? [0, 0, 0]).map((cm) => clamp(cm, -shift, shift));
    return { ...rest, pose: { yaw: yaw!, pitch: pitch!, roll: roll! }, ...(position && { position: [x!, y!, z!] }) };
  }

  /** What the head does, without the pictures. */
  async *motion(): AsyncGenerator<MotionFrame, void, void> {
    const performer = this.#performer();
    for await (const speech of this.#heard()) yield this.#within(performer.next(speech));
  }

  protected async *drawn(): AsyncGenerator<Moment, void, void> {
    const performer = this.#performer();
    const { grain = false, seed = 0 } = this.#options;
    let index = 0;
    for await (const speech of this.#heard()) {
      const motion = this.#within(performer.next(speech));
      const picture = this.#actor.frame(grain ? { ...motion, grain: deriveSeed(seed, 'grain', index++) } : motion);
      yield { picture, motion, speech };
    }
  }

  protected heard(): AsyncIterable<Audio> {
    return this.#sound();
  }

  #performer(): Performer {
    const {
      speech: _,
      transcript: _words,
      fps: _fps,
      voice: _voice,
      mark: _mark,
      grain: _grain,
      allowTruncated: _allow,
      note: _note,
      signal: _signal,
      ...plans
    } = this.#options;
    const { rest, restPose, restGaze } = this.#actor;
    return new Performer({ ...plans, fps: this.fps, rest, restPose, restGaze });
  }

  /** What is said, frame by frame. */
  async *#heard(): AsyncGenerator<SpeechFrame, void, void> {
    const { signal, note, voice = VoiceModel.load() } = this.#options;
    const said = await this.#knownMouths();
    const stream = voice.stream(this.fps);
    let [samples, frames] = [0, 0];
    for await (const chunk of this.#sound(voiceRate, note)) {
      samples += chunk.samples.length;
      for (const frame of stream.push(chunk.samples)) {
        if (signal?.aborted) throw new HeadraceError('animate: stopped', { code: 'STOPPED' });
        yield said(frame, frames++);
      }
    }
    if (samples === 0)
      throw new DataError(`${this.#name()}: there is no sound to speak by: it is empty`, { code: 'EMPTY' });
    for (const frame of stream.end()) {
      yield said(frame, frames++);
    }
    // Less than half a frame is one picture all the same.
    if (frames === 0)
      yield { mouth: new Float32Array(this.#actor.rest.length), closure: 0, energy: 0, stress: 0, emotion: null };
  }

  /** What known words make of a frame that is heard; the words are looked for once. */
  async #knownMouths(): Promise<KnownMouths> {
    const { speech, transcript, allowTruncated } = this.#options;
    if (transcript === undefined) return (heard) => heard;
    this.#said ??= await knownMouths(speech, transcript, { fps: this.fps, allowTruncated });
    return this.#said;
  }

  /** The sound, at a rate or its own. It is read twice; one reader may tell what is wrong with it. */
  #sound(rate?: number, note?: (remark: string) => void): AsyncIterable<Audio> {
    const { speech, allowTruncated = false } = this.#options;
    if (typeof speech === 'string')
      return readAudioChunks(speech, { allowTruncated, ...(rate !== undefined && { rate }), ...(note && { note }) });
    return rate === undefined || rate === speech.rate ? once(speech) : resampleChunks([speech], rate);
  }

  #name(): string {
    const { speech } = this.#options;
    return typeof speech === 'string' ? speech : 'animate';
  }
}

async function* once(sound: Audio): AsyncGenerator<Audio> {
  yield sound;
}
