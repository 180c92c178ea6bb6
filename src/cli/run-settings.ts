// What the flags of a command line say of every run, whatever its model and data.
import type { RunConfig } from '../pipeline/index.js';
import type { ModelFlags, TrainFlags } from './options.js';

/** What `compare` and `plan` leave to their defaults. */
export type RunFlags = ModelFlags & Partial<Omit<TrainFlags, keyof ModelFlags>>;

export function settingsOf(flags: RunFlags) {
  return {
    schedule: flags.schedule ?? 'ppll',
    stages: flags.stages,
    replicas: flags.replicas === 1 ? undefined : flags.replicas,
    syncBatchNorm: flags.syncBatchNorm || undefined,
    cut: flags.cut,
    init: flags.init,
    freeze: flags.freeze,
    seed: flags.seed,
    threads: flags.threads,
    devices: flags.devices,
    queueCapacity: flags.queue,
    compute: flags.compute === 'bfloat16' ? flags.compute : undefined,
    wire: flags.wire === 'bfloat16' ? flags.wire : undefined,
    evalEvery: flags.evalEvery ?? 1,
    patience: flags.patience,
    checkpointEvery: flags.checkpointEvery ?? 0,
    allowNaN: flags.allowNan ?? false,
    out: flags.out ?? null,
  } satisfies Partial<RunConfig>;
}
