/** The networks that a second stage stands on, by its settings. */
import { ConfigError, manualSeed } from '../../../torch/index.js';
import { type CoderShape, FaceCoder, type Irfd } from '../irfd.js';
import { loadIrfd } from '../irfd-run.js';
import { checkRate, loadSync } from '../sync/sync-run.js';
import { coderLooker, vggLooker } from './perceptual.js';
import type { TalkingConfig } from './talking-config.js';
import type { SyncJudge, TalkingJudges } from './talking-losses.js';

/** The encoders of IRFD alone, with weights of their own. */
export function coderOf(model: Irfd, shape: CoderShape): FaceCoder {
  const coder = new FaceCoder(shape);
  const own = new Map([...model.stateDict()].filter(([key]) => /^(identity|emotion|pose)\./.test(key)));
  coder.loadStateDict(own);
  return coder.eval();
}

/** The encoders that a training begins with: IRFD's, or of the same shape and without knowledge. */
export function startOf({ encoders, seed }: TalkingConfig, model: Irfd, shape: CoderShape): FaceCoder {
  if (encoders === 'irfd') return coderOf(model, shape);
  manualSeed(seed);
  return new FaceCoder(shape);
}

/**
 * What judges the pictures.
 * @param fps - of the clips @param data - their folder, for messages
 * @throws ConfigError, DataError
 */
export function judgesOf(config: TalkingConfig, coder: Irfd, fps: number, data: string): TalkingJudges {
  const sync = syncOf(config, fps, data);
  const looker = config.perceptual === 'irfd' ? coderLooker(loadIrfd(config.irfd).model) : vggLooker(config.perceptual);
  return { looker, sync, coder };
}

function syncOf(config: TalkingConfig, fps: number, data: string): SyncJudge | null {
  if (config.loss.sync === 0) return null;
  const sync = loadSync(config.sync);
  checkRate(sync.fps, fps, data);
  const { frames } = sync.config.network;
  if (frames !== config.frames)
    throw new ConfigError(
      `Expected frames to be ${frames}, of which the sync network ${config.sync} takes a window, got ${config.frames}`,
    );
  return { network: sync.network, size: sync.config.size };
}
