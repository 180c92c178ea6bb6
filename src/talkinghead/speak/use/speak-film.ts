/** What a head says, feels and does to pictures, by a trained second stage. */
import {
  type Audio,
  expressionNames,
  type HeadPose,
  type RgbImage,
  readAudio,
  readAudioChunks,
  resample,
} from '../../../media/index.js';
import {
  ConfigError,
  checkOptions,
  DataError,
  HeadraceError,
  noGrad,
  ops,
  scope,
  type Tensor,
  tensor,
} from '../../../torch/index.js';
import { Film, type Moment } from '../../animate/film.js';
import { arkitCount } from '../../face/index.js';
import {
  type EmotionPlan,
  emotionMix,
  type MotionFrame,
  MotionTrack,
  Performer,
  parseEmotion,
} from '../../motion/index.js';
import { toAndFro } from '../../motion/source.js';
import { VoiceModel, voiceRate } from '../../voice/index.js';
import { asImages, rowsOf } from '../faces.js';
import type { HeadNumbers } from '../talking/pose-map.js';
import { type SourceCodes, type SourceHooks, sourceCodes } from './sources.js';
import type { SpeakHead } from './speak-head.js';

/** A picture or a video whose face is followed. One that is too short goes on backwards, and forwards again. */
export interface FollowedFile {
  readonly file: string;
}

export interface SpeakAnimateOptions {
  /** What is said: a recording or a video, or samples. It is held in memory whole. */
  readonly speech: string | Audio;
  /** `'happy:0.7'` and so on, see `parseEmotion`, or a picture or video; by default the photograph's own expression. */
  readonly emotion?: string | FollowedFile;
  /** `'idle'`, the default, `'still'`, `'yaw=-15..15'` and so on, see `parsePose`, a track, or a video. */
  readonly pose?: string | MotionTrack | FollowedFile;
  /** Times how far emotion, and pose, are from the photograph's own; 1 by default. */
  readonly emotionScale?: number;
  readonly poseScale?: number;
  readonly seed?: number;
  readonly mark?: boolean;
  readonly allowTruncated?: boolean;
  readonly note?: (remark: string) => void;
  /** Told how far the reading of videos that are followed is. */
  readonly onFollow?: (file: string, done: number, all: number) => void;
  readonly signal?: AbortSignal;
}

const optionNames = [
  'speech',
  'emotion',
  'pose',
  'emotionScale',
  'poseScale',
  'seed',
  'mark',
  'allowTruncated',
  'note',
  'onFollow',
  'signal',
] as const;

/** Frames that are made together. */
const batch = 8;
/** Seconds over which the code of a followed emotion is evened out, where the model learnt moods and not mouths. */
const moodSeconds = 1.2;

/** What stands for the emotion, and for the head, of a film. */
type Mood = { readonly plan: EmotionPlan } | { readonly codes: Tensor } | null;

export class SpeakFilm extends Film {
  readonly fps: number;
  protected readonly mark: boolean;

  private constructor(
    private readonly head: SpeakHead,
    private readonly options: SpeakAnimateOptions,
    private readonly mood: Mood,
    private readonly turned: SourceCodes | null,
  ) {
    super();
    this.fps = head.model.fps;
    this.mark = options.mark === true;
  }

  /** @throws ConfigError for options that cannot be used, DataError for files in which there is nothing to follow */
  static async of(head: SpeakHead, options: SpeakAnimateOptions): Promise<SpeakFilm> {
    checkOptions('SpeakHead.animate', options, optionNames);
    const { emotion, pose, note, onFollow, signal } = options;
    const plan = typeof emotion === 'string' ? parseEmotion(emotion) : null;
    if (plan !== null) checkShown(plan, head.emotions);
    performerOf(head, options); // which checks the plan of the pose
    const read = async (file: string, factor: 'emotion' | 'pose'): Promise<SourceCodes> => {
      const hooks: SourceHooks = { signal, onProgress: (done, all) => onFollow?.(file, done, all) };
      const found = await sourceCodes(file, factor, head.model, head.analyser, hooks);
      const { missing, poses } = found;
      if (missing > 0) note?.(`${file}: no face in ${missing} of ${poses.length} frames, which go on as before`);
      return found;
    };
    const felt = typeof emotion === 'object' ? evened(head, (await read(emotion.file, 'emotion')).codes) : null;
    const turned = isFile(pose) ? await read(pose.file, 'pose') : null;
    const mood = plan === null ? felt && { codes: felt } : { plan };
    return new SpeakFilm(head, options, mood, turned);
  }

