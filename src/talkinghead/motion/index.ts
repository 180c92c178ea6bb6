/** Motion over time: tracks, read and written. */
export { MotionTrack, type TrackReadOptions, type TrackValues } from './track.js';
