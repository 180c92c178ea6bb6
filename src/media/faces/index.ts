export { FaceAnalyser, type FaceAnalyserOptions } from './analyser.js';
export { overlap } from './boxes.js';
export { CutDetector } from './cut.js';
export {
  descriptorDistance,
  descriptorSize,
  FaceDescriber,
  type FaceDescriberOptions,
  FaceRecognitionNetwork,
  loadRecognitionNetwork,
  type ShownFace,
} from './descriptor.js';
export type { DetectorName, DetectorOptions } from './detector.js';
export { headModel } from './head-model.js';
export { headMoves } from './head-moves.js';
export { centreOf, faceParts, tilt } from './landmarks.js';
export {
  type LoadedSsd,
  loadExpressionNetwork,
  loadLandmarkNetwork,
  loadSsdFaceDetector,
  loadTinyFaceDetector,
} from './load.js';
export { FaceReader, TinyFaceDetector } from './networks.js';
export { fitPose, type PoseFit, type PoseOptions, projectHead } from './pose.js';
export type { FoundFace } from './reader.js';
export { OneEuroFilter, type OneEuroOptions } from './smoothing.js';
export { SsdFaceDetector } from './ssd.js';
export { FaceTracker, type TrackOptions } from './tracker.js';
export {
  type ExpressionName,
  type Expressions,
  expressionNames,
  type Face,
  type FaceBox,
  type FaceDetection,
  type HeadPose,
  landmarkCount,
} from './types.js';
