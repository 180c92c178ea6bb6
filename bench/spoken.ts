/** What changes on a face that speaks: lines said with each emotion, read frame by frame; and what the reader itself makes of emotions. */
import { join } from 'node:path';
import { type ExpressionName, expressionNames, type RgbImage, readAudio } from 'headrace/media';
import {
  arkitCount,
  emotionWeights,
  FaceStage,
  lipGap,
  mouthOpening,
  Performer,
  type SpeechFrame,
  SyntheticFace,
  VoiceModel,
} from 'headrace/talkinghead';
import { type Axis, axes, type Look, type Reader } from './heads.js';
import { root } from './host.js';
import { median } from './results.js';

/** A spoken line, and which of its frames are read. */
export interface Line {
  readonly frames: readonly SpeechFrame[];
  readonly read: ReadonlySet<number>;
}

const fps = 25;
/** Frames louder than this are speech. */
const loud = 0.2;

/** The lines that come with Headrace, of each so many frames of speech, evenly. */
export async function spokenLines(count: number): Promise<Line[]> {
  const voice = VoiceModel.load();
  const lines: Line[] = [];
  for (const name of ['hello', 'weather']) {
    const { samples } = await readAudio(join(root, 'examples', `${name}.flac`), { rate: 16000 });
    const stream = voice.stream(fps);
    const frames = [...stream.push(samples), ...stream.end()];
    const spoken = [...frames.keys()].filter((i) => frames[i]!.energy > loud);
    const read = Array.from({ length: count }, (_, k) => spoken[Math.floor(((k + 0.5) * spoken.length) / count)]!);
    lines.push({ frames, read: new Set(read) });
  }
  return lines;
}

/** The weights of the frames that are read, of a head that says a line with an emotion and does nothing else. */
function performed(rest: Float32Array, emotion: ExpressionName, { frames, read }: Line): Float32Array[] {
  const performer = new Performer({ fps, rest, emotion, pose: 'still', gaze: 'still', blinks: false });
  return frames.map((frame) => performer.next(frame).weights).filter((_, i) => read.has(i));
}

/** How much more (or less) open than with the neutral face the reader finds mouths that are as open, by emotion. */
export type MouthResponse = Readonly<Partial<Record<ExpressionName, number>>>;
export type PoseResponse = Readonly<Partial<Record<ExpressionName, Readonly<Record<Axis, number>>>>>;

export interface Response {
  /** Degrees by which the read pose changes with an emotion on heads that do not turn. */
  readonly pose: PoseResponse;
  /** Shares of the eyes' distance by which the read opening changes beyond the exact one. */
  readonly mouth: MouthResponse;
}

/** What emotions alone do to readings: on bare drawn heads, whose pose and lips are exact. */
export function readerResponse(
  reader: Reader,
  emotions: readonly ExpressionName[],
  lines: readonly Line[],
  people: number,
): Response {
  const stage = new FaceStage({ size: 256 });
  const faces = Array.from({ length: people }, (_, seed) => new SyntheticFace(seed + 101, { stage }));
  const still = new Float32Array(arkitCount);
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const neutral = faces.map((face) => reader.look(face.frame().image));
  const pose: Partial<Record<ExpressionName, Record<Axis, number>>> = {};
  const mouth: Partial<Record<ExpressionName, number>> = {};
  for (const name of emotions) {
    const turns = faces.flatMap((face, i) => {
      const [before, after] = [neutral[i], reader.look(face.frame({ weights: emotionWeights[name] }).image)];
      return before && after ? [axes.map((axis) => after.pose[axis] - before.pose[axis])] : [];
    });
    const [yaw, pitch, roll] = axes.map((_, k) => mean(turns.map((turn) => turn[k]!))) as [number, number, number];
    pose[name] = { yaw, pitch, roll };
    mouth[name] = mean(
      faces.flatMap((face, i) => {
        const line = lines[i % lines.length]!;
        const plain = performed(still, 'neutral', line);
        return performed(still, name, line).flatMap((weights, k) => {
          const [one, other] = [errorOf(reader, face, weights), errorOf(reader, face, plain[k]!)];
          return one === null || other === null ? [] : [one - other];
        });
      }),
    );
  }
  for (const face of faces) face.dispose();
  return { pose, mouth };
}

