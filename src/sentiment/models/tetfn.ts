/** TETFN, a text-enhanced transformer fusion network: Wang et al., Pattern Recognition 136 (2023), as MMSA has it. */

import type { Modality } from '../../features/specs.js';
import { LSTM, Module, ModuleDict } from '../../nn/index.js';
import type { TextEncoder } from '../../text/encoder.js';
import { cat, type Tensor } from '../../torch/index.js';
import type { SentimentBatch } from '../datasets/index.js';
import {
  type ModelContext,
  SentimentModel,
  type SentimentOutput,
  type SequenceInput,
  sequenceOf,
  textOf,
  widthOf,
} from './model.js';
import { RowProjection } from './mult.js';
import {
  type CrossmodalModelSettings,
  type CrossmodalSettings,
  CrossmodalTransformer,
  look,
  type ModalityPair,
  pairsOf,
} from './mult-transformer.js';
import { Head } from './parts.js';
import { expectTextAndOthers, greatestRow, lastRow, textRows } from './rows.js';
import { type Partially, withDefaults } from './settings.js';

/**
 * What is left out is MMSA's for MOSI: width 50, 5 heads, 2 layers of each transformer, kernels of 1 (MMSA reads vision with audio's,
 * whatever its configuration says), causal; dropout of attention to text and vision and within memory 0.1, to audio 0;
 * `residualDropout` 0.1, `embedDropout` and `reluDropout` 0.
 */
export interface TetfnSettings extends CrossmodalModelSettings {
  /** Of the LSTMs. Default audio 16, vision 64. */
  readonly hidden: Readonly<Record<'audio' | 'vision', number>>;
  /** Hidden width of each head. Default multimodal 64, text and audio 32, vision 16. */
  readonly post: Readonly<Record<'multimodal' | Modality, number>>;
  /** Before each head. Default 0. */
  readonly dropout: Readonly<Record<'multimodal' | Modality, number>>;
}

export type TetfnOptions = Partially<TetfnSettings>;

const defaults: TetfnSettings = {
  width: 50,
  heads: 5,
  layers: 2,
  hidden: { audio: 16, vision: 64 },
  kernel: { text: 1, audio: 1, vision: 1 },
  causal: true,
  attentionDropout: { text: 0.1, audio: 0, vision: 0.1, memory: 0.1 },
  embedDropout: 0,
  reluDropout: 0,
  residualDropout: 0.1,
  post: { multimodal: 64, text: 32, audio: 32, vision: 16 },
  dropout: { multimodal: 0, text: 0, audio: 0, vision: 0 },
};

/** An LSTM's states, brought to one width. Keys: `rnn.*`, `projection.conv.weight`. */
class RecurrentRows extends Module {
  rnn: LSTM;
  projection: RowProjection;

  constructor(rows: number, hidden: number, width: number, kernel: number) {
    super();
    this.rnn = new LSTM(rows, hidden, { batchFirst: true });
    this.projection = new RowProjection(hidden, width, kernel);
  }

  forward(input: SequenceInput): SequenceInput {
    const [values] = this.rnn.forward(input.values, null, { lengths: input.lengths });
    return this.projection.forward({ ...input, values });
  }
}

/**
 * What a modality sees of another that the text goes before (section 3.3): the other's rows look at the text, one layer, and its own
 * rows at what comes of that. Keys: `lower_mha.*`, `upper_mha.*`.
 */
export class TextEnhancedTransformer extends Module {
  lower_mha: CrossmodalTransformer;
  upper_mha: CrossmodalTransformer;
  readonly #settings: Pick<CrossmodalModelSettings, 'heads' | 'causal'>;

  constructor(width: number, settings: CrossmodalSettings, causal: boolean) {
    super();
    this.#settings = { heads: settings.heads, causal };
    this.lower_mha = new CrossmodalTransformer(width, { ...settings, layers: 1 });
    this.upper_mha = new CrossmodalTransformer(width, settings);
  }

