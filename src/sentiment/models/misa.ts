/** MISA, modality-invariant and -specific representations: Hazarika et al., ACM MM 2020 (arXiv 2005.03545). */

import type { Modality } from '../../features/specs.js';
import {
  Dropout,
  LayerNorm,
  Linear,
  LSTM,
  Module,
  ModuleDict,
  ReLU,
  Sequential,
  Sigmoid,
  TransformerEncoder,
  TransformerEncoderLayer,
} from '../../nn/index.js';
import type { TextEncoder } from '../../text/encoder.js';
import { cat, stack, type Tensor } from '../../torch/index.js';
import type { SentimentBatch } from '../datasets/index.js';
import { centralMomentDiscrepancy, differenceLoss } from './misa-losses.js';
import {
  asPrediction,
  type ModelContext,
  SentimentModel,
  type SentimentOutput,
  type SequenceInput,
  sequenceOf,
  textOf,
  widthOf,
} from './model.js';
import { expectSeveral } from './rows.js';
import { type Partially, withDefaults } from './settings.js';

/** What is left out is MMSA's for MOSI. */
export interface MisaSettings {
  /** Of every vector. Default 128. */
  readonly width: number;
  /** Of each direction of the LSTMs. Default as wide as the rows, as published, but 128 at most. */
  readonly hidden: Readonly<Record<'audio' | 'vision', number>>;
  /** Of the transformer that joins the vectors; must divide the width. Default 2. */
  readonly heads: number;
  /** Within that transformer. Default 2048. */
  readonly feedForward: number;
  /** Before the last layer. Default 0.2. */
  readonly dropout: number;
  /** Factors of the losses; 0 leaves one out. Default similarity 0.3, difference 0.1, reconstruction 1. */
  readonly weights: Readonly<Record<'similarity' | 'difference' | 'reconstruction', number>>;
}

export type MisaOptions = Partially<MisaSettings>;

const WIDEST = 128;

function defaultsFor({ widths }: ModelContext): MisaSettings {
  const { audio = WIDEST, vision = WIDEST } = widths;
  return {
    width: 128,
    hidden: { audio: Math.min(audio, WIDEST), vision: Math.min(vision, WIDEST) },
    heads: 2,
    feedForward: 2048,
    dropout: 0.2,
    weights: { similarity: 0.3, difference: 0.1, reconstruction: 1 },
  };
}

/**
 * Two two-way LSTMs with a layer normalisation between, the last states of all four side by side: [B, T, rows] to
 * [B, 4 hidden]. Keys: `rnn1.*`, `layer_norm.*`, `rnn2.*`.
 */
class StackedLstm extends Module {
  rnn1: LSTM;
  layer_norm: LayerNorm;
  rnn2: LSTM;

  constructor(rows: number, hidden: number) {
    super();
    this.rnn1 = new LSTM(rows, hidden, { batchFirst: true, bidirectional: true });
    this.layer_norm = new LayerNorm(2 * hidden);
    this.rnn2 = new LSTM(2 * hidden, hidden, { batchFirst: true, bidirectional: true });
  }

  forward({ values, lengths }: SequenceInput): Tensor {
    const [first, [last1]] = this.rnn1.forward(values, null, { lengths });
    const [, [last2]] = this.rnn2.forward(this.layer_norm.forward(first), null, { lengths });
    return cat([last1, last2], 0).transpose(0, 1).flatten(1);
  }
}

/** One modality's vectors, [B, width] each. */
interface Subspaces {
  /** Of the utterance, before it is split. */
  readonly whole: Tensor;
  readonly private: Tensor;
  readonly shared: Tensor;
}

/**
 * Two modalities or three. The text's vector is the encoder's pooled one. `losses` are `similarity`, `difference` and
 * `reconstruction`, weighted; `features` the vectors before they are split. Keys: `text.*`, `audio.*`, `vision.*`,
 * `project.<modality>.*`, `private_nets.<modality>.*`, `shared_net.*`, `recon.<modality>.*`, `transformer.*`, `fusion.*`.
 */
export class Misa extends SentimentModel {
  text: TextEncoder | null = null;
  audio: StackedLstm | null = null;
  vision: StackedLstm | null = null;
  project: ModuleDict<Sequential>;
  private_nets: ModuleDict<Sequential>;
  shared_net: Sequential;
  recon: ModuleDict<Linear>;
  transformer: TransformerEncoder;
  fusion: Sequential;
  readonly #modalities: readonly Modality[];
  readonly #weights: MisaSettings['weights'];

