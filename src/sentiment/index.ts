/// <reference lib="esnext.disposable" preserve="true" />
/** Multimodal sentiment: the data sets, the losses, the unimodal labels, the metrics and the statistics of runs. */

export * from '../features/index.js';
export {
  type Comparison,
  compareRuns,
  type PairedTest,
  pairedTest,
  type Run,
  type Summary,
  studentTQuantile,
  studentTTwoSided,
  summarise,
  summariseRuns,
  type WelchTest,
  welchTest,
} from '../report/statistics.js';
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
  type AlignmentLossName,
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
export { canonicalLoss, contrastiveLoss } from './alignment-pairs.js';
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
export type { EpochRecord, Learner, SeedState } from './learner.js';
export {
  type MetricFamily,
  type MetricName,
  type MosiMetrics,
  metricNames,
  metricTitle,
  mosiMetrics,
  type SimsMetrics,
  type SimsV2Metrics,
  sentimentMetrics,
  simsMetrics,
  simsV2Metrics,
} from './metrics.js';
export { mmsaScore, mmsaScores, mmsaSettings } from './mmsa-names.js';
export * from './models/index.js';
export { differenceWeights, type MultitaskLoss, type MultitaskOptions, multitaskLoss, type Task } from './multitask.js';
export { type NetworkShape, SentimentNetwork } from './network.js';
export { Objective, type ObjectiveParts } from './objective.js';
export { packModel } from './pack.js';
export {
  type ClipFeatures,
  clipScore,
  predictUtterances,
  type SentimentPrediction,
  type UtteranceInput,
} from './predict.js';
export { featureModalities, ownFeatures, type PreparedData, prepareData, prepareTrained } from './prepare.js';
export { type ProbeReport, probe, probeFactors } from './probes.js';
export { SharedProjections, type SharedProjectionsOptions } from './projections.js';
export { type ConfigChanges, readSentimentConfig } from './read-config.js';
export { readManifest } from './read-manifest.js';
export { calibrationError, fitTemperature, fitThreshold } from './reader/calibrate.js';
export { careless } from './reader/careless.js';
export { plainText } from './reader/corpora.js';
export { TextCutter } from './reader/cut-text.js';
export {
  explainText,
  readSentences,
  type SentenceReading,
  sentencesOf,
  type WordEffect,
} from './reader/explain.js';
export { type FinetunePlaces, prepareFinetuning } from './reader/finetune.js';
export { type FinetuneConfig, finetuneRecipes, readFinetuneConfig } from './reader/finetune-config.js';
export { holdsReader, shippedModel } from './reader/folder.js';
export { unnamed } from './reader/groups.js';
export { keepReader, readerFolder } from './reader/keep-reader.js';
export {
  classNames,
  type EmotionName,
  ekmanGroups,
  emotionNames,
  type LabelKind,
  type Labels,
  labelReaders,
  type TweetEmotion,
  tweetEmotions,
} from './reader/labels.js';
export { type MaskedModelOptions, maskedModel, maskedModelling } from './reader/masked-model.js';
export { type MaskedOptions, MaskedTokens } from './reader/masked-tokens.js';
export { drawer, phraseExamples } from './reader/phrases.js';
export { encoderFolder, keepEncoder, type PretrainPlaces, preparePretraining } from './reader/pretrain.js';
export { type PretrainConfig, pretrainRecipes, readPretrainConfig } from './reader/pretrain-config.js';
export { type ReadOptions, readUtterances, type UtteranceReading } from './reader/read-utterances.js';
export { type ReaderManifest, SentimentReader, type TextReading } from './reader/reader.js';
export { type HeadOptions, type ReaderModelOptions, readerModel } from './reader/reader-model.js';
export { type ReaderPrediction, type ReaderScores, readerScores } from './reader/reader-scores.js';
export { type Example, examplesOf, type SetConfig } from './reader/sets.js';
export { type SentimentRecipeOptions, sentimentRecipe, sentimentRecipeNames } from './recipes.js';
export { type ClassificationMetrics, type ClassScore, classificationMetrics, type Numbers } from './scores.js';
export type { SeedNotice } from './seed-job.js';
export { parseSentimentSpec } from './spec.js';
export { sentimentSpecs } from './spec-names.js';
export { type TextReader, textReader } from './text-reader.js';
export { SeedRuns, type TrainSeedsOptions } from './train.js';
export { type BranchTimes, type SeedHooks, type SeedOptions, type SeedResult, SeedTrainer } from './train-seed.js';
export { UnimodalLabels, type UnimodalLabelsOptions } from './ulgm.js';
export { generateLabels, momentumLabels, relativeDistance } from './ulgm-formulas.js';
export { WholeLearner } from './whole-learner.js';
