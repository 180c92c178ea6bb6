/// <reference lib="esnext.disposable" preserve="true" />
/** The engine: models cut into stages, trained by pipelines with local learning or backprop. */
export { BackgroundModule, type BackgroundOptions } from './background.js';
export { type CheckpointState, hasCheckpoint, readCheckpointState, type SavedShard } from './checkpoint.js';
export { CheckpointCommits, type CheckpointStore, type SavedPart } from './checkpoint-commits.js';
export { formatColumns } from './columns.js';
export { type CompareOptions, type Comparison, compare, type Variant } from './compare.js';
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
  predict,
} from './evaluate.js';
export * from './events.js';
export { type LoopContext, StageLoop, type Station, splitEvenly } from './loop.js';
export * from './messages.js';
export * from './model.js';
export { ModelStage, type ModelStageOptions } from './model-stage.js';
export * from './plan.js';
export * from './profile.js';
export { chooseCut, type ProfileWatch, profileRun } from './profile-run.js';
export * from './progress.js';
export { type Difference, describeDifferences, differencesOf } from './resume.js';
export { trainingResources } from './run.js';
export { type RunInput, readRunConfig, readRunInput } from './run-folder.js';
export * from './run-sums.js';
export * from './schedule.js';
export * from './simulate.js';
export * from './stage.js';
export { median } from './stats.js';
export * from './task.js';
export * from './train.js';
export { loadRunData, type RunData, type RunResult, Trainer } from './trainer.js';
