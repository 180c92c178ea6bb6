/** Stretches of clips for a step of the second stage, and what they are to be made of. */
import { ConfigError, ops, type Tensor, tensor } from '../../../torch/index.js';
import type { Chance } from '../../training/chance.js';
import { type Draws, displaced, recoloured } from '../augment.js';
import { hideMouths, type MouthSquare } from '../clips/mouths.js';
import type { SpeakClip, SpeakClips } from '../clips/speak-clips.js';
import { asSeen, rowsOf } from '../faces.js';
import type { FaceCoder } from '../irfd.js';
import { framesOf, rowsIn, squaresOf, type Window } from '../sync/windows.js';
import { repeated, type TalkingCodes } from '../talking-generator.js';
import type { EmotionFrom, TalkingConfig } from './talking-config.js';

/** Frames by whose mean code the emotion of a clip is told. */
const meanOf = 4;

/** Windows by their numbers, and what belongs to them. */
export function someOf({ windows, portraits, moods }: TalkingDraw, numbers: readonly number[]): TalkingDraw {
  const of = <T>(all: readonly T[]): T[] => numbers.map((i) => all[i]!);
  return { windows: of(windows), portraits: of(portraits), moods: moods && of(moods) };
}

/** Which frames a step is about. Rows are of all clips' frames. */
export interface TalkingDraw {
  readonly windows: readonly Window[];
  /** Of each window, the frame that shows who it is, and its clip. */
  readonly portraits: readonly Window[];
  /** Of each window, frames whose mean code of emotion it has; null: each frame its own. */
  readonly moods: readonly (readonly number[])[] | null;
}

/** Clips by what they have in common. */
function alikeBy(clips: readonly SpeakClip[], key: (clip: SpeakClip) => string): Map<string, SpeakClip[]> {
  const found = new Map<string, SpeakClip[]>();
  for (const clip of clips) found.set(key(clip), [...(found.get(key(clip)) ?? []), clip]);
  return found;
}

/** Whom and what a clip shows. */
const moodOf = ({ person, emotion }: SpeakClip): string => `${person} ${emotion}`;

/** Draws stretches of clips. */
export class TalkingSource {
  readonly #clips: readonly SpeakClip[];
  readonly #alike: ReadonlyMap<string, readonly SpeakClip[]>;
  readonly #ofPerson: ReadonlyMap<string, readonly SpeakClip[]>;

