/** What one does with a trained model: test it, predict with it, export it. */
import { extname } from 'node:path';
import type { BatchDataset, TensorBatch, ThreadShareable, TransformSpec } from '../data/index.js';
import { saveSafetensors, saveTorch } from '../io/index.js';
import type { EvalEvent } from '../run/events.js';
import { ConfigError, cat, checkOptions, DataError, scope, type Tensor, zeros } from '../torch/index.js';
import { Checkpoint, holdModel } from './checkpoint.js';
import { checkCompute } from './compute.js';
import type { RunConfig } from './config.js';
import { checkDevices } from './config-check.js';
import { buildModel, type Layers, type ModuleRef, resolveModel } from './model.js';
import { type DataFeed, Run } from './run.js';
import { readRunConfig, readRunInput } from './run-folder.js';
import type { SourceTask } from './source.js';
import { loadRunData } from './trainer.js';
import { type WorkerNotice, wireChain } from './wiring.js';

export interface InferenceOptions {
  /** Stages to run in, each on its thread; 1 by default. The result does not depend on it. */
  readonly stages?: number;
  readonly batchSize?: number;
  readonly threads?: number;
  readonly devices?: readonly string[];
  /** The weights that were best by the task's metric, in place of the last ones. Default false. */
  readonly best?: boolean;
}

export interface PredictOptions extends InferenceOptions {
  /** How many of a batch's tensors the model takes. Default 1. (`evaluate` goes by its data.) */
  readonly inputs?: number;
}

export interface Evaluation {
  /** By the model's task: `{ accuracy, loss }` of a classifier. */
  readonly metrics: EvalEvent['metrics'];
  /** Samples tested. */
  readonly count: number;
}

/** Borders that share the layers out evenly. */
export function evenCut(layers: number, stages: number): number[] {
  if (!Number.isInteger(stages) || stages < 1 || stages > layers) {
    throw new ConfigError(`Expected 1 to ${layers} stages, as the model lists ${layers} layers, got ${stages}.`);
  }
  return Array.from({ length: stages - 1 }, (_, i) => Math.round(((i + 1) * layers) / stages) - 1);
}

type Testable = BatchDataset<TensorBatch> & ThreadShareable;

async function infer(
  out: string,
  feed: DataFeed,
  kind: Exclude<SourceTask['kind'], 'train'>,
  options: InferenceOptions,
  onNotice: (notice: WorkerNotice, tensors: readonly Tensor[]) => void,
): Promise<void> {
  const known = ['stages', 'batchSize', 'threads', 'devices', 'best', ...(kind === 'predict' ? ['inputs'] : [])];
  checkOptions(kind === 'predict' ? 'predict' : 'evaluate', options, known);
  const trained = readRunConfig(out);
  const spec = await resolveModel(trained.model);
  const stages = options.stages ?? 1;
  const config: RunConfig = {
    ...trained,
    schedule: stages === 1 ? 'bp' : 'ppll',
    stages,
    replicas: undefined,
    batchSize: options.batchSize ?? trained.batchSize,
    threads: options.threads ?? trained.threads,
    devices: options.devices ?? (trained.devices.length === 1 ? trained.devices : trained.devices.slice(0, 1)),
    faults: undefined,
    patience: undefined,
    init: undefined,
    freeze: undefined,
    lrFactors: undefined,
  };
  checkDevices(config.devices);
  checkCompute(config.compute, config.devices);
  const cut = evenCut(spec.layers.length, stages);
  const wiring = wireChain(config, cut, spec.layers.length, { heads: false });
  const model = holdModel(out, options.best);
  const { state, held } = model;
  const run = { config, wiring, task: { kind }, train: null, test: feed, stepsPerEpoch: 1, load: { out, state, held } };
  try {
    await new Run(run, onNotice).execute();
  } finally {
    model.close();
  }
}

/**
 * Tests a trained model on the held-out part of a data set.
 * @param out - folder of the run
 */
export async function evaluate(out: string, data: ModuleRef, options: InferenceOptions = {}): Promise<Evaluation> {
  const { test, testTransforms, inputs } = await loadRunData(data);
  // As in training: other data's own mean and deviation would scale the images differently.
  const transforms = readRunInput(out)?.transforms ?? testTransforms;
  if (test.length === 0) throw new DataError('Expected held-out data to test on, got a set of none.');
  let evaluation: Evaluation = { metrics: {}, count: 0 };
  await infer(out, { dataset: test, transform: transforms, inputs }, 'test', options, (notice) => {
    if (notice.kind !== 'event' || notice.event.type !== 'eval') return;
    const { metrics, count } = notice.event;
    evaluation = { metrics, count };
  });
  return evaluation;
}

/**
 * Runs a trained model over a data set.
 * @returns what the model gives for each sample, [N, ...], in the data set's order: logits [N, classes] of a classifier
 */
export async function predict(
  out: string,
  dataset: Testable,
  transform: readonly TransformSpec[],
  options: PredictOptions = {},
): Promise<Tensor> {
  const batches: Tensor[] = [];
  await infer(out, { dataset, transform, inputs: options.inputs }, 'predict', options, (notice, tensors) => {
    if (notice.kind === 'predicted') batches.push(...tensors);
  });
  const all = batches.length === 0 ? zeros([0, 0]) : cat(batches);
  for (const batch of batches) batch.dispose();
  return all;
}

/** The trained model of a run, whole and without local heads, in this thread and ready for use. @throws ConfigError, DataError */
export async function loadModel(out: string, options: { readonly best?: boolean } = {}): Promise<Layers> {
  checkOptions('loadModel', options, ['best']);
  const model = buildModel(await resolveModel(readRunConfig(out).model));
  const checkpoint = Checkpoint.open(out, options.best ? 'best' : 'current');
  try {
    scope(() => model.loadStateDict(checkpoint.readModel()));
  } finally {
    checkpoint.close();
  }
  return model.eval();
}

/**
 * Writes a trained model as one ordinary file, with PyTorch's keys and without the local heads: `.safetensors`, or
 * `.pth` and `.pt` as `torch.save(model.state_dict(), file)` does.
 * @throws ConfigError for any other ending: PyTorch would read the file by another format than it has
 */
export function exportModel(
  out: string,
  file: string,
  options: { readonly best?: boolean } = {},
): { keys: number; step: number } {
  checkOptions('exportModel', options, ['best']);
  const ending = extname(file).toLowerCase();
  if (!['.safetensors', '.pth', '.pt'].includes(ending)) {
    throw new ConfigError(`Expected a file that ends in .safetensors, or in .pth or .pt for torch.load, got ${file}.`);
  }
  const checkpoint = Checkpoint.open(out, options.best ? 'best' : 'current');
  try {
    const tensors = checkpoint.readModel();
    if (ending === '.safetensors') saveSafetensors(file, tensors, { format: 'pt' });
    else saveTorch(file, tensors);
    return { keys: tensors.size, step: checkpoint.state.step };
  } finally {
    checkpoint.close();
  }
}
