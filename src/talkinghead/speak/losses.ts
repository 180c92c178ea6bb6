/** The losses of IRFD: as the paper prints them, and repaired. */
import { functional as F } from '../../nn/index.js';
import { ops, type Tensor, tensor } from '../../torch/index.js';
import { type Codes, type Factor, factors, type Irfd, type Views } from './irfd.js';

/** What encodes, decodes and classifies. */
export type Coder = Pick<Irfd, 'encode' | 'decode' | 'classify'>;

/** `literal`: as printed in the paper, with all weights 1. `repaired`: what the printed equations must have meant. */
export const lossModes = ['literal', 'repaired'] as const;
export type LossMode = (typeof lossModes)[number];

/** Weights of the parts. */
export interface LossWeights {
  /** Of pictures out of their own codes. */
  readonly self: number;
  /** Of pictures out of exchanged codes whose truth is known; not in literal mode. */
  readonly exact: number;
  readonly identity: number;
  readonly emotion: number;
  readonly pose: number;
  readonly classification: number;
}

/**
 * Pairs of pictures: the first half of each tensor is S, the second T, and row `i` of S belongs with row `i` of T. The exchange
 * is of one factor in all of them.
 */
export interface PairBatch {
  readonly factor: Factor;
  /** [2 P, 3, size, size] */
  readonly pictures: Tensor;
  /** What encoders see in place of the pictures. */
  readonly views: Views;
  /** int64 [2 P]: emotions; -1 where there is no label. */
  readonly emotions: Tensor;
  /** Whether S and T of each pair show the same person. */
  readonly same: readonly boolean[];
  /** [2 P, 3, size, size]: what the exchanged picture shows, where it is known. */
  readonly truth: Tensor | null;
  /** Rows of which the truth is known. */
  readonly known: readonly boolean[];
  /** [2 P, 1, size, size]: how much each pixel of the pictures counts, 1 in the mean; null where all count the same. */
  readonly weights: Tensor | null;
}

/** What a model made of a batch. */
export interface Exchange {
  readonly codes: Codes;
  /** Pictures out of their own codes, and out of the exchanged ones. */
  readonly own: Tensor;
  readonly fakes: Tensor;
  /** Codes of the fakes. */
  readonly again: Codes;
}

/** Rows of T in place of those of S and the other way round. */
export function swapped(rows: Tensor): Tensor {
  const [s, t] = rows.chunk(2, 0) as [Tensor, Tensor];
  return ops.cat([t, s], 0);
}

/** Codes as the batch's exchange mixes them. */
export function mixed(codes: Codes, factor: Factor): Codes {
  return { ...codes, [factor]: swapped(codes[factor]) };
}

/** Encodes, decodes the codes as they are and exchanged, and encodes what came of the exchange. */
export function exchange(model: Coder, { factor, pictures, views }: PairBatch): Exchange {
  const codes = model.encode(pictures, views);
  const fake = mixed(codes, factor);
  const both = (name: Factor): Tensor => ops.cat([codes[name], fake[name]], 0);
  const decoded = model.decode({ identity: both('identity'), emotion: both('emotion'), pose: both('pose') });
  const [own, fakes] = decoded.chunk(2, 0) as [Tensor, Tensor];
  return { codes, own, fakes, again: model.encode(fakes) };
}

/** Euclidean distances of rows, [B]. Never quite 0, where the root has no slope. */
export function distances(a: Tensor, b: Tensor): Tensor {
  return a.sub(b).flatten(1).square().sum(1).add(1e-12).sqrt();
}

const pairsOf = (rows: Tensor): [s: Tensor, t: Tensor] => rows.chunk(2, 0) as [Tensor, Tensor];

/**
 * Equation 1 as it is printed: of the two distances between a person's own picture and the fake that shows that person, both
 * of which should be small, it makes one large. [P]
 */
export function printedIdentity(codes: Tensor, again: Tensor, alpha: number): Tensor {
  // `again` in the order of the people: of S first.
  const [ofS, ofT] = pairsOf(distances(codes, again));
  return ops.relu(ofS.sub(ofT).add(alpha));
}

/**
 * Equation 1 repaired: each picture's person is nearer in the fake that shows that person than in the other one, by `alpha`; of
 * one and the same person both distances count. [2 P]
 */
export function repairedIdentity(codes: Tensor, again: Tensor, same: readonly boolean[], alpha: number): Tensor {
  const near = distances(codes, again);
  const far = distances(codes, swapped(again));
  const triplet = ops.relu(near.sub(far).add(alpha));
  const mask = tensor([...same, ...same], { dtype: 'bool', device: codes.device });
  return ops.where(mask, near, triplet) as Tensor;
}

