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
import type { ReadTensor } from './model-stage.js';

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
/** The state of the best weights, which lie in the same folder as the checkpoint. */
const BEST = 'best.json';
const INDEX = 'model.safetensors.index.json';

export function checkpointFolder(out: string): string {
  return join(out, 'checkpoint');
}

export function hasCheckpoint(out: string, best = false): boolean {
  return existsSync(join(checkpointFolder(out), best ? BEST : STATE));
}

/** The files that a stage has written. */
export function filesOf(shard: CheckpointState['shards'][number]): string[] {
  return Object.values(shard).filter((name) => name !== null);
}

/** What a stage's part of a checkpoint is called. */
export function shardName(part: string, step: number, stage: number, stages: number): string {
  const number = (n: number) => String(n).padStart(5, '0');
  return `${part}-${step}-${number(stage + 1)}-of-${number(stages)}.safetensors`;
}

/** What a stage tells when it has written its part. */
export interface SavedShard {
  readonly stage: number;
  readonly shard: CheckpointState['shards'][number];
  readonly modelKeys: readonly string[];
}

/** What a stage's part holds, by PyTorch's keys. */
export type ShardTensors = Readonly<Record<Part, ReadonlyMap<string, Tensor>>>;

/** The keys of tensors that travel beside them, in this order. */
export type ShardKeys = Readonly<Record<Part, readonly string[]>>;

const parts = ['model', 'heads', 'optimizer'] as const;

/** How tensors travel without a file. */
export function packShard(shard: ShardTensors): { keys: ShardKeys; tensors: Tensor[] } {
  const keys = Object.fromEntries(parts.map((part) => [part, [...shard[part].keys()]])) as Record<Part, string[]>;
  return { keys, tensors: parts.flatMap((part) => [...shard[part].values()]) };
}

export function unpackShard(keys: ShardKeys, tensors: readonly Tensor[]): ShardTensors {
  let at = 0;
  const take = (part: Part) => new Map(keys[part].map((key) => [key, tensors[at++]!]));
  return { model: take('model'), heads: take('heads'), optimizer: take('optimizer') };
}

/** Reads what has travelled as a checkpoint is read. */
export function readersOf(shard: ShardTensors): Readonly<Record<Part, ReadTensor>> {
  const reader = (values: ReadonlyMap<string, Tensor>): ReadTensor =>
    Object.assign((key: string) => values.get(key) ?? null, { keys: () => values.keys() });
  return { model: reader(shard.model), heads: reader(shard.heads), optimizer: reader(shard.optimizer) };
}

/** The part of a checkpoint that stages go on from: their own files where the cut has stayed, else all. */
export function partFor(state: CheckpointState, cut: readonly number[], stages: readonly number[]): CheckpointState {
  if (state.cut.join() !== cut.join()) return state;
  return { ...state, shards: stages.map((stage) => state.shards[stage]!) };
}

/** What is kept of a stage's part where its weights may be the best. */
export function modelAlone(stage: ShardSource): ShardSource {
  const none = new Map<string, Tensor>();
  return { index: stage.index, state: () => ({ model: stage.state().model, heads: none, optimizer: none }) };
}

interface ShardSource {
  readonly index: number;
  state(): ShardTensors;
}

/**
 * Writes one stage's part. Nothing refers to it until {@link commitState} or {@link commitBest}.
 * @param beforeFile - called before each file; tests put delays and faults there
 */
export function saveShard(
  out: string,
  stage: ShardSource,
  step: number,
  stages: number,
  best: boolean,
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
  const model = write(best ? 'best' : 'model', state.model)!;
  const shard = { model, heads: write('heads', state.heads), optimizer: write('optimizer', state.optimizer) };
  return { stage: stage.index, shard, modelKeys: [...state.model.keys()] };
}

/** Makes the parts of all stages the best weights. */
export function commitBest(out: string, state: CheckpointState): void {
  writeFileAtomic(join(checkpointFolder(out), BEST), `${JSON.stringify(state, null, 2)}\n`);
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
  const best = hasCheckpoint(out, true) ? readCheckpointState(out, true) : null;
  sweepUnfinished(folder);
  for (const name of strays(readdirSync(folder), state, best)) removeShard(out, name);
  // A session that died between the index and the state has left the index of files that are now gone.
  if (state !== null) writeSafetensorsIndex(join(folder, INDEX), modelKeysOf(folder, state));
}

