/** A network on a split: predictions, loss and metrics. */
import { DataLoader } from '../data/index.js';
import type { Modality } from '../features/specs.js';
import { functional } from '../nn/index.js';
import type { Run } from '../report/statistics.js';
import { noGrad, scope, type Tensor, tensor } from '../torch/index.js';
import type { SentimentConfig } from './config.js';
import type { SentimentBatch, SentimentBatches } from './datasets/index.js';
import { sentimentMetrics } from './metrics.js';
import type { SentimentOutput } from './models/model.js';
import type { SentimentNetwork } from './network.js';
import { classificationMetrics } from './scores.js';

/** What a network says of each utterance of a split, in the split's order. */
export interface SplitPredictions {
  readonly ids: readonly string[];
  /** Scores, or the most likely classes. */
  readonly predictions: readonly number[];
  readonly truth: readonly number[];
  /** Scores of the heads that see one modality; empty for classes. */
  readonly unimodal: Readonly<Partial<Record<Modality, readonly number[]>>>;
  /** Mean over the utterances: absolute error of scores, cross-entropy of classes. */
  readonly loss: number;
}

/** Runs a network over all utterances, without gradients. */
export function predictSplit(
  network: SentimentNetwork,
  config: SentimentConfig,
  split: SentimentBatches,
): SplitPredictions {
  const loader = evaluationLoader(config, split);
  const predictions: number[] = [];
  const truth: number[] = [];
  const unimodal: Partial<Record<Modality, number[]>> = {};
  let loss = 0;
  const training = network.training;
  network.eval();
  for (const batch of loader.batches(0)) {
    scope(() =>
      noGrad(() => {
        const output = network.forward(batch);
        const result = config.task === 'regression' ? scores(output, batch) : classes(output, batch);
        predictions.push(...result.predictions);
        truth.push(...result.truth);
        loss += lossSum(config.task, output.prediction, batch);
        if (config.task !== 'regression') return;
        for (const [name, values] of Object.entries(output.unimodal)) {
          const list = unimodal[name as Modality] ?? [];
          unimodal[name as Modality] = list;
          list.push(...(values.tolist() as number[]));
        }
      }),
    );
    for (const value of Object.values(batch)) value.dispose();
  }
  network.train(training);
  const ids = split.indices.map((index) => split.data.utterances[index]!.id);
  return { ids, predictions, truth, unimodal, loss: loss / truth.length };
}

/** A split's batches in its order, as large as evaluation takes them. */
export function evaluationLoader(config: SentimentConfig, split: SentimentBatches): DataLoader<SentimentBatch> {
  return new DataLoader(split, { batchSize: Math.max(64, config.batchSize) });
}

/** Summed over a batch: absolute error of scores, cross-entropy of classes. */
export function lossSum(
  task: SentimentConfig['task'],
  prediction: Tensor,
  { label, class: kind }: Pick<SentimentBatch, 'label' | 'class'>,
): number {
  if (task === 'regression') return prediction.sub(label).abs().sum().item();
  return functional.crossEntropy(prediction, kind, { reduction: 'sum' }).item();
}

interface BatchResult {
  readonly predictions: number[];
  readonly truth: number[];
}

function scores({ prediction }: SentimentOutput, { label }: SentimentBatch): BatchResult {
  return { predictions: prediction.tolist() as number[], truth: label.tolist() as number[] };
}

function classes({ prediction }: SentimentOutput, batch: SentimentBatch): BatchResult {
  return { predictions: prediction.argmax(1).tolist() as number[], truth: batch.class.tolist() as number[] };
}

/** The metrics of a split: of the configuration's family, or of classes. */
export function metricsOf(config: SentimentConfig, result: SplitPredictions, classCount: number): Run {
  const { predictions, truth } = result;
  if (config.task === 'regression') return { ...sentimentMetrics(config.metrics, predictions, truth) };
  const { accuracy, weightedF1, macroF1 } = classificationMetrics(predictions, truth, { classes: classCount });
  return { accuracy, weightedF1, macroF1 };
}

/** Ids of a batch's utterances. */
export function idsOf(split: SentimentBatches, index: Tensor): string[] {
  return (index.tolist() as number[]).map((place) => split.data.utterances[split.indices[place]!]!.id);
}

/** The first utterances of a split as one batch. */
export function firstBatch(split: SentimentBatches, count: number): SentimentBatch {
  return split.batch(tensor(BigInt64Array.from({ length: Math.min(count, split.length) }, (_, i) => BigInt(i))));
}
