/**
 * Decoded image folders, kept as safetensors in `$HEADRACE_CACHE`, or in `headrace-cache-UID` in the system's temporary folder.
 * One file a folder: a newer state replaces the older. The whole cache may be deleted at any time.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { loadSafetensors, saveSafetensors } from '../../io/index.js';
import { DataError, HeadraceError } from '../../torch/errors.js';
import type { Tensor } from '../../torch/index.js';

/** The cache's folder; made private to the user where it is new. */
function cacheFolder(): string {
  const chosen = process.env.HEADRACE_CACHE;
  const folder = chosen || join(tmpdir(), `headrace-cache-${userInfo().uid}`);
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new DataError(`Cannot make the cache folder ${folder}: set HEADRACE_CACHE to a folder of yours`, {
      cause: error,
    });
  }
  const { uid } = statSync(folder);
  // In a shared temporary folder someone else could have put one there first.
  if (!chosen && process.getuid !== undefined && uid !== process.getuid()) {
    throw new DataError(`The cache folder ${folder} belongs to another user: set HEADRACE_CACHE to a folder of yours`);
  }
  return folder;
}

function prefix(source: string): string {
  return createHash('sha256').update(source).digest('hex').slice(0, 16);
}

/** What was kept of the folder `source` in the state `key`; null where there is nothing, or nothing readable (with a warning). */
export function readCache(
  source: string,
  key: string,
): { tensors: Map<string, Tensor>; metadata: Readonly<Record<string, string>> } | null {
  const path = join(cacheFolder(), `${prefix(source)}-${key}.safetensors`);
  if (!existsSync(path)) return null;
  try {
    return loadSafetensors(path);
  } catch (error) {
    if (!(error instanceof HeadraceError)) throw error;
    process.emitWarning(`The cache of ${source} is damaged and will be made again (${error.message})`);
    return null;
  }
}

/** Keeps a folder's images. A cache that cannot be written (a full disk) costs time only: it is a warning. */
export function writeCache(
  source: string,
  key: string,
  tensors: Record<string, Tensor>,
  metadata: Record<string, string>,
): void {
  const folder = cacheFolder();
  const name = `${prefix(source)}-${key}.safetensors`;
  try {
    saveSafetensors(join(folder, name), tensors, metadata);
  } catch (error) {
    process.emitWarning(
      `The decoded images of ${source} were not kept: ${error instanceof Error ? error.message : error}`,
    );
    return;
  }
  for (const other of readdirSync(folder)) {
    if (other.startsWith(`${prefix(source)}-`) && other !== name) rmSync(join(folder, other), { force: true });
  }
}
