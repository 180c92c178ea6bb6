/** MMIM: fusion that keeps what its inputs tell of each other and of itself (Han et al., EMNLP 2021, arXiv 2109.00412). */

import type { Modality } from '../../features/specs.js';
import { Dropout, init, Linear, LSTM, Module, ModuleDict, ReLU, Sequential, Tanh } from '../../nn/index.js';
import type { TextEncoder } from '../../text/encoder.js';
import { cat, type Generator, type Tensor } from '../../torch/index.js';
import type { SentimentBatch } from '../datasets/index.js';
import { gaussianEntropy, gaussianLikelihood, predictiveCoding } from './mmim-losses.js';
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
import { expectTextAndOthers } from './rows.js';
import { type Partially, withDefaults } from './settings.js';

/** What is left out is MMSA's for MOSI. */
export interface MmimSettings {
  /** Of each direction of the LSTMs. Default 16. */
  readonly hidden: Readonly<Record<'audio' | 'vision', number>>;
  /** Of the vectors of audio and vision; at least 4. Default 16. */
  readonly out: Readonly<Record<'audio' | 'vision', number>>;
  /** Of the fused vector. Default 128. */
  readonly width: number;
  /** Before fusion. Default 0.1. */
  readonly dropout: number;
  /** Whether vision and audio are bound to each other, too, as both are to the text. Default false. */
  readonly visionAudio: boolean;
  /** Factors of the losses: of contrast, and of likelihood and entropy. Default 0.1 each. */
  readonly weights: Readonly<Record<'contrast' | 'bound', number>>;
}

export type MmimOptions = Partially<MmimSettings>;

const defaults: MmimSettings = {
  hidden: { audio: 16, vision: 16 },
  out: { audio: 16, vision: 16 },
  width: 128,
  dropout: 0.1,
  visionAudio: false,
  weights: { contrast: 0.1, bound: 0.1 },
};

/** Matrices begin normal by Glorot's variance, as MMSA's do. */
function glorot(module: Module, generator: Generator): void {
  for (const [, parameter] of module.namedParameters()) {
    if (parameter.ndim > 1) init.xavierNormal_(parameter, { generator });
  }
}

class GlorotLinear extends Linear {
  override resetParameters(g: Generator): void {
    super.resetParameters(g);
    glorot(this, g);
  }
}

class GlorotLstm extends LSTM {
  override resetParameters(g: Generator): void {
    super.resetParameters(g);
    glorot(this, g);
  }
}

/** The last states of a two-way LSTM through a linear layer. Keys: `rnn.*`, `linear_1.*`. */
class TwoWayEncoder extends Module {
  rnn: LSTM;
  linear_1: Linear;

  constructor(rows: number, hidden: number, out: number) {
    super();
    this.rnn = new GlorotLstm(rows, hidden, { batchFirst: true, bidirectional: true });
    this.linear_1 = new GlorotLinear(2 * hidden, out);
  }

  forward({ values, lengths }: SequenceInput): Tensor {
    const [, [last]] = this.rnn.forward(values, null, { lengths });
    return this.linear_1.forward(last.transpose(0, 1).flatten(1));
  }
}

/** What one vector tells of another, from below (section 3.3). Keys: `mlp_mu.*`, `mlp_logvar.*`, `entropy_prj.*`. */
class InformationBound extends Module {
  mlp_mu: Sequential;
  mlp_logvar: Sequential;
  entropy_prj: Sequential;

  constructor(from: number, to: number) {
    super();
    const net = (): Sequential => new Sequential(new GlorotLinear(from, to), new ReLU(), new GlorotLinear(to, to));
    this.mlp_mu = net();
    this.mlp_logvar = net();
    this.entropy_prj = new Sequential(new GlorotLinear(to, Math.floor(to / 4)), new Tanh());
  }

  /** @param label - [B], absent where there is none. @returns `entropy`: see {@link #entropy} */
  forward(x: Tensor, y: Tensor, label?: Tensor): { readonly likelihood: Tensor; readonly entropy: Tensor | null } {
    const likelihood = gaussianLikelihood(y, this.mlp_mu.forward(x), this.mlp_logvar.forward(x));
    return { likelihood, entropy: label ? this.#entropy(y, label) : null };
  }

  /** The mean over the samples of either sign; null where neither has enough. */
  #entropy(y: Tensor, label: Tensor): Tensor | null {
    const narrow = this.entropy_prj.forward(y);
    const found = [label.gt(0), label.lt(0)]
      .map((mask) => gaussianEntropy(narrow.indexSelect(0, mask.nonzero().flatten())))
      .filter((sign) => sign !== null);
    return found.length === 0 ? null : found.reduce((sum, sign) => sum.add(sign)).div(2);
  }
}

