import { exportModel } from '../pipeline/index.js';
import { print } from './report.js';

/** `headrace export`. */
export async function exportRun(folder: string, flags: { output: string; json: boolean }): Promise<void> {
  const { keys, step } = exportModel(folder, flags.output);
  print(flags.json, { out: flags.output, keys, step }, `${flags.output}: ${keys} tensors, after step ${step}`);
}
