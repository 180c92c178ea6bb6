/** TFR-Net, for data of which parts are missing: Yuan et al., ACM MM 2021 (Transformer-based feature reconstruction network). */

import type { Modality } from '../../features/specs.js';
import { Dropout, LayerNorm, LeakyReLU, Linear, type Module, ModuleDict, Sequential } from '../../nn/index.js';
import type { TextEncoder } from '../../text/encoder.js';
import { cat, noGrad, type Tensor } from '../../torch/index.js';
import type { SentimentBatch } from '../datasets/index.js';
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
import { RowProjection } from './mult.js';
import { type CrossmodalModelSettings, CrossmodalTransformer, look, pairsOf } from './mult-transformer.js';
import { expectSeveral, textRows } from './rows.js';
import { type Partially, withDefaults } from './settings.js';
import { GatedRows, MissingRows, missingLoss } from './tfr-parts.js';

/**
 * What is left out is MMSA's for MOSI: width 30, 6 heads, 3 layers of each transformer, kernels of 1 for text, 5 for audio and 3 for
 * vision, causal; dropout of attention to text and within a modality 0.2, to audio 0.1, to vision 0; other dropout 0.2.
 */
export interface TfrNetSettings extends CrossmodalModelSettings {
  /** On the encoded text. Default 0.2. */
  readonly textDropout: number;
  /** Of the gated units that read a modality: their widths, layers, and the dropout after them. Default text 36, audio 20, vision 48; 3; 0.2. */
  readonly hidden: Readonly<Record<Modality, number>>;
  readonly gatedLayers: number;
  readonly gatedDropout: number;
  /** Hidden width at the end, and the dropout there. Default 128, 0. */
  readonly post: { readonly hidden: number; readonly dropout: number };
  /** Share of each modality's rows that is hidden in training. Default 0.2. */
  readonly missing: Readonly<Record<Modality, number>>;
  /** Factors of each modality's reconstruction, and in it of the distance of distributions. Default text 5, audio 2, vision 20; 5. */
  readonly weights: Readonly<Record<Modality | 'similarity', number>>;
}

export type TfrNetOptions = Partially<TfrNetSettings>;

const defaults: TfrNetSettings = {
  width: 30,
  heads: 6,
  layers: 3,
  kernel: { text: 1, audio: 5, vision: 3 },
  causal: true,
  attentionDropout: { text: 0.2, audio: 0.1, vision: 0, memory: 0.2 },
  textDropout: 0.2,
  embedDropout: 0.2,
  reluDropout: 0.2,
  residualDropout: 0.2,
  hidden: { text: 36, audio: 20, vision: 48 },
  gatedLayers: 3,
  gatedDropout: 0.2,
  post: { hidden: 128, dropout: 0 },
  missing: { text: 0.2, audio: 0.2, vision: 0.2 },
  weights: { text: 5, audio: 2, vision: 20, similarity: 5 },
};

/** A modality as it is read, and, in training, what of it was hidden. */
interface Read {
  readonly rows: SequenceInput;
  readonly hidden: { readonly mask: Tensor; readonly whole: Tensor } | null;
}

/**
 * Two modalities or three. In training some rows are hidden, and what the network makes of the others must tell them: `losses` are
 * `missing.<modality>`, weighted. It has no features before fusion, so that nothing can align them. Keys: `text.*`, `text_net.*`,
 * `audio.*`, `vision.*`, `crossmodal.<of>_<to>.*`, `memory.<of>.*`, `context.<of>.*`, `reconstruct.<of>.*`, `gated.<of>.*`, `classifier.*`.
 */
export class TfrNet extends SentimentModel {
  text: TextEncoder | null = null;
  text_dropout: Dropout;
  text_net: RowProjection | null = null;
  audio: RowProjection | null = null;
  vision: RowProjection | null = null;
  missing: MissingRows;
  crossmodal: ModuleDict<CrossmodalTransformer>;
  memory: ModuleDict<CrossmodalTransformer>;
  context: ModuleDict<CrossmodalTransformer>;
  reconstruct: ModuleDict<Linear>;
  gated: ModuleDict<GatedRows>;
  classifier: Sequential;
  readonly #modalities: readonly Modality[];
  readonly #settings: TfrNetSettings;

