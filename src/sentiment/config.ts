/** The configuration of a sentiment run, all of it JSON: a run's folder keeps the one it used. */

import { type Modality, modalities } from '../features/specs.js';
import type { Lexicon } from '../text/lexicon.js';
import type { WordEncoderOptions } from '../text/words.js';
import { ConfigError } from '../torch/index.js';
import type { AlignmentLossName } from './alignment.js';
import { checkConfigNames } from './config-names.js';
import { type MetricFamily, metricFamilies } from './metrics.js';
import { type ModelName, modelNames, modelTitle, type OwnModel } from './models/index.js';

/** How texts are read. */
export type TextConfig =
  /** Word vectors (a folder of `words.txt` and `vectors.f32`; null: drawn at random) under a small encoder. */
  | ({
      readonly kind: 'words';
      readonly vectors: string | null;
      /**
       * `data`: vectors of the words that the data's texts have, which trains about three times faster; the model knows no
       * other words. Default `all`.
       */
      readonly vocabulary?: 'all' | 'data';
      /** A list that says of words how good or bad they are, beside their vectors. Default null. */
      readonly lexicon?: Lexicon | null;
    } & Omit<WordEncoderOptions, 'dims' | 'scores' | 'device' | 'dtype'>)
  /** A Hugging Face folder: config.json, model.safetensors, tokenizer.json. */
  | { readonly kind: 'bert'; readonly folder: string; readonly frozen?: boolean; readonly maxLength?: number }
  /** A trained reader of texts, which stays as it is (default: the one that comes with Headrace): its vector of a text, and rows of its pieces. */
  | { readonly kind: 'shipped'; readonly folder?: string | null }
  /** The data set's own `text` features: `first` (default) reads the first row, BERT's [CLS]; `mean` suits word vectors. */
  | { readonly kind: 'features'; readonly pool?: 'first' | 'mean' };

/** Shared information: which modalities' statistics are aligned, and on what (arXiv 2305.08473). */
export interface AlignmentConfig {
  /**
   * `feature`: the encoders' features, which must be equally wide; `projected`: a linear map of them to `width`; `post`:
   * what leaves the first hidden layer of the unimodal heads.
   */
  readonly on: 'feature' | 'projected' | 'post';
  /** Factor of each pair, such as `{ 'audio-vision': 1 }`. */
  readonly weights: Readonly<Record<string, number>>;
  /** Of the common space of `projected`. Default 16. */
  readonly width?: number;
  /** Whether the projections stay as drawn. Default true: free ones cancel the loss by themselves. */
  readonly frozen?: boolean;
  readonly normalise?: 'none' | 'correlation';
  /** Default `covariance`, as the paper; the others know which rows belong together. */
  readonly loss?: AlignmentLossName;
}

/** Private information: what the unimodal heads learn. */
export interface UnimodalConfig {
  /** `generated`: labels made during training (Self-MM); `given`: the data set's own; `multimodal`: the whole's label. */
  readonly labels: 'generated' | 'given' | 'multimodal';
  /** The heads that are trained. Default: those of all modalities in use. */
  readonly modalities?: readonly Modality[];
  /** Epochs in which generated labels stay the multimodal ones. Default 1. */
  readonly warmup?: number;
  /** Whether samples of label 0 are in neither centre. Default true. */
  readonly excludeZero?: boolean;
  /** Factor of each head's loss. Default 1. */
  readonly weights?: Readonly<Partial<Record<Modality, number>>>;
}

/** Learning rate and weight decay of a part of the model. */
export interface GroupConfig {
  readonly lr: number;
  readonly weightDecay: number;
}

/**
 * How a network is trained. `bp`: gradients through the whole of it (the reference procedure). `ppll`: each modality's branch
 * and the fusion by a loss of their own, each on its own thread, at the same time. `sequential`: the same in turns.
 */
export type SentimentSchedule = (typeof sentimentSchedules)[number];

export const sentimentSchedules = ['bp', 'sequential', 'ppll'] as const;

export interface SentimentConfig {
  /** A name, or where a model of one's own comes from. */
  readonly model: ModelName | OwnModel;
  readonly modelOptions: Readonly<Record<string, unknown>>;
  readonly modalities: readonly Modality[];
  readonly text: TextConfig;
  /** `regression`: a score, trained by mean absolute error; `classification`: classes, by cross-entropy. */
  readonly task: 'regression' | 'classification';
  readonly metrics: MetricFamily;
  /** Null: none. */
  readonly unimodal: UnimodalConfig | null;
  /** Null: none. */
  readonly alignment: AlignmentConfig | null;
  readonly groups: Readonly<Record<Modality | 'other', GroupConfig>>;
  /** Share of the training utterances that is used, drawn by the seed: what few labels come to. */
  readonly trainShare: number;
  readonly batchSize: number;
  /** Batches whose gradients are summed for one optimizer step. */
  readonly accumulate: number;
  /** What becomes of batches at an epoch's end that fill no window: `drop` (Self-MM) takes no step, `flush` does. */
  readonly leftover: 'drop' | 'flush';
  /** Epochs without a better validation loss before the run ends. */
  readonly patience: number;
  readonly maxEpochs: number;
  /** Greatest norm of all gradients of a step; null: no limit. */
  readonly clipNorm: number | null;
  /** Intra-op threads. */
  readonly threads: number;
  readonly device: string;
  readonly schedule: SentimentSchedule;
  /** Folder of a run whose weights every seed begins with, where they fit; null: weights are drawn. */
  readonly init: string | null;
}

