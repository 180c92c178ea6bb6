/** What a voice network is judged by. */
import { functional as F } from '../../nn/index.js';
import { type Tensor, tensor } from '../../torch/index.js';
import type { VoiceConfig } from './config.js';
import type { Batch } from './examples.js';
import { openingWeights, widthWeights } from './measures.js';
import { mouthMoves } from './visemes.js';

/** Means over a batch. */
export interface ObjectiveParts {
  readonly total: Tensor;
  /** Squared errors of the moves, in units of how much each varies. */
  readonly moves: Tensor;
  readonly closure: Tensor;
  /** 1 - correlation of the opening with the exact one, mean over the clips whose sounds are known. */
  readonly exact: Tensor;
  /** 1 - correlation with what a camera saw, mean over the clips that it looked at; 0 where there is none. */
  readonly opening: Tensor;
  readonly width: Tensor;
}

/** How much each move varies over speech: what an error is measured by. */
const usualChange = [0.07, 0.09, 0.045, 0.1, 0.2, 0.08, 0.035, 0.08, 0.1, 0.02];

export function objective(logits: Tensor, batch: Batch, config: VoiceConfig): ObjectiveParts {
  const count = mouthMoves.length;
  const moves = logits.narrow(1, 0, count).sigmoid();
  const known = batch.known.unsqueeze(1);
  const scale = tensor(
    Float32Array.from(usualChange, (value) => 1 / value),
    { shape: [1, count, 1] },
  );
  const error = moves.sub(batch.targets.narrow(1, 0, count)).mul(scale);
  const total = batch.known.sum().add(1);
  const movesLoss = error.mul(error).mul(known).sum().div(total.mul(count));
  const sealed = batch.targets.narrow(1, count, 1);
  const closure = F.binaryCrossEntropyWithLogits(logits.narrow(1, count, 1), sealed, {
    weight: known,
    reduction: 'sum',
  }).div(total);
  const measured = (of: Tensor, weights: readonly number[]): Tensor =>
    of.mul(tensor(Float32Array.from(weights), { shape: [1, count, 1] })).sum([1]);
  const open = measured(moves, openingWeights);
  const exact = unlike(open, measured(batch.targets.narrow(1, 0, count), openingWeights), batch.known);
  const opening = unlike(open, batch.seen.select(1, 0), batch.speaking);
  const width = unlike(measured(moves, widthWeights), batch.seen.select(1, 1), batch.speaking);
  const parts = { closure, exact, opening, width };
  const { loss } = config;
  const all = (['closure', 'exact', 'opening', 'width'] as const).reduce(
    (sum, name) => sum.add(parts[name].mul(loss[name])),
    movesLoss,
  );
  return { total: all, moves: movesLoss, ...parts };
}

/** Frames that a clip needs to be judged by its correlation. */
const LEAST = 25;

/** 1 - correlation of two `[B, T]` where `mask` is 1, over the rows with enough of it. */
function unlike(a: Tensor, b: Tensor, mask: Tensor): Tensor {
  const count = mask.sum([1], true);
  const counted = count.gt(LEAST).to({ dtype: 'float32' });
  const centred = (x: Tensor): Tensor => {
    const mean = x.mul(mask).sum([1], true).div(count.clampMin(1));
    return x.sub(mean).mul(mask);
  };
  const [x, y] = [centred(a), centred(b)];
  const size = x
    .mul(x)
    .sum([1], true)
    .mul(y.mul(y).sum([1], true))
    .add(1e-8)
    .sqrt();
  const r = x.mul(y).sum([1], true).div(size);
  return r.neg().add(1).mul(counted).sum().div(counted.sum().clampMin(1));
}
