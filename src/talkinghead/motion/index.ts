/** Motion over time: tracks, read and written, and performances. */
export type { MotionFrame, SpeechFrame } from './frame.js';
export { Performer, type PerformerOptions } from './performer.js';
export { emotionWeights } from './recipes.js';
export { MotionTrack, type TrackReadOptions, type TrackValues } from './track.js';
