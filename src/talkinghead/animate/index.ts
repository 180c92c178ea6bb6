/** Speech, a head and its motion to pictures and files. */
export {
  type Actor,
  type AnimateOptions,
  Animation,
  syntheticComment,
  type WriteOptions,
} from './animation.js';
export type { KnownSounds } from './transcript.js';
