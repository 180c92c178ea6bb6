/**
 * Recipes: how a model family is trained on a data set, as a full, typed part of a run's configuration. Spread one into a
 * `RunConfig` and change what you like. Augmentation belongs to the data set: its loader knows the usual one.
 *
 * Learning rates are stated for a batch of 128 and follow the batch size: linearly for SGD (Goyal et al. 2017: the same
 * step for every image), with the square root for AdamW (whose step does not grow with the gradient).
 */
import type { LrScheduleConfig, OptimizerConfig, RunConfig } from '../pipeline/config.js';
import type { Wishes } from '../pipeline/train.js';
import { checkOptions } from '../torch/index.js';
import type { DataKind } from './datasets/index.js';
import { modelFamily } from './family.js';
import { epochsOf } from './names.js';
import { requireWhole } from './spec.js';

/** What a recipe decides of a run. */
export interface Recipe
  extends Pick<RunConfig, 'batchSize' | 'optimizer' | 'lrSchedule' | 'labelSmoothing' | 'memoryFormat' | 'head'> {
  readonly epochs: number;
}

export interface RecipeOptions {
  /** Default 128. */
  readonly batchSize?: number;
  /** Default: the data set's and family's own. */
  readonly epochs?: number;
  /** Replaces the recipe's learning rate; used as it is, whatever the batch size. */
  readonly lr?: number;
}

const known = ['batchSize', 'epochs', 'lr'];
const BASE_BATCH = 128;

/** SGD with Nesterov momentum, weight decay 5e-4, one epoch of warm-up, then a half cosine to zero. */
export function resnetRecipe(data: DataKind, options: RecipeOptions = {}): Recipe {
  checkOptions('resnetRecipe', options, known);
  const batchSize = options.batchSize ?? BASE_BATCH;
  const optimizer: OptimizerConfig = {
    name: 'sgd',
    lr: options.lr ?? (0.1 * batchSize) / BASE_BATCH,
    momentum: 0.9,
    weightDecay: 5e-4,
    decay: 'all',
    nesterov: true,
  };
  return finish('resnet', data, options, optimizer, 0);
}

/**
 * AdamW with weight decay 0.05 (none on biases and norms), label smoothing 0.1, warm-up over a tenth of the run, then a
 * half cosine to zero.
 */
export function vitRecipe(data: DataKind, options: RecipeOptions = {}): Recipe {
  checkOptions('vitRecipe', options, known);
  const batchSize = options.batchSize ?? BASE_BATCH;
  const optimizer: OptimizerConfig = {
    name: 'adamw',
    lr: options.lr ?? 5e-4 * Math.sqrt(batchSize / BASE_BATCH),
    betas: [0.9, 0.999],
    eps: 1e-8,
    weightDecay: 0.05,
    decay: 'weights',
  };
  return finish('vit', data, options, optimizer, 0.1);
}

/** The recipe of a model's family. @throws ConfigError for an unknown model or a size that makes no sense */
export function recipe(modelName: string, data: DataKind, options: RecipeOptions = {}): Recipe {
  return modelFamily(modelName) === 'vit' ? vitRecipe(data, options) : resnetRecipe(data, options);
}

/**
 * The recipe for a data set and what is wished for; a run of a few steps warms up over a fifth of them at most.
 * @param data - recipes go by its name; that of a folder where it has none
 */
export function recipeFor(
  modelName: string,
  data: { name?: string; train: { length: number } },
  wishes: Wishes,
): Recipe {
  const { lr, steps } = wishes;
  const kind = (data.name ?? 'folder') as DataKind;
  const { batchSize } = recipe(modelName, kind, { batchSize: wishes.batchSize });
  if (steps === undefined) return recipe(modelName, kind, { batchSize, epochs: wishes.epochs, lr });
  const perEpoch = Math.ceil(data.train.length / batchSize);
  const chosen = recipe(modelName, kind, { batchSize, epochs: Math.max(1, Math.ceil(steps / perEpoch)), lr });
  const { lrSchedule } = chosen;
  const warmupEpochs = Math.min(lrSchedule.warmupEpochs, steps / perEpoch / 5);
  return { ...chosen, lrSchedule: { ...lrSchedule, warmupEpochs } };
}

function finish(
  family: 'resnet' | 'vit',
  data: DataKind,
  options: RecipeOptions,
  optimizer: OptimizerConfig,
  labelSmoothing: number,
): Recipe {
  const { batchSize = BASE_BATCH, epochs = epochsOf[family][data] } = options;
  requireWhole('batchSize', batchSize);
  requireWhole('epochs', epochs);
  const warmupEpochs = family === 'vit' ? epochs / 10 : Math.min(1, epochs / 5);
  const lrSchedule: LrScheduleConfig = { name: 'cosine', warmupEpochs, minLr: 0 };
  return {
    epochs,
    batchSize,
    optimizer,
    lrSchedule,
    labelSmoothing,
    memoryFormat: family === 'vit' ? 'contiguous' : 'channelsLast',
    head: { kind: 'auglocal', depth: 1 },
  };
}
