/**
 * What a model is trained and judged by: the loss that training lowers, and metrics over held-out predictions. No stage and
 * no loop knows what an output means; a task does.
 */
import { functional } from '../nn/index.js';
import { ConfigError, checkOptions, noGrad, type Tensor } from '../torch/index.js';
import type { ModelSpec } from './model.js';

/** One number over held-out samples, gathered batch by batch (torchmetrics' words). */
export interface Metric {
  /** Takes a batch: what the model gave, and the targets that came with it. */
  update(output: Tensor, ...targets: Tensor[]): void;
  /** The metric over all batches so far. */
  compute(): number;
}

/** Numbers by name, such as `{ accuracy: 0.98, loss: 0.07 }`. */
export type Metrics = Readonly<Record<string, number>>;

export interface Task {
  /** For messages, such as `regression`. */
  readonly name: string;
  /** What training lowers, of the model's output or a local head's: a mean over the samples of the batch. */
  loss(output: Tensor, ...targets: Tensor[]): Tensor;
  /** Fresh metrics by name, in the order in which they are shown; one of them is called `loss`. */
  metrics(): Readonly<Record<string, Metric>>;
  /** By which metric a model is better than another. */
  readonly selects: { readonly metric: string; readonly best: 'highest' | 'lowest' };
}

/** The mean over the samples of what `of` gives for a batch, itself a mean over its samples. */
export class MeanMetric implements Metric {
  #sum = 0;
  #count = 0;

  constructor(private readonly of: (output: Tensor, ...targets: Tensor[]) => Tensor) {}

  update(output: Tensor, ...targets: Tensor[]): void {
    const count = output.shape[0]!;
    this.#sum += this.of(output, ...targets).item() * count;
    this.#count += count;
  }

  compute(): number {
    return this.#sum / this.#count;
  }
}

/** The share of samples whose class is among the `k` likeliest. Output: [B, classes]; target: classes [B]. */
export class Accuracy implements Metric {
  #right = 0;
  #count = 0;

  constructor(private readonly k = 1) {}

  update(output: Tensor, target: Tensor): void {
    const hits = this.k === 1 ? output.argmax(1).eq(target) : output.topk(this.k, 1)[1].eq(target.unsqueeze(1)).any(1);
    this.#right += hits.sum().item();
    this.#count += target.shape[0]!;
  }

  compute(): number {
    return this.#right / this.#count;
  }
}

/** Pearson's correlation of all outputs with all targets, of any shape that both have. */
export class Correlation implements Metric {
  readonly #sums = { n: 0, x: 0, y: 0, xx: 0, yy: 0, xy: 0 };

  update(output: Tensor, target: Tensor): void {
    const [x, y] = [output, target].map((values) => values.reshape([-1]).to({ dtype: 'float64' })) as [Tensor, Tensor];
    const sums = this.#sums;
    sums.n += x.numel;
    sums.x += x.sum().item();
    sums.y += y.sum().item();
    sums.xx += x.mul(x).sum().item();
    sums.yy += y.mul(y).sum().item();
    sums.xy += x.mul(y).sum().item();
  }

  /** NaN where one of the two is constant. */
  compute(): number {
    const { n, x, y, xx, yy, xy } = this.#sums;
    return (xy - (x * y) / n) / Math.sqrt((xx - (x * x) / n) * (yy - (y * y) / n));
  }
}

export interface ClassificationOptions {
  /** Label smoothing of the loss in training; the metric `loss` is without it. Default 0. */
  readonly labelSmoothing?: number;
  /** Adds metrics `top5`, ...: the right class is among so many likeliest. Default none. */
  readonly topK?: readonly number[];
}

/** Cross-entropy of logits [B, classes] and classes [B]; `accuracy` selects. */
export function classification(options: ClassificationOptions = {}): Task {
  checkOptions('classification', options, ['labelSmoothing', 'topK']);
  const { labelSmoothing = 0, topK = [] } = options;
  return {
    name: 'classification',
    loss: (output, target) => functional.crossEntropy(output, target!, { labelSmoothing }),
    metrics: () => ({
      accuracy: new Accuracy(),
      ...Object.fromEntries(topK.map((k) => [`top${k}`, new Accuracy(k)])),
      loss: new MeanMetric((output, target) => functional.crossEntropy(output, target!)),
    }),
    selects: { metric: 'accuracy', best: 'highest' },
  };
}

export interface RegressionOptions {
  /** What training lowers: the mean squared error, the mean absolute error, or Huber's between them. Default `mse`. */
  readonly loss?: 'mse' | 'l1' | 'smoothL1';
}

/** Numbers of any shape; the loss is the metric that selects. Metrics: `loss`, `mae`, `correlation`. */
export function regression(options: RegressionOptions = {}): Task {
  checkOptions('regression', options, ['loss']);
  const losses = { mse: functional.mseLoss, l1: functional.l1Loss, smoothL1: functional.smoothL1Loss };
  const { loss: kind = 'mse' } = options;
  const loss = losses[kind];
  if (!loss) throw new ConfigError(`Expected a loss among ${Object.keys(losses).join(', ')}, got ${String(kind)}.`);
  return {
    name: 'regression',
    loss: (output, target) => loss(output, target!),
    metrics: () => ({
      mae: new MeanMetric((output, target) => functional.l1Loss(output, target!)),
      correlation: new Correlation(),
      loss: new MeanMetric((output, target) => loss(output, target!)),
    }),
    selects: { metric: 'loss', best: 'lowest' },
  };
}

/** The next token: logits [B, T, V], tokens [B, T]. Metrics: `perplexity`, `loss` in nats a token. */
export function languageModelling(): Task {
  const loss = (output: Tensor, target: Tensor): Tensor =>
    functional.crossEntropy(output.reshape([-1, output.shape.at(-1)!]), target.reshape([-1]));
  return {
    name: 'language modelling',
    loss: (output, target) => loss(output, target!),
    metrics: () => {
      const mean = (): MeanMetric => new MeanMetric((output, target) => loss(output, target!));
      const ofPerplexity = mean();
      const perplexity: Metric = {
        update: (output, ...targets) => ofPerplexity.update(output, ...targets),
        compute: () => Math.exp(ofPerplexity.compute()),
      };
      return { perplexity, loss: mean() };
    },
    selects: { metric: 'perplexity', best: 'lowest' },
  };
}

/** What a model is trained by: its own task, or else the classification of its classes. */
export function taskOf(spec: ModelSpec, labelSmoothing = 0): Task {
  if (spec.task === undefined) return classification({ labelSmoothing, topK: (spec.classes ?? 0) > 10 ? [5] : [] });
  if (labelSmoothing === 0) return spec.task;
  throw new ConfigError(
    `Expected no labelSmoothing with the task of ${spec.name}, ${spec.task.name}: ` +
      `it is classification's; got ${labelSmoothing}.`,
  );
}

/** Gathers the metrics of a task over the batches of an evaluation. */
export class Scores {
  readonly #metrics: Readonly<Record<string, Metric>>;
  /** Samples judged. */
  count = 0;

  constructor(task: Task) {
    this.#metrics = task.metrics();
  }

  update(output: Tensor, targets: readonly Tensor[]): void {
    noGrad(() => {
      for (const metric of Object.values(this.#metrics)) metric.update(output, ...targets);
    });
    this.count += output.shape[0]!;
  }

  compute(): Metrics {
    return Object.fromEntries(Object.entries(this.#metrics).map(([name, metric]) => [name, metric.compute()]));
  }
}
