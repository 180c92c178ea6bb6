/** Trains SyncNet: pairs that are in sync, and as many that are not. */
import { AdamW } from '../../../optim/index.js';
import { computing } from '../../../pipeline/compute.js';
import { ops, type Tensor, tensor } from '../../../torch/index.js';
import { Chance } from '../../training/chance.js';
import { type Kept, keptModule, keptOptimizer, NetworkTrainer } from '../../training/network-trainer.js';
import { cosineShare, descend } from '../../training/steps.js';
import { cutMouths } from '../clips/mouths.js';
import type { SpeakClips } from '../clips/speak-clips.js';
import type { SyncConfig } from './sync-config.js';
import { apart, contrastive, SyncNet } from './sync-net.js';
import { columnsOf, drawWindow, framesOf, squaresOf, type Window } from './windows.js';

/** A window, and one whose sound does not belong to its frames. */
export interface SyncPair {
  readonly seen: Window;
  readonly other: Window;
}

/** Pairs for a step: of each window its own sound and another, of the same clip at another time or of another clip. */
export function drawSyncPairs(
  clips: SpeakClips,
  { windows, network, shiftShare, leastShift, mostShift }: SyncConfig,
  chance: Chance,
): SyncPair[] {
  return Array.from({ length: windows }, (_, i) => {
    const clip = chance.pick(clips.train);
    const seen = drawWindow(clip, network.frames, chance);
    if (i >= Math.round(shiftShare * windows)) {
      const others = clips.train.filter((other) => other !== clip);
      return { seen, other: drawWindow(chance.pick(others), network.frames, chance) };
    }
    const last = clip.frames - network.frames;
    const places = Array.from({ length: last + 1 }, (_, from) => from).filter((from) => {
      const shift = Math.abs(from - seen.from);
      return shift >= leastShift && shift <= mostShift;
    });
    return { seen, other: { clip, from: chance.pick(places) } };
  });
}

export class SyncTrainer extends NetworkTrainer<SyncConfig> {
  readonly network: SyncNet;
  readonly #optimizer: AdamW;

  constructor(
    config: SyncConfig,
    private readonly clips: SpeakClips,
  ) {
    super(config);
    this.network = new SyncNet(config.network);
    const { lr, weightDecay } = config;
    this.#optimizer = new AdamW(this.network.namedParameters(), { lr, weightDecay });
  }

  protected get learner(): SyncNet {
    return this.network;
  }

  protected kept(): Record<string, Kept> {
    return { network: keptModule(this.network), optimizer: keptOptimizer(this.#optimizer) };
  }

  step(step: number): Record<string, number> {
    const { config, clips, network } = this;
    const { frames } = config.network;
    const chance = new Chance(config.seed).fork(step);
    const pairs = drawSyncPairs(clips, config, chance);
    const windows = pairs.map(({ seen }) => seen);
    const mouths = this.#mouths(windows, chance);
    const sound = columnsOf([...windows, ...pairs.map(({ other }) => other)], frames);
    const columns = config.augment ? louder(sound, chance) : sound;
    const [heard, seen] = computing(config.compute, 'cpu', () => [network.hear(columns), network.see(mouths)] as const);
    const distances = apart(ops.cat([seen, seen], 0), heard);
    const together = tensor([...pairs.map(() => 1), ...pairs.map(() => 0)], { dtype: 'float32' });
    this.#optimizer.paramGroups[0]!.lr = config.lr * cosineShare(step, config.steps);
    const total = descend(contrastive(distances, together, config.margin), this.#optimizer, step);
    const [near, far] = distances.detach().chunk(2, 0) as [Tensor, Tensor];
    const right = near.lt(far).to({ dtype: 'float32' }).mean().item();
    return { total, right, near: near.mean().item(), far: far.mean().item() };
  }

  /** [B, 3 * frames, mouth, mouth] */
  #mouths(windows: readonly Window[], chance: Chance): Tensor {
    const { augment, network } = this.config;
    const { frames, mouth } = network;
    const own = squaresOf(this.clips, windows, frames);
    const moved = own.map((square) => {
      if (!augment) return square;
      const by = (): number => 0.12 * square.half * chance.between(-1, 1);
      return { x: square.x + by(), y: square.y + by(), half: square.half * chance.between(0.9, 1.15) };
    });
    const cut = cutMouths(framesOf(this.clips, windows, frames), moved, mouth);
    const stacked = cut.reshape([windows.length, 3 * frames, mouth, mouth]);
    if (!augment) return stacked;
    const shape = [windows.length, 1, 1, 1];
    const drawn = (low: number, high: number): Tensor =>
      tensor(
        Float32Array.from(windows, () => chance.between(low, high)),
        { shape },
      );
    const lit = stacked.mul(drawn(0.75, 1.25)).add(drawn(-0.15, 0.15));
    const mirrored = tensor(
      windows.map(() => chance.yes(0.5)),
      { dtype: 'bool' },
    ).reshape(shape);
    return ops.where(mirrored, lit.flip([3]), lit) as Tensor;
  }
}

/** Logarithms of energies: another loudness is a number that is added, the same to a window and its opponent. */
function louder(sound: Tensor, chance: Chance): Tensor {
  const count = sound.shape[0]! / 2;
  const gains = Array.from({ length: count }, () => chance.between(-0.5, 0.5));
  return sound.add(tensor([...gains, ...gains], { shape: [2 * count, 1, 1, 1] }));
}
