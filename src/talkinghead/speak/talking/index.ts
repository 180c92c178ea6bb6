/** The second stage: who, how and where to pictures that speak. */
export { coderLooker, type Looker, perceptualLoss, vggLooker } from './perceptual.js';
export { type HeadNumbers, PoseMap } from './pose-map.js';
export { type SoundEncoder, soundEncoder } from './sound-encoder.js';
export { coderOf } from './talking-base.js';
export {
  soundAround,
  type TalkingBatch,
  type TalkingDraw,
  TalkingSource,
  talkingBatch,
} from './talking-batch.js';
export {
  type EmotionFrom,
  type PortraitFrom,
  readTalkingConfig,
  type SyncTarget,
  type TalkingConfig,
  type TalkingWeights,
  talkingRecipes,
} from './talking-config.js';
export { landmarkLoss, syncLoss, type TalkingJudges, talkingLosses } from './talking-losses.js';
export { type Framing, knownOf, loadTalking, saveTalking, type TalkingModel } from './talking-model.js';
export { hearAll, type TalkingResult, type TalkingRunOptions, trainTalking } from './talking-run.js';
export { type TalkingBase, TalkingTrainer, talkingShape } from './talking-trainer.js';
