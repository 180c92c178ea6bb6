/** How a run becomes a small folder. */
import { cpSync, existsSync, mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { saveSafetensors, writeFileAtomic } from '../io/index.js';
import { ConfigError, scope, type Tensor } from '../torch/index.js';
import { readResult, readWeights, seedFolder, textFiles, weightsFile } from './bundle.js';
import { readManifest } from './read-manifest.js';

/**
 * Writes one seed of a run into a folder of its own, its weights in float16: half as large, and what `loadModel` reads.
 * @param seed - by default the best on the validation split
 * @returns the seed, and the size of its weights
 * @throws ConfigError when `out` holds a model already, or the seed was not trained to its end
 */
export function packModel(
  folder: string,
  out: string,
  seed?: number,
): { readonly seed: number; readonly bytes: number } {
  const manifest = readManifest(folder);
  const weights = readWeights(folder, seed);
  const result = readResult(folder, weights.seed);
  if (!result) throw new ConfigError(`Expected a seed that was trained to its end, got ${weights.seed} of ${folder}`);
  if (existsSync(join(out, 'config.json'))) throw new ConfigError(`${out} holds a model already: give another folder`);
  const inside = seedFolder(out, weights.seed);
  mkdirSync(inside, { recursive: true });
  for (const name of textFiles) {
    if (existsSync(join(folder, name))) cpSync(join(folder, name), join(out, name), { recursive: true });
  }
  scope(() => {
    const half = [...weights.tensors].map(([key, value]): [string, Tensor] => {
      return [key, value.dtype === 'float32' ? value.to({ dtype: 'float16' }) : value];
    });
    saveSafetensors(weightsFile(out, weights.seed), half, { format: 'pt' });
  });
  writeFileAtomic(join(inside, 'metrics.json'), `${JSON.stringify(result, null, 2)}\n`);
  writeFileAtomic(join(out, 'config.json'), `${JSON.stringify(manifest, null, 2)}\n`);
  return { seed: weights.seed, bytes: statSync(weightsFile(out, weights.seed)).size };
}
