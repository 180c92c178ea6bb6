/** A trained second stage in one file: encoders, generator, and what is needed to ask for emotions and poses in words and numbers. */
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { loadSafetensors, saveSafetensors } from '../../../io/index.js';
import { expressionNames } from '../../../media/index.js';
import { DataError, noGrad, ops, scope, type Tensor } from '../../../torch/index.js';
import { gathered, partOf } from '../../training/steps.js';
import { hideMouths } from '../clips/mouths.js';
import type { SpeakClips } from '../clips/speak-clips.js';
import { type CoderShape, FaceCoder } from '../irfd.js';
import { framesOf, squaresOf, type Window } from '../sync/windows.js';
import { TalkingGenerator, type TalkingShape } from '../talking-generator.js';
import { type HeadNumbers, PoseMap } from './pose-map.js';
import type { TalkingConfig } from './talking-config.js';

/** Where faces lie in the pictures that it was trained on: the box around their landmarks, from 0 to 1. */
export interface Framing {
  readonly x: number;
  readonly y: number;
  /** The longer side. */
  readonly side: number;
}

export interface TalkingModel {
  readonly config: TalkingConfig;
  /** Frames a second that it speaks at. */
  readonly fps: number;
  readonly framing: Framing;
  readonly coder: FaceCoder;
  readonly generator: TalkingGenerator;
  /** [7, size]: mean codes of the expressions, in the order of their names; 0 of those that the clips do not show. */
  readonly moods: Tensor;
  /** Which of them the clips show. */
  readonly shown: readonly boolean[];
  readonly poses: PoseMap;
}

/** Frames by which moods and poses are told: enough for means, few enough for seconds. */
const looked = 2000;
const batch = 64;

/** Frames of the clips to learn from, evenly. */
function someFrames(clips: SpeakClips): Window[] {
  const all = clips.train.flatMap((clip) => Array.from({ length: clip.frames }, (_, from) => ({ clip, from })));
  const step = Math.max(1, Math.floor(all.length / looked));
  return all.filter((_, i) => i % step === 0);
}

/** What a model knows of the clips beside its weights. */
export function knownOf(
  clips: SpeakClips,
  coder: FaceCoder,
  hideMouth: boolean,
): Pick<TalkingModel, 'framing' | 'moods' | 'shown' | 'poses'> {
  return noGrad(() => {
    const frames = someFrames(clips);
    const [emotion, pose]: [Tensor[], Tensor[]] = [[], []];
    for (let i = 0; i < frames.length; i += batch) {
      const some = frames.slice(i, i + batch);
      const [e, p] = scope(() => {
        const pictures = framesOf(clips, some, 1);
        const turned = hideMouth ? hideMouths(pictures, squaresOf(clips, some, 1)) : pictures;
        return [coder.code('emotion', pictures).keep(), coder.code('pose', turned).keep()] as const;
      });
      emotion.push(e);
      pose.push(p);
    }
    const heads = frames.map(({ clip, from }): HeadNumbers => {
      const at = 3 * (clip.first + from);
      const [yaw, pitch, roll] = clips.poses.subarray(at, at + 3) as unknown as [number, number, number];
      const [x, y, z] = clips.positions.subarray(at, at + 3) as unknown as [number, number, number];
      return [yaw, pitch, roll, x, y, z];
    });
    const known = scope(() => {
      const codes = ops.cat(emotion, 0);
      const rows = expressionNames.map((_, mood) => frames.map(({ clip }) => Number(clip.emotion === mood)));
      const counts = rows.map((row) => row.reduce((sum, value) => sum + value, 0));
      const means = rows.map((row, mood) => meanOver(codes, row, counts[mood]!));
      const moods = ops.stack(means, 0).keep();
      return { moods, shown: counts.map((count) => count > 0), poses: PoseMap.fit(heads, ops.cat(pose, 0)) };
    });
    for (const each of [...emotion, ...pose]) each.dispose();
    return { ...known, framing: framingOf(clips, frames) };
  });
}

function meanOver(codes: Tensor, row: readonly number[], count: number): Tensor {
  const chosen = [...row.keys()].filter((i) => row[i] === 1);
  if (chosen.length === 0) return codes.narrow(0, 0, 1).mul(0).squeeze(0);
  return chosen
    .map((i) => codes.select(0, i))
    .reduce((sum, code) => sum.add(code))
    .div(count);
}

/** The box around a face's landmarks: its middle and its longer side. */
export function boxAround(landmarks: ArrayLike<number>, at = 0): Framing {
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  for (let k = 0; k < 68; k++) {
    const [x, y] = [landmarks[at + 2 * k]!, landmarks[at + 2 * k + 1]!];
    [left, right, top, bottom] = [Math.min(left, x), Math.max(right, x), Math.min(top, y), Math.max(bottom, y)];
  }
  return { x: (left + right) / 2, y: (top + bottom) / 2, side: Math.max(right - left, bottom - top) };
}

function framingOf({ landmarks }: SpeakClips, frames: readonly Window[]): Framing {
  const boxes = frames.map(({ clip, from }) => boxAround(landmarks, 136 * (clip.first + from)));
  const mean = (of: keyof Framing): number => boxes.reduce((sum, box) => sum + box[of], 0) / boxes.length;
  return { x: mean('x'), y: mean('y'), side: mean('side') };
}

const FORMAT = 'headrace-speak-1';

interface Told {
  readonly config: TalkingConfig;
  readonly shape: TalkingShape;
  readonly coder: CoderShape;
  readonly fps: number;
  readonly framing: Framing;
  readonly shown: readonly boolean[];
}

export function saveTalking(path: string, model: TalkingModel, coder: CoderShape): void {
  const { config, fps, framing, shown, generator, moods, poses } = model;
  const told: Told = { config, shape: generator.shape, coder, fps, framing, shown };
  scope(() => {
    const tensors = gathered({
      coder: model.coder.stateDict(),
      generator: generator.stateDict(),
      known: [
        ['moods', moods],
        ['poses', poses.weight],
      ],
    });
    saveSafetensors(path, tensors, { format: FORMAT, told: JSON.stringify(told) });
  });
}

/**
 * A model that `headrace talk train speak` has made, ready to be used.
 * @param path - the file, or the folder of its run
 * @throws DataError for a file that is absent, damaged, or of something else
 */
export function loadTalking(path: string): TalkingModel {
  const file = existsSync(path) && statSync(path).isDirectory() ? join(path, 'speak.safetensors') : path;
  const { tensors, metadata } = loadSafetensors(file);
  if (metadata.format !== FORMAT || metadata.told === undefined)
    throw new DataError(
      `Expected ${file} to be a model that headrace talk train speak has made (format ${FORMAT}), got format ${metadata.format ?? 'none'}`,
    );
  const { config, shape, coder: coderShape, fps, framing, shown } = JSON.parse(metadata.told) as Told;
  const coder = new FaceCoder(coderShape);
  const generator = new TalkingGenerator(shape);
  coder.loadStateDict(partOf(tensors, 'coder'));
  generator.loadStateDict(partOf(tensors, 'generator'));
  const known = partOf(tensors, 'known');
  return {
    config,
    fps,
    framing,
    shown,
    coder: coder.requiresGrad_(false).eval(),
    generator: generator.requiresGrad_(false).eval(),
    moods: known.get('moods')!,
    poses: new PoseMap(known.get('poses')!),
  };
}
