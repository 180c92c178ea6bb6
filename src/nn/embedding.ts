import { ConfigError, empty, type Generator, ShapeError, type Tensor, TorchError } from '../torch/index.js';
import { embedding } from './functional/linear.js';
import { normal_ } from './init.js';
import { type FactoryOptions, Module } from './module.js';
import { Parameter } from './parameter.js';
import { pyFloat } from './repr.js';
import * as signature from './signatures.js';

export interface EmbeddingOptions extends FactoryOptions {
  /** The row that starts at zero and gets no gradient. */
  readonly paddingIdx?: number | null;
  /** Rows that are read are shortened to this norm, in place. Default null. */
  readonly maxNorm?: number | null;
  /** Of `maxNorm`. Default 2. */
  readonly normType?: number;
  /** Whether a row's gradient is divided by how often it was read. Default false. */
  readonly scaleGradByFreq?: boolean;
}

/** int64 indices [...] to rows [..., embeddingDim]. Key: `weight` [numEmbeddings, embeddingDim]. */
export class Embedding extends Module {
  weight: Parameter;
  readonly paddingIdx: number | null;
  readonly maxNorm: number | null;
  readonly normType: number;
  readonly scaleGradByFreq: boolean;

  constructor(
    readonly numEmbeddings: number,
    readonly embeddingDim: number,
    options?: EmbeddingOptions,
  ) {
    super();
    const sizes = [numEmbeddings, embeddingDim];
    const { paddingIdx: index, device, dtype, ...values } = signature.embedding.read(this.typeName, sizes, options);
    const made = { device, dtype };
    this.maxNorm = values.maxNorm;
    this.normType = values.normType;
    this.scaleGradByFreq = values.scaleGradByFreq;
    if (index !== null && !(index >= -numEmbeddings && index < numEmbeddings)) {
      throw new ConfigError(`Expected paddingIdx of Embedding within its ${numEmbeddings} rows, got ${index}.`);
    }
    this.paddingIdx = index === null ? null : index < 0 ? index + numEmbeddings : index;
    this.weight = new Parameter(empty([numEmbeddings, embeddingDim], made));
    this.initSelf(made);
  }

  override resetParameters(g: Generator): void {
    normal_(this.weight, 0, 1, { generator: g });
    if (this.paddingIdx !== null) this.weight.detach().select(0, this.paddingIdx).zero_();
  }

  forward(indices: Tensor): Tensor {
    const { paddingIdx, maxNorm, normType, scaleGradByFreq } = this;
    try {
      return embedding(indices, this.weight, { paddingIdx, maxNorm, normType, scaleGradByFreq });
    } catch (error) {
      if (!(error instanceof TorchError) || indices.numel === 0) throw error;
      const [low, high] = [indices.min().item(), indices.max().item()];
      if (low >= 0 && high < this.numEmbeddings) throw error;
      throw new ShapeError(
        `Expected indices in 0..${this.numEmbeddings - 1}, got ${low}..${high} in ${this.toString()}`,
      );
    }
  }

  override extraRepr(): string {
    const padding = this.paddingIdx === null ? '' : `, padding_idx=${this.paddingIdx}`;
    const norm = this.maxNorm === null ? '' : `, max_norm=${pyFloat(this.maxNorm)}`;
    const type = this.normType === 2 ? '' : `, norm_type=${pyFloat(this.normType)}`;
    const scaled = this.scaleGradByFreq ? ', scale_grad_by_freq=True' : '';
    return `${this.numEmbeddings}, ${this.embeddingDim}${padding}${norm}${type}${scaled}`;
  }
}