/** The opening that is read, less the true one. */
function errorOf(reader: Reader, face: SyntheticFace, weights: Float32Array): number | null {
  const { image, landmarks } = face.frame({ weights });
  const seen = reader.look(image);
  return seen && seen.mouth - mouthOpening({ landmarks, interOcular: seen.interOcular });
}

export interface SpokenFigures {
  /** Points, medians over emotions: one line against the other, and lines against silence with the same emotion. */
  readonly lines: number;
  readonly silence: number;
  /** How far the opening moves with the emotion, % of `range`, medians over emotions: as read, corrected, and on the face model. */
  readonly mouthRead: number;
  readonly mouth: number;
  readonly mouthModel: number;
  /** The mean reading of each emotion's own class while speaking. */
  readonly own: Readonly<Partial<Record<ExpressionName, number>>>;
}

/** How far a wide open mouth opens: as read, a share of the eyes' distance, and on the face model, in cm. */
export interface MouthRange {
  readonly read: number;
  readonly model: number;
}

export function spokenFigures(
  portrait: { readonly rest: Float32Array; frame(weights: Float32Array): RgbImage },
  reader: Reader,
  parts: {
    readonly emotions: readonly ExpressionName[];
    readonly lines: readonly Line[];
    readonly response: Response;
    readonly range: MouthRange;
    /** What is read of each emotion in silence. */
    readonly silent: Readonly<Partial<Record<ExpressionName, Look>>>;
  },
): SpokenFigures {
  const { emotions, lines, response, range, silent } = parts;
  const said = (name: ExpressionName): Said[] =>
    lines.flatMap((line) => {
      const weights = performed(portrait.rest, name, line);
      return weights.map((w) => ({ line, gap: lipGap(w), look: reader.look(portrait.frame(w)) }));
    });
  const plain = said('neutral');
  const found = emotions.map((name) => {
    const all = said(name);
    const means = lines.map((line) => meanEmotion(all.filter((one) => one.line === line)));
    const quiet = silent[name]?.emotion;
    const moves = all.flatMap(({ look }, i) => (look && plain[i]!.look ? [look.mouth - plain[i]!.look.mouth] : []));
    const shift = moves.reduce((sum, move) => sum + move, 0) / moves.length;
    const gaps = all.map(({ gap }, i) => Math.abs(gap - plain[i]!.gap));
    return {
      lines: furthest(means[0]!, means[1]!),
      silence: quiet ? median(means.map((each) => furthest(each, quiet))) : Number.NaN,
      mouthRead: (100 * Math.abs(shift)) / range.read,
      mouth: (100 * Math.abs(shift - (response.mouth[name] ?? 0))) / range.read,
      mouthModel: (100 * gaps.reduce((sum, gap) => sum + gap, 0)) / gaps.length / range.model,
      own: [name, meanEmotion(all)[expressionNames.indexOf(name)]!] as const,
    };
  });
  const over = (of: (one: (typeof found)[number]) => number): number => median(found.map(of));
  return {
    lines: over((one) => one.lines),
    silence: over((one) => one.silence),
    mouthRead: over((one) => one.mouthRead),
    mouth: over((one) => one.mouth),
    mouthModel: over((one) => one.mouthModel),
    own: Object.fromEntries(found.map(({ own }) => own)),
  };
}

interface Said {
  readonly line: Line;
  readonly gap: number;
  readonly look: Look | null;
}

function meanEmotion(all: readonly Said[]): number[] {
  const seen = all.flatMap(({ look }) => look ?? []);
  return expressionNames.map((_, i) => seen.reduce((sum, { emotion }) => sum + emotion[i]!, 0) / seen.length);
}

const furthest = (a: readonly number[], b: readonly number[]): number =>
  Math.max(...a.map((points, i) => Math.abs(points - b[i]!)));
