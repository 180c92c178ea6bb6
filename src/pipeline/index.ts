/// <reference lib="esnext.disposable" preserve="true" />
/** The engine: models cut into stages, trained by pipelines with local learning or backprop. */
export { duration, formatColumns, median } from '../report/index.js';
export * from '../run/index.js';
export { BackgroundModule, type BackgroundOptions } from './background.js';
export { type CheckpointState, hasCheckpoint, readCheckpointState, type SavedShard } from './checkpoint.js';
export { CheckpointCommits, type CheckpointStore, type SavedPart } from './checkpoint-commits.js';
export { type CompareOptions, type Comparison, compare, type Variant } from './compare.js';
export { type ComputeType, computeTypes, computing } from './compute.js';
export {
  completeConfig,
  type FaultConfig,
  type LrScheduleConfig,
  learningRate,
  type OptimizerConfig,
  type RunConfig,
  type RunSettings,
  runDefaults,
} from './config.js';
export { checkConfig, checkDevices } from './config-check.js';
export {
  type Evaluation,
  evaluate,
  evenCut,
  exportModel,
  type InferenceOptions,
  loadModel,
  type PredictOptions,
  predict,
} from './evaluate.js';
export { faultsOf } from './faults.js';
export { FEED_CAPACITY, type FedNotice, Feed, type FeedOptions } from './feed.js';
export { jobOf, keepThreads, trainingResources } from './kept-threads.js';
export { type LoopContext, StageLoop, type Station } from './loop.js';
export * from './messages.js';
export * from './model.js';
export { ModelStage, type ModelStageOptions } from './model-stage.js';
export { namesNotFinite } from './not-finite.js';
export { splitEvenly } from './parts.js';
export * from './plan.js';
export { formatPlan } from './plan-text.js';
export type { Post } from './post.js';
export * from './profile.js';
export { chooseCut, type ProfileWatch, profileRun } from './profile-run.js';
export type { Program } from './program.js';
export type { RankRun } from './rank-messages.js';
export { checkRanks, nextRun, overRanks, type RankOptions } from './ranks.js';
export { type RunInput, readRunConfig, readRunInput } from './run-folder.js';
export * from './scale.js';
export * from './schedule.js';
export type { BestEvaluation } from './selection.js';
export * from './simulate.js';
export * from './stage.js';
export * from './task.js';
export { type EndNotice, Threads } from './threads.js';
export * from './train.js';
export { loadRunData, type RunData, type RunResult, Trainer, type TrainerOptions } from './trainer.js';
export {
  type Edge,
  edgeLayer,
  LOADER,
  type ProgramPlan,
  type StationJob,
  type ThreadJob,
  type Wiring,
} from './wiring.js';
