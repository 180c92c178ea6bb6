/**
 * Whether the smallest batch of a run can be trained on. Batch normalisation needs more than one value for each channel; where
 * the last batch of an epoch has one sample, that would be found at the end of the first epoch only.
 */
import { ConfigError, Generator, noGrad, scope } from '../torch/index.js';
import { type RunConfig, replicasOf } from './config.js';
import { buildHead, buildLayer, exampleOf, type ModelSpec, tensorsOf } from './model.js';
import { isLocal, microbatchCount } from './schedule.js';

/** Samples in the smallest batch; the last one counts where the run comes to it. */
function smallestBatch({ batchSize }: RunConfig, samples: number, steps: number): number {
  const rest = steps < Math.ceil(samples / batchSize) ? 0 : samples % batchSize;
  return rest || Math.min(samples, batchSize);
}

/** For each stage, over how many samples a layer of it normalises where they are fewest. */
function smallestPieces(config: RunConfig, samples: number, steps: number): number[] {
  const replicas = replicasOf(config);
  const parts = microbatchCount(config.schedule, config.microbatches);
  const batches = [config.batchSize, smallestBatch(config, samples, steps)];
  const pieces = batches.map((batch) => {
    const microbatches = Math.max(1, Math.min(parts, Math.floor(batch / Math.max(...replicas))));
    return Math.floor(batch / microbatches);
  });
  const piece = Math.min(...pieces);
  return replicas.map((count) => (config.syncBatchNorm ? piece : Math.max(1, Math.floor(piece / count))));
}

/**
 * Runs one sample through the layers, and through the heads at the cut, where a batch or microbatch of one will come.
 * @param samples - of the training set
 * @param steps - of the run in all
 * @throws ConfigError naming the layer, the batch size and what is left for the last batch
 */
export function checkSmallestBatch(spec: ModelSpec, config: RunConfig, samples: number, steps: number): void {
  checkShares(config, samples, steps);
  const pieces = smallestPieces(config, samples, steps);
  if (pieces.every((piece) => piece > 1)) return;
  const stageOf = (layer: number): number => config.cut?.findIndex((border) => layer <= border) ?? 0;
  let at = '';
  try {
    scope(() =>
      noGrad(() => {
        let x = exampleOf(spec, 1, new Generator(config.seed)).inputs;
        for (const [border, layer] of spec.layers.entries()) {
          at = layer.name;
          const stage = stageOf(border);
          const enough = pieces.at(stage)! > 1;
          x = tensorsOf(
            buildLayer(layer, config.seed)
              .train(!enough)
              .forward(...x),
          );
          if (enough || !isLocal(config.schedule) || !config.cut?.includes(border)) continue;
          at = `the head after ${layer.name}`;
          const { kind, depth } = config.head;
          buildHead(spec, kind, border, depth === undefined ? {} : { depth }, config.seed).forward(...x);
        }
      }),
    );
  } catch (error) {
    // Of anything else (a model that wants other numbers than zeros) the run itself will tell.
    if (/more than 1 value per channel/.test((error as Error).message)) throw refusal(error, at, config, samples);
  }
}

/** Statistics over all replicas need all of them at work. */
function checkShares(config: RunConfig, samples: number, steps: number): void {
  const most = Math.max(...replicasOf(config));
  const least = smallestBatch(config, samples, steps);
  if (!config.syncBatchNorm || least >= most) return;
  throw new ConfigError(
    `Expected a sample for each of ${most} replicas, whose batch normalisation is one (syncBatchNorm: true): ${samples} samples ` +
      `in batches of ${config.batchSize} leave ${least} for the last one. Give another batchSize or number of ` +
      'samples.',
  );
}

function refusal(cause: unknown, at: string, config: RunConfig, samples: number): ConfigError {
  const { batchSize, microbatches, schedule } = config;
  const most = Math.max(...replicasOf(config));
  const rest = samples % batchSize;
  const last = rest === 0 ? '' : ` and one of ${rest}`;
  const parts = microbatchCount(schedule, microbatches);
  const shares = most > 1 ? `, shared by ${most} replicas,` : '';
  const cut = `${parts > 1 ? `, cut into ${parts} microbatches,` : ''}${shares}`;
  return new ConfigError(
    `Expected more than one value for each channel in training, and ${at} would get one: ` +
      `${samples} samples in batches of ${batchSize}${cut} make batches of ${batchSize}${last}, ` +
      'of which the smallest comes to 1. Give another batchSize' +
      `${parts > 1 ? ', fewer microbatches' : ''}${most > 1 ? ', fewer replicas' : ''} or number of samples.`,
    { cause },
  );
}
