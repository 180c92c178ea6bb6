/** Padded batches of utterances, for loaders. */
import type { BatchDataset, SharedDataset, TensorBatch, ThreadShareable } from '../../data/index.js';
import { type PackedLayout, PackedSequences, type SequenceFeatures } from '../../features/sequences.js';
import { type Modality, modalities } from '../../features/specs.js';
import { ConfigError, DataError, ShapeError } from '../../torch/errors.js';
import { scope, type Tensor, tensor } from '../../torch/index.js';
import { checkOptions } from '../../torch/options.js';
import { SentimentData } from './data.js';
import type { Utterance } from './types.js';

/**
 * B utterances. Of each modality that the set has: `text`, `audio`, `vision` float32 [B, T, D], padded with zeros at the end;
 * `textLengths`, ... int64 [B], at least 1, as packed recurrent layers need; `textMask`, ... bool [B, T], true for real rows (nowhere in
 * an utterance without any). `tokens` int64 [B, 3, L] where the set has them, L the longest of the batch. `index` int64 [B] is the place in the `SentimentBatches`;
 * `label` float32 [B], NaN where there is none; `class` int64 [B], -1 where there is none; with unimodal labels `labelText`,
 * `labelAudio`, `labelVision` float32 [B].
 */
export type SentimentBatch = TensorBatch & { readonly index: Tensor; readonly label: Tensor; readonly class: Tensor };

/** What goes into a batch. */
export interface BatchOptions {
  /** Of those that the set has; all by default. */
  readonly modalities?: readonly Modality[];
  /**
   * Rows of a modality: longer sequences are cut, shorter ones padded to it. Without it a batch is as long as its longest sequence, so that
   * shapes vary.
   */
  readonly rows?: Readonly<Partial<Record<Modality, number>>>;
}

/** Some utterances of a data set, such as a split, as a source of padded batches. A batch of one is a batch like any other. */
export class SentimentBatches implements BatchDataset<SentimentBatch>, ThreadShareable {
  readonly modalities: readonly Modality[];
  /** Whether any utterance has labels of single modalities. */
  private readonly judgedSingly: boolean;

  /**
   * @param indices the utterances, by their place in the data: `data.indices('train')`
   * @throws ConfigError for a modality that the data lacks, and for rows that are no integer >= 1
   */
  constructor(
    readonly data: SentimentData,
    readonly indices: readonly number[],
    readonly options: BatchOptions = {},
  ) {
    checkOptions('SentimentBatches', options, ['modalities', 'rows']);
    checkOptions('SentimentBatches, rows', options.rows, modalities);
    this.modalities = options.modalities ?? data.modalities;
    this.judgedSingly = data.utterances.some((item) => item.unimodal !== null);
    for (const name of this.modalities) {
      if (data.features[name] === undefined) {
        throw new ConfigError(`${data.name} has no ${name} features; it has: ${data.modalities.join(', ') || 'none'}`);
      }
    }
    for (const [name, rows] of Object.entries(options.rows ?? {})) {
      if (!Number.isInteger(rows) || rows < 1)
        throw new ConfigError(`rows of ${name}: expected an integer >= 1, got ${rows}`);
    }
    const wrong = indices.find((index) => data.utterances[index] === undefined);
    if (wrong !== undefined)
      throw new DataError(`${data.name}: expected utterances from 0 to ${data.length - 1}, got ${wrong}`);
  }

  get length(): number {
    return this.indices.length;
  }

  batch(indices: Tensor): SentimentBatch {
    const places = Array.from(indices.data() as BigInt64Array, Number);
    const chosen = places.map((place) => {
      const index = this.indices[place];
      if (index === undefined) throw new ShapeError(`expected an index from 0 to ${this.length - 1}, got ${place}`);
      return index;
    });
    return scope(() => this.make(places, chosen)); // frees what is made on the way
  }

  private make(places: readonly number[], chosen: readonly number[]): SentimentBatch {
    const items = chosen.map((index) => this.data.utterances[index] as Utterance);
    const features = this.modalities.map((name) => this.padded(name, chosen));
    return Object.assign(
      {
        index: tensor(BigInt64Array.from(places, BigInt)),
        label: tensor(Float32Array.from(items, (item) => item.label ?? Number.NaN)),
        class: tensor(BigInt64Array.from(items, (item) => BigInt(item.class ?? -1))),
      },
      this.unimodal(items),
      this.data.tokens === null ? {} : { tokens: trimmed(this.data.tokens, chosen) },
      ...features,
    );
  }

