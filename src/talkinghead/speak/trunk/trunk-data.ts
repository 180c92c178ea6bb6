/** Clips of `headrace talk synth` as data of the engine: pictures, and the exact labels of who, how and where. */
import { TensorDataset } from '../../../data/index.js';
import { functional as F } from '../../../nn/index.js';
import type { RunData } from '../../../pipeline/index.js';
import { ops, scope, type Tensor, tensor } from '../../../torch/index.js';
import { emotionsOf, type FaceHooks, type Faces, loadFaces, rowsOf } from '../faces.js';
import { smallSide } from './trunk-model.js';

export interface TrunkDataOptions {
  readonly folder: string;
  readonly size: number;
  readonly testPeople: number;
}

/** @param hooks - how far the reading is */
export async function trunkData(
  { folder, size, testPeople }: TrunkDataOptions,
  hooks: FaceHooks = {},
): Promise<RunData> {
  const faces = (await loadFaces(folder, size, testPeople, { ...hooks, shouldStop: undefined }))!;
  const people = trainPeople(faces);
  const [train, test] = [faces.train, faces.test].map((clips) => rows(faces, people, clips.flat()));
  return { train: train!, test: test!, trainTransforms: [], testTransforms: [], name: 'faces' };
}

/** Those to learn from, in the order in which they come. */
export function trainPeople({ train, labels }: Faces): number[] {
  return [...new Set(train.map(([first]) => labels[first!]!.person))];
}

/** A person who is not among those to learn from has the label -1. */
function rows(faces: Faces, people: readonly number[], frames: readonly number[]): RunData['train'] {
  return scope(() => {
    const pictures = ops.indexSelect(faces.pictures, 0, rowsOf(frames));
    const who = frames.map((frame) => BigInt(people.indexOf(faces.labels[frame]!.person)));
    const poses = frames.flatMap((frame) => {
      const { yaw, pitch, roll } = faces.labels[frame]!.pose;
      return [yaw / 20, pitch / 20, roll / 20];
    });
    const all = [
      pictures,
      emotionsOf(faces, frames),
      tensor(BigInt64Array.from(who)),
      tensor(poses, { shape: [frames.length, 3], dtype: 'float32' }),
      smaller(pictures),
    ];
    return new TensorDataset(...all) as unknown as RunData['train'];
  });
}

function smaller(pictures: Tensor): Tensor {
  const factor = pictures.shape[2]! / smallSide;
  return F.avgPool2d(pictures.to({ dtype: 'float32' }), factor)
    .round()
    .to({ dtype: 'uint8' });
}