  /** @throws ConfigError for one modality, and for heads that do not divide the width */
  constructor(context: ModelContext, options: TfrNetOptions = {}) {
    super();
    expectSeveral(context, 'TFR-Net');
    const settings = withDefaults('tfr-net', defaults, options);
    const { width, kernel, attentionDropout, hidden, post } = settings;
    this.#modalities = context.modalities;
    this.#settings = settings;
    this.text_dropout = new Dropout(settings.textDropout);
    this.missing = new MissingRows();
    const rowWidth = (name: Modality): number => (name === 'text' ? textOf(context).width : widthOf(context, name));
    for (const name of this.#modalities) {
      const projection = new RowProjection(rowWidth(name), width, kernel[name]);
      if (name === 'text') [this.text, this.text_net] = [textOf(context), projection];
      else this[name] = projection;
    }
    const transformer = (of: number, source: Modality | 'memory'): CrossmodalTransformer =>
      new CrossmodalTransformer(of, { ...settings, attentionDropout: attentionDropout[source] });
    const each = <M extends Module>(make: (name: Modality) => M): ModuleDict<M> =>
      new ModuleDict(Object.fromEntries(this.#modalities.map((name) => [name, make(name)] as const)));
    const seen = this.#modalities.length * width;
    this.crossmodal = new ModuleDict(
      Object.fromEntries(pairsOf(this.#modalities).map(([of, to]) => [`${of}_${to}`, transformer(width, to)] as const)),
    );
    this.memory = each(() => transformer(width, 'memory'));
    this.context = each(() => transformer(seen, 'memory'));
    this.reconstruct = each((name) => new Linear(seen, rowWidth(name)));
    this.gated = each((name) => new GatedRows(seen, hidden[name], settings.gatedLayers, settings.gatedDropout));
    const total = this.#modalities.reduce((sum, name) => sum + hidden[name], 0);
    this.classifier = new Sequential(
      new LayerNorm(total),
      new Linear(total, post.hidden),
      new LeakyReLU(),
      new Dropout(post.dropout),
      new Linear(post.hidden, context.outputs),
    );
  }

  forward(batch: SentimentBatch): SentimentOutput {
    const read = new Map(this.#modalities.map((name) => [name, this.#read(name, batch)]));
    const seen = new Map(this.#modalities.map((name) => [name, this.#see(name, read)]));
    const joined = cat(
      [...seen].map(([name, rows]) => this.gated.get(name).forward(rows)),
      1,
    );
    const prediction = asPrediction(this.classifier.forward(joined));
    return { prediction, unimodal: {}, features: {}, hidden: {}, losses: this.#losses(read, seen) };
  }

  #read(name: Modality, batch: SentimentBatch): Read {
    const share = this.training ? this.#settings.missing[name] : 0;
    if (name !== 'text') {
      const whole = sequenceOf(batch, name);
      const hidden = share > 0 ? this.missing.forward(whole.mask, share) : null;
      const values = hidden ? whole.values.maskedFill(hidden.unsqueeze(2), 0) : whole.values;
      const rows = this[name]!.forward({ ...whole, values });
      return { rows, hidden: hidden && { mask: hidden, whole: whole.values } };
    }
    let mask: Tensor | null = null;
    const encoded = this.text!.forward(
      batch,
      share === 0
        ? undefined
        : (words, real) => {
            mask = this.missing.forward(real, share);
            return words.maskedFill(mask.unsqueeze(2), 0);
          },
    );
    const rows = textRows(encoded);
    const values = this.text_dropout.forward(rows.values);
    const whole = mask && noGrad(() => this.text!.forward(batch).sequence);
    return { rows: this.text_net!.forward({ ...rows, values }), hidden: mask && { mask, whole: whole! } };
  }

  /** A modality's rows as they are within it, and as they look at each other one: [B, T, seen]. */
  #see(name: Modality, read: ReadonlyMap<Modality, Read>): SequenceInput {
    const own = read.get(name)!.rows;
    const others = pairsOf(this.#modalities)
      .filter(([of]) => of === name)
      .map(([, to]) => look(this.crossmodal.get(`${name}_${to}`), own, read.get(to)!.rows, this.#settings));
    const alone = look(this.memory.get(name), own, null, this.#settings);
    return { ...own, values: cat([alone, ...others], 2) };
  }

  /** How well hidden rows are told from what was seen around them, before and behind. */
  #losses(read: ReadonlyMap<Modality, Read>, seen: ReadonlyMap<Modality, SequenceInput>): Record<string, Tensor> {
    const { weights, heads } = this.#settings;
    const terms = this.#modalities.flatMap((name): [string, Tensor][] => {
      const { hidden } = read.get(name)!;
      if (hidden === null || weights[name] === 0) return [];
      const own = seen.get(name)!;
      const around = look(this.context.get(name), own, null, { heads, causal: false });
      const told = this.reconstruct.get(name).forward(around);
      const loss = missingLoss(told, hidden.whole, hidden.mask, weights.similarity);
      return loss === null ? [] : [[`missing.${name}`, loss.mul(weights[name])]];
    });
    return Object.fromEntries(terms);
  }
}
