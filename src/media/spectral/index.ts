/** Spectra and what is made of them, on tensors. Names, defaults and values are librosa's, but for the constant-Q transform. */
export { type ChromaOptions, chromaCqt, chromaFilters, chromaStft } from './chroma.js';
export { type ConstantQOptions, constantQ } from './constant-q.js';
export { amplitudeToDb, type DecibelOptions, powerToDb } from './decibels.js';
export type { PadMode, WindowName } from './frames.js';
export {
  hzToMel,
  logMel,
  type MelOptions,
  type MelSpectrogramOptions,
  type MfccOptions,
  melFilters,
  melSpectrogram,
  melToHz,
  mfcc,
} from './mel.js';
export { fftFrequencies, type StftOptions, spectrogram, stft } from './stft.js';
export { type FrameOptions as SampleFrameOptions, rms, zeroCrossingRate } from './time-domain.js';
export { estimateTuning, type TuningOptions } from './tuning.js';