  protected async *heard(): AsyncIterable<Audio> {
    const { speech, allowTruncated = false } = this.options;
    if (typeof speech === 'string') yield* readAudioChunks(speech, { allowTruncated });
    else yield speech;
  }

  protected async *drawn(): AsyncGenerator<Moment, void, void> {
    const { head, options, fps } = this;
    const samples = await this.#samples();
    const stream = VoiceModel.load().stream(fps);
    const speech = [...stream.push(samples), ...stream.end()];
    // Less than half a frame is one picture all the same.
    if (speech.length === 0) speech.push({ mouth: new Float32Array(arkitCount), closure: 0, energy: 0, stress: 0 });
    const performer = performerOf(head, options);
    const motions = speech.map((said, i) => this.#asked(performer.next(said), i));
    const rows = head.sound.rows(samples, speech.length, fps);
    try {
      for (let from = 0; from < speech.length; from += batch) {
        if (options.signal?.aborted) throw new HeadraceError('animate: stopped', { code: 'STOPPED' });
        const frames = Array.from({ length: Math.min(batch, speech.length - from) }, (_, i) => from + i);
        const moods = frames.map((i) => this.#mood(i, speech[i]!.emotion ?? null));
        const pictures = this.#make(frames, rows, moods, motions);
        for (const [i, picture] of pictures.entries())
          yield { picture, motion: motions[from + i]!, speech: speech[from + i]! };
        // Signals are heard between stretches.
        await new Promise(setImmediate);
      }
    } finally {
      rows.dispose();
    }
  }

  async #samples(): Promise<Float32Array> {
    const { speech, allowTruncated = false, note } = this.options;
    const { samples } =
      typeof speech === 'string'
        ? await readAudio(speech, { rate: voiceRate, allowTruncated, ...(note && { note }) })
        : { samples: await resample(speech.samples, speech.rate, voiceRate) };
    if (samples.length > 0) return samples;
    const name = typeof speech === 'string' ? speech : 'animate';
    throw new DataError(`${name}: there is no sound to speak by: it is empty`, { code: 'EMPTY' });
  }

  #make(
    frames: readonly number[],
    rows: Tensor,
    moods: readonly Float32Array[],
    motions: readonly MotionFrame[],
  ): RgbImage[] {
    const { model, codes, seen } = this.head;
    const { generator, config } = model;
    return noGrad(() =>
      scope(() => {
        const count = frames.length;
        const last = rows.shape[0]! - 1;
        const around = frames.flatMap((frame) =>
          Array.from({ length: 2 * config.context + 1 }, (_, k) =>
            Math.min(last, Math.max(0, frame + k - config.context)),
          ),
        );
        const pictures = generator.forward(
          {
            sound: ops.indexSelect(rows, 0, rowsOf(around)).reshape([count, -1]),
            identity: codes.identity.expand([count, -1]),
            emotion: tensorOf(moods),
            pose: this.#pose(frames, motions),
            portrait: { emotion: codes.emotion.expand([count, -1]), pose: codes.pose.expand([count, -1]) },
          },
          config.form === 'portrait' ? seen : null,
          count,
        );
        return asImages(pictures);
      }),
    );
  }

