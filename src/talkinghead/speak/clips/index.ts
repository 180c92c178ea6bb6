/** Clips of people who speak, as networks of sound and pictures take them. */
export { cutMouths, hideMouths, type MouthSquare, mouthSquare } from './mouths.js';
export { columnsPerFrame, soundColumns } from './sound-columns.js';
export {
  type ClipNeeds,
  checkClips,
  loadClips as loadSpeakClips,
  type SpeakClip,
  type SpeakClips,
  type UsableClips,
} from './speak-clips.js';
