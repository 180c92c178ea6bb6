/** Multimodal Transformer: Tsai et al., ACL 2019 (arXiv 1906.00295), as in its released code where MMSA follows it. */

import type { Modality } from '../../features/specs.js';
import { Conv1d, Dropout, Linear, Module, ModuleDict } from '../../nn/index.js';
import type { TextEncoder } from '../../text/encoder.js';
import { cat, type Tensor } from '../../torch/index.js';
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
import { type CrossmodalModelSettings, CrossmodalTransformer, look, pairsOf } from './mult-transformer.js';
import { expectSeveral, lastRow, meanRow, textRows, withoutPadding } from './rows.js';
import { type Partially, withDefaults } from './settings.js';

/**
 * What is left out is MMSA's for MOSI: width 50, 10 heads, 4 layers of each crossmodal transformer, kernels of 5, causal; dropout of
 * attention to text and within memory 0.3, to audio 0.2, to vision 0; `embedDropout` 0.2, `reluDropout` and `residualDropout` 0.
 */
export interface MultSettings extends CrossmodalModelSettings {
  /** Of each transformer over what a modality has seen of the others, at least as many as `layers`. Default 3. */
  readonly memoryLayers: number;
  /** On the encoded text. Default 0.5. */
  readonly textDropout: number;
  /** Between the two layers at the end. Default 0.5. */
  readonly outputDropout: number;
}

export type MultOptions = Partially<MultSettings>;

const defaults: MultSettings = {
  width: 50,
  heads: 10,
  layers: 4,
  memoryLayers: 3,
  kernel: { text: 5, audio: 5, vision: 5 },
  causal: true,
  attentionDropout: { text: 0.3, audio: 0.2, vision: 0, memory: 0.3 },
  textDropout: 0.5,
  embedDropout: 0.2,
  reluDropout: 0,
  residualDropout: 0,
  outputDropout: 0.5,
};

/**
 * Rows brought to one width, each from its neighbours too (section 3.2, temporal convolutions); there are as many after as
 * before, so that one row is enough. Keys: `conv.weight`.
 */
export class RowProjection extends Module {
  conv: Conv1d;

  constructor(rows: number, width: number, kernel: number) {
    super();
    this.conv = new Conv1d(rows, width, kernel, { padding: 'same', bias: false });
  }

  forward(input: SequenceInput): SequenceInput {
    const values = this.conv.forward(withoutPadding(input).transpose(1, 2)).transpose(1, 2);
    return { ...input, values };
  }
}

/**
 * Two modalities or three; every modality looks at every other one. `features` are means of the projected rows, equally
 * wide. Keys: `text.*`, `text_net.conv.weight`, `audio.*`, `vision.*`, `crossmodal.<of>_<to>.*`, `memory.<of>.*`,
 * `proj1.*`, `proj2.*`, `out_layer.*`.
 */
export class Mult extends SentimentModel {
  text: TextEncoder | null = null;
  text_dropout: Dropout;
  text_net: RowProjection | null = null;
  audio: RowProjection | null = null;
  vision: RowProjection | null = null;
  crossmodal: ModuleDict<CrossmodalTransformer>;
  memory: ModuleDict<CrossmodalTransformer>;
  proj1: Linear;
  out_dropout: Dropout;
  proj2: Linear;
  out_layer: Linear;
  readonly #modalities: readonly Modality[];
  readonly #settings: MultSettings;

  /** @throws ConfigError for one modality, and for heads that do not divide the width */
  constructor(context: ModelContext, options: MultOptions = {}) {
    super();
    expectSeveral(context, 'MulT');
    const settings = withDefaults('mult', defaults, options);
    const { width, kernel, attentionDropout } = settings;
    this.#modalities = context.modalities;
    this.#settings = settings;
    this.text_dropout = new Dropout(settings.textDropout);
    for (const name of this.#modalities) {
      if (name === 'text') {
        this.text = textOf(context);
        this.text_net = new RowProjection(this.text.width, width, kernel.text);
      } else this[name] = new RowProjection(widthOf(context, name), width, kernel[name]);
    }
    const seen = (this.#modalities.length - 1) * width;
    const transformer = (of: number, layers: number, source: Modality | 'memory'): CrossmodalTransformer =>
      new CrossmodalTransformer(of, { ...settings, layers, attentionDropout: attentionDropout[source] });
    this.crossmodal = new ModuleDict(
      Object.fromEntries(
        pairsOf(this.#modalities).map(([of, to]) => [`${of}_${to}`, transformer(width, settings.layers, to)] as const),
      ),
    );
    const depth = Math.max(settings.layers, settings.memoryLayers);
    this.memory = new ModuleDict(
      Object.fromEntries(this.#modalities.map((name) => [name, transformer(seen, depth, 'memory')] as const)),
    );
    const total = this.#modalities.length * seen;
    this.proj1 = new Linear(total, total);
    this.out_dropout = new Dropout(settings.outputDropout);
    this.proj2 = new Linear(total, total);
    this.out_layer = new Linear(total, context.outputs);
  }

  forward(batch: SentimentBatch): SentimentOutput {
    const rows = new Map(this.#modalities.map((name) => [name, this.#project(name, batch)]));
    const joined = cat(
      this.#modalities.map((name) => this.#remember(name, rows)),
      1,
    );
    const hidden = this.out_dropout.forward(this.proj1.forward(joined).relu());
    const prediction = asPrediction(this.out_layer.forward(this.proj2.forward(hidden).add(joined)));
    const features = Object.fromEntries([...rows].map(([name, input]) => [name, meanRow(input)]));
    return { prediction, unimodal: {}, features, hidden: {}, losses: {} };
  }

  #project(name: Modality, batch: SentimentBatch): SequenceInput {
    if (name !== 'text') return this[name]!.forward(sequenceOf(batch, name));
    const rows = textRows(this.text!.forward(batch));
    return this.text_net!.forward({ ...rows, values: this.text_dropout.forward(rows.values) });
  }

  /** What a modality has seen of the others by its last row: [B, seen]. */
  #remember(name: Modality, rows: ReadonlyMap<Modality, SequenceInput>): Tensor {
    const own = rows.get(name)!;
    const seen = pairsOf(this.#modalities)
      .filter(([of]) => of === name)
      .map(([, to]) => look(this.crossmodal.get(`${name}_${to}`), own, rows.get(to)!, this.#settings));
    const values = look(this.memory.get(name), { ...own, values: cat(seen, 2) }, null, this.#settings);
    return lastRow({ values, lengths: own.lengths });
  }
}
