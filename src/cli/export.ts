import { exportModel } from '../pipeline/index.js';
import { print } from './report.js';
import { readImageRun } from './run-folder.js';

/** `headrace export`. */
export async function exportRun(folder: string, flags: { output: string; json: boolean }): Promise<void> {
  readImageRun(folder, 'sentiment pack', '--out DIR');
  const { keys, step } = exportModel(folder, flags.output);
  print(flags.json, { out: flags.output, keys, step }, `${flags.output}: ${keys} tensors, after step ${step}`);
}
