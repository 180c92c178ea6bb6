/** A discriminator that is trained beside what it judges. */
import { isAtLeast, isObject, isOneOf, isWhole, type Shape } from '../../io/index.js';
import { functional as F } from '../../nn/index.js';
import { Adam } from '../../optim/index.js';
import { type ComputeType, computing, inFull } from '../../pipeline/compute.js';
import type { Replicas } from '../../pipeline/replicas.js';
import { ops, type Tensor } from '../../torch/index.js';
import { type Kept, keptOptimizer } from '../training/network-trainer.js';
import { descendTogether, gathered, partOf } from '../training/steps.js';
import { PatchDiscriminator, type PatchShape } from './discriminator.js';

/**
 * `printed`: equation 10 as it stands, whose generator learns nothing from what is clearly false. `logistic`: the same, with the
 * generator's loss turned over (non-saturating). `hinge`: without logarithms.
 */
export const ganKinds = ['printed', 'logistic', 'hinge'] as const;
export type GanKind = (typeof ganKinds)[number];

export interface GanSettings extends PatchShape {
  /** Of the generator's loss; 0 for no discriminator. */
  readonly weight: number;
  readonly kind: GanKind;
  readonly lr: number;
  /** Of the R1 penalty (half of it times the squared gradient at true pictures), and in which steps it counts: each n-th, n times. */
  readonly gamma: number;
  readonly gammaEvery: number;
}

export const noGan: GanSettings = {
  weight: 0,
  kind: 'logistic',
  lr: 1e-3,
  gamma: 1,
  gammaEvery: 8,
  scales: 2,
  layers: 3,
  width: 24,
};

export const isGan: Shape = isObject({
  weight: isAtLeast(0),
  kind: isOneOf(ganKinds),
  lr: isAtLeast(0),
  gamma: isAtLeast(0),
  gammaEvery: isWhole(1),
  scales: isWhole(1),
  layers: isWhole(1),
  width: isWhole(1),
});

const meanOf = (maps: readonly Tensor[], of: (map: Tensor) => Tensor): Tensor =>
  maps
    .map((map) => of(map).mean())
    .reduce((sum, each) => sum.add(each))
    .div(maps.length);

/** What a discriminator learns by. @param real - scores of true pictures, of each scale @param fake - of made ones */
export function discriminatorLoss(kind: GanKind, real: readonly Tensor[], fake: readonly Tensor[]): Tensor {
  if (kind === 'hinge')
    return meanOf(real, (map) => map.neg().add(1).relu()).add(meanOf(fake, (map) => map.add(1).relu()));
  return meanOf(real, (map) => F.softplus(map.neg())).add(meanOf(fake, (map) => F.softplus(map)));
}

/** What a generator learns by. @param fake - scores of what it made, of each scale */
export function generatorLoss(kind: GanKind, fake: readonly Tensor[]): Tensor {
  if (kind === 'hinge') return meanOf(fake, (map) => map.neg());
  // With D the logistic function of a score, log(1 - D) is minus its softplus.
  return kind === 'printed'
    ? meanOf(fake, (map) => F.softplus(map).neg())
    : meanOf(fake, (map) => F.softplus(map.neg()));
}

/** The squared slope of the scores at true pictures, the mean over pictures (Mescheder et al. 2018). */
export function r1(discriminator: PatchDiscriminator, pictures: Tensor, person: Tensor | null): Tensor {
  const x = pictures.detach();
  x.requiresGrad = true;
  const scores = discriminator.forward(x, person).map((map) => map.mean([1, 2, 3]));
  return F.squaredGradients(ops.stack(scores, 1).sum(1), x).mean();
}

export class Adversary implements Kept {
  readonly discriminator: PatchDiscriminator;
  readonly #optimizer: Adam;
  readonly #moments: Kept;

  constructor(
    private readonly settings: GanSettings,
    conditional: boolean,
    private readonly compute: ComputeType,
    private readonly replicas: Replicas | null = null,
  ) {
    this.discriminator = new PatchDiscriminator(settings, conditional).train();
    this.#optimizer = new Adam(this.discriminator.namedParameters(), { lr: settings.lr, betas: [0, 0.99] });
    this.#moments = keptOptimizer(this.#optimizer);
  }

  /**
   * A step of the discriminator.
   * @param share - what is left of its learning rate
   * @returns its loss, and the penalty where it counted
   */
  learn(real: Tensor, fake: Tensor, person: Tensor | null, step: number, share: number): Record<string, number> {
    const { kind, gamma, gammaEvery, lr } = this.settings;
    const { discriminator } = this;
    const scores = (pictures: Tensor): Tensor[] => this.#scores(pictures.detach(), person);
    const loss = discriminatorLoss(kind, scores(real), scores(fake));
    const counts = gamma > 0 && step % gammaEvery === 0;
    const penalty = counts ? r1(discriminator, real, person).mul((gamma / 2) * gammaEvery) : null;
    this.#optimizer.paramGroups[0]!.lr = lr * share;
    const part = (whole: Tensor): Tensor => (this.replicas === null ? whole : whole.div(this.replicas.count));
    const parameters = [...discriminator.parameters()];
    const total = part(penalty === null ? loss : loss.add(penalty));
    return descendTogether(total, this.#optimizer, step, parameters, { discriminator: part(loss) }, this.replicas);
  }

  #scores(pictures: Tensor, person: Tensor | null): Tensor[] {
    const maps = computing(this.compute, 'cpu', () => this.discriminator.forward(pictures, person));
    return maps.map((map) => inFull(this.compute, map));
  }

  /** The generator's loss, whose gradients leave the discriminator as it is. */
  judge(fake: Tensor, person: Tensor | null): Tensor {
    this.discriminator.requiresGrad_(false);
    const loss = generatorLoss(this.settings.kind, this.#scores(fake, person));
    this.discriminator.requiresGrad_(true);
    return loss;
  }

  /** All that changes. */
  tensors(): Map<string, Tensor> {
    return gathered({ network: this.discriminator.stateDict(), optimizer: this.#moments.tensors() });
  }

  load(tensors: ReadonlyMap<string, Tensor>): void {
    this.discriminator.loadStateDict(partOf(tensors, 'network'));
    this.#moments.load(partOf(tensors, 'optimizer'));
  }
}
