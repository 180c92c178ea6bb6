// Copies of the package as npm would install it, for tests of how it starts.

import { execFileSync, type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { root } from './repository.js';

interface Manifest {
  readonly exports: Readonly<Record<string, unknown>>;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly peerDependencies: Readonly<Record<string, string>>;
}

export const manifest = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as Manifest;

/**
 * Lays the package's files into `project`/node_modules/headrace, without its addon, and beside it links to its dependencies
 * and to the `optional` packages named.
 * @returns the package's folder
 */
export function installCopy(project: string, optional: readonly string[] = []): string {
  const modules = path.join(project, 'node_modules');
  const copy = path.join(modules, 'headrace');
  mkdirSync(copy, { recursive: true });
  for (const part of ['dist', 'native', 'scripts', 'package.json']) {
    cpSync(path.join(root, part), path.join(copy, part), { recursive: true });
  }
  for (const name of [...Object.keys(manifest.dependencies), ...optional]) {
    mkdirSync(path.dirname(path.join(modules, name)), { recursive: true });
    symlinkSync(path.join(root, 'node_modules', name), path.join(modules, name));
  }
  return copy;
}

/** Runs Node on `args` in a folder, with these variables, as the user `uid`. */
export function node(
  cwd: string,
  args: readonly string[],
  env: Record<string, string> = {},
  uid?: number,
): SpawnSyncReturns<string> {
  const user = uid === undefined ? {} : { uid, gid: uid };
  return spawnSync(process.execPath, [...args], { cwd, encoding: 'utf8', env: { ...process.env, ...env }, ...user });
}

/** Puts the addon of this clone into a cache, as the set-up of an installed package does. */
export function fillCache(cache: string): void {
  const code = `
    const { addonRecord } = await import('./scripts/build-native.mjs');
    const { findLibtorch } = await import('./scripts/setup/libtorch.mjs');
    const { keepInCache } = await import('./scripts/setup/place.mjs');
    const { cacheFolder, ownFolder } = await import('./dist/torch/addon-place.js');
    await keepInCache(process.cwd(), cacheFolder(), addonRecord(process.cwd(), findLibtorch().found), ownFolder());`;
  const env = { ...process.env, HEADRACE_CACHE: cache };
  execFileSync(process.execPath, ['--input-type=module', '-e', code], { cwd: root, env, stdio: 'pipe' });
}
