import { ConfigError } from '../torch/errors.js';
import type { TalkAnimateFlags } from './talk-program.js';

/** `headrace talk animate`. */
export async function animateTalk(flags: TalkAnimateFlags): Promise<void> {
  throw new ConfigError(`${flags.portrait}: not built yet`);
}
