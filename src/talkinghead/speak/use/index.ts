/** Trained models of SPEAK in use. */

export { type Control, type ControlFigures, type ControlRow, type ControlRowName, controlRows } from './control.js';
export { type Mode, modes } from './modes.js';
export { type SourceCodes, type SourceHooks, sourceCodes } from './sources.js';
export { evaluateSpeak, type Refusal, type SpeakEvaluateOptions, type SpeakEvaluation } from './speak-evaluation.js';
export { type FollowedFile, type SpeakAnimateOptions, SpeakFilm } from './speak-film.js';
export { SpeakHead, type SpeakHeadOptions } from './speak-head.js';
