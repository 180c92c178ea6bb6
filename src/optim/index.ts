/// <reference lib="esnext.disposable" preserve="true" />
export { Adadelta, type AdadeltaHyperparameters, Adagrad, type AdagradHyperparameters } from './adagrad.js';
export { Adam, type AdamHyperparameters, AdamW } from './adam.js';
export {
  Adamax,
  type AdamVariantHyperparameters,
  NAdam,
  type NadamHyperparameters,
  RAdam,
} from './adam-variants.js';
export * from './averaged.js';
export { type ClipOptions, clipGradNorm_, clipGradValue_ } from './clip.js';
export * from './cosine.js';
export { LBFGS, type LbfgsHyperparameters, type LbfgsOptions } from './lbfgs.js';
export { OneCycleLR, type OneCycleOptions } from './onecycle.js';
export {
  type GroupOptions,
  type Hyperparameters,
  Optimizer,
  type OptimizerState,
  type ParamGroup,
  type Params,
  type Update,
} from './optimizer.js';
export { type PlateauOptions, type PlateauState, ReduceLROnPlateau } from './plateau.js';
export { RMSprop, type RmspropHyperparameters } from './rmsprop.js';
export { ASGD, type AsgdHyperparameters, Rprop, type RpropHyperparameters } from './rprop.js';
export {
  ConstantLR,
  type ConstantOptions,
  ExponentialLR,
  type ExponentialOptions,
  LambdaLR,
  LinearLR,
  type LinearOptions,
  LRScheduler,
  MultiStepLR,
  type MultiStepOptions,
  PolynomialLR,
  type PolynomialOptions,
  type Scheduled,
  type SchedulerState,
  SequentialLR,
  StepLR,
  type StepOptions,
} from './schedulers.js';
export { SGD, type SgdHyperparameters, type SgdOptions } from './sgd.js';
export type { TorchOptimizerState } from './torch-state.js';
