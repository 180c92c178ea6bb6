/** Faces drawn without a photograph, with labels. */
export { type AnalyserGain, type AnalyserGainOptions, type AxisGain, analyserGain, axisGain } from './gain.js';
export { type LabelFacts, labelOf, readLabels, type SyntheticLabel } from './labels.js';
export {
  faceOfItem,
  makeSyntheticSet,
  readSetSettings,
  type SyntheticSetOptions,
  type SyntheticSetResult,
  type SyntheticSetSettings,
} from './make-set.js';
export { makeSpeechClips, type SpeechClipsOptions, type SpeechClipsResult } from './speech-clips.js';
export { FaceStage, type StageOptions } from './stage.js';
export {
  SyntheticFace,
  type SyntheticFaceOptions,
  type SyntheticFrame,
  type SyntheticFrameOptions,
} from './synthetic-face.js';
export { type HairStyle, hairStyles, type PersonTraits } from './traits.js';
