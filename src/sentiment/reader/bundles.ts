/** Labelled texts in bundles of like length, so that a batch is hardly padded. A sample of the pipeline is a bundle. */
import type { BatchDataset, SharedDataset, TensorBatch, ThreadShareable } from '../../data/index.js';
import { loadSafetensors, saveSafetensors } from '../../io/index.js';
import type { RunData } from '../../pipeline/index.js';
import { DataError, Generator, ops, scope, type Tensor, tensor } from '../../torch/index.js';
import { columnCount } from './labels.js';

/** A text as the encoder reads it. */
export interface TokenRow {
  /** From [CLS] to [SEP]. */
  readonly ids: readonly number[];
  /** {@link columnCount} numbers. */
  readonly labels: readonly number[];
}

export interface BundleOptions {
  /** The most tokens of a bundle, padding included. */
  readonly tokens: number;
  readonly seed: number;
}

const names = ['ids', 'labels', 'bundles'] as const;

/** Writes rows as bundles. Which of like length lie in one is drawn. */
export function writeBundles(path: string, rows: readonly TokenRow[], { tokens, seed }: BundleOptions): void {
  scope(() => {
    const draws = ops.rand([rows.length], { generator: new Generator(seed) }).tolist() as number[];
    const key = (i: number): number => rows[i]!.ids.length * (1 + 0.2 * draws[i]!);
    const order = [...rows.keys()].sort((a, b) => key(a) - key(b));
    const bundles: number[][] = [];
    const [ids, labels]: [number[], number[]] = [[], []];
    for (let from = 0; from < order.length; ) {
      let [to, length] = [from, 0];
      for (; to < order.length; to++) {
        const longer = Math.max(length, rows[order[to]!]!.ids.length);
        if (to > from && longer * (to + 1 - from) > tokens) break;
        length = longer;
      }
      bundles.push([ids.length, from, to - from, length]);
      for (const row of order.slice(from, to)) {
        for (let place = 0; place < length; place++) ids.push(rows[row]!.ids[place] ?? 0);
        for (const value of rows[row]!.labels) labels.push(value);
      }
      from = to;
    }
    const tensors: [string, Tensor][] = [
      ['ids', tensor(Int32Array.from(ids))],
      ['labels', tensor(Float32Array.from(labels), { shape: [rows.length, columnCount] })],
      ['bundles', tensor(Int32Array.from(bundles.flat()), { shape: [bundles.length, 4] })],
    ];
    saveSafetensors(path, new Map(tensors));
  });
}

/** Gives `tokens` int64 [B, L] and `labels` float32 [B, columns] of one bundle; 0 is padding. */
export class Bundles implements BatchDataset<TensorBatch>, ThreadShareable {
  readonly #tensors: readonly Tensor[];
  /** Where a bundle's ids and rows begin, its number of texts and their length. */
  readonly #bundles: readonly (readonly number[])[];

  /** @param tensors - as {@link writeBundles} keeps them: ids, labels, bundles */
  constructor(tensors: readonly Tensor[]) {
    this.#tensors = tensors.map((each) => each.keep());
    this.#bundles = tensors[2]!.tolist() as number[][];
  }

  static open(path: string): Bundles {
    const { tensors } = loadSafetensors(path);
    return new Bundles(
      names.map((name) => {
        const found = tensors.get(name);
        if (found) return found;
        throw new DataError(`Expected bundles of texts in ${path}, found no ${name}`);
      }),
    );
  }

  get length(): number {
    return this.#bundles.length;
  }

  batch(indices: Tensor): TensorBatch {
    const [first, ...more] = indices.tolist() as number[];
    if (first === undefined || more.length > 0) throw new DataError('Expected one bundle at a time: batchSize 1');
    const [ids, row, count, length] = this.#bundles[first]! as [number, number, number, number];
    const [all, labels] = this.#tensors as [Tensor, Tensor];
    return {
      tokens: all
        .narrow(0, ids, count * length)
        .reshape([count, length])
        .to({ dtype: 'int64' }),
      labels: labels.narrow(0, row, count).clone(),
    };
  }

  share(): SharedDataset {
    return { module: import.meta.url, export: 'bundlesFromShared', options: {}, tensors: this.#tensors };
  }
}

/** The other end of `share`. */
export function bundlesFromShared(_: object, tensors: readonly Tensor[]): Bundles {
  return new Bundles(tensors);
}

/** What a preparation left in two files. */
export function bundledData({ train, valid }: { readonly train: string; readonly valid: string }): RunData {
  return {
    train: Bundles.open(train),
    test: Bundles.open(valid),
    trainTransforms: [],
    testTransforms: [],
    name: 'labelled texts',
  };
}
