/** Folders of runs, as the verbs for image models take them. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { readJsonFile } from '../io/index.js';
import { type RunConfig, readRunConfig } from '../pipeline/index.js';
import { holdsReader } from '../sentiment/reader/folder.js';
import { ConfigError } from '../torch/index.js';

/**
 * The configuration of a run of an image model, or of one's own.
 * @param verb - the one for sentiment models: `sentiment eval`
 * @param more - what else that verb needs
 * @throws ConfigError where there is none, or it is that of a sentiment model
 * @throws DataError where it is damaged
 */
export function readImageRun(folder: string, verb: string, more = ''): RunConfig {
  if (holdsSentiment(folder)) {
    throw new ConfigError(`${folder} holds a sentiment model: use headrace ${verb} ${[folder, more].join(' ').trim()}`);
  }
  return readRunConfig(folder);
}

function holdsSentiment(folder: string): boolean {
  if (holdsReader(folder)) return true;
  const path = join(folder, 'config.json');
  if (!existsSync(path)) return false;
  try {
    const found = readJsonFile<Record<string, unknown> | null>(path, 'a configuration');
    return typeof found === 'object' && found !== null && 'shape' in found && 'features' in found && 'config' in found;
  } catch {
    return false; // damaged: whoever reads it says how
  }
}
