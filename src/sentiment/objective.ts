/** What a sentiment model is trained by: L2 + L1 + L3, and the state that unimodal labels need. */

import type { Modality } from '../features/specs.js';
import { functional, Module } from '../nn/index.js';
import { ConfigError, scope, type Tensor, where } from '../torch/index.js';
import {
  type AlignmentOptions,
  type AlignmentReport,
  alignmentLoss,
  alignmentReport,
  type FeatureMatrices,
} from './alignment.js';
import type { AlignmentConfig, SentimentConfig } from './config.js';
import type { SentimentBatch } from './datasets/index.js';
import type { SentimentOutput } from './models/model.js';
import { modelTitle } from './models/own.js';
import { multitaskLoss } from './multitask.js';
import { SharedProjections } from './projections.js';
import { UnimodalLabels } from './ulgm.js';

/** The parts of a step's loss, scalars; their sum is `total`. */
export interface ObjectiveParts {
  readonly total: Tensor;
  /** L2: of the prediction. */
  readonly multimodal: Tensor;
  /** L1: of the unimodal heads, where they are trained. */
  readonly unimodal: Readonly<Record<string, Tensor>>;
  /** L3, and the model's own. */
  readonly others: Readonly<Record<string, Tensor>>;
}

/** Losses of one run. As a module it holds the projections of `alignment.on: 'projected'`, which train with the rest. */
export class Objective extends Module {
  projections: SharedProjections | null = null;
  readonly labels: UnimodalLabels | null = null;
  readonly #config: SentimentConfig;
  readonly #heads: readonly Modality[];