  /** @throws ConfigError where emotions are to be of other clips, and no person has two of one emotion */
  constructor(
    clips: readonly SpeakClip[],
    private readonly config: Pick<TalkingConfig, 'clips' | 'frames' | 'emotionFrom' | 'portraitFrom'>,
  ) {
    const labelled = clips.filter(({ emotion }) => emotion >= 0);
    this.#alike = alikeBy(labelled, moodOf);
    this.#ofPerson = alikeBy(clips, ({ person }) => person);
    const { emotionFrom } = config;
    const partnered = clips.filter((clip) => this.#partners(clip).length > 0);
    this.#clips = emotionFrom === 'label' ? partnered : clips;
    if (this.#clips.length === 0)
      throw new ConfigError(
        "Expected clips of a person with the same emotion, two or more, for emotionFrom 'label', found none: take 'clip' or 'other'",
      );
  }

  #partners(clip: SpeakClip): SpeakClip[] {
    return (this.#alike.get(moodOf(clip)) ?? []).filter((other) => other !== clip);
  }

  draw(chance: Chance): TalkingDraw {
    const { clips, frames, emotionFrom, portraitFrom } = this.config;
    const windows = Array.from({ length: clips }, () => {
      const clip = chance.pick(this.#clips);
      return { clip, from: chance.below(clip.frames - frames + 1) };
    });
    const any = ({ first, frames: count }: SpeakClip): number => first + chance.below(count);
    const portraits = windows.map(({ clip }): Window => {
      const shown = portraitFrom === 'person' ? chance.pick(this.#ofPerson.get(clip.person)!) : clip;
      return { clip: shown, from: chance.below(shown.frames) };
    });
    const moods: Readonly<Record<EmotionFrom, (clip: SpeakClip) => number[]>> = {
      frame: () => [],
      other: (clip) => [any(clip)],
      clip: (clip) => Array.from({ length: meanOf }, () => any(clip)),
      label: (clip) => [any(chance.pick(this.#partners(clip)))],
    };
    return {
      windows,
      portraits,
      moods: emotionFrom === 'frame' ? null : windows.map(({ clip }) => moods[emotionFrom](clip)),
    };
  }
}

export interface TalkingBatch {
  /** [B * frames, 3, size, size]: what is to be made. */
  readonly truth: Tensor;
  /** [B, 3, size, size]: a picture of each stretch's person. */
  readonly portraits: Tensor;
  readonly codes: TalkingCodes;
  /** [B * frames, 68, 2] and [B, 68, 2]: landmarks of the frames and of the portraits, across and down, from -1 to 1. */
  readonly marks: Tensor;
  readonly portraitMarks: Tensor;
  /** Of each stretch. */
  readonly squares: readonly MouthSquare[];
  readonly windows: readonly Window[];
}

/** Landmarks of some rows: [N, 68, 2], in halves of the picture. */
function marksOf({ landmarks }: SpeakClips, rows: readonly number[]): Tensor {
  const marks = new Float32Array(136 * rows.length);
  for (const [i, row] of rows.entries()) marks.set(landmarks.subarray(136 * row, 136 * (row + 1)), 136 * i);
  return tensor(marks, { shape: [rows.length, 68, 2] })
    .mul(2)
    .sub(1);
}

/**
 * What is heard around frames: the rows of each and of its neighbours, side by side. Beyond a clip's ends its last row goes on.
 * @param heard - [N, size], a row for each frame of all clips
 */
export function soundAround(heard: Tensor, windows: readonly Window[], frames: number, context: number): Tensor {
  const rows = windows.flatMap(({ clip: { first, frames: count }, from }) =>
    Array.from({ length: frames }, (_, i) =>
      Array.from({ length: 2 * context + 1 }, (_row, k) => {
        return first + Math.min(count - 1, Math.max(0, from + i + k - context));
      }),
    ).flat(),
  );
  return ops.indexSelect(heard, 0, rowsOf(rows)).reshape([windows.length * frames, -1]);
}

/**
 * Makes what was drawn into tensors. Codes carry gradients where the coder's weights do.
 * @param draws - of the changes of pictures: one for all, or one for each window
 */
export function talkingBatch(
  clips: SpeakClips,
  heard: Tensor,
  coder: FaceCoder,
  { windows, portraits, moods }: TalkingDraw,
  { frames, context, form, sees, hideMouth, augment }: TalkingConfig,
  draws: Draws,
): TalkingBatch {
  const truth = framesOf(clips, windows, frames);
  const squares = squaresOf(clips, windows, frames);
  const pictures = (rows: readonly number[]): Tensor => asSeen(ops.indexSelect(clips.pictures, 0, rowsOf(rows)));
  const lit = (some: Tensor, each: number): Tensor => (augment ? recoloured(some, each, draws) : some);
  const persons = framesOf(clips, portraits, 1);
  const emotion = (): Tensor => {
    if (moods === null) return coder.code('emotion', lit(truth, frames));
    const each = moods[0]!.length;
    const seen = lit(pictures(moods.flat()), each);
    const codes = coder.code('emotion', augment ? displaced(seen, each, draws) : seen);
    return repeated(codes.unflatten(0, [windows.length, each]).mean(1), frames);
  };
  const turn = (of: Tensor, mouths: readonly MouthSquare[]): Tensor => (hideMouth ? hideMouths(of, mouths) : of);
  const portrait = (): TalkingCodes['portrait'] => ({
    emotion: repeated(coder.code('emotion', persons), frames),
    pose: repeated(coder.code('pose', turn(persons, squaresOf(clips, portraits, 1))), frames),
  });
  return {
    truth,
    portraits: persons,
    codes: {
      sound: soundAround(heard, windows, frames, context),
      identity: repeated(coder.code('identity', persons), frames),
      emotion: emotion(),
      pose: coder.code('pose', lit(turn(truth, squares), frames)),
      ...(form === 'portrait' && sees && { portrait: portrait() }),
    },
    marks: marksOf(clips, rowsIn(windows, frames)),
    portraitMarks: marksOf(clips, rowsIn(portraits, 1)),
    squares,
    windows,
  };
}
