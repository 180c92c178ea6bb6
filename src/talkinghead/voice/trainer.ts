/** Trains a voice network. */
import { AdamW, CosineAnnealingLR, clipGradNorm_ } from '../../optim/index.js';
import { HeadraceError, keep, manualSeed, scope, setNumThreads, type Tensor } from '../../torch/index.js';
import { Chance } from './chance.js';
import type { VoiceClip } from './clip-store.js';
import type { VoiceConfig } from './config.js';
import { drawBatch, type Example, exampleOf } from './examples.js';
import { usualSpectrum } from './hearing.js';
import { VoiceNetwork } from './network.js';
import { objective } from './objective.js';
import type { VoiceData } from './prepare-clips.js';

/** What a stretch of steps came to: means of the parts of the loss. */
export interface StepRecord {
  readonly step: number;
  readonly loss: Readonly<Record<string, number>>;
  readonly seconds: number;
}

/** All that it takes to go on. */
export interface TrainState {
  readonly step: number;
  readonly history: readonly StepRecord[];
  readonly tensors: ReadonlyMap<string, Tensor>;
}

export interface TrainHooks {
  readonly onProgress?: (what: 'hearing' | 'training', done: number, all: number) => void;
  readonly onRecord?: (record: StepRecord) => void;
  readonly save?: (state: TrainState) => void;
  readonly from?: TrainState | null;
  readonly shouldStop?: () => boolean;
}

const CLIP_NORM = 5;

/** Clips whose mean spectrum stands for all. */
const SPECTRUM_CLIPS = 200;

export class VoiceTrainer {
  readonly network: VoiceNetwork;
  readonly usual: Float32Array;
  readonly #optimizer: AdamW;
  readonly #schedule: CosineAnnealingLR;
  #history: StepRecord[] = [];

  constructor(
    private readonly config: VoiceConfig,
    private readonly data: VoiceData,
  ) {
    setNumThreads(config.threads);
    manualSeed(config.seed);
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
  run(hooks: TrainHooks = {}): readonly StepRecord[] | null {
    const { steps, keepEvery } = this.config;
    if (hooks.from) this.#resume(hooks.from);
    const examples = this.#hearAll(hooks);
    if (examples === null) return null;
    this.network.train();
    let since = performance.now();
    const sums = new Map<string, number>();
    for (let step = this.#schedule.lastEpoch; step < steps; ) {
      this.#step(examples, step, sums);
      step++;
      hooks.onProgress?.('training', step, steps);
      const stop = hooks.shouldStop?.() ?? false;
      if (step % keepEvery !== 0 && step !== steps && !stop) continue;
      const taken = step - (this.#history.at(-1)?.step ?? 0);
      const loss = Object.fromEntries([...sums].map(([name, sum]) => [name, sum / taken]));
      const record = { step, loss, seconds: (performance.now() - since) / 1000 };
      since = performance.now();
      sums.clear();
      this.#history.push(record);
      hooks.onRecord?.(record);
      hooks.save?.(this.#state(step));
      if (stop) return null;
    }
    return this.#history;
  }

  /** Every clip as it is and in the other ways. */
  #hearAll(hooks: TrainHooks): { real: Example[]; synthetic: Example[] } | null {
    const { variants, seed } = this.config;
    const { real, synthetic } = this.data;
    const all = (real.length + synthetic.length) * (variants + 1);
    let done = 0;
    const chance = new Chance(seed);
    const heard = (clips: readonly VoiceClip[], key: number): Example[] | null => {
      const examples: Example[] = [];
      for (const [i, clip] of clips.entries()) {
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
    const [first, second] = [heard(synthetic, 0), heard(real, 1 << 24)];
    return first === null || second === null ? null : { synthetic: first, real: second };
  }

  #step(examples: { real: Example[]; synthetic: Example[] }, step: number, sums: Map<string, number>): void {
    scope(() => {
      manualSeed(this.config.seed * 1_000_003 + step); // of the dropout, so that a run that goes on draws the same
      const batch = drawBatch(examples, this.config, new Chance(this.config.seed).fork(step));
      const parts = objective(this.network.forward(batch.inputs), batch, this.config);
      parts.total.backward();
      for (const [name, value] of Object.entries(parts))
        sums.set(name, (sums.get(name) ?? 0) + (value as Tensor).item());
      if (!Number.isFinite(sums.get('total')))
        throw new HeadraceError(`step ${step}: the loss is not finite; lower the learning rate (lr)`, { code: 'NAN' });
      clipGradNorm_(this.network.parameters(), CLIP_NORM);
      this.#optimizer.step();
      this.#optimizer.zeroGrad();
      this.#schedule.step();
    });
  }

  #state(step: number): TrainState {
    const tensors = new Map<string, Tensor>();
    for (const [key, value] of this.network.stateDict()) tensors.set(`network.${key}`, value);
    for (const [key, value] of this.#optimizer.stateDict().state) tensors.set(`optimizer.${key}`, value);
    return { step, history: this.#history, tensors };
  }

  #resume({ step, history, tensors }: TrainState): void {
    const part = (prefix: string): Map<string, Tensor> =>
      new Map(
        [...tensors].flatMap(([key, value]) =>
          key.startsWith(prefix) ? [[key.slice(prefix.length), keep(value)]] : [],
        ),
      );
    this.network.loadStateDict(part('network.'));
    this.#optimizer.loadStateDict({ groups: this.#optimizer.stateDict().groups, state: part('optimizer.') });
    this.#schedule.step(step);
    this.#history = [...history];
  }
}
