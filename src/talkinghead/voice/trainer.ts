/** Trains a voice network. */
import { AdamW, CosineAnnealingLR, clipGradNorm_ } from '../../optim/index.js';
import { manualSeed, type Tensor } from '../../torch/index.js';
import { Chance } from '../training/chance.js';
import { type Kept, keptModule, keptOptimizer, NetworkTrainer } from '../training/network-trainer.js';
import { descend, type StepHooks, type StepRecord } from '../training/steps.js';
import type { VoiceClip } from './clip-store.js';
import type { VoiceConfig } from './config.js';
import { drawBatch, type Example, exampleOf } from './examples.js';
import { usualSpectrum } from './hearing.js';
import { VoiceNetwork } from './network.js';
import { objective } from './objective.js';
import type { VoiceData } from './prepare-clips.js';

export interface TrainHooks extends Omit<StepHooks, 'onStep'> {
  readonly onProgress?: (what: 'hearing' | 'training', done: number, all: number) => void;
}

const CLIP_NORM = 5;

/** Clips whose mean spectrum stands for all. */
const SPECTRUM_CLIPS = 200;

export class VoiceTrainer extends NetworkTrainer<VoiceConfig> {
  readonly network: VoiceNetwork;
  readonly usual: Float32Array;
  readonly #optimizer: AdamW;
  readonly #schedule: CosineAnnealingLR;
  #examples: { real: Example[]; synthetic: Example[] } | null = null;

  constructor(
    config: VoiceConfig,
    private readonly data: VoiceData,
  ) {
    super(config);
    this.network = new VoiceNetwork(config.network, config.dropout);
    const { lr, weightDecay } = config;
    this.#optimizer = new AdamW(this.network.parameters(), { lr, weightDecay });
    this.#schedule = new CosineAnnealingLR(this.#optimizer, { tMax: config.steps });
    const chance = new Chance(config.seed);
    const all = [...data.synthetic, ...data.real];
    this.usual = usualSpectrum(
      Array.from({ length: Math.min(all.length, SPECTRUM_CLIPS) }, () => chance.pick(all).samples),
    );
  }

  /** @returns the course of the training, or null where it was asked to stop: then `save` has been called */
  override async run(hooks: TrainHooks = {}): Promise<readonly StepRecord[] | null> {
    this.#examples = await this.#hearAll(hooks);
    if (this.#examples === null) return null;
    if (hooks.from) this.#schedule.step(hooks.from.step);
    return super.run({ ...hooks, onStep: (done, all) => hooks.onProgress?.('training', done, all) });
  }

  protected get learner(): VoiceNetwork {
    return this.network;
  }

  protected kept(): Record<string, Kept> {
    return { network: keptModule(this.network), optimizer: keptOptimizer(this.#optimizer) };
  }

  /** Every clip as it is and in the other ways. */
  async #hearAll(hooks: TrainHooks): Promise<{ real: Example[]; synthetic: Example[] } | null> {
    const { variants, seed } = this.config;
    const { real, synthetic } = this.data;
    const all = (real.length + synthetic.length) * (variants + 1);
    let done = 0;
    const chance = new Chance(seed);
    const heard = async (clips: readonly VoiceClip[], key: number): Promise<Example[] | null> => {
      const examples: Example[] = [];
      for (const [i, clip] of clips.entries()) {
        await new Promise(setImmediate); // signals are heard between clips
        if (hooks.shouldStop?.()) return null;
        for (let variant = 0; variant <= variants; variant++) {
          const own = variant === 0 ? null : chance.fork(key + i * 64 + variant);
          const babble = own === null ? null : own.pick(synthetic.length > 0 ? synthetic : real).samples;
          examples.push(exampleOf(clip, this.usual, this.config, own, babble));
          hooks.onProgress?.('hearing', ++done, all);
        }
      }
      return examples;
    };
    const [first, second] = [await heard(synthetic, 0), await heard(real, 1 << 24)];
    return first === null || second === null ? null : { synthetic: first, real: second };
  }

  step(step: number): Record<string, number> {
    manualSeed(this.config.seed * 1_000_003 + step); // of the dropout, so that a run that goes on draws the same
    const batch = drawBatch(this.#examples!, this.config, new Chance(this.config.seed).fork(step));
    const parts = objective(this.network.forward(batch.inputs), batch, this.config);
    descend(parts.total, this.#optimizer, step, () => clipGradNorm_(this.network.parameters(), CLIP_NORM));
    this.#schedule.step();
    return Object.fromEntries(Object.entries(parts).map(([name, value]) => [name, (value as Tensor).item()]));
  }
}
