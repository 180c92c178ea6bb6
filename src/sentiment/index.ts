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
export { UnimodalLabels, type UnimodalLabelsOptions } from './ulgm.js';
export { generateLabels, momentumLabels, relativeDistance } from './ulgm-formulas.js';
