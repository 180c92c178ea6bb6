/** The signatures of losses, one for the module and the function of the same name. */
import type * as F from './functional/loss.js';
import { choice, flag, number, orNull, type RulesOf, Signature, tensor, whole } from './signature.js';

const reduced = { reduction: choice<F.Reduction>('mean', 'none', 'mean', 'sum') };
const weighted = { ...reduced, weight: orNull(tensor) };
/** What PyTorch took before there was `reduction`. */
const old = ['sizeAverage', 'reduce'];

export const plain = new Signature(
  'MSELoss L1Loss SoftMarginLoss mseLoss l1Loss softMarginLoss',
  {},
  reduced satisfies RulesOf<F.LossOptions>,
  old,
);
export const nllLoss = new Signature(
  'NLLLoss nllLoss',
  {},
  { ...weighted, ignoreIndex: whole(-100) } satisfies RulesOf<F.NllLossOptions>,
  old,
);
export const crossEntropy = new Signature(
  'CrossEntropyLoss crossEntropy',
  {},
  {
    ...nllLoss.options,
    labelSmoothing: number(0, { min: 0, max: 1 }),
  } satisfies RulesOf<F.CrossEntropyOptions>,
  old,
);
export const bce = new Signature('BCELoss binaryCrossEntropy', {}, weighted satisfies RulesOf<F.BceOptions>, old);
export const bceWithLogits = new Signature(
  'BCEWithLogitsLoss binaryCrossEntropyWithLogits',
  {},
  { ...weighted, posWeight: orNull(tensor) } satisfies RulesOf<F.BceWithLogitsOptions>,
  old,
);
export const smoothL1 = new Signature(
  'SmoothL1Loss smoothL1Loss',
  {},
  { ...reduced, beta: number(1, { min: 0 }) } satisfies RulesOf<F.SmoothL1Options>,
  old,
);
export const huber = new Signature('HuberLoss huberLoss', {}, {
  ...reduced,
  delta: number(1, { above: 0 }),
} satisfies RulesOf<F.HuberOptions>);
export const klDiv = new Signature(
  'KLDivLoss klDiv',
  {},
  {
    reduction: choice<F.Reduction | 'batchmean'>('mean', 'none', 'mean', 'sum', 'batchmean'),
    logTarget: flag(false),
  } satisfies RulesOf<F.KlDivOptions>,
  old,
);
export const margin = new Signature(
  'CosineEmbeddingLoss MarginRankingLoss cosineEmbeddingLoss marginRankingLoss',
  {},
  { ...reduced, margin: number(0) } satisfies RulesOf<F.MarginOptions>,
  old,
);
export const hinge = new Signature(
  'HingeEmbeddingLoss hingeEmbeddingLoss',
  {},
  { ...reduced, margin: number(1) } satisfies RulesOf<F.MarginOptions>,
  old,
);
export const triplet = new Signature(
  'TripletMarginLoss tripletMarginLoss',
  {},
  {
    ...reduced,
    margin: number(1),
    p: number(2),
    eps: number(1e-6),
    swap: flag(false),
  } satisfies RulesOf<F.TripletOptions>,
  old,
);
export const gaussianNll = new Signature('GaussianNLLLoss gaussianNllLoss', {}, {
  ...reduced,
  full: flag(false),
  eps: number(1e-6, { min: 0 }),
} satisfies RulesOf<F.GaussianNllOptions>);
export const poissonNll = new Signature(
  'PoissonNLLLoss poissonNllLoss',
  {},
  {
    ...reduced,
    logInput: flag(true),
    full: flag(false),
    eps: number(1e-8, { min: 0 }),
  } satisfies RulesOf<F.PoissonNllOptions>,
  old,
);
export const ctc = new Signature('CTCLoss ctcLoss', {}, {
  ...reduced,
  blank: whole(0, 0),
  zeroInfinity: flag(false),
} satisfies RulesOf<F.CtcOptions>);
