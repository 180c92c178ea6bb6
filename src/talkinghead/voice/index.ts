/** Speech to the motion of a mouth. */
export { type AlignOptions, alignWords, PronunciationDictionary } from './align.js';
export {
  assessExact,
  assessSeen,
  type ExactScores,
  loudnessOpening,
  type MouthMaker,
  modelOpening,
  type SeenScores,
} from './assess.js';
export type { SeenMouth, VoiceClip } from './clip-store.js';
export type { TimedSound } from './coarticulation.js';
export { type Condition, conditions } from './conditions.js';
export { readVoiceConfig, type VoiceConfig, voiceRecipes } from './config.js';
export {
  crossValidateEmotion,
  EmotionModel,
  type EmotionScores,
  emoDbNames,
  emotionSettings,
  readEmoDb,
  shippedEmotion,
  trainEmotion,
} from './emotion.js';
export { hear } from './hearing.js';
export { voiceRate } from './mel-stream.js';
export { VoiceNetwork } from './network.js';
export { prepareVoiceData, type VoiceData, type VoiceDataOptions } from './prepare-clips.js';
export { Prosody } from './prosody.js';
export { trainVoice, type VoiceResult, type VoiceRunOptions, type VoiceScores } from './run.js';
export { type PhonemeSpeechOptions, speechFromPhonemes } from './speech-from-phonemes.js';
export { type SpokenText, type SynthesisOptions, synthesise } from './synthesisers.js';
export { VoiceTrainer } from './trainer.js';
export type { SoundAlphabet } from './visemes.js';
export { shippedVoice, type VoiceNumbers } from './voice-file.js';
export { VoiceModel, type VoiceStream } from './voice-model.js';