/** The names of files in a checkpoint's folder that belong to no whole checkpoint. @param state - the current one */
export function strays(
  names: readonly string[],
  state: CheckpointState | null,
  best: CheckpointState | null = null,
): string[] {
  const shards = [state, best].flatMap((whole) => whole?.shards ?? []);
  const current = new Set([...(state === null ? [] : [INDEX]), ...shards.flatMap(filesOf)]);
  const ours = /^((model|heads|optimizer)[-.].*(safetensors|json)|best-.*safetensors)$/;
  return names.filter((name) => !current.has(name) && ours.test(name));
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

  /**
   * Opens a checkpoint that was read, the current one, or the best weights.
   * @throws DataError where there is none, or it is damaged
   */
  static open(out: string, which: CheckpointState | 'current' | 'best' = 'current', held: HeldFiles = {}): Checkpoint {
    if (typeof which === 'object') return new Checkpoint(which, checkpointFolder(out), held);
    const best = which === 'best';
    for (let tries = 1; ; tries++) {
      const state = readCheckpointState(out, best);
      try {
        return new Checkpoint(state, checkpointFolder(out), {});
      } catch (error) {
        if (!wasReplaced(out, state, best, tries)) throw error;
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

  /** All that it holds. */
  readAll(): ShardTensors {
    const all = (read: ReadTensor) => new Map([...read.keys()].map((key) => [key, read(key)!]));
    return { model: all(this.model), heads: all(this.heads), optimizer: all(this.optimizer) };
  }

  /** The whole model, by PyTorch's keys. */
  readModel(): Map<string, Tensor> {
    return new Map(this.#files.model.flatMap((file) => [...file.readAll()]));
  }

  close(): void {
    for (const file of Object.values(this.#files).flat()) file.close();
  }
}

/**
 * @param best - that of the best weights, which has their metrics
 * @throws DataError where the run has no checkpoint, or its state is damaged
 */
export function readCheckpointState(out: string, best = false): CheckpointState {
  const path = join(checkpointFolder(out), best ? BEST : STATE);
  if (!existsSync(path)) {
    const why = best ? 'a run keeps its best weights where it evaluates every so many epochs' : 'train the run first';
    throw new DataError(`Expected a checkpoint at ${path}, found none: ${why}, or give its folder.`);
  }
  return readJsonFile(path, 'the state of a checkpoint', isState);
}

/** Other names of a checkpoint's files, by which every thread of this process finds them, removed or not. */
export type HeldFiles = Readonly<Record<string, string>>;

/** A checkpoint, held open while threads start that read it: its run may go on and remove the files. */
export interface HeldCheckpoint {
  readonly out: string;
  readonly state: CheckpointState;
  readonly held: HeldFiles;
  close(): void;
}

/** Holds the current checkpoint's model, or the best. @throws DataError where there is none, or it is damaged */
export function holdModel(out: string, best = false): HeldCheckpoint {
  return hold(out, best, ({ model }) => ({ model, heads: null, optimizer: null }));
}

/** Holds all of the current checkpoint; null where there is none. @throws DataError where it is damaged */
export function holdCheckpoint(out: string): HeldCheckpoint | null {
  return hasCheckpoint(out) ? hold(out, false, (shard) => shard) : null;
}

type Shard = CheckpointState['shards'][number];

function hold(out: string, best: boolean, partOf: (shard: Shard) => Shard): HeldCheckpoint {
  for (let tries = 1; ; tries++) {
    const whole = readCheckpointState(out, best);
    const state = { ...whole, shards: whole.shards.map(partOf) };
    const files: number[] = [];
    const close = (): void => {
      for (const file of files) closeSync(file);
    };
    try {
      Checkpoint.open(out, state).close(); // a damaged file is told by its own name
      for (const name of state.shards.flatMap(filesOf)) files.push(openSync(join(checkpointFolder(out), name), 'r'));
      return { out, state, held: namesOf(state, files), close };
    } catch (error) {
      close();
      if (!wasReplaced(out, whole, best, tries)) throw error;
    }
  }
}

/** Where the system has no such names, the files are found by their own, as long as their run leaves them. */
function namesOf({ shards }: CheckpointState, files: readonly number[]): HeldFiles {
  if (process.platform !== 'linux') return {};
  return Object.fromEntries(shards.flatMap(filesOf).map((name, i) => [name, `/proc/self/fd/${files[i]}`]));
}

/** Whether a checkpoint that cannot be read is none any more, since its run has gone on; not asked for ever. */
function wasReplaced(out: string, state: CheckpointState, best: boolean, tries: number): boolean {
  return tries < 30 && readCheckpointState(out, best).step !== state.step;
}