  private unimodal(items: readonly Utterance[]): TensorBatch {
    if (!this.judgedSingly) return {};
    const labels = (name: Modality): Tensor =>
      tensor(Float32Array.from(items, (item) => item.unimodal?.[name] ?? Number.NaN));
    return { labelText: labels('text'), labelAudio: labels('audio'), labelVision: labels('vision') };
  }

  private padded(name: Modality, chosen: readonly number[]): TensorBatch {
    const features = this.data.features[name] as SequenceFeatures;
    const { dims } = features.spec;
    const limit = this.options.rows?.[name];
    const lengths = chosen.map((index) => Math.min(features.lengths[index] as number, limit ?? Infinity));
    const longest = limit ?? lengths.reduce((most, length) => Math.max(most, length), 1);
    const values = new Float32Array(chosen.length * longest * dims);
    const mask = new Uint8Array(chosen.length * longest);
    chosen.forEach((index, b) => {
      const length = lengths[b] as number;
      if (length > 0) values.set(features.rows(index).subarray(0, length * dims), b * longest * dims);
      mask.fill(1, b * longest, b * longest + length);
    });
    return {
      [name]: tensor(values, { shape: [chosen.length, longest, dims] }),
      [`${name}Lengths`]: tensor(BigInt64Array.from(lengths, (length) => BigInt(Math.max(1, length)))),
      [`${name}Mask`]: tensor(mask, { shape: [chosen.length, longest] }).to({ dtype: 'bool' }),
    };
  }

  /** @throws ConfigError for features that stay in a file: load them with `memory: 'packed'` */
  share(): SharedDataset {
    const layouts: Partial<Record<Modality, PackedLayout>> = {};
    const tensors: Tensor[] = [];
    for (const name of this.modalities) {
      const features = this.data.features[name] as SequenceFeatures;
      if (!(features instanceof PackedSequences)) {
        throw new ConfigError(
          `${this.data.name}: the ${name} features are not in memory, so that no other thread can use them: load with { memory: 'packed' }`,
        );
      }
      layouts[name] = features.layout;
      tensors.push(...features.pieces);
    }
    if (this.data.tokens !== null) tensors.push(this.data.tokens);
    const { name, utterances, classes, range, notes, tokens } = this.data;
    const parts = { name, utterances, classes, range, notes, tokens: tokens !== null };
    const options = {
      parts,
      layouts,
      indices: this.indices,
      options: { ...this.options, modalities: this.modalities },
    };
    return { module: import.meta.url, export: 'sentimentBatchesFromShared', options, tensors };
  }
}

/** The tokens of some utterances, as long as the longest of them. */
function trimmed(table: Tensor, chosen: readonly number[]): Tensor {
  const tokens = table.indexSelect(0, tensor(BigInt64Array.from(chosen, BigInt)));
  const longest = tokens.select(1, 1).sum([1]).max().item();
  return tokens.narrow(2, 0, Math.max(1, longest)).contiguous();
}

interface SharedOptions {
  readonly parts: {
    readonly name: string;
    readonly utterances: readonly Utterance[];
    readonly classes: readonly string[];
    readonly range: readonly [number, number] | null;
    readonly notes: readonly string[];
    readonly tokens: boolean;
  };
  readonly layouts: Readonly<Partial<Record<Modality, PackedLayout>>>;
  readonly indices: readonly number[];
  readonly options: BatchOptions;
}

/** The other end of `SentimentBatches.share`. */
export function sentimentBatchesFromShared(shared: unknown, tensors: readonly Tensor[]): SentimentBatches {
  const { parts, layouts, indices, options } = shared as SharedOptions;
  let at = 0;
  const features: Partial<Record<Modality, SequenceFeatures>> = {};
  for (const name of modalities) {
    const layout = layouts[name];
    if (layout === undefined) continue;
    features[name] = PackedSequences.fromPieces(tensors.slice(at, at + layout.pieces), layout);
    at += layout.pieces;
  }
  const tokens = parts.tokens ? (tensors[at] as Tensor) : null;
  return new SentimentBatches(new SentimentData({ ...parts, features, tokens }), indices, options);
}
