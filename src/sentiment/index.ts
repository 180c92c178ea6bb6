/** Multimodal sentiment: the data sets, the losses, the unimodal labels, the metrics and the statistics of runs. */
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
export * from './datasets/index.js';
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
export { SharedProjections, type SharedProjectionsOptions } from './projections.js';
export { type ClassificationMetrics, type ClassScore, classificationMetrics, type Numbers } from './scores.js';
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
export { type BertInput, BertModel, type BertOptions, type BertResult } from './text/bert.js';
export { type BertConfig, parseBertConfig, readBertConfig } from './text/bert-config.js';
export { BertEncoder, type BertEncoderOptions } from './text/bert-encoder.js';
export { loadBertWeights } from './text/bert-weights.js';
export { type TextReader, textReader } from './text/build.js';
export { type EncodedText, TextEncoder } from './text/encoder.js';
export { type FeaturePool, FeatureText, type FeatureTextOptions } from './text/feature-text.js';
export { type TextTokenizer, WordTokenizer } from './text/tokenizer.js';
export { type WordPieceOptions, WordPieceTokenizer } from './text/wordpiece.js';
export { WordEncoder, type WordEncoderOptions } from './text/words.js';
export { UnimodalLabels, type UnimodalLabelsOptions } from './ulgm.js';
export { generateLabels, momentumLabels, relativeDistance } from './ulgm-formulas.js';