  /** @throws ConfigError for one modality, and for heads that do not divide the width */
  constructor(context: ModelContext, options: MisaOptions = {}) {
    super();
    expectSeveral(context, 'MISA');
    const { width, hidden, heads, feedForward, dropout, weights } = withDefaults('misa', defaultsFor(context), options);
    this.#modalities = context.modalities;
    this.#weights = weights;
    const each = <M extends Module>(build: (name: Modality) => M): ModuleDict<M> =>
      new ModuleDict(Object.fromEntries(this.#modalities.map((name) => [name, build(name)] as const)));
    this.project = each((name) => {
      const read = this.#encoder(name, context, hidden);
      return new Sequential(new Linear(read, width), new ReLU(), new LayerNorm(width));
    });
    this.private_nets = each(() => new Sequential(new Linear(width, width), new Sigmoid()));
    this.shared_net = new Sequential(new Linear(width, width), new Sigmoid());
    this.recon = each(() => new Linear(width, width));
    const layer = () => new TransformerEncoderLayer(width, heads, { dimFeedforward: feedForward, batchFirst: true });
    this.transformer = new TransformerEncoder(layer, 1);
    const total = this.#modalities.length * width;
    this.fusion = new Sequential(
      new Linear(2 * total, total),
      new Dropout(dropout),
      new ReLU(),
      new Linear(total, context.outputs),
    );
  }

  forward(batch: SentimentBatch): SentimentOutput {
    const spaces = new Map(this.#modalities.map((name) => [name, this.#split(name, batch)]));
    const all = [...spaces.values()];
    const vectors = stack([...all.map((space) => space.private), ...all.map(({ shared }) => shared)], 1);
    const prediction = asPrediction(this.fusion.forward(this.transformer.forward(vectors).flatten(1)));
    const features = Object.fromEntries([...spaces].map(([name, { whole }]) => [name, whole]));
    return { prediction, unimodal: {}, features, hidden: {}, losses: this.#losses(spaces) };
  }

  /** Sets up what reads a modality, and says how wide its vectors are. */
  #encoder(name: Modality, context: ModelContext, hidden: MisaSettings['hidden']): number {
    if (name === 'text') {
      this.text = textOf(context);
      return this.text.width;
    }
    this[name] = new StackedLstm(widthOf(context, name), hidden[name]);
    return 4 * hidden[name];
  }

  #split(name: Modality, batch: SentimentBatch): Subspaces {
    const read = name === 'text' ? this.text!.forward(batch).pooled : this[name]!.forward(sequenceOf(batch, name));
    const whole = this.project.get(name).forward(read);
    return {
      whole,
      private: this.private_nets.get(name).forward(whole),
      shared: this.shared_net.forward(whole),
    };
  }

  #losses(spaces: ReadonlyMap<Modality, Subspaces>): Record<string, Tensor> {
    const all = [...spaces.values()];
    const made = {
      similarity: () => mean(pairs(all).map(([a, b]) => centralMomentDiscrepancy(a.shared, b.shared))),
      difference: () =>
        sum([
          ...all.map((space) => differenceLoss(space.private, space.shared)),
          ...pairs(all).map(([a, b]) => differenceLoss(a.private, b.private)),
        ]),
      reconstruction: () =>
        mean(
          [...spaces].map(([name, space]) => {
            const again = this.recon.get(name).forward(space.private.add(space.shared));
            return again.sub(space.whole).square().mean();
          }),
        ),
    };
    const used = Object.entries(made).filter(([name]) => this.#weights[name as keyof typeof made] > 0);
    return Object.fromEntries(used.map(([name, loss]) => [name, loss().mul(this.#weights[name as keyof typeof made])]));
  }
}

function pairs<T>(all: readonly T[]): [T, T][] {
  return all.flatMap((a, i) => all.slice(i + 1).map((b): [T, T] => [a, b]));
}

function sum(terms: readonly Tensor[]): Tensor {
  return terms.reduce((total, term) => total.add(term));
}

function mean(terms: readonly Tensor[]): Tensor {
  return sum(terms).div(terms.length);
}
