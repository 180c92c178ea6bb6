/** The common form of every sentiment data set. */
import { SelectedSequences, type SequenceFeatures } from '../../features/sequences.js';
import {
  type CleanCounts,
  type FeatureSpec,
  type FeatureSpecs,
  type Modality,
  modalities,
} from '../../features/specs.js';
import { DataError } from '../../torch/errors.js';
import { type Tensor, tensor } from '../../torch/index.js';
import { type SplitName, splitNames, type Utterance } from './types.js';

/** Word pieces for a text encoder: int64 [N, 3, L], rows ids, attention mask, segment ids. */
export type TokenTable = Tensor;

/** Features by modality; a set may lack any. */
export type FeaturesByModality = Readonly<Partial<Record<Modality, SequenceFeatures>>>;

/** What a `SentimentData` is made of. */
export interface SentimentParts {
  readonly name: string;
  readonly utterances: readonly Utterance[];
  readonly features?: FeaturesByModality;
  readonly tokens?: TokenTable | null;
  /** Names of the classes, where utterances have any. */
  readonly classes?: readonly string[];
  /** Lowest and highest label, where utterances have labels. */
  readonly range?: readonly [number, number] | null;
  /** Facts about the set that a report should repeat. */
  readonly notes?: readonly string[];
}

/** What is in a data set, for people. */
export interface SentimentSummary {
  readonly name: string;
  readonly splits: Readonly<Record<SplitName, { readonly utterances: number; readonly videos: number }>>;
  /** Videos with utterances in several splits: what is learnt of their speakers helps the test. CH-SIMS has them by design. */
  readonly sharedVideos: number;
  readonly features: Readonly<
    Partial<Record<Modality, FeatureSpec & { readonly longest: number; readonly cleaned: CleanCounts }>>
  >;
  readonly tokens: number | null;
  readonly notes: readonly string[];
}

/** Utterances with their labels, and features by modality. */
export class SentimentData {
  readonly name: string;
  readonly utterances: readonly Utterance[];
  readonly features: FeaturesByModality;
  readonly tokens: TokenTable | null;
  readonly classes: readonly string[];
  readonly range: readonly [number, number] | null;
  readonly notes: readonly string[];

  /** @throws DataError for repeated ids and for features of another number of utterances */
  constructor(parts: SentimentParts) {
    this.name = parts.name;
    this.utterances = parts.utterances;
    this.features = parts.features ?? {};
    this.tokens = parts.tokens ?? null;
    this.classes = parts.classes ?? [];
    this.range = parts.range ?? null;
    this.notes = parts.notes ?? [];
    this.check();
    this.tokens?.keep();
  }

  get length(): number {
    return this.utterances.length;
  }

  /** The modalities that have features. */
  get modalities(): readonly Modality[] {
    return modalities.filter((name) => this.features[name] !== undefined);
  }

  /** The utterances of a split, by their place in `utterances`. */
  indices(split: SplitName): number[] {
    return this.utterances.flatMap((item, i) => (item.split === split ? [i] : []));
  }

  /** The specifications of the features, to be kept with a model. */
  get specs(): FeatureSpecs {
    return Object.fromEntries(this.modalities.map((name) => [name, (this.features[name] as SequenceFeatures).spec]));
  }

  /** The same utterances with other features for some modalities (null: none). The data shares the rest with this one. */
  withFeatures(changes: Readonly<Partial<Record<Modality, SequenceFeatures | null>>>): SentimentData {
    const merged = Object.entries({ ...this.features, ...changes }).filter(([, value]) => value != null);
    return new SentimentData({ ...this, features: Object.fromEntries(merged) as FeaturesByModality });
  }

  /** The same features of utterances of which other things are known, such as their texts. */
  withUtterances(utterances: readonly Utterance[]): SentimentData {
    return new SentimentData({ ...this, utterances });
  }

  /** The same utterances with these tokens. The data shares the rest with this one. */
  withTokens(tokens: TokenTable): SentimentData {
    return new SentimentData({ ...this, tokens });
  }

  /** Some utterances, in this order, with their features. The data shares files and memory with this one. */
  select(indices: readonly number[]): SentimentData {
    const features = Object.fromEntries(
      this.modalities.map((name) => [name, new SelectedSequences(this.features[name] as SequenceFeatures, indices)]),
    );
    const tokens = this.tokens === null ? null : rowsOf(this.tokens, indices);
    const utterances = indices.map((index) => {
      const item = this.utterances[index];
      if (item === undefined)
        throw new DataError(`${this.name}: expected an utterance from 0 to ${this.length - 1}, got ${index}`);
      return item;
    });
    return new SentimentData({ ...this, utterances, features, tokens });
  }

  summary(): SentimentSummary {
    const splits = Object.fromEntries(
      splitNames.map((split) => {
        const items = this.utterances.filter((item) => item.split === split);
        return [split, { utterances: items.length, videos: new Set(items.map((item) => item.video)).size }];
      }),
    ) as SentimentSummary['splits'];
    const features = Object.fromEntries(
      this.modalities.map((name) => {
        const { spec, lengths, cleaned } = this.features[name] as SequenceFeatures;
        return [name, { ...spec, longest: lengths.reduce((longest, length) => Math.max(longest, length), 0), cleaned }];
      }),
    );
    return {
      name: this.name,
      splits,
      sharedVideos: this.sharedVideos(),
      features,
      tokens: this.tokens?.shape[2] ?? null,
      notes: this.notes,
    };
  }

  /** Frees memory and closes files; neither this data nor those made from it can be read after. */
  dispose(): void {
    for (const name of this.modalities) this.features[name]?.dispose();
    this.tokens?.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  private sharedVideos(): number {
    const homes = new Map<string, Set<SplitName>>();
    for (const { video, split } of this.utterances) homes.set(video, (homes.get(video) ?? new Set()).add(split));
    return [...homes.values()].filter((splits) => splits.size > 1).length;
  }

  private check(): void {
    const ids = new Set<string>();
    for (const { id } of this.utterances) {
      if (ids.has(id)) throw new DataError(`${this.name}: two utterances are called '${id}'`);
      ids.add(id);
    }
    for (const name of this.modalities) this.checkCount((this.features[name] as SequenceFeatures).lengths.length, name);
    if (this.tokens !== null) this.checkCount(this.tokens.shape[0] ?? 0, 'tokens');
  }

  private checkCount(count: number, what: string): void {
    if (count !== this.length) {
      throw new DataError(`${this.name}: ${this.length} utterances, but ${what} of ${count}`);
    }
  }
}

function rowsOf(table: Tensor, indices: readonly number[]): Tensor {
  const [, rows = 0, length = 0] = table.shape;
  const values = table.data() as BigInt64Array;
  const out = new BigInt64Array(indices.length * rows * length);
  indices.forEach((index, i) => {
    out.set(values.subarray(index * rows * length, (index + 1) * rows * length), i * rows * length);
  });
  return tensor(out, { shape: [indices.length, rows, length] });
}
