/** What trainings of this folder share. */
export type { StepHooks, StepRecord, TrainState } from './steps.js';
