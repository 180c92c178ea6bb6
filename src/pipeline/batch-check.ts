/**
 * Whether the smallest batch of a run can be trained on. Batch normalisation needs more than one value for each channel; where
 * the last batch of an epoch has one sample, that would be found at the end of the first epoch only.
 */
import { ConfigError, Generator, noGrad, scope } from '../torch/index.js';
import type { RunConfig } from './config.js';
import { buildHead, buildLayer, exampleOf, type ModelSpec, tensorsOf } from './model.js';
import { isLocal, microbatchCount } from './schedule.js';

/** Samples in the smallest piece that a layer sees in training; the last batch counts where the run comes to it. */
function smallestPiece(config: RunConfig, samples: number, steps: number): number {
  const parts = microbatchCount(config.schedule, config.microbatches);
  const rest = steps < Math.ceil(samples / config.batchSize) ? 0 : samples % config.batchSize;
  const last = rest || Math.min(samples, config.batchSize);
  return Math.min(...[config.batchSize, last].map((batch) => Math.floor(batch / Math.min(parts, batch))));
}

/**
 * Runs one sample through the layers, and through the heads at the cut, where a batch or microbatch of one will come.
 * @param samples - of the training set
 * @param steps - of the run in all
 * @throws ConfigError naming the layer, the batch size and what is left for the last batch
 */
export function checkSmallestBatch(spec: ModelSpec, config: RunConfig, samples: number, steps: number): void {
  if (smallestPiece(config, samples, steps) > 1) return;
  let at = '';
  try {
    scope(() =>
      noGrad(() => {
        let x = exampleOf(spec, 1, new Generator(config.seed)).inputs;
        for (const [border, layer] of spec.layers.entries()) {
          at = layer.name;
          x = tensorsOf(buildLayer(layer, config.seed).forward(...x));
          if (!isLocal(config.schedule) || !config.cut?.includes(border)) continue;
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

function refusal(cause: unknown, at: string, config: RunConfig, samples: number): ConfigError {
  const { batchSize, microbatches, schedule } = config;
  const rest = samples % batchSize;
  const last = rest === 0 ? '' : ` and one of ${rest}`;
  const parts = microbatchCount(schedule, microbatches);
  const cut = parts > 1 ? `, cut into ${parts} microbatches,` : '';
  return new ConfigError(
    `Expected more than one value for each channel in training, and ${at} would get one: ` +
      `${samples} samples in batches of ${batchSize} (--batch)${cut} make batches of ${batchSize}${last}, ` +
      'of which the smallest comes to 1. Give another batch size' +
      `${parts > 1 ? ', fewer microbatches' : ''} or number of samples (--limit).`,
    { cause },
  );
}
