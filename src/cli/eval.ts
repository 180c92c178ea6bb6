import { evaluate, type ModuleRef, type RunConfig } from '../pipeline/index.js';
import { formatMetrics } from '../run/index.js';
import { ConfigError } from '../torch/index.js';
import type { DataOptions } from '../vision/index.js';
import { dataRef } from './config.js';
import type { EvalFlags } from './options.js';
import { refuseRanks } from './ranks.js';
import { isOfSpec, loadImages } from './reading.js';
import { print } from './report.js';
import { readImageRun } from './run-folder.js';

/** `headrace eval`. */
export async function evaluateRun(folder: string, flags: EvalFlags): Promise<void> {
  refuseRanks('eval');
  const config = readImageRun(folder, 'sentiment eval', '--data SPEC');
  const data = flags.data === undefined ? ownData(config, flags) : await otherData(config, flags.data, folder, flags);
  if (isOfSpec(data)) await loadImages(data); // told of; one's own kind of data is just read
  const { stages, batch: batchSize, threads, devices, best } = flags;
  const options = { best, batchSize, threads, ...(stages && { stages }), ...(devices && { devices }) };
  const result = await evaluate(folder, data, options);
  print(flags.json, result, `${formatMetrics(result.metrics)}, on ${result.count} samples`);
}

/** The held-out part of what the run was trained on. */
function ownData({ data }: RunConfig, { limit }: EvalFlags): ModuleRef {
  return limit === undefined ? data : { ...data, options: { ...(data.options as object), limit } };
}

async function otherData(
  config: RunConfig,
  spec: string,
  folder: string,
  { limit, skipBad }: EvalFlags,
): Promise<ModuleRef> {
  // A folder without a test part is split by the run's seed: the images held out then are the ones to test on now.
  const { size } = config.data.options as Partial<DataOptions>;
  const imageSize = typeof size === 'number' ? size : undefined;
  const data = dataRef(spec, { limit, seed: config.seed, imageSize, skipBad: skipBad ?? false });
  const images = await loadImages(data);
  const model = config.model.options as { classes: number; channels: number; imageSize: number[] };
  const expected = [model.classes, model.channels, ...model.imageSize];
  const given = [images.classes.length, ...images.inputShape];
  if (expected.join() !== given.join()) {
    throw new ConfigError(
      `The model in ${folder} knows ${describe(expected)}; ${spec} has ${describe(given)}. ` +
        'Test it on data like those it was trained on.',
    );
  }
  return data;
}

function describe([classes, channels, height, width]: number[]): string {
  return `${classes} classes and images of ${channels} x ${height} x ${width}`;
}
