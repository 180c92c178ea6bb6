// What the flags of a command line say of every run, whatever its model and data.
import type { RunConfig } from '../pipeline/index.js';
import type { ModelFlags, TrainFlags } from './options.js';

/** What `compare` and `plan` leave to their defaults. */
export type RunFlags = ModelFlags & Partial<Omit<TrainFlags, keyof ModelFlags>>;

export function settingsOf(flags: RunFlags) {
  return {
    schedule: flags.schedule ?? 'ppll',
    stages: flags.stages,
    cut: flags.cut,
    init: flags.init,
    freeze: flags.freeze,
    seed: flags.seed,
    threads: flags.threads,
    devices: flags.devices,
    queueCapacity: flags.queue,
    evalEvery: flags.evalEvery ?? 1,
    checkpointEvery: flags.checkpointEvery ?? 0,
    allowNaN: flags.allowNan ?? false,
    out: flags.out ?? null,
  } satisfies Partial<RunConfig>;
}
