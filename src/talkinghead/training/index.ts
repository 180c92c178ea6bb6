/** What trainings of this folder share. */
export { Chance } from './chance.js';
export type { StepHooks, StepRecord, TrainState } from './steps.js';
