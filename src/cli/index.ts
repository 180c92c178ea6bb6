/// <reference lib="esnext.disposable" preserve="true" />
/** The command line, for programs that embed it: every verb and option, and how a run is configured. */
export { buildProgram } from './program.js';
export { PartsProgress, ReadingProgress, StepProgress } from './reading.js';
