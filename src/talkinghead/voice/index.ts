/** Speech to the motion of a mouth. */
export { VoiceModel, type VoiceStream } from './voice-model.js';
