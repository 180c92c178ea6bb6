/** Trains the trunk of encoders through the engine, whole by backprop or in stages with local heads, for IRFD to begin with. */

import { expressionNames } from '../../../media/index.js';
import { Checkpoint } from '../../../pipeline/checkpoint.js';
import { evenCut, readRunConfig, Trainer } from '../../../pipeline/index.js';
import { ConfigError, scope, type Tensor } from '../../../torch/index.js';
import { readSetSettings } from '../../synth/index.js';
import type { StepRecord } from '../../training/steps.js';
import { type EncoderShape, FaceEncoder } from '../encoder.js';
import { checkSet } from '../faces.js';
import { type TrunkConfig, trunkLayers } from './trunk-config.js';
import type { TrunkShape } from './trunk-model.js';

export interface TrunkRunOptions {
  /** A set of clips that `headrace talk synth --clips` has made. */
  readonly data: string;
  /** Folder of the run. */
  readonly out: string;
  readonly resume?: boolean;
  readonly onProgress?: (what: 'training', done: number, all: number) => void;
  readonly onRecord?: (record: StepRecord) => void;
  readonly shouldStop?: () => boolean;
}

export interface TrunkResult {
  /** Of the people left out: share of emotions, degrees of each angle, distance of the small picture; null where there are none. */
  readonly metrics: Readonly<Record<string, number | null>> | null;
  readonly picturesPerSecond: number | null;
}

const at = (file: string, name: string, options: object) => ({
  module: new URL(file, import.meta.url).href,
  export: name,
  options,
});

/**
 * Trains a trunk, or goes on with a run that was broken off.
 * @returns null where it was asked to stop
 * @throws ConfigError, DataError, StageError
 */
export async function trainTrunk(config: TrunkConfig, options: TrunkRunOptions): Promise<TrunkResult | null> {
  const { data, out, resume = false, onProgress, onRecord, shouldStop } = options;
  const { size, testPeople, encoder, steps, schedule, stages, seed, threads, batch, lr, keepEvery } = config;
  checkSet(data, size, testPeople);
  const people = readSetSettings(data).people - testPeople;
  const shape: TrunkShape = { encoder, size, emotions: expressionNames.length, people };
  const trainer = new Trainer(
    {
      model: at('./trunk-model.js', 'trunkModel', shape),
      modelName: `trunk${encoder.depth}`,
      data: at('./trunk-data.js', 'trunkData', { folder: data, size, testPeople }),
      schedule,
      stages,
      cut: evenCut(trunkLayers, stages),
      batchSize: batch,
      steps,
      optimizer: { name: 'adam', lr, betas: [0.9, 0.99], eps: 1e-8, weightDecay: 0, decay: 'all' },
      lrSchedule: { name: 'cosine', warmupEpochs: 0, minLr: 0 },
      evalEvery: 0,
      evaluation: testPeople > 0,
      checkpointEvery: keepEvery,
      seed,
      threads,
      out,
    },
    { resume },
  );
  let since = performance.now();
  let metrics: TrunkResult['metrics'] = null;
  for await (const event of trainer) {
    if (shouldStop?.()) trainer.stop();
    if (event.type === 'eval') metrics = event.metrics;
    if (event.type !== 'step' || event.stage !== stages - 1) continue;
    onProgress?.('training', event.step, steps);
    if (event.step % keepEvery !== 0 && event.step !== steps) continue;
    const now = performance.now();
    onRecord?.({ step: event.step, loss: { total: event.loss ?? Number.NaN }, seconds: (now - since) / 1000 });
    since = now;
  }
  const { stopped, samplesPerSecond } = await trainer.result;
  return stopped ? null : { metrics, picturesPerSecond: samplesPerSecond };
}

/**
 * Weights of a run's trunk by an encoder's keys, without the code's.
 * @throws ConfigError, DataError for a run of something else, or of another shape
 */
export async function loadTrunk(run: string, wanted: EncoderShape): Promise<Map<string, Tensor>> {
  const { model } = readRunConfig(run);
  if (model.export !== 'trunkModel')
    throw new ConfigError(`Expected ${run} to be a run of headrace talk train trunk, got one of ${model.export}`);
  const { encoder } = model.options as TrunkShape;
  if (encoder.depth !== wanted.depth || encoder.width !== wanted.width)
    throw new ConfigError(
      `Expected a trunk of depth ${wanted.depth} and width ${wanted.width}, but ${run} has depth ${encoder.depth} and width ${encoder.width}`,
    );
  const checkpoint = Checkpoint.open(run, 'current');
  try {
    return scope(() => {
      const own = new Set(new FaceEncoder(wanted, 1).stateDict().keys());
      const weights = [...checkpoint.readModel()].filter(([key]) => own.has(key) && !key.startsWith('fc.'));
      return new Map(weights.map(([key, value]) => [key, value.clone().keep()]));
    });
  } finally {
    checkpoint.close();
  }
}
