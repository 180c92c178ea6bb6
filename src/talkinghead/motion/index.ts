/** Motion over time: tracks, read and written, plans, and performances. */
export { closeLids, composeFace, compositionRules, type FaceParts, raiseBrows } from './compose.js';
export {
  type EmotionMix,
  type EmotionPlan,
  type EmotionSpan,
  emotionMix,
  type Mood,
  type MoodName,
  parseEmotion,
} from './emotion-plan.js';
export { mixEmotions } from './expression.js';
export type { MotionFrame, SpeechFrame } from './frame.js';
export { lipGap } from './lips.js';
export { Performer } from './performer.js';
export type { PerformerOptions } from './performer-options.js';
export { type AxisMotion, type PoseAxis, type PosePlan, parsePose, poseAt } from './pose-plan.js';
export { emotionWeights } from './recipes.js';
export { motionFrames, recordMotion } from './record.js';
export { RowSmoother, type SmoothingOptions, smoothRows, smoothTrack } from './smoothing.js';
export type { EmotionSource, PoseSource } from './source.js';
export { MotionTrack, type TrackReadOptions, type TrackValues } from './track.js';