/** @throws ConfigError that names what is wrong, what was expected and what came */
export function checkSentimentConfig(config: SentimentConfig): void {
  const wrong = (what: string, expected: string, got: unknown): never => {
    throw new ConfigError(`Expected ${what} to be ${expected}, got ${JSON.stringify(got)}`);
  };
  const whole = (what: 'batchSize' | 'accumulate' | 'patience' | 'maxEpochs' | 'threads'): void => {
    if (!Number.isInteger(config[what]) || config[what] < 1) wrong(what, 'a whole number from 1', config[what]);
  };
  checkConfigNames(config as unknown as Readonly<Record<string, unknown>>);
  const { model } = config;
  if (typeof model === 'string' && !modelNames.includes(model)) wrong('model', modelNames.join(', '), model);
  if (!metricFamilies.includes(config.metrics)) wrong('metrics', metricFamilies.join(', '), config.metrics);
  for (const what of ['batchSize', 'accumulate', 'patience', 'maxEpochs', 'threads'] as const) whole(what);
  const used = config.modalities;
  const known = Array.isArray(used) && used.every((name) => modalities.includes(name));
  if (!known || used.length === 0 || new Set(used).size !== used.length) {
    wrong('modalities', `some of ${modalities.join(', ')}`, used);
  }
  if (!['regression', 'classification'].includes(config.task)) {
    wrong('task', 'regression or classification', config.task);
  }
  if (!sentimentSchedules.includes(config.schedule)) {
    wrong('schedule', sentimentSchedules.join(', '), config.schedule);
  }
  if (config.init !== null && config.init !== undefined && (typeof config.init !== 'string' || config.init === ''))
    wrong('init', 'the folder of a run, or null', config.init);
  if (typeof config.device !== 'string' || !/^(?:cpu|mps|cuda(?::\d+)?)$/.test(config.device))
    wrong('device', 'cpu, cuda:0 or mps', config.device);
  if (!['drop', 'flush'].includes(config.leftover)) wrong('leftover', 'drop or flush', config.leftover);
  for (const [name, group] of Object.entries(config.groups)) {
    if (!(group.lr > 0 && group.weightDecay >= 0)) wrong(`groups.${name}`, 'lr > 0 and weightDecay >= 0', group);
  }
  const { trainShare = 1 } = config;
  if (!(trainShare > 0 && trainShare <= 1)) wrong('trainShare', 'above 0, up to 1', trainShare);
  if (config.clipNorm !== null && !(config.clipNorm > 0)) wrong('clipNorm', 'null or above 0', config.clipNorm);
  if (config.task === 'classification' && config.unimodal?.labels === 'generated') {
    throw new ConfigError(
      "Labels of single modalities are generated from scores: with task 'classification' set unimodal to null, or its labels to 'multimodal'",
    );
  }
  const { text } = config;
  if (!text) wrong('text', 'an object', text);
  if (text.kind === 'words' && text.vectors === null && text.tuneVectors === false) {
    throw new ConfigError(
      'Expected word vectors to keep as they are, got text.vectors null with text.tuneVectors false: vectors drawn at ' +
        'random say nothing until they are trained. Name a folder of vectors in text.vectors, or leave tuneVectors out',
    );
  }
  if (config.schedule !== 'bp') checkBranches(config);
}

/** @throws ConfigError for what needs gradients through several branches, or gives a branch nothing to learn */
export function checkBranches(config: SentimentConfig): void {
  const refuse = (what: string): never => {
    throw new ConfigError(
      `The schedule ${config.schedule} trains each modality by its own loss: ${what}, or schedule bp`,
    );
  };
  if (!['shared-private', 'self-mm'].includes(modelTitle(config.model))) {
    refuse(`expected the model shared-private or self-mm, got ${modelTitle(config.model)}; choose one of them`);
  }
  if (config.alignment?.on === 'projected') {
    refuse(
      "projections belong to no branch; set alignment.on to 'feature' (with modelOptions.out of equal widths) or 'post'",
    );
  }
  const heads = config.unimodal ? (config.unimodal.modalities ?? config.modalities) : [];
  const idle = config.modalities.filter((name) => !heads.includes(name));
  if (idle.length > 0) refuse(`no head of ${idle.join(', ')} is trained; name it in unimodal.modalities`);
}
