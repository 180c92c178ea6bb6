/** Generated videos beside references: every figure, and the same figures of controls that say what they are worth. */
import {
  type ExpressionName,
  expressionNames,
  FaceAnalyser,
  FaceDescriber,
  mediaInfo,
  readFrames,
} from '../../media/index.js';
import { ConfigError, checkOptions, DataError, HeadraceError } from '../../torch/index.js';
import { layoutLabels } from '../prepare/layouts.js';
import { evaluatedSizes, frameRates } from '../ranges.js';
import { checkWhole, checkWithin } from '../render/checks.js';
import { type FaceTruth, faceMetrics, type MeasuredFace, type Metrics, mean, metricNames } from './metrics.js';
import { pairVideos, type VideoPair } from './pairs.js';
import { comparePictures, faceSquare, framedAlike } from './pixels.js';
import { type FaceReading, type FaceTools, readFace, readLoudness } from './reading.js';
import { turnedByHalf } from './sync.js';

export interface EvaluateOptions {
  /** The expression that was meant, for all videos, or who tells it of each. By default that of the reference's name, where a data set's layout tells it. */
  readonly emotion?: ExpressionName | ((reference: string) => ExpressionName | null);
  /** A picture of the person that is meant. By default the reference's face, frame by frame. */
  readonly identity?: string;
  /** Pixels of the face crops' sides. Default 256. */
  readonly size?: number;
  /** Frames a second at which both are read. By default the reference's own. */
  readonly fps?: number;
  /** Told of each video when it is measured. */
  readonly onVideo?: (video: VideoResult, done: number, total: number) => void;
  /** Told of a pair that cannot be measured, which is then left out; it is an error otherwise. */
  readonly onFailure?: (pair: VideoPair, error: HeadraceError) => void;
}

const optionNames = ['emotion', 'identity', 'size', 'fps', 'onVideo', 'onFailure'] as const;

/** The columns of the result: the generated video; the reference against itself; its first frame held; its sound at the wrong time. */
export const evaluatedRows = ['generated', 'truth', 'still', 'shuffled'] as const;

export type EvaluatedRow = (typeof evaluatedRows)[number];

export type Figures = Readonly<Record<EvaluatedRow, Metrics>>;

export interface VideoResult extends VideoPair {
  /** Frames that were compared, and by how many the generated video is longer. */
  readonly frames: number;
  readonly longer: number;
  readonly fps: number;
  readonly emotion: ExpressionName | null;
  readonly figures: Figures;
  /** What could not be measured, and why. */
  readonly notes: readonly string[];
}

export interface Evaluation {
  readonly videos: readonly VideoResult[];
  /** Means over the videos; offsets by their size. Null where no video has the figure. */
  readonly mean: Figures;
}

/**
 * Measures generated videos against references: two files, or two folders with videos of the same names.
 * @throws ConfigError, DataError for what cannot be read or shows no face
 */
export async function evaluateTalk(
  generated: string,
  reference: string,
  options: EvaluateOptions = {},
): Promise<Evaluation> {
  checkEvaluateOptions(options);
  const pairs = pairVideos(generated, reference);
  const tools = { analyser: await FaceAnalyser.load(), describer: await FaceDescriber.load() };
  const identity = options.identity === undefined ? null : await identityOf(options.identity, tools);
  const videos: VideoResult[] = [];
  for (const [i, pair] of pairs.entries()) {
    try {
      const video = await evaluatePair(pair, tools, identity, options);
      videos.push(video);
      options.onVideo?.(video, i + 1, pairs.length);
    } catch (error) {
      if (options.onFailure === undefined || !(error instanceof HeadraceError)) throw error;
      options.onFailure(pair, error);
    }
  }
  return { videos, mean: meanFigures(videos) };
}

function checkEvaluateOptions(options: EvaluateOptions): void {
  checkOptions('evaluateTalk', options, optionNames);
  const { emotion, size = 256, fps } = options;
  if (typeof emotion === 'string' && !expressionNames.includes(emotion))
    throw new ConfigError(`Expected emotion among ${expressionNames.join(', ')}, got ${emotion}`);
  checkWhole('evaluateTalk', 'size', size, ...evaluatedSizes);
  if (fps !== undefined) checkWithin('evaluateTalk', 'fps', fps, frameRates);
}

