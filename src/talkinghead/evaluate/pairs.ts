/** Which generated video belongs to which reference. */
import { statSync } from 'node:fs';
import { basename, extname } from 'node:path';
import { ConfigError, DataError } from '../../torch/index.js';
import { findVideos } from '../prepare/find.js';

export interface VideoPair {
  readonly generated: string;
  readonly reference: string;
}

/**
 * One pair for two files; for two folders, the videos whose names are the same but for their endings.
 * @throws ConfigError for a file and a folder; DataError for a generated video without a reference, two of one name, or none at all
 */
export function pairVideos(generated: string, reference: string): VideoPair[] {
  const [ours, theirs] = [isFolder(generated), isFolder(reference)];
  if (ours !== theirs)
    throw new ConfigError(`Expected two videos or two folders of videos, got ${generated} and ${reference}`);
  if (!ours) return [{ generated, reference }];
  const references = byName(reference);
  const made = byName(generated);
  if (made.size === 0) throw new DataError(`${generated}: expected videos, found none`);
  return [...made].map(([name, path]) => {
    const truth = references.get(name);
    if (truth !== undefined) return { generated: path, reference: truth };
    throw new DataError(`${path}: expected a reference named ${name} in ${reference}, found none`);
  });
}

function isFolder(path: string): boolean {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) throw new DataError(`No such file or folder: ${path} (looked from ${process.cwd()})`);
  return found.isDirectory();
}

function byName(folder: string): Map<string, string> {
  const named = new Map<string, string>();
  for (const { path } of findVideos([folder])) {
    const name = basename(path, extname(path));
    const before = named.get(name);
    if (before !== undefined) throw new DataError(`Expected one video named ${name}, got ${before} and ${path}`);
    named.set(name, path);
  }
  return named;
}
