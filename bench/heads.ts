/** What the parts about talking heads share: data that may be absent, and faces read back from pictures. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import {
  descriptorDistance,
  expressionNames,
  type Face,
  FaceAnalyser,
  FaceDescriber,
  type HeadPose,
  type RgbImage,
} from 'headrace/media';
import { mouthOpening } from 'headrace/talkinghead';
import { root } from './host.js';
import type { PartResult } from './results.js';

/** Files of a folder of real data, below HEADRACE_TEST_DATA or ../shared/data; null where it is absent. */
export function dataFiles(folder: string, ending: RegExp): string[] | null {
  const path = join(process.env.HEADRACE_TEST_DATA ?? join(root, '..', 'shared', 'data'), folder);
  if (!existsSync(path)) return null;
  const names = readdirSync(path).filter((name) => ending.test(name));
  return names.sort().map((name) => join(path, name));
}

/** A part that has nothing to measure. */
export function withoutData(title: string, folder: string): PartResult {
  return { title, settings: {}, rows: [], notes: [`No ${folder} in HEADRACE_TEST_DATA or ../shared/data: left out.`] };
}

/** What a face in a picture shows. */
export interface Look {
  readonly pose: HeadPose;
  /** Pixels between the eyes. */
  readonly interOcular: number;
  /** As a share of the distance of the eyes. */
  readonly mouth: number;
  /** Percent, in the order of `expressionNames`. */
  readonly emotion: readonly number[];
}

/** What is read of a face in a picture. */
export interface Reading extends Look {
  readonly descriptor: Float32Array;
}

export class Reader {
  private constructor(
    private readonly analyser: FaceAnalyser,
    private readonly describer: FaceDescriber,
  ) {}

  static async load(): Promise<Reader> {
    return new Reader(await FaceAnalyser.load(), await FaceDescriber.load());
  }

  /** Null where no face is found. */
  read(frame: RgbImage): Reading | null {
    const face: Face | null = this.analyser.analyse(frame);
    if (face === null) return null;
    return { ...lookOf(face), descriptor: this.describer.describe([{ frame, face }])[0]! };
  }

  /** Without who it is, which takes time. */
  look(frame: RgbImage): Look | null {
    const face = this.analyser.analyse(frame);
    return face && lookOf(face);
  }
}

function lookOf(face: Face): Look {
  return {
    pose: face.pose,
    interOcular: face.interOcular,
    mouth: mouthOpening(face),
    emotion: expressionNames.map((name) => 100 * face.expressions[name]),
  };
}

export const axes = ['yaw', 'pitch', 'roll'] as const;

export type Axis = (typeof axes)[number];

/** How far two readings differ: degrees of the axis that differs most, points of the expression that does, identity. */
export function differences(
  a: Reading,
  b: Reading,
): { pose: number; emotion: number; mouth: number; identity: number } {
  return {
    pose: Math.max(...axes.map((axis) => Math.abs(a.pose[axis] - b.pose[axis]))),
    emotion: Math.max(...a.emotion.map((points, i) => Math.abs(points - b.emotion[i]!))),
    mouth: Math.abs(a.mouth - b.mouth),
    identity: descriptorDistance(a.descriptor, b.descriptor),
  };
}
