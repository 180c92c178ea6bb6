// A small data set and the configuration of a run on it, shared by the pipeline's tests. Worker threads import it too.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TensorImageDataset } from 'headrace/data';
import { loadSafetensors } from 'headrace/io';
import { type RunConfig, type RunData, type RunEvent, type RunResult, runDefaults, Trainer } from 'headrace/pipeline';
import { Generator, randint } from 'headrace/torch';
import { visionModelRef } from 'headrace/vision';

const SIZE = 12;

/** 44 training and 20 test images of random pixels: with batches of 8 the last of an epoch has 4. */
export function noise(options: { train?: number; test?: number; size?: number; plain?: boolean }): RunData {
  const info = { classes: ['a', 'b', 'c', 'd'], mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25] };
  const make = (count: number, seed: number): TensorImageDataset => {
    const generator = new Generator(seed);
    const { size = SIZE } = options;
    const images = randint(0, 256, [count, 3, size, size], { generator, dtype: 'uint8' });
    return new TensorImageDataset(images, randint(0, 4, [count], { generator }), info);
  };
  const plain = [{ kind: 'toFloat' }, { kind: 'normalise', mean: info.mean, std: info.std }] as const;
  return {
    train: make(options.train ?? 44, 1),
    test: make(options.test ?? 20, 2),
    trainTransforms: options.plain
      ? plain
      : [{ kind: 'randomCropReflect', pad: 2 }, { kind: 'randomHorizontalFlip' }, ...plain],
    testTransforms: plain,
  };
}

export const resnet20 = visionModelRef({ name: 'resnet20', classes: 4, channels: 3, imageSize: SIZE });
export const smallViT = visionModelRef({
  name: 'vit',
  classes: 4,
  channels: 3,
  imageSize: SIZE,
  patch: 4,
  width: 32,
  depth: 4,
  heads: 2,
  dropout: 0.1,
});

/** Borders that cut ResNet-20 (20 layers) into so many stages: between blocks (even) and in the middle of one (odd). */
export const cuts: Record<number, number[]> = { 1: [], 2: [7], 3: [4, 11], 4: [1, 8, 13] };

export function config(change: Partial<RunConfig> = {}): RunConfig {
  const stages = change.stages ?? 2;
  return {
    model: resnet20,
    ...runDefaults,
    modelName: 'resnet20',
    data: { module: import.meta.url, export: 'noise', options: {} },
    stages,
    cut: change.schedule === 'bp' ? [] : cuts[stages],
    head: { kind: 'auglocal', depth: 1 },
    steps: 12,
    batchSize: 8,
    optimizer: { name: 'sgd', lr: 0.05, momentum: 0.9, weightDecay: 5e-4, decay: 'all', nesterov: true },
    lrSchedule: { name: 'cosine', warmupEpochs: 1, minLr: 0 },
    labelSmoothing: 0,
    evalEvery: 0,
    memoryFormat: 'contiguous',
    ...change,
  };
}

export function temporaryFolder(): string {
  return mkdtempSync(join(tmpdir(), 'headrace-test-'));
}

export interface Finished {
  readonly events: RunEvent[];
  readonly result: RunResult;
  /** The bytes of every parameter, buffer and optimizer state that the checkpoint holds, by key. */
  readonly state: Map<string, Uint8Array>;
}

/** Trains to the end in a folder of its own and reads back everything that was saved. */
export async function finish(change: Partial<RunConfig>, options: { resume?: boolean } = {}): Promise<Finished> {
  const out = change.out ?? temporaryFolder();
  try {
    const run = new Trainer(config({ ...change, out }), options);
    const events: RunEvent[] = [];
    for await (const event of run) events.push(event);
    return { events, result: await run.result, state: readState(out) };
  } finally {
    if (!change.out) rmSync(out, { recursive: true });
  }
}

export function readState(out: string): Map<string, Uint8Array> {
  const folder = join(out, 'checkpoint');
  const state = new Map<string, Uint8Array>();
  for (const name of readdirSync(folder).filter((file) => file.endsWith('.safetensors'))) {
    const part = name.split('-')[0];
    for (const [key, value] of loadSafetensors(join(folder, name)).tensors) state.set(`${part}/${key}`, value.bytes());
  }
  return new Map([...state].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** The parsed `state.json` of a run. */
export function readCheckpointJson(out: string): { step: number; shards: unknown[] } {
  return JSON.parse(readFileSync(join(out, 'checkpoint', 'state.json'), 'utf8'));
}

/** Keys whose bytes differ, or that only one side has. */
export function differences(a: ReadonlyMap<string, Uint8Array>, b: ReadonlyMap<string, Uint8Array>): string[] {
  const keys = new Set([...a.keys(), ...b.keys()]);
  return [...keys].filter((key) => {
    const [x, y] = [a.get(key), b.get(key)];
    return !x || !y || Buffer.compare(x, y) !== 0;
  });
}
