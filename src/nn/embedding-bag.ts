import { expectTensor } from '../torch/expect.js';
import {
  arange,
  ConfigError,
  empty,
  type Generator,
  ops,
  ShapeError,
  type Tensor,
  TorchError,
} from '../torch/index.js';
import { normal_ } from './init.js';
import { type FactoryOptions, Module } from './module.js';
import * as signature from './more-signatures.js';
import { Parameter } from './parameter.js';

export type BagMode = 'sum' | 'mean' | 'max';

export interface EmbeddingBagOptions extends FactoryOptions {
  /** How the rows of a bag become one. Default `'mean'`. */
  readonly mode?: BagMode;
  /** The row that counts for nothing in a bag: it starts at zero and gets no gradient. */
  readonly paddingIdx?: number | null;
  /** Whether `offsets` ends with the number of indices. Default false. */
  readonly includeLastOffset?: boolean;
}

export interface BagOptions {
  /** Weights of the indices, of their shape; with `'sum'` only. */
  readonly perSampleWeights?: Tensor | null;
}

const MODES: Readonly<Record<BagMode, number>> = { sum: 0, mean: 1, max: 2 };

/**
 * Sums, means or maxima of bags of embeddings, without the embeddings themselves. Indices [B, N] in bags of N, or [M] in
 * bags that begin at `offsets` [B]; output [B, embeddingDim], zero for an empty bag. Key: `weight`.
 */
export class EmbeddingBag extends Module {
  weight: Parameter;
  readonly mode: BagMode;
  readonly paddingIdx: number | null;
  readonly includeLastOffset: boolean;

  constructor(
    readonly numEmbeddings: number,
    readonly embeddingDim: number,
    options?: EmbeddingBagOptions,
  ) {
    super();
    const values = signature.embeddingBag.read('EmbeddingBag', [numEmbeddings, embeddingDim], options);
    const { mode, paddingIdx: index, includeLastOffset, device, dtype } = values;
    const made = { device, dtype };
    if (index !== null && !(index >= -numEmbeddings && index < numEmbeddings)) {
      throw new ConfigError(`Expected paddingIdx within the ${numEmbeddings} rows, got ${index}`);
    }
    this.mode = mode;
    this.paddingIdx = index !== null && index < 0 ? index + numEmbeddings : index;
    this.includeLastOffset = includeLastOffset;
    this.weight = new Parameter(empty([numEmbeddings, embeddingDim], made));
    this.initSelf(made);
  }

  override resetParameters(g: Generator): void {
    normal_(this.weight, 0, 1, { generator: g });
    if (this.paddingIdx !== null) this.weight.detach().select(0, this.paddingIdx).zero_();
  }

  forward(indices: Tensor, offsets: Tensor | null = null, options?: BagOptions): Tensor {
    expectTensor(this.typeName, indices);
    const { perSampleWeights: weights } = signature.bagForward.read('EmbeddingBag.forward', [], options);
    if (weights && this.mode !== 'sum') {
      throw new ConfigError(`Expected perSampleWeights with mode 'sum' only, got them with '${this.mode}'`);
    }
    if (weights && String(weights.shape) !== String(indices.shape)) {
      throw new ShapeError(`Expected perSampleWeights as the indices, [${indices.shape}], got [${weights.shape}]`);
    }
    const [flat, begins] = this.bags(indices, offsets);
    const { includeLastOffset, paddingIdx } = this;
    const each = weights ? weights.reshape([-1]) : null;
    const mode = MODES[this.mode];
    try {
      return ops.embeddingBag(this.weight, flat, begins, false, mode, false, each, includeLastOffset, paddingIdx)[0];
    } catch (error) {
      throw error instanceof TorchError ? this.rangeError(flat, error) : error;
    }
  }

  /** The indices in a row, and where each bag begins. */
  private bags(indices: Tensor, offsets: Tensor | null): [flat: Tensor, begins: Tensor] {
    const [rows, width] = indices.shape;
    if (indices.ndim === 2 && offsets === null) {
      const ends = (rows as number) + (this.includeLastOffset ? 1 : 0);
      const begins = arange(0, ends, 1, { dtype: indices.dtype, device: indices.device }).mul(width as number);
      return [indices.reshape([-1]), begins];
    }
    if (indices.ndim === 1 && offsets?.ndim === 1) return [indices, offsets];
    throw new ShapeError(
      `Expected indices [bags, width], or [all] with offsets [bags], got [${indices.shape}] and ` +
        `${offsets ? `[${offsets.shape}]` : 'no offsets'} in ${this.toString()}`,
    );
  }

  private rangeError(indices: Tensor, error: TorchError): Error {
    if (indices.numel === 0) return error;
    const [low, high] = [indices.min().item(), indices.max().item()];
    if (low >= 0 && high < this.numEmbeddings) return error;
    return new ShapeError(
      `Expected indices in 0..${this.numEmbeddings - 1}, got ${low}..${high} in ${this.toString()}`,
    );
  }

  override extraRepr(): string {
    const padding = this.paddingIdx === null ? '' : `, padding_idx=${this.paddingIdx}`;
    return `${this.numEmbeddings}, ${this.embeddingDim}, mode=${this.mode}${padding}`;
  }
}
