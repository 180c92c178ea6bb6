import { evaluate, readRunConfig } from '../pipeline/index.js';
import { ConfigError } from '../torch/index.js';
import type { DataOptions } from '../vision/index.js';
import { dataRef, loadImages } from './config.js';
import type { EvalFlags } from './options.js';
import { print } from './report.js';

/** `headrace eval`. */
export async function evaluateRun(folder: string, flags: EvalFlags): Promise<void> {
  const config = readRunConfig(folder);
  // A folder without a test part is split by the run's seed: the images held out then are the ones to test on now.
  const { size } = config.data.options as DataOptions;
  const imageSize = typeof size === 'number' ? size : undefined;
  const data = dataRef(flags.data, { limit: flags.limit, seed: config.seed, imageSize });
  const images = await loadImages(data);
  const model = config.model.options as { classes: number; channels: number; imageSize: number[] };
  const expected = [model.classes, model.channels, ...model.imageSize];
  const given = [images.classes.length, ...images.inputShape];
  if (expected.join() !== given.join()) {
    throw new ConfigError(
      `The model in ${folder} knows ${describe(expected)}; ${flags.data} has ${describe(given)}. ` +
        'Test it on data like those it was trained on.',
    );
  }
  const { stages, batch: batchSize, threads } = flags;
  const result = await evaluate(folder, data, { batchSize, threads, ...(stages === undefined ? {} : { stages }) });
  const loss = result.loss === null ? 'not finite' : result.loss.toFixed(4);
  print(
    flags.json,
    result,
    `accuracy ${(result.accuracy * 100).toFixed(2)} %, loss ${loss}, on ${result.count} images`,
  );
}

function describe([classes, channels, height, width]: number[]): string {
  return `${classes} classes and images of ${channels} x ${height} x ${width}`;
}