  /** The code of the emotion of a frame: the photograph's own, and as far from it as is asked for. */
  #mood(frame: number, heard: Parameters<typeof emotionMix>[2]): Float32Array {
    const { model, codes } = this.head;
    const { emotionScale = 1 } = this.options;
    const own = numbersOf(codes.emotion);
    const { mood } = this;
    if (mood === null) return own;
    if ('codes' in mood) {
      const asked = rowOf(mood.codes, toAndFro(frame, mood.codes.shape[0]!));
      return own.map((value, i) => value + emotionScale * (asked[i]! - value));
    }
    // Of expressions the difference from the neutral one is added, so that faces stay as they are otherwise.
    const moods = numbersOf(model.moods);
    const size = own.length;
    const mix = emotionMix(mood.plan, frame / this.fps, heard);
    return own.map((value, i) =>
      expressionNames.reduce((sum, name, k) => {
        return sum + emotionScale * mix[name] * (moods[k * size + i]! - moods[i]!);
      }, value),
    );
  }

  /** Codes of the pose: of the video that is followed, or by the map from angles. Both begin from the photograph's own. */
  #pose(frames: readonly number[], motions: readonly MotionFrame[]): Tensor {
    const { model, codes, pose } = this.head;
    const { poseScale = 1 } = this.options;
    const own = codes.pose.expand([frames.length, -1]);
    if (this.turned !== null) {
      const { codes: asked } = this.turned;
      const rows = frames.map((frame) => toAndFro(frame, asked.shape[0]!));
      return own.lerp(ops.indexSelect(asked, 0, rowsOf(rows)), poseScale);
    }
    const rest: HeadNumbers = [pose.yaw, pose.pitch, pose.roll, 0, 0, 0];
    const heads = frames.map((frame): HeadNumbers => {
      const { pose: turn, position = [0, 0, 0] } = motions[frame]!;
      return [rest[0] + turn.yaw, rest[1] + turn.pitch, rest[2] + turn.roll, ...position];
    });
    return own.add(model.poses.code(heads)).sub(model.poses.code([rest]));
  }

  /** What the head was asked to do, for reports: of a video, what was read in it. */
  #asked(motion: MotionFrame, frame: number): MotionFrame {
    if (this.turned === null) return motion;
    const { poses } = this.turned;
    const { poseScale = 1 } = this.options;
    const at = poses[toAndFro(frame, poses.length)]!;
    const turn = (axis: keyof HeadPose): number => poseScale * (at[axis] - this.head.pose[axis]);
    const { weights } = motion;
    return { weights, pose: { yaw: turn('yaw'), pitch: turn('pitch'), roll: turn('roll') } };
  }
}

const isFile = (what: SpeakAnimateOptions['pose']): what is FollowedFile =>
  typeof what === 'object' && !(what instanceof MotionTrack) && 'file' in what;

function performerOf({ model, pose }: SpeakHead, { pose: asked, poseScale, seed }: SpeakAnimateOptions): Performer {
  return new Performer({
    fps: model.fps,
    restPose: pose,
    pose: asked === undefined || isFile(asked) ? (isFile(asked) ? 'still' : 'idle') : asked,
    ...(poseScale !== undefined && { poseScale }),
    ...(seed !== undefined && { seed }),
  });
}

/** @throws ConfigError for an expression that the model's clips do not show */
function checkShown({ spans }: EmotionPlan, shown: readonly string[]): void {
  const asked = spans.flatMap(({ moods }) => moods.map(({ name }) => name)).filter((name) => name !== 'auto');
  const unknown = asked.filter((name) => !shown.includes(name));
  if (unknown.length > 0)
    throw new ConfigError(
      `Expected emotions that the model's clips show (${shown.join(', ') || 'none is labelled'}), got ${unknown.join(', ')}: follow a picture or a video that shows it instead`,
    );
  if (!shown.includes('neutral') && asked.length > 0)
    throw new ConfigError(
      "The model's clips show no neutral faces, which emotions are told from: follow a picture instead",
    );
}

/** Codes evened out over time, where the model has learnt what lasts. */
function evened(head: SpeakHead, codes: Tensor): Tensor {
  if (head.model.config.emotionFrom === 'frame') return codes;
  const reach = Math.round((moodSeconds / 2) * head.model.fps);
  const count = codes.shape[0]!;
  return scope(() => {
    const rows = Array.from({ length: count }, (_, i) => {
      const [from, end] = [Math.max(0, i - reach), Math.min(count, i + reach + 1)];
      return codes.narrow(0, from, end - from).mean(0);
    });
    return ops.stack(rows, 0).keep();
  });
}

const numbersOf = (code: Tensor): Float32Array => scope(() => code.flatten().contiguous().data() as Float32Array);
const rowOf = (codes: Tensor, row: number): Float32Array => numbersOf(codes.select(0, row));

function tensorOf(rows: readonly Float32Array[]): Tensor {
  const size = rows[0]!.length;
  const all = new Float32Array(rows.length * size);
  for (const [i, row] of rows.entries()) all.set(row, i * size);
  return tensor(all, { shape: [rows.length, size] });
}
