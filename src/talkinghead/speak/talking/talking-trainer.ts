/** Trains the second stage: the editing module and the generator, by what frozen networks and a discriminator say of their pictures. */
import { Adam } from '../../../optim/index.js';
import { noGrad, type Tensor } from '../../../torch/index.js';
import { Chance } from '../../training/chance.js';
import { type Kept, keptModule, keptOptimizer, NetworkTrainer } from '../../training/network-trainer.js';
import { cosineShare, descend } from '../../training/steps.js';
import { Adversary } from '../adversary.js';
import type { SpeakClips } from '../clips/speak-clips.js';
import type { CoderShape, FaceCoder } from '../irfd.js';
import { weighedSum } from '../losses.js';
import { TalkingGenerator, type TalkingShape } from '../talking-generator.js';
import { type TalkingBatch, TalkingSource, talkingBatch } from './talking-batch.js';
import type { TalkingConfig, TalkingWeights } from './talking-config.js';
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
  const { form, width, face, mapping, channels, budget, context } = config;
  return { form, size, width, face, mapping, channels, budget, codes, sound: sound * (2 * context + 1) };
}

export class TalkingTrainer extends NetworkTrainer<TalkingConfig> {
  readonly generator: TalkingGenerator;
  readonly #optimizer: Adam;
  readonly #adversary: Adversary | null;
  readonly #source: TalkingSource;

  constructor(
    config: TalkingConfig,
    readonly base: TalkingBase,
  ) {
    super(config);
    const { clips, heard, coder } = base;
    const codes = { identity: coder.identity.size, emotion: coder.emotion.size, pose: coder.pose.size };
    this.generator = new TalkingGenerator(talkingShape(config, clips.size, codes, heard.shape[1]!));
    this.#adversary = config.gan.weight > 0 ? new Adversary(config.gan, true) : null;
    this.#source = new TalkingSource(clips.train, config);
    const { lr, tune } = config;
    // Means and variances of encoders that have learnt stay as well.
    coder.train(config.encoders === 'fresh').requiresGrad_(tune > 0);
    const own = { params: [...this.generator.namedParameters('generator')], lr };
    const tuned = { params: [...coder.namedParameters('coder')], lr: tune * lr };
    this.#optimizer = new Adam(tune > 0 ? [own, tuned] : [own], { betas: [0, 0.99] });
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

  /** Pictures of a batch. */
  make({ codes, portrait }: Pick<TalkingBatch, 'codes' | 'portrait'>): Tensor {
    return this.generator.forward(codes, this.config.form === 'portrait' ? portrait : null);
  }

  /** What a step is about. */
  batch(chance: Chance): TalkingBatch {
    const { config, base } = this;
    const drawn = this.#source.draw(chance);
    const made = (): TalkingBatch => talkingBatch(base.clips, base.heard, base.coder, drawn, config, chance);
    return config.tune > 0 ? made() : noGrad(made);
  }

  step(step: number): Record<string, number> {
    const { config, base } = this;
    const batch = this.batch(new Chance(config.seed).fork(step));
    const made = this.make(batch);
    const share = cosineShare(step, config.steps);
    const judged = this.#adversary?.learn(batch.truth, made, batch.portrait, step, share);
    const parts = talkingLosses(made, batch, base.judges, config, step);
    const gan = this.#adversary?.judge(made, batch.portrait);
    const all: Readonly<Record<string, Tensor>> = gan ? { ...parts, gan } : parts;
    const weights: TalkingWeights & { gan: number } = { ...config.loss, gan: config.gan.weight };
    for (const [i, lr] of [config.lr, config.tune * config.lr].slice(0, this.#optimizer.paramGroups.length).entries())
      this.#optimizer.paramGroups[i]!.lr = share * lr;
    const total = descend(weighedSum(all, weights as unknown as Record<string, number>), this.#optimizer, step);
    const told = Object.entries(all).map(([name, part]) => [name, part.item()] as const);
    return { total, ...Object.fromEntries(told), ...judged };
  }
}
