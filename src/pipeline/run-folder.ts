/** The folder of a run: its configuration, who owns it, and what is swept when. */
import { accessSync, constants, existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { TransformSpec } from '../data/index.js';
import {
  FolderLock,
  isAnything,
  isList,
  isObject,
  isText,
  orNull,
  readJsonFile,
  sweepUnfinished,
  writeFileAtomic,
} from '../io/index.js';
import { ConfigError, DataError } from '../torch/index.js';
import {
  type CheckpointState,
  checkpointFolder,
  commitState,
  hasCheckpoint,
  readCheckpointState,
  removeShard,
  sweepCheckpoints,
} from './checkpoint.js';
import { CheckpointCommits } from './checkpoint-commits.js';
import type { RunConfig } from './config.js';
import { isRunConfig } from './config-check.js';

/** How a trained model wants its input, kept in the run's folder: the data it was trained on may be gone. */
export interface RunInput {
  readonly classes: readonly string[] | null;
  readonly transforms: readonly TransformSpec[];
}

const CONFIG = 'config.json';
const INPUT = 'input.json';

const isInput = isObject({
  classes: orNull(isList(isText)),
  transforms: isList(isObject({ kind: isText, options: isAnything })),
});

/**
 * What the folder of a run says of its input. Null for runs that kept nothing.
 * @throws DataError where the file is damaged
 */
export function readRunInput(out: string): RunInput | null {
  const path = join(out, INPUT);
  return existsSync(path) ? readJsonFile(path, 'what a model takes', isInput) : null;
}

/**
 * Reads the configuration that a run's folder holds.
 * @throws ConfigError where there is none
 * @throws DataError where it is damaged, naming its faults
 */
export function readRunConfig(out: string): RunConfig {
  const path = join(out, CONFIG);
  if (!existsSync(path)) throw new ConfigError(`Expected the folder of a run with a config.json, got ${out}.`);
  return { ...readJsonFile<RunConfig>(path, 'the configuration of a run', isRunConfig), out };
}

/** A run's folder, owned by this run until it is closed. */
export class RunFolder {
  /** What the run goes on from. */
  readonly checkpoint: CheckpointState | null;
  readonly #lock: FolderLock;

  /**
   * Makes the folder ready and takes its lock.
   * @throws ConfigError where it holds a run and `resume` is not set, or none and it is; where another process owns it, or
   * where it cannot be written to
   */
  constructor(
    readonly path: string,
    resume: boolean,
  ) {
    requireState(path, resume);
    try {
      mkdirSync(path, { recursive: true });
      accessSync(path, constants.W_OK);
    } catch (cause) {
      throw new ConfigError(`Expected a folder that can be written to, got ${path}: ${(cause as Error).message}`, {
        cause,
      });
    }
    this.#lock = FolderLock.take(path);
    try {
      requireState(path, resume); // it may have changed while another process had the lock
      this.checkpoint = resume ? readCheckpointState(path) : null;
      sweepUnfinished(path);
      sweepCheckpoints(path);
      if (!resume) removeTraces(path);
    } catch (error) {
      this.#lock.release();
      throw error;
    }
  }

  /** @throws DataError where the folder was removed, and perhaps made anew by another run */
  check(): void {
    if (this.#lock.stands()) return;
    throw new DataError(`${this.path} is not this run's any more: it, or the lock in it, was removed meanwhile`);
  }

  describe(config: RunConfig, input: RunInput): void {
    writeFileAtomic(join(this.path, CONFIG), `${JSON.stringify(config, null, 2)}\n`);
    writeFileAtomic(join(this.path, INPUT), `${JSON.stringify(input, null, 2)}\n`);
  }

  /** The checkpoints of this session. @param stages - that save a part of each */
  commits(stages: number, cut: readonly number[]): CheckpointCommits {
    const store = {
      commit: (state: CheckpointState, keys: ReadonlyMap<string, readonly string[]>) => {
        this.check();
        commitState(this.path, state, keys);
      },
      remove: (file: string) => removeShard(this.path, file),
    };
    return new CheckpointCommits(stages, cut, store, this.checkpoint);
  }

  /** Removes checkpoints that were given up, and lets go. To be called when no thread of the run writes any more. */
  close(): void {
    try {
      if (this.#lock.stands()) sweepCheckpoints(this.path);
    } catch {
      // What is left over is swept by the next session; an error of the run itself must not be hidden.
    } finally {
      this.#lock.release();
    }
  }
}

function requireState(path: string, resume: boolean): void {
  if (resume && !hasCheckpoint(path)) {
    throw new ConfigError(`Expected a checkpoint in ${checkpointFolder(path)} to resume from, found none.`);
  }
  if (!resume && hasCheckpoint(path)) {
    throw new ConfigError(`${path} holds a run already: resume it (--resume), or give another folder.`);
  }
  if (!resume && holdsSomethingElse(join(path, CONFIG))) {
    throw new ConfigError(`${path} holds a config.json that is not of a run like this: give another folder.`);
  }
}

/** A sentiment model's folder, say: its configuration must not be overwritten. One cut short may be of a run that died. */
function holdsSomethingElse(path: string): boolean {
  if (!existsSync(path)) return false;
  try {
    return isObject({ modelName: isText, schedule: isText })(readJsonFile(path, 'a configuration'), '').length > 0;
  } catch {
    return false;
  }
}

/** Events and metrics of a session that came to no checkpoint: those of the run that begins now must not mix with them. */
function removeTraces(path: string): void {
  for (const name of readdirSync(path)) {
    if (/^events-\d+\.jsonl$/.test(name) || name === 'metrics.json') rmSync(join(path, name), { force: true });
  }
}
