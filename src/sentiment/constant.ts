/** The predictor that says the same of every utterance: what a model must beat to have learnt anything. */

import type { Run } from '../report/statistics.js';
import { ConfigError } from '../torch/index.js';
import type { SentimentConfig } from './config.js';
import type { SentimentBatches, Utterance } from './datasets/index.js';
import { metricsOf } from './evaluate.js';

/** The mean of a split's labels, or its most frequent class. */
export function trainingConstant(config: SentimentConfig, split: SentimentBatches): number {
  const items = utterancesOf(split);
  if (config.task === 'regression') return items.reduce((sum, { label }) => sum + label!, 0) / items.length;
  const counts = new Map<number, number>();
  for (const { class: kind } of items) counts.set(kind!, (counts.get(kind!) ?? 0) + 1);
  return [...counts].reduce((most, other) => (other[1] > most[1] ? other : most))[0];
}

/** The scores of saying `constant` of every utterance of a split. */
export function constantScores(
  config: SentimentConfig,
  split: SentimentBatches,
  constant: number,
  classCount: number,
): Run {
  const items = utterancesOf(split);
  const truth = items.map(({ label, class: kind }) => (config.task === 'regression' ? label! : kind!));
  const predictions = truth.map(() => constant);
  const ids = items.map(({ id }) => id);
  return metricsOf(config, { ids, predictions, truth, unimodal: {}, loss: 0 }, classCount);
}

/** How a table calls it: `constant: training mean +0.13`, `constant: neutral`. */
export function constantName(config: SentimentConfig, constant: number, classes: readonly string[]): string {
  if (config.task === 'classification') return `constant: ${classes[constant] ?? `class ${constant}`}`;
  return `constant: training mean ${constant < 0 ? '' : '+'}${constant.toFixed(2)}`;
}

/** Predictions that spread less than this share of what the labels do are one and the same. */
const SPREAD = 0.01;

/**
 * Why a model's scores are those of a constant, in words; null where they are not. By its correlation, or by how far its predictions spread.
 * @param spread - standard deviation of its predictions over that of the labels, where it is known
 */
export function likeConstant(test: Run, spread: number | null): string | null {
  if (spread !== null && spread < SPREAD) return 'its predictions are all but the same for every utterance';
  const { corr } = test;
  if (corr === undefined) return null;
  if (Number.isNaN(corr)) return 'its correlation with the labels is not defined: one side does not vary';
  return corr <= 0 ? `its correlation with the labels is ${corr.toFixed(3)}, not above 0` : null;
}

/** Standard deviation of predictions over that of the truth; of classes, 0 where one alone is predicted and else 1. Null where truth is constant. */
export function spreadOf(
  config: SentimentConfig,
  predictions: readonly number[],
  truth: readonly number[],
): number | null {
  const of = (values: readonly number[]): number => {
    const mean = values.reduce((sum, x) => sum + x, 0) / values.length;
    return Math.sqrt(values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / values.length);
  };
  if (of(truth) === 0) return null;
  if (config.task === 'classification') return of(predictions) === 0 ? 0 : 1;
  return of(predictions) / of(truth);
}

function utterancesOf({ data, indices }: SentimentBatches): Utterance[] {
  if (indices.length === 0) throw new ConfigError(`Expected utterances, ${data.name} has none in this split`);
  return indices.map((index) => data.utterances[index]!);
}