async function identityOf(path: string, { analyser, describer }: FaceTools): Promise<Float32Array> {
  for await (const frame of readFrames(path)) {
    const face = analyser.analyse(frame);
    if (face === null) break;
    return describer.describe([{ frame, face }])[0]!;
  }
  throw new DataError(`${path}: expected a picture of the person who is meant, found no face in it`, {
    code: 'NO_FACE',
  });
}

async function evaluatePair(
  pair: VideoPair,
  tools: FaceTools,
  identity: Float32Array | null,
  { emotion, size = 256, fps: wanted }: EvaluateOptions,
): Promise<VideoResult> {
  const fps = wanted ?? (await mediaInfo(pair.reference)).video?.fps ?? 25;
  const notes: string[] = [];
  const note = (remark: string): void => void notes.push(remark);
  const reference = await readFace(pair.reference, fps, tools, note);
  const generated = await readFace(pair.generated, fps, tools, note);
  const frames = Math.min(generated.faces.length, reference.faces.length);
  const longer = generated.faces.length - reference.faces.length;
  if (Math.abs(longer) > 1)
    notes.push(
      `${Math.abs(longer)} frames ${longer > 0 ? 'longer' : 'shorter'} than the reference: ${frames} compared`,
    );
  const alike = framedAlike(generated, reference);
  if (!alike) notes.push('the face is elsewhere in the picture than the reference has it: no PSNR and SSIM');
  const pictures = alike ? await comparePictures(generated, reference, size) : null;
  const theirs = await readLoudness(pair.reference, fps, frames, note);
  const ours = (await readLoudness(pair.generated, fps, frames, note)) ?? theirs;
  if (ours === null) notes.push('there is no sound, in either');
  const told = typeof emotion === 'function' ? emotion(pair.reference) : emotion;
  const meant = told ?? layoutLabels(pair.reference).emotion;
  const label = expressionNames.find((name) => name === meant) ?? null;
  const ourScale = alike ? reference.width / generated.width : faceSquare(reference).side / faceSquare(generated).side;
  const scale = size / faceSquare(reference).side;
  const truth: FaceTruth = { reference, emotion: label, identity, scales: [ourScale * scale, scale] };
  const same: FaceTruth = { ...truth, scales: [scale, scale] };
  const none = { psnr: null, ssim: null };
  const figures: Figures = {
    generated: { ...(pictures?.generated ?? none), ...faceMetrics(generated, truth, ours) },
    truth: { ...(pictures?.truth ?? none), ...faceMetrics(reference, same, theirs) },
    still: { ...(pictures?.still ?? none), ...faceMetrics(held(reference), same, theirs) },
    shuffled: onlySync(faceMetrics(generated, truth, ours && turnedByHalf(ours))),
  };
  return { ...pair, frames, longer, fps, emotion: label, figures, notes };
}

/** The first face of a video in all of its frames. */
function held({ faces, descriptors }: FaceReading): MeasuredFace {
  const face = faces.find((found) => found !== null) ?? null;
  const [first] = descriptors.values();
  return {
    faces: faces.map(() => face),
    descriptors: new Map([...descriptors.keys()].map((frame) => [frame, first!])),
  };
}

/** Sound at the wrong time changes nothing else. */
function onlySync({ syncSound, syncSoundR }: Pick<Metrics, 'syncSound' | 'syncSoundR'>): Metrics {
  const nothing = Object.fromEntries(metricNames.map((name) => [name, null])) as Metrics;
  return { ...nothing, syncSound, syncSoundR };
}

/** Means over videos, as {@link Evaluation} has them. */
export function meanFigures(videos: readonly VideoResult[]): Figures {
  const means = evaluatedRows.map((row) => {
    const all = metricNames.map((name) => {
      const values = videos.flatMap(({ figures }) => figures[row][name] ?? []);
      const isOffset = name === 'syncSound' || name === 'syncMouth';
      return [name, mean(isOffset ? values.map(Math.abs) : values)];
    });
    return [row, Object.fromEntries(all) as Metrics];
  });
  return Object.fromEntries(means) as Figures;
}
