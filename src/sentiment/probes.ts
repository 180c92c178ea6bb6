/** What the codes of a network hold of known factors: how well these can be read off by a linear map. */
import type { Modality } from '../features/specs.js';
import { cat, noGrad, ops, ShapeError, scope, type Tensor, tensor } from '../torch/index.js';
import type { SentimentConfig } from './config.js';
import { factorsOf, type SentimentBatches } from './datasets/index.js';
import { evaluationLoader } from './evaluate.js';
import type { SentimentNetwork } from './network.js';

/** Added to the diagonal of the codes' covariance, as a share of its mean. */
const RIDGE = 1e-3;

/**
 * How well ridge regression, fitted on one part, tells factors from codes on another: R² of each, at most 1; 0 is what their means tell.
 * @param codes - [n, d]; @param factors - [n, k]
 * @throws ShapeError where rows do not go together
 */
export function probe(
  train: { readonly codes: Tensor; readonly factors: Tensor },
  test: { readonly codes: Tensor; readonly factors: Tensor },
): number[] {
  for (const { codes, factors } of [train, test]) {
    if (codes.shape[0] !== factors.shape[0])
      throw new ShapeError(`Expected codes and factors of the same rows, got [${codes.shape}] and [${factors.shape}]`);
  }
  return scope(() =>
    noGrad(() => {
      const exact = (x: Tensor): Tensor => x.to({ dtype: 'float64' });
      const [x, y] = [exact(train.codes), exact(train.factors)];
      const [meanX, meanY] = [x.mean([0], true), y.mean([0], true)];
      const centred = x.sub(meanX);
      const own = centred.t().matmul(centred);
      const ridge = own.diagonal().mean().clampMin(1e-12).mul(RIDGE);
      const map = ops.linalgSolve(
        own.add(ops.eye(own.shape[0]!, { dtype: 'float64' }).mul(ridge)),
        centred.t().matmul(y.sub(meanY)),
      );
      const truth = exact(test.factors);
      const off = truth.sub(exact(test.codes).sub(meanX).matmul(map).add(meanY));
      const spread = truth
        .sub(truth.mean([0], true))
        .square()
        .sum([0]);
      return off.square().sum([0]).div(spread).neg().add(1).tolist() as number[];
    }),
  );
}

/** R² of each group of factors, the mean over the group, by the modality whose code is probed; null for data without known factors. */
export type ProbeReport = Readonly<Partial<Record<Modality, Readonly<Record<string, number>>>>>;

/** Probes the features of every modality of a trained network. @param test - another split of the same data */
export function probeFactors(
  network: SentimentNetwork,
  config: SentimentConfig,
  train: SentimentBatches,
  test: SentimentBatches,
): ProbeReport | null {
  const groups = Object.keys(factorsOf(train.data.utterances[train.indices[0]!]!));
  if (groups.length === 0) return null;
  return scope(() => {
    const [known, asked] = [codesOf(network, config, train), codesOf(network, config, test)];
    const factors = (split: SentimentBatches, group: string): Tensor =>
      tensor(split.indices.map((index) => factorsOf(split.data.utterances[index]!)[group]!));
    const of = (codes: Tensor, others: Tensor, group: string): number => {
      const each = probe({ codes, factors: factors(train, group) }, { codes: others, factors: factors(test, group) });
      return each.reduce((sum, value) => sum + value, 0) / each.length;
    };
    const names = Object.keys(known) as Modality[];
    return Object.fromEntries(
      names.map((name) => [
        name,
        Object.fromEntries(groups.map((group) => [group, of(known[name]!, asked[name]!, group)])),
      ]),
    );
  });
}

function codesOf(
  network: SentimentNetwork,
  config: SentimentConfig,
  split: SentimentBatches,
): Partial<Record<Modality, Tensor>> {
  const found: Partial<Record<Modality, Tensor[]>> = {};
  const training = network.training;
  network.eval();
  for (const batch of evaluationLoader(config, split).batches(0)) {
    const { features } = noGrad(() => network.forward(batch));
    for (const [name, value] of Object.entries(features) as [Modality, Tensor][]) {
      found[name] ??= [];
      found[name].push(value.detach());
    }
  }
  network.train(training);
  return Object.fromEntries(Object.entries(found).map(([name, parts]) => [name, cat(parts, 0)]));
}
