/** Speech, a head and its motion to pictures and files. */
export {
  type Actor,
  type AnimateOptions,
  Animation,
} from './animation.js';
export { Film, type Moment, syntheticComment, type WriteOptions } from './film.js';
export type { KnownSounds } from './transcript.js';
