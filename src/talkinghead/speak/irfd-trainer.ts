/** Trains IRFD: three encoders, a decoder and a classifier by gradients through all of them. */
import { SyncBatchNorm } from '../../nn/index.js';
import { Adam } from '../../optim/index.js';
import { computing } from '../../pipeline/compute.js';
import type { Replicas } from '../../pipeline/replicas.js';
import { ops, tensor } from '../../torch/index.js';
import { Chance } from '../training/chance.js';
import { type Kept, keptModule, keptOptimizer, NetworkTrainer } from '../training/network-trainer.js';
import { cosineShare, descendTogether } from '../training/steps.js';
import { Adversary } from './adversary.js';
import type { ExactExchanges } from './exchanges.js';
import type { Faces } from './faces.js';
import { Irfd } from './irfd.js';
import { type IrfdConfig, shapeOf } from './irfd-config.js';
import { exchange, irfdLosses, portions, spreads, weighedSum } from './losses.js';
import { PairSource } from './pairs.js';

export class IrfdTrainer extends NetworkTrainer<IrfdConfig> {
  readonly model: Irfd;
  readonly #optimizer: Adam;
  readonly #pairs: PairSource;
  readonly #adversary: Adversary | null;

  /** @param exchanges - null for none */
  constructor(config: IrfdConfig, faces: Faces, exchanges: ExactExchanges | null, replicas: Replicas | null = null) {
    super(config, replicas);
    this.model = new Irfd(shapeOf(config));
    // Batches are one for all replicas.
    if (replicas) SyncBatchNorm.convertSyncBatchnorm(this.model, replicas);
    this.#adversary = config.gan.weight > 0 ? new Adversary(config.gan, false, config.compute, replicas) : null;
    this.#pairs = new PairSource(faces, exchanges);
    const named = [...this.model.namedParameters()];
    const decodes = ([key]: readonly [string, unknown]): boolean => /^(mapping|synthesis)\./.test(key);
    const { lr, decoderLr } = config;
    this.#optimizer = new Adam(
      [
        { params: named.filter((each) => !decodes(each)), lr },
        { params: named.filter(decodes), lr: decoderLr },
      ],
      { betas: [0.9, 0.99] },
    );
  }

  protected get learner(): Irfd {
    return this.model;
  }

  protected kept(): Record<string, Kept> {
    const own = { model: keptModule(this.model), optimizer: keptOptimizer(this.#optimizer) };
    return this.#adversary ? { ...own, adversary: this.#adversary } : own;
  }

  step(step: number): Record<string, number> {
    const { config, model, replicas } = this;
    const batch = this.#pairs.draw(config, new Chance(config.seed).fork(step), replicas ?? undefined);
    const made = computing(config.compute, 'cpu', () => exchange(model, batch));
    const share = cosineShare(step, config.steps);
    // What was made of both kinds of codes is judged, beside the true pictures.
    const seen = ops.cat([made.own, made.fakes], 0);
    const judged = this.#adversary?.learn(batch.pictures, seen, null, step, share);
    const losses = irfdLosses(model, batch, made, config.mode, config.alpha);
    const gan = this.#adversary?.judge(seen, null);
    const part = 1 / (replicas?.count ?? 1);
    const parts = portions(gan ? { ...losses, gan } : losses, { ...batch.shares, gan: part });
    const total = weighedSum(parts, { ...config.loss, gan: config.gan.weight });
    for (const [i, lr] of [config.lr, config.decoderLr].entries()) this.#optimizer.paramGroups[i]!.lr = share * lr;
    const varied = Object.entries(spreads(made.codes)).map(([name, value]) => [name, tensor(part * value)] as const);
    const told = { total, ...parts, ...Object.fromEntries(varied) };
    return { ...descendTogether(total, this.#optimizer, step, [...model.parameters()], told, replicas), ...judged };
  }
}
