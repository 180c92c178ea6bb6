// Where the addon of an installed package is built: in the package where that can be written to, else in the user's cache.
// The package looks for it in the same places, by the same module.

import { accessSync, constants, existsSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { copyAddon, isBuilt } from '../build-native.mjs';
import { say } from './say.mjs';
import { STAND_INS } from './unneeded.mjs';

/**
 * @param {string} root
 * @returns {Promise<{ own: string, ownWritable: boolean, cache: string | null }>} the package's own folder, and the cache's, null
 *   where it cannot be written to. What is built in the first has a copy in the second, so that another copy of the package need
 *   not build again.
 */
export async function addonPlaces(root) {
  const { cacheFolder, ownFolder } = await placeModule(root);
  const [own, cache] = [ownFolder(root), cacheFolder(root)];
  return { own, ownWritable: canWrite(own), cache: canWrite(cache) ? cache : null };
}

/** The message where neither can be written to. */
export async function nowhere(root) {
  const { cacheFolder, ownFolder } = await placeModule(root);
  return (
    `no folder to build the addon in: neither ${ownFolder(root)} nor ${cacheFolder(root)} can be written to.\n` +
    '  Set HEADRACE_CACHE to a folder of yours, for set-up and for every program.'
  );
}

/** The folder in the cache for an addon. */
export function cachedFolder(cache, record) {
  return path.join(cache, `libtorch-${record.version}-${record.key.slice(0, 12)}`);
}

/** Brings the addon of `record` into `output` from its folder in the cache; false where there is none. */
export function takeFromCache(folder, record, output) {
  if (!isBuilt(folder, record)) return false;
  if (folder !== output) {
    copyAddon(folder, output);
    say(`took the addon from ${folder}`);
  }
  return true;
}

/** Removes what was built in these folders. */
export function forgetAddon(folders) {
  for (const folder of folders) {
    for (const name of ['headrace.node', 'build.json', 'obj', STAND_INS])
      rmSync(path.join(folder, name), { recursive: true, force: true });
  }
}

/** Keeps a copy in the cache, and names it as the one to load where a package has none of its own. */
export async function keepInCache(root, cache, record, built) {
  const { currentFile } = await placeModule(root);
  const folder = cachedFolder(cache, record);
  if (!isBuilt(folder, record)) copyAddon(built, folder);
  const [file, name] = [currentFile(cache), path.basename(folder)];
  if (existsSync(file) && readFileSync(file, 'utf8') === name) return;
  const temporary = `${file}.${process.pid}`;
  writeFileSync(temporary, name);
  renameSync(temporary, file);
}

const placeModule = (root) => import(pathToFileURL(path.join(root, 'dist', 'torch', 'addon-place.js')).href);

/** Whether a folder can be written to, or made. */
function canWrite(folder) {
  let there = folder;
  while (!existsSync(there)) there = path.dirname(there);
  try {
    accessSync(there, constants.W_OK);
    return statSync(there).isDirectory();
  } catch {
    return false;
  }
}
