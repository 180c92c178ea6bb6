/** Experiments: what each part of a training is worth. */
export {
  type ExperimentHooks,
  type ExperimentKind,
  type ExperimentOptions,
  type RowResult,
  type RowResults,
  rowFolder,
  runExperiment,
} from './experiment.js';
export { irfdExperiment, irfdFigures, speakExperiment, speakFigures } from './kinds.js';
export { chosenRows, type ExperimentRow, irfdRows, speakRows } from './rows.js';