  /** @returns [B, rows of `own`, width] */
  forward(own: SequenceInput, other: SequenceInput, text: SequenceInput): Tensor {
    const values = look(this.lower_mha, other, text, this.#settings);
    return look(this.upper_mha, own, { ...other, values }, this.#settings);
  }
}

/**
 * Text with one other modality or two. Heads and labels of single modalities are Self-MM's; `features` are the greatest of the
 * projected rows, equally wide. Keys: `text.*`, `text_net.*`, `audio.*`, `vision.*`, `crossmodal.<of>_<to>.*`, `enhanced.<of>_<to>.*`,
 * `memory.<of>.*`, `heads.<modality>.*`, `fusion.*`.
 */
export class Tetfn extends SentimentModel {
  text: TextEncoder;
  text_net: RowProjection;
  audio: RecurrentRows | null = null;
  vision: RecurrentRows | null = null;
  crossmodal: ModuleDict<CrossmodalTransformer>;
  enhanced: ModuleDict<TextEnhancedTransformer>;
  memory: ModuleDict<CrossmodalTransformer>;
  heads: ModuleDict<Head>;
  fusion: Head;
  readonly #modalities: readonly Modality[];
  readonly #settings: TetfnSettings;

  /** @throws ConfigError without text, without another modality, and for heads that do not divide the width */
  constructor(context: ModelContext, options: TetfnOptions = {}) {
    super();
    const settings = withDefaults('tetfn', defaults, options);
    const { width, hidden, kernel, causal, attentionDropout, post, dropout } = settings;
    const others = expectTextAndOthers(context, 'TETFN') as ('audio' | 'vision')[];
    this.#modalities = context.modalities;
    this.#settings = settings;
    this.text = textOf(context);
    this.text_net = new RowProjection(this.text.width, width, kernel.text);
    for (const name of others)
      this[name] = new RecurrentRows(widthOf(context, name), hidden[name], width, kernel[name]);
    const shared = (source: Modality | 'memory'): CrossmodalSettings => ({
      ...settings,
      attentionDropout: attentionDropout[source],
    });
    const each = <M extends Module>(pairs: readonly ModalityPair[], make: (to: Modality) => M): ModuleDict<M> =>
      new ModuleDict(Object.fromEntries(pairs.map(([of, to]) => [`${of}_${to}`, make(to)] as const)));
    const pairs = pairsOf(this.#modalities);
    this.crossmodal = each(pairs.filter(withText), (to) => new CrossmodalTransformer(width, shared(to)));
    this.enhanced = each(
      pairs.filter((pair) => !withText(pair)),
      () => new TextEnhancedTransformer(width, shared('text'), causal),
    );
    const seen = (this.#modalities.length - 1) * width;
    this.memory = new ModuleDict(
      Object.fromEntries(this.#modalities.map((name) => [name, new CrossmodalTransformer(seen, shared('memory'))])),
    );
    const head = (name: 'multimodal' | Modality, from: number): Head =>
      new Head(from, post[name], context.outputs, dropout[name]);
    this.heads = new ModuleDict(Object.fromEntries(this.#modalities.map((name) => [name, head(name, width)])));
    this.fusion = head('multimodal', this.#modalities.length * seen);
  }

  forward(batch: SentimentBatch): SentimentOutput {
    const rows = new Map(this.#modalities.map((name) => [name, this.#project(name, batch)]));
    const joined = cat(
      this.#modalities.map((name) => this.#remember(name, rows)),
      1,
    );
    const whole = this.fusion.forward(joined);
    const features = Object.fromEntries([...rows].map(([name, input]) => [name, greatestRow(input)]));
    const alone = this.#modalities.map((name) => [name, this.heads.get(name).forward(features[name]!)] as const);
    return {
      prediction: whole.prediction,
      unimodal: Object.fromEntries(alone.map(([name, { prediction }]) => [name, prediction])),
      features,
      hidden: { multimodal: whole.hidden, ...Object.fromEntries(alone.map(([name, { hidden }]) => [name, hidden])) },
      losses: {},
    };
  }

  #project(name: Modality, batch: SentimentBatch): SequenceInput {
    if (name === 'text') return this.text_net.forward(textRows(this.text.forward(batch)));
    return this[name]!.forward(sequenceOf(batch, name));
  }

  /** What a modality has seen of the others by its last row: [B, seen]. */
  #remember(name: Modality, rows: ReadonlyMap<Modality, SequenceInput>): Tensor {
    const own = rows.get(name)!;
    const seen = pairsOf(this.#modalities)
      .filter(([of]) => of === name)
      .map((pair) => {
        const [key, source] = [pair.join('_'), rows.get(pair[1])!];
        if (!withText(pair)) return this.enhanced.get(key).forward(own, source, rows.get('text')!);
        return look(this.crossmodal.get(key), own, source, this.#settings);
      });
    const values = look(this.memory.get(name), { ...own, values: cat(seen, 2) }, null, this.#settings);
    return lastRow({ values, lengths: own.lengths });
  }
}

const withText = (pair: ModalityPair): boolean => pair.includes('text');
