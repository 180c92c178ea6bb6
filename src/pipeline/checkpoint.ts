/**
 * Checkpoints: one logical model in sharded safetensors with PyTorch's key names, and beside it the heads and the
 * optimizers' state, so that any number of stages goes on from it. `state.json` names the files and is replaced last:
 * until then the previous checkpoint is whole, afterwards this one is. Who writes and removes what, and when, is told in
 * checkpoint-commits.ts.
 */
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import {
  isList,
  isObject,
  isWhole,
  leaf,
  orNull,
  readJsonFile,
  SafetensorsFile,
  saveSafetensors,
  sweepUnfinished,
  writeFileAtomic,
  writeSafetensorsIndex,
} from '../io/index.js';
import { DataError, type Tensor } from '../torch/index.js';
import type { ModelStage, ReadTensor } from './model-stage.js';

export interface CheckpointState {
  readonly format: 1;
  /** Optimizer steps done. */
  readonly step: number;
  /** The epoch that the next step belongs to, counted from 0. */
  readonly epoch: number;
  readonly cut: readonly number[];
  /** One entry for each stage. */
  readonly shards: readonly {
    readonly model: string;
    readonly heads: string | null;
    readonly optimizer: string | null;
  }[];
}

/** A file of the checkpoint's own folder: a name alone, so that a damaged state leads nowhere else. */
const isName = leaf(
  'the name of a file',
  (value) => typeof value === 'string' && /^[\w.-]+$/.test(value) && !value.startsWith('.'),
);

const isState = isObject({
  format: leaf('1', (value) => value === 1),
  step: isWhole(0),
  epoch: isWhole(0),
  cut: isList(isWhole(0)),
  shards: isList(isObject({ model: isName, heads: orNull(isName), optimizer: orNull(isName) })),
});

const STATE = 'state.json';
const INDEX = 'model.safetensors.index.json';

export function checkpointFolder(out: string): string {
  return join(out, 'checkpoint');
}

export function hasCheckpoint(out: string): boolean {
  return existsSync(join(checkpointFolder(out), STATE));
}

/** The files that a stage has written. */
export function filesOf(shard: CheckpointState['shards'][number]): string[] {
  return Object.values(shard).filter((name) => name !== null);
}

function shardName(part: string, step: number, stage: number, stages: number): string {
  const number = (n: number) => String(n).padStart(5, '0');
  return `${part}-${step}-${number(stage + 1)}-of-${number(stages)}.safetensors`;
}

/** What a stage tells when it has written its part. */
export interface SavedShard {
  readonly stage: number;
  readonly shard: CheckpointState['shards'][number];
  readonly modelKeys: readonly string[];
}

/**
 * Writes one stage's part. Nothing refers to it until {@link commitState}.
 * @param beforeFile - called before each file; tests put delays and faults there
 */
export function saveShard(
  out: string,
  stage: ModelStage,
  step: number,
  stages: number,
  beforeFile: () => void = () => {},
): SavedShard {
  const folder = checkpointFolder(out);
  const state = stage.state();
  const write = (part: string, tensors: ReadonlyMap<string, Tensor>): string | null => {
    if (tensors.size === 0) return null;
    beforeFile();
    const name = shardName(part, step, stage.index, stages);
    saveSafetensors(join(folder, name), tensors, { format: 'pt' });
    return name;
  };
  const model = write('model', state.model)!;
  const shard = { model, heads: write('heads', state.heads), optimizer: write('optimizer', state.optimizer) };
  return { stage: stage.index, shard, modelKeys: [...state.model.keys()] };
}

/** Makes the parts of all stages the current checkpoint: the index for readers of safetensors first, the state last. */
export function commitState(
  out: string,
  state: CheckpointState,
  modelKeys: ReadonlyMap<string, readonly string[]>,
): void {
  const folder = checkpointFolder(out);
  writeSafetensorsIndex(join(folder, INDEX), modelKeys);
  writeFileAtomic(join(folder, STATE), `${JSON.stringify(state, null, 2)}\n`);
}

/** Removes a file of a checkpoint that is past. @throws DataError where the folder is gone or closed to us */
export function removeShard(out: string, name: string): void {
  try {
    rmSync(join(checkpointFolder(out), name), { force: true });
  } catch (cause) {
    throw new DataError(`Cannot remove ${join(checkpointFolder(out), name)}: ${(cause as Error).message}`, { cause });
  }
}

/**
 * Removes all that belongs to no whole checkpoint: what a session that died has left, or one that ends has given up. To be
 * called by the owner of the run's folder, while none of its threads writes.
 */
