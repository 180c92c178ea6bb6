// What set-up would do here, found without changing anything: for `headrace doctor`.

import { existsSync } from 'node:fs';
import { addonRecord, isBuilt } from '../build-native.mjs';
import { canInstall } from './apt.mjs';
import { lookForCompiler } from './compiler.mjs';
import { APT_PACKAGES, aptLine, findLibtorch, missingBeside } from './libtorch.mjs';
import { addonPlaces, cachedFolder } from './place.mjs';

/**
 * @param {string} root  the package's folder
 * @returns {Promise<{
 *   libtorch: { version: string, source: string, libDir: string, cuda: boolean } | null,
 *   looked: string[],
 *   compiler: string | null,
 *   missing: string[],
 *   lacks: string[],
 *   command: string | null,
 *   installs: boolean,
 *   folder: string | null,
 *   built: boolean,
 * }>} `looked`: why each place has no libtorch. `missing`: packages of the system, `command` installs them, `installs` says whether
 *   set-up would run it by itself. `lacks`: what is worse without those that a libtorch works without. `folder`: where the addon would be built, null where nothing can be written to; `built`: it is there
 */
export async function planSetup(root) {
  const { found, looked } = search();
  const compiler = lookForCompiler();
  const beside = found === null ? [] : missingBeside(found);
  const missing = [
    ...(found === null ? APT_PACKAGES : beside.map(({ name }) => name)),
    ...(compiler === null ? ['g++'] : []),
  ];
  const { own, ownWritable, cache } = await addonPlaces(root);
  const record = found === null || compiler === null ? null : addonRecord(root, found);
  const kept = cache === null || record === null ? cache : cachedFolder(cache, record);
  const folder = ownWritable ? own : kept;
  return {
    libtorch: found,
    looked,
    compiler: compiler?.version ?? null,
    missing,
    lacks: beside.map(({ lack }) => lack),
    command: missing.length > 0 && existsSync('/usr/bin/apt-get') ? aptLine(missing) : null,
    installs: missing.length > 0 && !missing.includes('g++') && canInstall(),
    folder,
    built: record !== null && [own, kept].some((each) => each !== null && isBuilt(each, record)),
  };
}

/** A wrong LIBTORCH is told as what was looked at. */
function search() {
  try {
    return findLibtorch();
  } catch (error) {
    return { found: null, looked: error.message.split('\n') };
  }
}