/**
 * Text with one other modality or two. `features` are the vectors that are fused. `losses`: `contrast`, `likelihood` and `entropy`,
 * weighted, of which the last needs labels. Keys: `text.*`, `audio.*`, `vision.*`, `bounds.<from>_<to>.*`, `predictors.<modality>.*`,
 * `fusion.*`.
 */
export class Mmim extends SentimentModel {
  text: TextEncoder;
  audio: TwoWayEncoder | null = null;
  vision: TwoWayEncoder | null = null;
  bounds: ModuleDict<InformationBound>;
  predictors: ModuleDict<Linear>;
  dropout: Dropout;
  fusion: Sequential;
  head: Linear;
  readonly #modalities: readonly Modality[];
  readonly #pairs: readonly (readonly [from: Modality, to: Modality])[];
  readonly #weights: MmimSettings['weights'];

  /** @throws ConfigError without text, and without another modality */
  constructor(context: ModelContext, options: MmimOptions = {}) {
    super();
    const { hidden, out, width, dropout, visionAudio, weights } = withDefaults('mmim', defaults, options);
    const others = expectTextAndOthers(context, 'MMIM') as ('audio' | 'vision')[];
    this.#modalities = context.modalities;
    this.#weights = weights;
    this.text = textOf(context);
    for (const name of others) this[name] = new TwoWayEncoder(widthOf(context, name), hidden[name], out[name]);
    const widthOfVector = (name: Modality): number => (name === 'text' ? this.text.width : out[name]);
    const between = visionAudio && others.length > 1 ? ([['vision', 'audio']] as const) : [];
    this.#pairs = [...others.map((name) => ['text', name] as const), ...between];
    this.bounds = new ModuleDict(
      Object.fromEntries(
        this.#pairs.map(([from, to]) => [
          `${from}_${to}`,
          new InformationBound(widthOfVector(from), widthOfVector(to)),
        ]),
      ),
    );
    this.predictors = new ModuleDict(
      Object.fromEntries(this.#modalities.map((name) => [name, new GlorotLinear(width, widthOfVector(name))])),
    );
    this.dropout = new Dropout(dropout);
    const total = this.#modalities.reduce((sum, name) => sum + widthOfVector(name), 0);
    this.fusion = new Sequential(
      new GlorotLinear(total, width),
      new Tanh(),
      new GlorotLinear(width, width),
      new Tanh(),
    );
    this.head = new GlorotLinear(width, context.outputs);
  }

  forward(batch: SentimentBatch): SentimentOutput {
    const features = Object.fromEntries(
      this.#modalities.map((name) => [
        name,
        name === 'text' ? this.text.forward(batch).pooled : this[name]!.forward(sequenceOf(batch, name)),
      ]),
    ) as Record<Modality, Tensor>;
    const fused = this.fusion.forward(
      this.dropout.forward(
        cat(
          this.#modalities.map((name) => features[name]),
          1,
        ),
      ),
    );
    const prediction = asPrediction(this.head.forward(fused));
    return { prediction, unimodal: {}, features, hidden: {}, losses: this.#losses(features, fused, batch.label) };
  }

  #losses(
    features: Readonly<Record<Modality, Tensor>>,
    fused: Tensor,
    label: Tensor | undefined,
  ): Record<string, Tensor> {
    const { contrast, bound } = this.#weights;
    const sum = (terms: readonly Tensor[]): Tensor => terms.reduce((all, term) => all.add(term));
    const losses: Record<string, Tensor> = {};
    if (contrast > 0) {
      const terms = this.#modalities.map((name) =>
        predictiveCoding(features[name], this.predictors.get(name).forward(fused)),
      );
      losses.contrast = sum(terms).mul(contrast);
    }
    if (bound === 0) return losses;
    const told = this.#pairs.map(([from, to]) =>
      this.bounds.get(`${from}_${to}`).forward(features[from], features[to], label),
    );
    losses.likelihood = sum(told.map(({ likelihood }) => likelihood)).mul(-bound);
    const entropies = told.flatMap(({ entropy }) => (entropy === null ? [] : [entropy]));
    if (entropies.length > 0) losses.entropy = sum(entropies).mul(-bound);
    return losses;
  }
}