/** The mean of cross-entropies of rows that have a label; 0 where none has. */
function labelled(logits: Tensor, labels: Tensor): Tensor {
  const each = F.crossEntropy(logits, labels, { ignoreIndex: -1, reduction: 'sum' });
  return each.div(Math.max(1, labels.ge(0).sum().item()));
}

/**
 * All parts, unweighted: `self`, `exact` (repaired alone), `identity`, `emotion`, `pose`, `classification`.
 * @param alpha - the margin of identity's code
 */
export function irfdLosses(
  model: Coder,
  batch: PairBatch,
  { codes, own, fakes, again }: Exchange,
  mode: LossMode,
  alpha: number,
): Record<keyof LossWeights, Tensor> {
  const { factor, pictures, emotions, same } = batch;
  const literal = mode === 'literal';
  // What each factor of a fake should be, and the fakes in the order of those whose identity they show.
  const meant = mixed(codes, factor);
  const target = (name: Factor): Tensor => (literal ? meant[name] : meant[name].detach());
  const scale = literal ? 1 : 1 / Math.sqrt(codes.identity.shape[1]!);
  const shown = (factor === 'identity' ? swapped(again.identity) : again.identity).mul(scale);
  const anchor = (literal ? codes.identity : codes.identity.detach()).mul(scale);
  // Sums over S and T, as printed; means, repaired.
  const kept = (name: Factor): Tensor =>
    distances(again[name], target(name))
      .mean()
      .mul(literal ? 2 : 1);
  const labels = factor === 'emotion' ? swapped(emotions) : emotions;
  const [first, second] = [
    labelled(model.classify(codes.emotion), emotions),
    labelled(model.classify(again.emotion), labels),
  ];
  return {
    self: literal ? distances(own, pictures).mean().mul(2) : apart(own, pictures, batch.weights).mean(),
    exact: exactLoss(batch, fakes),
    identity: literal
      ? printedIdentity(anchor, shown, alpha).mean()
      : repairedIdentity(anchor, shown, same, alpha).mean(),
    emotion: kept('emotion'),
    pose: kept('pose'),
    classification: first.add(second),
  };
}

/** Distances of pixels, as they count. */
function apart(made: Tensor, meant: Tensor, weights: Tensor | null): Tensor {
  const each = made.sub(meant).abs();
  return weights === null ? each : each.mul(weights);
}

/** Mean distance of pixels, over the fakes whose truth is known. Their faces are where the heads are whose pose they have. */
function exactLoss({ factor, truth, known, weights }: PairBatch, fakes: Tensor): Tensor {
  const count = known.filter(Boolean).length;
  if (truth === null || count === 0) return fakes.sum().mul(0);
  const mask = tensor(known.map(Number), { shape: [known.length, 1, 1, 1], dtype: fakes.dtype, device: fakes.device });
  const counted = weights !== null && factor === 'pose' ? swapped(weights) : weights;
  return apart(fakes, truth, counted)
    .mul(mask)
    .sum()
    .div(count * (fakes.numel / known.length));
}

/** Parts of a loss as a replica's share of the whole's. */
export function portions(
  parts: Readonly<Record<string, Tensor>>,
  shares: Readonly<Record<string, number>>,
): Record<string, Tensor> {
  return Object.fromEntries(
    Object.entries(parts).map(([name, part]) => [name, shares[name] === 1 ? part : part.mul(shares[name]!)]),
  );
}

/** The weighted sum; parts of weight 0 are left out, with their gradients. */
export function weighedSum<Name extends string>(
  parts: Readonly<Record<Name, Tensor>>,
  weights: Readonly<Record<Name, number>>,
): Tensor {
  return (Object.keys(parts) as Name[])
    .filter((name) => weights[name] !== 0)
    .map((name) => parts[name].mul(weights[name]))
    .reduce((sum, part) => sum.add(part));
}

/**
 * How much codes vary over a batch, against their size: near 0 a code says the same of every picture. Constant codes are a
 * trivial optimum of the printed losses.
 */
export function spreads(codes: Codes): Record<`spread.${Factor}`, number> {
  const spread = (code: Tensor): number => {
    const size = code.square().mean().sqrt().item();
    return code.std(0).mean().item() / Math.max(size, 1e-12);
  };
  return Object.fromEntries(factors.map((name) => [`spread.${name}`, spread(codes[name].detach())])) as Record<
    `spread.${Factor}`,
    number
  >;
}