  /**
   * @param sample - the model's output for some batch: its widths are the heads'
   * @param samples - id and label of every training utterance, for generated labels
   * @throws ConfigError where the model lacks what the configuration asks for
   */
  constructor(
    config: SentimentConfig,
    sample: SentimentOutput,
    samples: Iterable<readonly [string, number]>,
    limit: number,
  ) {
    super();
    this.#config = config;
    const { unimodal, alignment } = config;
    this.#heads = unimodal ? (unimodal.modalities ?? config.modalities) : [];
    for (const name of this.#heads) {
      if (!sample.unimodal[name]) {
        throw new ConfigError(
          `The model ${modelTitle(config.model)} has no ${name} head to train: set unimodal to null`,
        );
      }
    }
    if (unimodal?.labels === 'generated') {
      const { warmup = 1, excludeZero = true } = unimodal;
      const widths = Object.fromEntries(['multimodal', ...this.#heads].map((name) => [name, widthIn(sample, name)]));
      this.labels = new UnimodalLabels(samples, { widths, limit, warmup, excludeZero, device: config.device });
    }
    if (alignment?.on === 'projected') {
      const widths = Object.fromEntries(
        namesOf(alignment.weights).map((name) => [name, featureOf(sample, name, config).shape[1]!]),
      );
      this.projections = new SharedProjections(widths, alignment.width ?? 16, { frozen: alignment.frozen ?? true });
    }
  }

  override forward(output: SentimentOutput, batch: SentimentBatch, ids: readonly string[]): ObjectiveParts {
    const { task, unimodal } = this.#config;
    const main = task === 'classification' ? this.#classes(output, batch) : this.#scores(output, batch, ids);
    const others: Record<string, Tensor> = { ...output.losses };
    if (this.#config.alignment) {
      const loss = alignmentLoss(this.#matrices(output), alignmentOptions(this.#config.alignment));
      if (loss.requiresGrad) others.alignment = loss;
    }
    const total = Object.values(others).reduce((sum, part) => sum.add(part), main.total);
    return { total, multimodal: main.multimodal, unimodal: unimodal ? main.unimodal : {}, others };
  }

  /** After a batch's backward: labels move, by the centres as they were. @param epoch - from 1 */
  afterBatch(output: SentimentOutput, ids: readonly string[], epoch: number): void {
    if (!this.labels) return;
    const hidden = Object.fromEntries(['multimodal', ...this.#heads].map((name) => [name, hiddenOf(output, name)]));
    this.labels.update(ids, hidden, epoch);
  }

  /** The norms of the features and the distances of their covariances, to log; null without alignment. */
  report(output: SentimentOutput): AlignmentReport | null {
    if (!this.#config.alignment) return null;
    return alignmentReport(this.#matrices(output), alignmentOptions(this.#config.alignment));
  }

  #scores(output: SentimentOutput, batch: SentimentBatch, ids: readonly string[]): Omit<ObjectiveParts, 'others'> {
    const { unimodal } = this.#config;
    const label = batch.label;
    const made = this.labels?.of(ids);
    const labelOf = (name: Modality): Tensor => {
      if (made) return made[name]!;
      return unimodal?.labels === 'given' ? givenLabel(batch, name) : label;
    };
    const tasks = this.#heads.map(
      (name) => [name, { prediction: output.unimodal[name]!, label: labelOf(name) }] as const,
    );
    const weighting = unimodal?.labels === 'generated' ? 'difference' : 'uniform';
    return multitaskLoss({ prediction: output.prediction, label }, Object.fromEntries(tasks), {
      weighting,
      taskWeights: { ...unimodal?.weights },
    });
  }

  #classes(output: SentimentOutput, batch: SentimentBatch): Omit<ObjectiveParts, 'others'> {
    return scope(() => {
      const multimodal = functional.crossEntropy(output.prediction, batch.class);
      const parts = this.#heads.map((name) => {
        const loss = functional.crossEntropy(output.unimodal[name]!, batch.class);
        return [name, loss.mul(this.#config.unimodal?.weights?.[name] ?? 1)] as const;
      });
      const total = parts.reduce((sum, [, part]) => sum.add(part), multimodal);
      return { total, multimodal, unimodal: Object.fromEntries(parts) };
    });
  }

  #matrices(output: SentimentOutput): FeatureMatrices {
    const { on, weights } = this.#config.alignment!;
    const names = namesOf(weights);
    const from =
      on === 'post'
        ? (name: string) => hiddenOf(output, name)
        : (name: string) => featureOf(output, name, this.#config);
    const matrices = Object.fromEntries(names.map((name) => [name, from(name)]));
    return this.projections ? this.projections.forward(matrices) : matrices;
  }
}

/** What a configuration asks of the loss. */
export function alignmentOptions({
  weights,
  normalise = 'none',
  loss = 'covariance',
}: AlignmentConfig): AlignmentOptions {
  return { weights, normalise, loss };
}

/** The modalities that pairs such as `audio-vision` name, each once. */
function namesOf(weights: Readonly<Record<string, number>>): string[] {
  return [...new Set(Object.keys(weights).flatMap((pair) => pair.split('-')))];
}

function featureOf(output: SentimentOutput, name: string, config: SentimentConfig): Tensor {
  const found = output.features[name as Modality];
  if (found) return found;
  throw new ConfigError(
    `The model ${modelTitle(config.model)} has no ${name} features to align; it has: ${Object.keys(output.features).join(', ') || 'none'}`,
  );
}

function hiddenOf(output: SentimentOutput, name: string): Tensor {
  const found = output.hidden[name as Modality];
  if (found) return found;
  throw new ConfigError(
    `The model has no hidden features of ${name}; it has: ${Object.keys(output.hidden).join(', ') || 'none'}`,
  );
}

function widthIn(output: SentimentOutput, name: string): number {
  return hiddenOf(output, name).shape[1]!;
}

/** The data set's own label of a modality; where it has none, the whole's. */
export function givenLabel(batch: SentimentBatch, name: Modality): Tensor {
  const given = batch[`label${name[0]!.toUpperCase()}${name.slice(1)}`];
  if (!given)
    throw new ConfigError(`The data set has no labels of single modalities: set unimodal.labels to 'generated'`);
  return where(given.isnan(), batch.label, given);
}
