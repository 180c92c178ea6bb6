/** Speech to the motion of a mouth. */

export { voiceRate } from './mel-stream.js';
export { VoiceModel, type VoiceStream } from './voice-model.js';
