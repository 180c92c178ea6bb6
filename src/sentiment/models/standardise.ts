/** Features brought to mean 0 and deviation 1, as the training split has them; the numbers go with the model's weights. */

import { moments } from '../../features/moments.js';
import type { Modality } from '../../features/specs.js';
import { Module } from '../../nn/index.js';
import { noGrad, ones, type Tensor, tensor, where, zeros } from '../../torch/index.js';
import type { FeaturesByModality, SentimentBatch } from '../datasets/index.js';

/** Buffers: `<modality>_mean`, `<modality>_std` [D]. Rows of padding stay zero. */
export class Standardise extends Module {
  readonly #modalities: readonly Modality[];

  constructor(widths: Readonly<Partial<Record<Modality, number>>>) {
    super();
    this.#modalities = Object.keys(widths) as Modality[];
    for (const name of this.#modalities) {
      this.registerBuffer(`${name}_mean`, zeros([widths[name]!]));
      this.registerBuffer(`${name}_std`, ones([widths[name]!]));
    }
  }

  /** Measures the rows of some utterances; constant columns keep a deviation of 1. */
  fit(features: FeaturesByModality, indices: readonly number[]): void {
    for (const name of this.#modalities) {
      const { mean, std } = moments(
        indices.map((index) => features[name]!.rows(index)),
        this.#buffer(name, 'mean').numel,
      );
      noGrad(() => {
        this.#buffer(name, 'mean').copy_(tensor(mean));
        this.#buffer(name, 'std').copy_(tensor(std));
      });
    }
  }

  forward(batch: SentimentBatch): SentimentBatch {
    const scaled = this.#modalities.flatMap((name): [string, Tensor][] => {
      const rows = batch[name];
      if (!rows) return [];
      const values = rows.sub(this.#buffer(name, 'mean')).div(this.#buffer(name, 'std'));
      return [[name, where(batch[`${name}Mask`]!.unsqueeze(2), values, 0)]];
    });
    return { ...batch, ...Object.fromEntries(scaled) };
  }

  #buffer(name: Modality, what: 'mean' | 'std'): Tensor {
    return (this as unknown as Record<string, Tensor>)[`${name}_${what}`]!;
  }
}
