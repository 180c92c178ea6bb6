/**
 * Checkpoints: one logical model in sharded safetensors with PyTorch's key names, and beside it the heads and the
 * optimizers' state, so that any number of stages goes on from it. `state.json` names the files and is replaced last:
 * until then the previous checkpoint is whole, afterwards this one is.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { SafetensorsFile, saveSafetensors, writeFileAtomic, writeSafetensorsIndex } from '../io/index.js';
import { DataError, type Tensor } from '../torch/index.js';
import type { ReadTensor, Stage } from './stage.js';

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

const STATE = 'state.json';
const INDEX = 'model.safetensors.index.json';

export function checkpointFolder(out: string): string {
  return join(out, 'checkpoint');
}

export function hasCheckpoint(out: string): boolean {
  return existsSync(join(checkpointFolder(out), STATE));
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

/** Writes one stage's part. Nothing refers to it until {@link commitCheckpoint}. */
export function saveShard(out: string, stage: Stage, step: number, stages: number): SavedShard {
  const folder = checkpointFolder(out);
  mkdirSync(folder, { recursive: true });
  const state = stage.state();
  const write = (part: string, tensors: ReadonlyMap<string, Tensor>): string | null => {
    if (tensors.size === 0) return null;
    const name = shardName(part, step, stage.index, stages);
    saveSafetensors(join(folder, name), tensors, { format: 'pt' });
    return name;
  };
  const model = write('model', state.model)!;
  const shard = { model, heads: write('heads', state.heads), optimizer: write('optimizer', state.optimizer) };
  return { stage: stage.index, shard, modelKeys: [...state.model.keys()] };
}

/** Makes the parts of all stages the current checkpoint, then removes those of the one before. */
export function commitCheckpoint(
  out: string,
  saved: readonly SavedShard[],
  at: { step: number; epoch: number; cut: readonly number[] },
): void {
  const folder = checkpointFolder(out);
  const ordered = [...saved].sort((a, b) => a.stage - b.stage);
  const state: CheckpointState = { format: 1, ...at, shards: ordered.map(({ shard }) => shard) };
  writeSafetensorsIndex(join(folder, INDEX), new Map(ordered.map(({ shard, modelKeys }) => [shard.model, modelKeys])));
  writeFileAtomic(join(folder, STATE), `${JSON.stringify(state, null, 2)}\n`);
  const current = new Set([STATE, INDEX, ...ordered.flatMap(({ shard }) => Object.values(shard))]);
  for (const name of readdirSync(folder)) if (!current.has(name)) rmSync(join(folder, name), { force: true });
}

/** An open checkpoint: tensors are read one by one, as a stage asks for them. */
export class Checkpoint {
  readonly #open: SafetensorsFile[] = [];
  readonly model: ReadTensor;
  readonly heads: ReadTensor;
  readonly optimizer: ReadTensor;

  private constructor(
    readonly state: CheckpointState,
    folder: string,
  ) {
    const reader = (part: 'model' | 'heads' | 'optimizer'): ReadTensor => {
      const owners = new Map<string, SafetensorsFile>();
      for (const shard of state.shards) {
        const name = shard[part];
        if (name === null) continue;
        const file = SafetensorsFile.open(join(folder, name));
        this.#open.push(file);
        for (const key of file.entries.keys()) owners.set(key, file);
      }
      return (key) => owners.get(key)?.get(key) ?? null;
    };
    this.model = reader('model');
    this.heads = reader('heads');
    this.optimizer = reader('optimizer');
  }

  /** @throws DataError where the run has none, or it is damaged */
  static open(out: string): Checkpoint {
    return new Checkpoint(readCheckpointState(out), checkpointFolder(out));
  }

  close(): void {
    for (const file of this.#open) file.close();
  }
}

/** @throws DataError where the run has no checkpoint, or its state is damaged */
export function readCheckpointState(out: string): CheckpointState {
  const path = join(checkpointFolder(out), STATE);
  if (!existsSync(path)) {
    throw new DataError(`Expected a checkpoint at ${path}, found none: train the run first, or give its folder.`);
  }
  try {
    const state = JSON.parse(readFileSync(path, 'utf8')) as CheckpointState;
    if (state.format !== 1 || !Number.isSafeInteger(state.step) || !Array.isArray(state.shards))
      throw new Error('wrong form');
    return state;
  } catch (cause) {
    throw new DataError(
      `Expected ${path} to be a checkpoint's state, got something else: ${(cause as Error).message}`,
      { cause },
    );
  }
}
