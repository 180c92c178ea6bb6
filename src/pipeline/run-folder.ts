/** The folder of a run: its configuration, who owns it, and what is swept when. */
import { accessSync, constants, existsSync, mkdirSync, readdirSync, rmdirSync, rmSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
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
import { holdsEvents } from '../run/events.js';
import { ConfigError, DataError } from '../torch/index.js';
import {
  type CheckpointState,
  checkpointFolder,
  commitBest,
  commitState,
  hasCheckpoint,
  readCheckpointState,
  removeShard,
  sweepCheckpoints,
} from './checkpoint.js';
import { CheckpointCommits } from './checkpoint-commits.js';
import type { RunConfig } from './config.js';
import { isRunConfig } from './config-check.js';
import { keptFolder } from './recovery.js';
import type { BestState, Selection } from './selection.js';
import type { FolderMark } from './wiring.js';

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

/** Whether a run goes on: not, from its checkpoint, or from it where there is one ('auto', for runs that are started again). */
export type Resume = boolean | 'auto';

/** A run's folder, owned by this run until it is closed. */
export class RunFolder {
  /** What the run goes on from. */
  readonly checkpoint: CheckpointState | null;
  readonly #lock: FolderLock;
  /** The first of the folders that had to be made for it; undefined where it was there. */
  readonly #made: string | undefined;
  /** Whether what lies in it is that of a run. */
  #begun: boolean;

  /**
   * Makes the folder ready and takes its lock.
   * @param rejoins - whether other ranks are at work on the run, which this process had left
   * @throws ConfigError where it holds a run and `resume` is not set, or none and it is; where another process owns it, or
   * where it cannot be written to
   */
  constructor(
    readonly path: string,
    resume: Resume,
    rejoins = false,
  ) {
    requireState(path, resume);
    try {
      this.#made = mkdirSync(path, { recursive: true });
      accessSync(path, constants.W_OK);
    } catch (cause) {
      throw new ConfigError(`Expected a folder that can be written to, got ${path}: ${(cause as Error).message}`, {
        cause,
      });
    }
    // A cluster that starts a run anew, perhaps on another machine, has seen the end of the one before.
    this.#lock = FolderLock.take(path, { elsewhereIsDead: resume === 'auto' });
    try {
      requireState(path, resume); // it may have changed while another process had the lock
      this.checkpoint = goesOn(path, resume) ? readCheckpointState(path) : null;
      this.#begun = rejoins || this.checkpoint !== null;
      if (rejoins) return; // what lies there may be what other ranks write
      sweepUnfinished(path);
      sweepCheckpoints(path);
      if (this.checkpoint === null) removeTraces(path);
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

  /** Tells ranks that see this folder from those that do not. */
  get mark(): FolderMark {
    const { path, token } = this.#lock.mark;
    return { path: resolve(path), token };
  }

  describe(config: RunConfig, input: RunInput): void {
    this.#begun = true;
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

  /** The best weights so far of the run. */
  get best(): BestState | null {
    return hasCheckpoint(this.path, true) ? (readCheckpointState(this.path, true) as BestState) : null;
  }

  /** Those of this session. */
  bestCommits(stages: number, cut: readonly number[], selection: Selection): CheckpointCommits {
    const commit = (state: BestState): void => {
      this.check();
      commitBest(this.path, state);
    };
    return selection.commits(stages, cut, { commit, remove: (file) => removeShard(this.path, file) });
  }

  /**
   * Removes checkpoints that were given up, and the folder of a run that was refused before it began, and lets go. To be called
   * when no thread of the run writes any more.
   */
  close(): void {
    try {
      if (!this.#lock.stands()) return;
      sweepCheckpoints(this.path);
      rmSync(keptFolder(this.path), { recursive: true, force: true });
    } catch {
      // What is left over is swept by the next session; an error of the run itself must not be hidden.
    } finally {
      this.#lock.release();
      if (!this.#begun) this.#unmake();
    }
  }

  /** Removes what was made for the run, as far as nothing lies in it. */
  #unmake(): void {
    const made: string[] = [checkpointFolder(this.path)];
    const first = this.#made === undefined ? null : resolve(this.#made);
    for (let folder = resolve(this.path); first !== null && folder.startsWith(first); folder = dirname(folder))
      made.push(folder);
    try {
      for (const folder of made) rmdirSync(folder);
    } catch {
      // Something lies in it, which is not this run's.
    }
  }
}

const goesOn = (path: string, resume: Resume): boolean => (resume === 'auto' ? hasCheckpoint(path) : resume);

function requireState(path: string, wish: Resume): void {
  const resume = goesOn(path, wish);
  if (resume && !hasCheckpoint(path)) {
    throw new ConfigError(`Expected a checkpoint in ${checkpointFolder(path)} to resume from, found none.`);
  }
  if (!resume && hasCheckpoint(path)) {
    throw new ConfigError(`${path} holds a run already: resume it (resume: true), or give another folder.`);
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
    if (holdsEvents(name) || name === 'metrics.json') rmSync(join(path, name), { force: true });
  }
}
