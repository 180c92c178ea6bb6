import { ConfigError, empty, type Generator, ops, ShapeError, type Tensor, TorchError } from '../torch/index.js';
import { normal_ } from './init.js';
import { type FactoryOptions, Module } from './module.js';
import { Parameter } from './parameter.js';
import * as signature from './signatures.js';

export interface EmbeddingOptions extends FactoryOptions {
  /** The row that starts at zero and gets no gradient. */
  readonly paddingIdx?: number | null;
}

/** int64 indices [...] to rows [..., embeddingDim]. Key: `weight` [numEmbeddings, embeddingDim]. */
export class Embedding extends Module {
  weight: Parameter;
  readonly paddingIdx: number | null;

  constructor(
    readonly numEmbeddings: number,
    readonly embeddingDim: number,
    options?: EmbeddingOptions,
  ) {
    super();
    const sizes = [numEmbeddings, embeddingDim];
    const { paddingIdx: index, ...made } = signature.embedding.read(this.typeName, sizes, options);
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
    try {
      return ops.embedding(this.weight, indices, this.paddingIdx ?? -1);
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
    return `${this.numEmbeddings}, ${this.embeddingDim}${padding}`;
  }
}
