/** The losses of make_golden.py, by its names. */
import * as nn from 'headrace/nn';
import { type Tensor, tensor } from 'headrace/torch';
import type { Case } from './cases.js';

const weight = (o: nn.FactoryOptions) => tensor([0.5, 1, 2, 0.25], { dtype: o.dtype });

interface PairLoss extends nn.Module {
  forward(x: Tensor, target: Tensor): Tensor;
}

/** A loss of a function of its inputs. */
function of(make: (o: nn.FactoryOptions) => PairLoss, input: (x: Tensor) => Tensor, target = (t: Tensor) => t): Case {
  return { make, call: (loss, x, t) => (loss as PairLoss).forward(input(x!), target(t!)) };
}

export const lossCases: Record<string, Case> = {
  crossEntropy: { make: () => new nn.CrossEntropyLoss() },
  'crossEntropy smoothed, weighted': {
    make: (o) => new nn.CrossEntropyLoss({ weight: weight(o), labelSmoothing: 0.1, ignoreIndex: 1 }),
  },
  'crossEntropy of probabilities': { make: () => new nn.CrossEntropyLoss({ reduction: 'sum' }) },
  'crossEntropy of maps': { make: () => new nn.CrossEntropyLoss({ reduction: 'none' }) },
  nllLoss: of(
    (o) => new nn.NLLLoss({ weight: weight(o) }),
    (x) => x.logSoftmax(1),
  ),
  mseLoss: { make: () => new nn.MSELoss() },
  l1Loss: { make: () => new nn.L1Loss({ reduction: 'sum' }) },
  smoothL1Loss: { make: () => new nn.SmoothL1Loss({ beta: 0.5 }) },
  huberLoss: { make: () => new nn.HuberLoss({ delta: 0.7, reduction: 'none' }) },
  bceLoss: of(
    () => new nn.BCELoss(),
    (x) => x.sigmoid(),
  ),
  bceWithLogits: { make: (o) => new nn.BCEWithLogitsLoss({ posWeight: weight(o) }) },
  klDiv: of(
    () => new nn.KLDivLoss({ reduction: 'batchmean' }),
    (x) => x.logSoftmax(1),
    (t) => t.softmax(1),
  ),
  'klDiv of logarithms': of(
    () => new nn.KLDivLoss({ reduction: 'sum', logTarget: true }),
    (x) => x.logSoftmax(1),
    (t) => t.logSoftmax(1),
  ),
  cosineEmbedding: { make: () => new nn.CosineEmbeddingLoss({ margin: 0.2 }) },
  marginRanking: { make: () => new nn.MarginRankingLoss({ margin: 0.5 }) },
  hingeEmbedding: { make: () => new nn.HingeEmbeddingLoss() },
  softMargin: { make: () => new nn.SoftMarginLoss() },
  tripletMargin: { make: () => new nn.TripletMarginLoss({ margin: 0.8, swap: true }) },
  gaussianNll: { make: () => new nn.GaussianNLLLoss({ full: true }) },
  poissonNll: { make: () => new nn.PoissonNLLLoss() },
  ctc: {
    make: () => new nn.CTCLoss(),
    call: (loss, x, ...others) => {
      const [targets, inputLengths, targetLengths] = others as [Tensor, Tensor, Tensor];
      return (loss as nn.CTCLoss).forward(x!.logSoftmax(2), targets, inputLengths, targetLengths);
    },
  },
};
