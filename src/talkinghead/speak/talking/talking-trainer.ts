/** Trains the second stage: the editing module and the generator, by what frozen networks and a discriminator say of their pictures. */
import { SyncBatchNorm } from '../../../nn/index.js';
import { Adam } from '../../../optim/index.js';
import { computing } from '../../../pipeline/compute.js';
import type { Replicas } from '../../../pipeline/replicas.js';
import { noGrad, scope, type Tensor } from '../../../torch/index.js';
import { Chance } from '../../training/chance.js';
import { type Kept, keptModule, keptOptimizer, NetworkTrainer } from '../../training/network-trainer.js';
import { cosineShare, descendTogether } from '../../training/steps.js';
import { Adversary } from '../adversary.js';
import type { SpeakClips } from '../clips/speak-clips.js';
import type { CoderShape, FaceCoder } from '../irfd.js';
import { portions, weighedSum } from '../losses.js';
import {
  type MadeFrames,
  repeated,
  type TalkingCodes,
  TalkingGenerator,
  type TalkingShape,
} from '../talking-generator.js';
import { someOf, type TalkingBatch, TalkingSource, talkingBatch } from './talking-batch.js';
import type { TalkingConfig } from './talking-config.js';
import { type TalkingJudges, talkingLosses } from './talking-losses.js';

/** What a second stage stands on. */
export interface TalkingBase {
  readonly clips: SpeakClips;
  /** [N, size]: what is heard at each frame of the clips. */
  readonly heard: Tensor;
  /** IRFD's encoders. They learn on where `tune` is above 0. */
  readonly coder: FaceCoder;
  readonly judges: TalkingJudges;
}

/** The generator of a configuration. @param sound - numbers of what is heard at one frame */
export function talkingShape(
  config: TalkingConfig,
  size: number,
  codes: CoderShape['codes'],
  sound: number,
): TalkingShape {
  const { form, sees, width, face, mapping, channels, budget, context } = config;
  return { form, sees, size, width, face, mapping, channels, budget, codes, sound: sound * (2 * context + 1) };
}

/** Frames by which the codes' means and covariances are told. */
const usual = 512;

/** Codes of frames here and there in the clips, and of portraits of the same people. */
function usualCodes({ clips, heard, coder }: TalkingBase, config: TalkingConfig): TalkingCodes {
  const source = new TalkingSource(clips.train, { ...config, clips: usual, frames: 1 });
  const plain = { ...config, frames: 1, augment: false };
  return talkingBatch(clips, heard, coder, source.draw(new Chance(config.seed)), plain, new Chance(config.seed)).codes;
}

export class TalkingTrainer extends NetworkTrainer<TalkingConfig> {
  readonly generator: TalkingGenerator;
  readonly #optimizer: Adam;
  readonly #adversary: Adversary | null;
  readonly #source: TalkingSource;

  constructor(
    config: TalkingConfig,
    readonly base: TalkingBase,
    replicas: Replicas | null = null,
  ) {
    super(config, replicas);
    const { clips, heard, coder } = base;
    const codes = { identity: coder.identity.size, emotion: coder.emotion.size, pose: coder.pose.size };
    this.generator = new TalkingGenerator(talkingShape(config, clips.size, codes, heard.shape[1]!));
    coder.eval(); // looking at codes changes nothing
    noGrad(() => scope(() => this.generator.fit(usualCodes(base, config))));
    this.#adversary = config.gan.weight > 0 ? new Adversary(config.gan, true, config.compute, replicas) : null;
    this.#source = new TalkingSource(clips.train, config);
    const { lr, tune } = config;
    // Means and variances of encoders that have learnt stay as well.
    coder.train(config.encoders === 'fresh').requiresGrad_(tune > 0);
    // Batches are one for all replicas.
    if (replicas) SyncBatchNorm.convertSyncBatchnorm(coder, replicas);
    const own = { params: [...this.generator.namedParameters('generator')], lr };
    const tuned = { params: [...coder.namedParameters('coder')], lr: tune * lr };
    // Against a discriminator, which changes all the time, momentum leads astray.
    const betas: [number, number] = [config.gan.weight > 0 ? 0 : 0.9, 0.99];
    this.#optimizer = new Adam(tune > 0 ? [own, tuned] : [own], { betas });
  }

  protected get learner(): TalkingGenerator {
    return this.generator;
  }

  protected kept(): Record<string, Kept> {
    return {
      generator: keptModule(this.generator),
      optimizer: keptOptimizer(this.#optimizer),
      ...(this.config.tune > 0 && { coder: keptModule(this.base.coder) }),
      ...(this.#adversary && { adversary: this.#adversary }),
    };
  }

  /** Frames of a batch. */
  make({ codes, portraits }: Pick<TalkingBatch, 'codes' | 'portraits'>): MadeFrames {
    const { form, frames } = this.config;
    return this.#computing(() =>
      form === 'portrait' ? this.generator.make(codes, portraits, frames) : this.generator.make(codes),
    );
  }

  #computing<T>(body: () => T): T {
    return computing(this.config.compute, 'cpu', body);
  }

  /** What a step is about: this replica's windows of it, each with a chance of its own. */
  batch(chance: Chance): TalkingBatch {
    const { config, base } = this;
    const drawn = this.#source.draw(chance);
    const numbers = this.ownOf([...drawn.windows.keys()]);
    const chances = numbers.map((number) => chance.fork(number));
    const made = (): TalkingBatch =>
      talkingBatch(base.clips, base.heard, base.coder, someOf(drawn, numbers), config, chances);
    return this.#computing(() => (config.tune > 0 ? made() : noGrad(made)));
  }

  step(step: number): Record<string, number> {
    const { config, base, generator, replicas } = this;
    const batch = this.batch(new Chance(config.seed).fork(step));
    const made = this.make(batch);
    const share = cosineShare(step, config.steps);
    // Whom each frame shows, which a discriminator alone is told.
    const persons = this.#adversary && repeated(batch.portraits, config.frames);
    const judged = this.#adversary?.learn(batch.truth, made.pictures, persons, step, share);
    const losses = this.#computing(() => talkingLosses(made, batch, base.judges, config, step));
    const gan = this.#adversary?.judge(made.pictures, persons);
    // All are means over frames or windows, of which each replica has as many.
    const part = 1 / (replicas?.count ?? 1);
    const all = gan ? { ...losses, gan } : losses;
    const parts = portions(all, Object.fromEntries(Object.keys(all).map((name) => [name, part])));
    const total = weighedSum(parts, { ...config.loss, gan: config.gan.weight });
    for (const [i, lr] of [config.lr, config.tune * config.lr].slice(0, this.#optimizer.paramGroups.length).entries())
      this.#optimizer.paramGroups[i]!.lr = share * lr;
    const parameters = [...generator.parameters(), ...(config.tune > 0 ? base.coder.parameters() : [])];
    const told = { total, ...parts };
    return { ...descendTogether(total, this.#optimizer, step, parameters, told, replicas), ...judged };
  }
}
