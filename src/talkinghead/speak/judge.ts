/**
 * Who, how and where a drawn face is, told by a network that has nothing to do with the one that is judged: trained on exact labels
 * of the people whom a set holds to learn from, and as good on others as its own figures on true pictures say. Expressions have a
 * network of their own: read from the features that tell person and pose, they were told no better than by guessing.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { loadSafetensors, saveSafetensors } from '../../io/index.js';
import { expressionNames } from '../../media/index.js';
import { functional as F, Linear, Module } from '../../nn/index.js';
import { Adam } from '../../optim/index.js';
import { manualSeed, noGrad, ops, scope, type Tensor, tensor } from '../../torch/index.js';
import { Chance } from '../training/chance.js';
import { cosineShare, descend, type StepLearner, trainSteps } from '../training/steps.js';
import { displaced, recoloured } from './augment.js';
import { FaceEncoder } from './encoder.js';
import { emotionsOf, type FaceHooks, type Faces, picturesOf, rowsOf } from './faces.js';

const settings = { batch: 32, lr: 2e-3, seed: 7 } as const;
export const judgeSteps = 3000;
const shape = { depth: 10, width: 24 } as const;
const features = 96;
/** Degrees that count as 1. */
const degrees = 15;

/** What a picture shows. */
export interface Verdict {
  /** Degrees: yaw, pitch, roll; [N, 3]. */
  readonly pose: Tensor;
  /** Scores of the expressions, [N, 7]. */
  readonly emotion: Tensor;
  /** Of length 1; those of one person lie together; [N, 96]. */
  readonly identity: Tensor;
}

/** Keys: `trunk`, `pose`, `person`, and `emotion`, each as of {@link FaceEncoder} or a linear layer. */
export class FaceJudge extends Module {
  trunk = new FaceEncoder(shape, features);
  pose = new Linear(features, 3);
  emotion = new FaceEncoder(shape, expressionNames.length);
  person: Linear;

  constructor(people: number) {
    super();
    this.person = new Linear(features, people, { bias: false });
  }

  /**
   * @param pictures - [N, 3, size, size], from -1 to 1
   * @param changed - what expressions are read from, where it is not the same: in training
   */
  forward(pictures: Tensor, changed = pictures): Verdict {
    const told = this.trunk.forward(pictures);
    return {
      pose: this.pose.forward(told.relu()).mul(degrees),
      emotion: this.emotion.forward(changed),
      identity: F.normalize(told),
    };
  }

  /** Scores of the people it learns from, by the angle to each. */
  people(identity: Tensor): Tensor {
    return F.linear(identity, F.normalize(this.person.weight)).mul(12);
  }
}

/** Degrees, [N, 3]. */
export function posesOf({ labels }: Pick<Faces, 'labels'>, frames: readonly number[]): Tensor {
  const rows = frames.flatMap((frame) => {
    const { yaw, pitch, roll } = labels[frame]!.pose;
    return [yaw, pitch, roll];
  });
  return tensor(rows, { shape: [frames.length, 3] });
}

class JudgeTrainer implements StepLearner {
  readonly judge: FaceJudge;
  readonly #optimizer: Adam;
  readonly #people: ReadonlyMap<number, number>;

  constructor(
    private readonly faces: Faces,
    readonly steps: number,
  ) {
    manualSeed(settings.seed);
    const people = [...new Set(faces.train.map(([frame]) => faces.labels[frame!]!.person))];
    this.#people = new Map(people.map((person, i) => [person, i]));
    this.judge = new FaceJudge(people.length).train();
    this.#optimizer = new Adam(this.judge.namedParameters(), { lr: settings.lr });
  }

  step(step: number): Record<string, number> {
    const { faces, judge } = this;
    const chance = new Chance(settings.seed).fork(step);
    const frames = Array.from({ length: settings.batch }, () => chance.pick(chance.pick(faces.train)));
    const pictures = picturesOf(faces, frames);
    // A clip has one expression: without changes it would be known by its place and light.
    const changed = recoloured(displaced(pictures, 1, chance, true), 1, chance);
    const { pose, emotion, identity } = judge.forward(pictures, changed);
    const people = rowsOf(frames.map((frame) => this.#people.get(faces.labels[frame]!.person)!));
    const total = F.smoothL1Loss(pose.div(degrees), posesOf(faces, frames).div(degrees))
      .mul(4)
      .add(F.crossEntropy(emotion, emotionsOf(faces, frames)))
      .add(F.crossEntropy(judge.people(identity), people));
    this.#optimizer.paramGroups[0]!.lr = settings.lr * cosineShare(step, this.steps);
    return { total: descend(total, this.#optimizer, step) };
  }

  tensors(): Map<string, Tensor> {
    return this.judge.stateDict();
  }
}

const FORMAT = 'headrace-face-judge-2';

/**
 * The judge of a set, kept beside it: trained by the first who asks, in some minutes.
 * @returns null where it was asked to stop
 */
export async function judgeOf(
  faces: Faces,
  steps: number,
  { onProgress, shouldStop }: FaceHooks = {},
): Promise<FaceJudge | null> {
  const path = join(faces.folder, 'judge.safetensors');
  const made = JSON.stringify({ format: FORMAT, clips: faces.train.length, steps, ...settings });
  const trainer = new JudgeTrainer(faces, steps);
  const { judge } = trainer;
  if (existsSync(path)) {
    const { tensors, metadata } = loadSafetensors(path);
    if (metadata.made === made) {
      judge.loadStateDict(tensors);
      return judge.requiresGrad_(false).eval();
    }
  }
  const history = await trainSteps(
    trainer,
    { steps, keepEvery: steps },
    {
      ...(onProgress && { onStep: onProgress }),
      ...(shouldStop && { shouldStop }),
    },
  );
  if (history === null) return null;
  saveSafetensors(path, judge.stateDict(), { made });
  return judge.requiresGrad_(false).eval();
}

/** Many pictures, a batch at a time. @param pictures - uint8 or seen, [N, 3, size, size] */
export function judged(judge: FaceJudge, pictures: readonly Tensor[]): Verdict {
  return noGrad(() =>
    scope(() => {
      const all = pictures.map((batch) => judge.forward(batch));
      const whole = (name: keyof Verdict): Tensor =>
        ops
          .cat(
            all.map((each) => each[name]),
            0,
          )
          .keep();
      return { pose: whole('pose'), emotion: whole('emotion'), identity: whole('identity') };
    }),
  );
}
