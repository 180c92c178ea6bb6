/// <reference lib="esnext.disposable" preserve="true" />
/** Features of recordings and videos, in rows: of sound and of faces; where something is said, by pauses, subtitles or recognition. */
export {
  type AudioExtractor,
  audioExtractor,
  audioExtractors,
  extractAudio,
  type FeatureRows,
  logMelFeatures,
  speechFeatures,
} from './audio.js';
export { importExtractor, type VisionExtractor } from './own.js';
export {
  type HeardWords,
  loadRecogniser,
  type RecogniserOptions,
  recogniseSpans,
  type SpeechRecogniser,
} from './recognise.js';
export {
  LazySequences,
  type MemoryOptions,
  type PackedLayout,
  PackedSequences,
  SelectedSequences,
  type SequenceFeatures,
  type SequenceSource,
  storeSequences,
} from './sequences.js';
export {
  type CleanCounts,
  checkFeatureSpecs,
  type ExportRef,
  type FeatureSpec,
  type FeatureSpecs,
  type Modality,
  modalities,
} from './specs.js';
export { fitSubtitles, parseSubtitles, readSubtitles } from './subtitles.js';
export { checkSpans, cutAtPauses, type PauseOptions, type SpokenSpan } from './utterances.js';
export {
  extractVision,
  meanExpressions,
  type VisionRows,
  visionColumns,
  visionRow,
  visionRows,
  visionSpec,
} from './vision.js';
