/** A program of two stages: features that give their input back, and a GAN of what belongs to them, with an optimizer for each side. */
import { functional as F, Linear } from 'headrace/nn';
import { Adam } from 'headrace/optim';
import type { Post, Program, Stage, StationJob, ThreadJob } from 'headrace/pipeline';
import { backwardShare, type FedNotice, type Losses, namesNotFinite } from 'headrace/pipeline';
import { cat, manualSeed, noGrad, type Tensor } from 'headrace/torch';

/** The layers of each stage, as drawn from its number. */
export function encoderLayers(): { encode: Linear; decode: Linear } {
  manualSeed(1);
  return { encode: new Linear(4, 3), decode: new Linear(3, 4) };
}

export function ganLayers(): { generator: Linear; discriminator: Linear } {
  manualSeed(2);
  return { generator: new Linear(3, 2), discriminator: new Linear(5, 1) };
}

export const rates = { encoder: 0.01, generator: 0.03, discriminator: 0.004 } as const;

abstract class OneBatch implements Stage {
  abstract readonly index: number;
  abstract readonly isLast: boolean;
  abstract readonly lr: number;
  abstract forward(inputs: readonly Tensor[]): Tensor[];
  abstract learn(outputs: readonly Tensor[], targets: readonly Tensor[], share: number): Losses;
  abstract apply(): void;
  abstract notFinite(): string[];

  beginBatch(): void {}

  toDevice(x: Tensor): Tensor {
    return x;
  }

  evaluate(inputs: readonly Tensor[]): Tensor[] {
    return noGrad(() => this.forward(inputs));
  }
}

class Encoder extends OneBatch {
  readonly index = 0;
  readonly isLast = false;
  readonly lr = rates.encoder;
  readonly #layers = encoderLayers();
  readonly #optimizer = new Adam([...this.#layers.encode.parameters(), ...this.#layers.decode.parameters()], {
    lr: this.lr,
  });
  #input: Tensor | null = null;

  forward([x]: readonly Tensor[]): Tensor[] {
    this.#input = x!;
    return [this.#layers.encode.forward(x!).tanh()];
  }

  learn([features]: readonly Tensor[], _targets: readonly Tensor[], share: number): Losses {
    const again = this.#layers.decode.forward(features!);
    return { loss: backwardShare(F.mseLoss(again, this.#input!), share) };
  }

  apply(): void {
    this.#optimizer.step();
    this.#optimizer.zeroGrad();
  }

  notFinite(): string[] {
    const { encode, decode } = this.#layers;
    return namesNotFinite([...encode.namedParameters('encode'), ...decode.namedParameters('decode')]);
  }
}

class Gan extends OneBatch {
  readonly index = 1;
  readonly isLast = true;
  readonly lr = rates.generator;
  readonly #layers = ganLayers();
  readonly #generator = new Adam(this.#layers.generator.parameters(), { lr: rates.generator, betas: [0, 0.99] });
  readonly #discriminator = new Adam(this.#layers.discriminator.parameters(), {
    lr: rates.discriminator,
    betas: [0, 0.99],
  });
  #features: Tensor | null = null;

  forward([features]: readonly Tensor[]): Tensor[] {
    this.#features = features!;
    return [this.#layers.generator.forward(features!)];
  }

  learn([made]: readonly Tensor[], [y]: readonly Tensor[], share: number): Losses {
    const { discriminator } = this.#layers;
    const features = this.#features!;
    const says = (of: Tensor): Tensor => discriminator.forward(cat([features, of], 1));
    const judged = F.softplus(says(made!.detach()))
      .mean()
      .add(F.softplus(says(y!).neg()).mean());
    const judging = backwardShare(judged, share);
    // The generator's losses are not the discriminator's to learn by.
    discriminator.requiresGrad_(false);
    const fooled = F.softplus(says(made!).neg()).mean();
    const near = F.l1Loss(made!, y!);
    const loss = backwardShare(fooled.add(near), share);
    discriminator.requiresGrad_(true);
    const parts = { adversarial: fooled.detach().mul(share), pixels: near.detach().mul(share) };
    return { loss, discriminator: judging, ...parts };
  }

  apply(): void {
    for (const optimizer of [this.#discriminator, this.#generator]) {
      optimizer.step();
      optimizer.zeroGrad();
    }
  }

  notFinite(): string[] {
    const { generator, discriminator } = this.#layers;
    return namesNotFinite([
      ...generator.namedParameters('generator'),
      ...discriminator.namedParameters('discriminator'),
    ]);
  }
}

/** Called by each worker's thread. */
export function program({ stations }: ThreadJob, post: Post<FedNotice>): Program<Stage> {
  const actionsOf = ({ index: stage }: StationJob) =>
    [
      { stage, kind: 'F', microbatch: 0 },
      { stage, kind: 'B', microbatch: 0 },
      { stage, kind: 'U' },
    ] as const;
  return {
    stages: stations.map(({ index }) => (index === 0 ? new Encoder() : new Gan())),
    context: {
      actions: () => stations.flatMap(actionsOf),
      finite: true,
      spans: false,
      report: (event) => post({ kind: 'event', event }),
      predicted: ({ step }, output) => post({ kind: 'predicted', batch: step }, [output]),
      save: () => {},
      afterBatch: () => {},
    },
  };
}
