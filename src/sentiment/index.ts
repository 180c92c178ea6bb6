/// <reference lib="esnext.disposable" preserve="true" />
/** Multimodal sentiment: the data sets, the losses, the unimodal labels, the metrics and the statistics of runs. */

export * from '../features/index.js';
export * from '../text/index.js';
export {
  type AblationOutcome,
  type AblationPart,
  type AblationRow,
  ablationParts,
  ablationRows,
  compareRows,
  resultTable,
  verdict,
} from './ablation.js';
export {
  type AlignmentOptions,
  type AlignmentReport,
  type AlignmentTerm,
  alignmentLoss,
  alignmentNoiseFloor,
  alignmentReport,
  alignmentTerms,
  coral,
  correlation,
  covariance,
  type FeatureMatrices,
} from './alignment.js';
export { type BranchOptions, type BranchTimes, BranchTrainer } from './branch-run.js';
export {
  beginFolder,
  type LoadedModel,
  loadModel,
  readResults,
  type SentimentManifest,
  writeResult,
} from './bundle.js';
export {
  type AlignmentConfig,
  checkSentimentConfig,
  type GroupConfig,
  type SentimentConfig,
  type SentimentSchedule,
  sentimentSchedules,
  type TextConfig,
  type UnimodalConfig,
} from './config.js';
export { constantName, constantScores, likeConstant, spreadOf, trainingConstant } from './constant.js';
export * from './datasets/index.js';
export { metricsOf, predictSplit, type SplitPredictions } from './evaluate.js';
export { type Clip, type ClipOptions, ClipReader, readClip } from './features/clip.js';
export { type ExtractedData, extractDataset, type FailedClip, gatherFeatures } from './features/dataset.js';
export { beginWith, type InitReport } from './init.js';
export {
  type MetricFamily,
  type MetricName,
  type MosiMetrics,
  metricNames,
  mosiMetrics,
  type SimsMetrics,
  type SimsV2Metrics,
  sentimentMetrics,
  simsMetrics,
  simsV2Metrics,
} from './metrics.js';
export * from './models/index.js';
export { differenceWeights, type MultitaskLoss, type MultitaskOptions, multitaskLoss, type Task } from './multitask.js';
export { type NetworkShape, SentimentNetwork } from './network.js';
export { Objective, type ObjectiveParts } from './objective.js';
export {
  type ClipFeatures,
  clipScore,
  predictUtterances,
  type SentimentPrediction,
  type UtteranceInput,
} from './predict.js';
export { featureModalities, type PreparedData, prepareData, prepareTrained } from './prepare.js';
export { SharedProjections, type SharedProjectionsOptions } from './projections.js';
export { type ConfigChanges, readSentimentConfig } from './read-config.js';
export { readManifest } from './read-manifest.js';
export { type SentimentRecipeOptions, sentimentRecipe, sentimentRecipeNames } from './recipes.js';
export { type ClassificationMetrics, type ClassScore, classificationMetrics, type Numbers } from './scores.js';
export type { SeedNotice } from './seed-job.js';
export { packModel, shippedModel } from './shipped.js';
export { parseSentimentSpec } from './spec.js';
export { sentimentSpecs } from './spec-names.js';
export {
  type Comparison,
  compareRuns,
  type Run,
  type Summary,
  studentTQuantile,
  studentTTwoSided,
  summarise,
  summariseRuns,
  type WelchTest,
  welchTest,
} from './statistics.js';
export { type TextReader, textReader } from './text-reader.js';
export { SeedRuns, type TrainSeedsOptions } from './train.js';
export { type EpochRecord, type SeedResult, type SeedState, SeedTrainer } from './train-seed.js';
export { UnimodalLabels, type UnimodalLabelsOptions } from './ulgm.js';
export { generateLabels, momentumLabels, relativeDistance } from './ulgm-formulas.js';
