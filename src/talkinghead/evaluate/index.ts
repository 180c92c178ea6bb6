/** Measuring: generated videos beside references, and what the figures are worth. */
export { type AnimationFigures, AnimationReport, type PoseRange } from './animation-report.js';
export {
  type EvaluatedRow,
  type EvaluateOptions,
  type Evaluation,
  evaluatedRows,
  evaluateTalk,
  type Figures,
  type VideoResult,
} from './evaluate.js';
export { jitter, landmarkDistance, mouthOpening } from './landmarks.js';
export { type MetricName, type Metrics, metricNames, metricUnits } from './metrics.js';
export { psnr, ssim } from './pictures.js';
export { bestOffset, Loudness, movement, type Offset } from './sync.js';
