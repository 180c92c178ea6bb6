/** A text encoder with the heads of a reader, as layers of a pipeline: it learns all tasks at once. */
import { Dropout, functional, LayerNorm, Linear, Module } from '../../nn/index.js';
import { MeanMetric, type Metric, type ModelSpec, type Task } from '../../pipeline/index.js';
import { AttentionPool, SpanFilters } from '../../text/words.js';
import { ConfigError, cat, type DType, ops, type Tensor } from '../../torch/index.js';
import { beginWith, type VectorsFrom } from './begin-with.js';
import { beginningOf, encoderLayers } from './encoder-layers.js';
import { columnCount, columns, type OutputName, outputAt, outputCount, outputs } from './labels.js';
import { type EncoderNetwork, encoderNetwork, type Summary } from './network.js';

export interface ReaderModelOptions {
  /** As in Hugging Face's config.json. */
  readonly config: object;
  readonly compute: DType;
  readonly heads: HeadOptions;
  /** A folder of an encoder to begin with. */
  readonly weights?: string | null;
  /** Word vectors to begin with, where there is no such folder. */
  readonly vectors?: VectorsFrom | null;
}

export interface HeadOptions {
  /** Numbers that all tasks are read from. */
  readonly hidden: number;
  /** Filters over runs of 1 to 4 pieces beside the encoder, in all; 0 leaves them out. */
  readonly filters: number;
  readonly dropout: number;
}

/** Keys, below `reader`: `summary` (where the encoder's has weights), `pool`, `filters`, `norm`, `dense`, `outputs`. */
export class ReaderHeads extends Module {
  summary: Summary;
  pool: AttentionPool;
  filters: SpanFilters | null;
  norm: LayerNorm;
  dense: Linear;
  outputs: Linear;
  dropout: Dropout;

  constructor(network: EncoderNetwork, { hidden, filters, dropout }: HeadOptions) {
    super();
    const { width, pieceWidth } = network;
    this.summary = network.summary();
    this.pool = new AttentionPool(width);
    this.filters = filters === 0 ? null : new SpanFilters(pieceWidth, filters, [1, 2, 3, 4]);
    this.norm = new LayerNorm(3 * width + filters);
    this.dense = new Linear(3 * width + filters, hidden);
    this.outputs = new Linear(hidden, outputCount);
    this.dropout = new Dropout(dropout);
  }

  /**
   * @param rows - [B, L, width] of the last layer; @param mask - bool [B, L]; @param pieces - [B, L, pieceWidth], their vectors
   * @returns float32 [B, outputs]
   */
  forward(rows: Tensor, mask: Tensor, pieces: Tensor): Tensor {
    return this.outputs.forward(this.dropout.forward(this.vector(rows, mask, pieces)));
  }

  /** What all tasks are read from: float32 [B, hidden]. */
  vector(rows: Tensor, mask: Tensor, pieces: Tensor): Tensor {
    const read = rows.to({ dtype: 'float32' });
    const parts = [this.summary.forward(read, mask), this.pool.forward(read, mask)];
    if (this.filters) {
      const hidden = mask.logicalNot().unsqueeze(2);
      const found = this.filters.forward(pieces.to({ dtype: 'float32' }).maskedFill(hidden, 0));
      parts.push(found.maskedFill(hidden, 0).amax([1]));
    }
    return functional.gelu(this.dense.forward(this.dropout.forward(this.norm.forward(cat(parts, 1)))));
  }
}

export function readerModel({ config: json, compute, heads, weights, vectors }: ReaderModelOptions): ModelSpec {
  const network = encoderNetwork(json);
  const begin = vectors ? beginWith(vectors) : undefined;
  const from = weights ? beginningOf(network, weights) : undefined;
  const made = (): ReaderHeads => {
    const reader = new ReaderHeads(network, heads);
    from?.(reader.summary, 'summary');
    return reader;
  };
  return {
    name: 'reader',
    task: readingTask(),
    layers: [
      ...encoderLayers({ network, compute, carries: 'mask', begin, weights: from }),
      { name: 'reader', prefix: 'reader', build: made },
    ],
    head: made,
    example: (size, generator) => ({
      inputs: [ops.randint(1, network.vocabSize, [size, 32], { generator, dtype: 'int64' })],
      targets: [ops.zeros([size, columnCount])],
    }),
  };
}

/** A task's numbers of what a reader gave. */
export function outputOf(output: Tensor, name: OutputName): Tensor {
  return output.narrow(1, outputAt(name), outputs[name]);
}

/** How much the tasks count. */
const weights: Readonly<Record<OutputName, number>> = {
  score: 0.5,
  classes: 1,
  grades: 0.5,
  emotions: 10,
  tweet: 0.5,
  irony: 0.5,
  spoken: 0.5,
};

/** All tasks at once, of the texts whose labels tell: output [B, outputs], labels [B, columns]. Metrics: `accuracy` of classes, `loss`. */
export function readingTask(): Task {
  return {
    name: 'reading',
    loss: (output, labels) => readingLoss(output, labels!),
    metrics: () => ({
      accuracy: new ClassAccuracy(),
      loss: new MeanMetric((output, labels) => readingLoss(output, labels!)),
    }),
    selects: { metric: 'loss', best: 'lowest' },
  };
}

function readingLoss(output: Tensor, labels: Tensor): Tensor {
  if (labels.ndim !== 2 || labels.shape[1] !== columnCount) {
    throw new ConfigError(`Expected labels [B, ${columnCount}], got [${labels.shape}]`);
  }
  const share = labels.select(1, columns.weight);
  const of = (losses: Tensor, name: OutputName): Tensor => losses.mul(share).mean().mul(weights[name]);
  const classesOf = (name: Exclude<OutputName, 'emotions' | 'score'>): Tensor => {
    const column = labels.select(1, columns[name]);
    const target = column.nanToNum(-100).to({ dtype: 'int64' });
    return of(functional.crossEntropy(outputOf(output, name), target, { reduction: 'none' }), name);
  };
  const known = (column: Tensor): [Tensor, Tensor] => [column.nanToNum(0), column.isnan().logicalNot()];
  const [score, scored] = known(labels.select(1, columns.score));
  const off = functional.smoothL1Loss(outputOf(output, 'score').select(1, 0), score, { reduction: 'none' });
  const [marks, marked] = known(labels.narrow(1, columns.emotions, outputs.emotions));
  const missed = functional.binaryCrossEntropyWithLogits(outputOf(output, 'emotions'), marks, { reduction: 'none' });
  return [
    of(off.mul(scored), 'score'),
    of(missed.mul(marked).mean(1), 'emotions'),
    ...(['classes', 'grades', 'tweet', 'irony', 'spoken'] as const).map(classesOf),
  ].reduce((sum, each) => sum.add(each));
}

/** Of the texts whose class is known. */
class ClassAccuracy implements Metric {
  #right = 0;
  #count = 0;

  update(output: Tensor, labels?: Tensor): void {
    const classes = labels!.select(1, columns.classes);
    this.#right += outputOf(output, 'classes').argmax(1).eq(classes).sum().item();
    this.#count += classes.isnan().logicalNot().sum().item();
  }

  compute(): number {
    return this.#right / this.#count;
  }
}