export function sweepCheckpoints(out: string): void {
  const folder = checkpointFolder(out);
  mkdirSync(folder, { recursive: true });
  const state = hasCheckpoint(out) ? readCheckpointState(out) : null;
  const current = new Set([STATE, ...(state === null ? [] : [INDEX, ...state.shards.flatMap(filesOf)])]);
  sweepUnfinished(folder);
  for (const name of readdirSync(folder)) {
    if (!current.has(name) && /^(model|heads|optimizer)[-.].*(safetensors|json)$/.test(name)) removeShard(out, name);
  }
  // A session that died between the index and the state has left the index of files that are now gone.
  if (state !== null) writeSafetensorsIndex(join(folder, INDEX), modelKeysOf(folder, state));
}

function modelKeysOf(folder: string, state: CheckpointState): Map<string, string[]> {
  return new Map(
    state.shards.map(({ model }) => {
      const file = SafetensorsFile.open(join(folder, model));
      file.close();
      return [model, [...file.entries.keys()]];
    }),
  );
}

type Part = 'model' | 'heads' | 'optimizer';

/** An open checkpoint: tensors are read one by one, as a stage asks for them. */
export class Checkpoint {
  readonly #files: Readonly<Record<Part, SafetensorsFile[]>> = { model: [], heads: [], optimizer: [] };
  readonly model: ReadTensor;
  readonly heads: ReadTensor;
  readonly optimizer: ReadTensor;

  /** Opens a checkpoint that was read, or the current one. @throws DataError where there is none, or it is damaged */
  static open(out: string, state?: CheckpointState, held: HeldFiles = {}): Checkpoint {
    if (state) return new Checkpoint(state, checkpointFolder(out), held);
    for (let tries = 1; ; tries++) {
      const current = readCheckpointState(out);
      try {
        return new Checkpoint(current, checkpointFolder(out), {});
      } catch (error) {
        if (!wasReplaced(out, current, tries)) throw error;
      }
    }
  }

  private constructor(
    readonly state: CheckpointState,
    folder: string,
    held: HeldFiles,
  ) {
    const reader = (part: Part): ReadTensor => {
      const owners = new Map<string, SafetensorsFile>();
      for (const shard of state.shards) {
        const name = shard[part];
        if (name === null) continue;
        const file = SafetensorsFile.open(held[name] ?? join(folder, name));
        this.#files[part].push(file);
        for (const key of file.entries.keys()) owners.set(key, file);
      }
      const read = (key: string): Tensor | null => owners.get(key)?.get(key) ?? null;
      return Object.assign(read, { keys: () => owners.keys() });
    };
    try {
      this.model = reader('model');
      this.heads = reader('heads');
      this.optimizer = reader('optimizer');
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** The whole model, by PyTorch's keys. */
  readModel(): Map<string, Tensor> {
    return new Map(this.#files.model.flatMap((file) => [...file.readAll()]));
  }

  close(): void {
    for (const file of Object.values(this.#files).flat()) file.close();
  }
}

/** @throws DataError where the run has no checkpoint, or its state is damaged */
export function readCheckpointState(out: string): CheckpointState {
  const path = join(checkpointFolder(out), STATE);
  if (!existsSync(path)) {
    throw new DataError(`Expected a checkpoint at ${path}, found none: train the run first, or give its folder.`);
  }
  return readJsonFile(path, 'the state of a checkpoint', isState);
}

/** Other names of a checkpoint's files, by which every thread of this process finds them, removed or not. */
export type HeldFiles = Readonly<Record<string, string>>;

/** The model of a checkpoint, held open while threads start that read it: its run may go on and remove the files. */
export interface HeldModel {
  readonly out: string;
  /** Without heads and optimizer. */
  readonly state: CheckpointState;
  readonly held: HeldFiles;
  close(): void;
}

/** Holds the current checkpoint's model. @throws DataError where there is none, or it is damaged */
export function holdModel(out: string): HeldModel {
  for (let tries = 1; ; tries++) {
    const whole = readCheckpointState(out);
    const state = { ...whole, shards: whole.shards.map(({ model }) => ({ model, heads: null, optimizer: null })) };
    const files: number[] = [];
    const close = (): void => {
      for (const file of files) closeSync(file);
    };
    try {
      Checkpoint.open(out, state).close(); // a damaged file is told by its own name
      for (const { model } of state.shards) files.push(openSync(join(checkpointFolder(out), model), 'r'));
      return { out, state, held: namesOf(state, files), close };
    } catch (error) {
      close();
      if (!wasReplaced(out, whole, tries)) throw error;
    }
  }
}

/** Where the system has no such names, the files are found by their own, as long as their run leaves them. */
function namesOf({ shards }: CheckpointState, files: readonly number[]): HeldFiles {
  if (process.platform !== 'linux') return {};
  return Object.fromEntries(shards.map(({ model }, i) => [model, `/proc/self/fd/${files[i]}`]));
}

/** Whether a checkpoint that cannot be read is none any more, since its run has gone on; not asked for ever. */
export function wasReplaced(out: string, state: CheckpointState, tries: number): boolean {
  return tries < 30 && readCheckpointState(out).step !== state.step;
}
