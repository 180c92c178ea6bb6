import { exportModel } from '../pipeline/index.js';
import type { ExportFlags } from './options.js';
import { print } from './report.js';
import { readImageRun } from './run-folder.js';

/** `headrace export`. */
export async function exportRun(folder: string, flags: ExportFlags): Promise<void> {
  readImageRun(folder, 'sentiment pack', '--out DIR');
  const { keys, step } = exportModel(folder, flags.output, { best: flags.best });
  print(flags.json, { out: flags.output, keys, step }, `${flags.output}: ${keys} tensors, after step ${step}`);
}
