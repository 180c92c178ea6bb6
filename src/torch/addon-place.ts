/** Where the native addon lies: in the package's own folder, or in a cache of the user's where that cannot be written to. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder of this package, wherever it was installed or copied to. */
export const packageRoot = fileURLToPath(new URL('../..', import.meta.url)).replace(/[\\/]$/, '');

/** The addon's file name, and the record of what it was built from, which lies beside it. */
export const ADDON = 'headrace.node';
export const RECORD = 'build.json';
/** In the cache: names the folder of the addon that was set up last. */
const CURRENT = 'current';

/** Node-API is stable across versions of Node, so its version is all of Node that an addon depends on. */
export const NODE_API = 8;

/** Where the addon of the package itself is built. */
export function ownFolder(root = packageRoot): string {
  return path.join(root, 'build', 'native');
}

/** The cache of all versions: HEADRACE_CACHE, or `headrace` where this system keeps what can be made again. */
export function cacheRoot(env: Readonly<Record<string, string | undefined>> = process.env): string {
  if (env.HEADRACE_CACHE) return path.resolve(env.HEADRACE_CACHE);
  if (env.XDG_CACHE_HOME) return path.join(path.resolve(env.XDG_CACHE_HOME), 'headrace');
  return path.join(homedir(), process.platform === 'darwin' ? 'Library/Caches' : '.cache', 'headrace');
}

/** The part of the cache for this version, this source and this platform; each libtorch has a folder in it. */
export function cacheFolder(root = packageRoot, env = process.env): string {
  const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as { version: string };
  const sources = sourceDigest(root).slice(0, 12);
  return path.join(cacheRoot(env), `${version}-${sources}-${process.platform}-${process.arch}-napi${NODE_API}`);
}

/** A digest of the addon's sources, by content alone. */
export function sourceDigest(root = packageRoot): string {
  const folder = path.join(root, 'native');
  const hash = createHash('sha256');
  for (const name of readdirSync(folder).sort()) {
    if (/\.(cpp|h)$/.test(name))
      hash
        .update(`${name}\0`)
        .update(readFileSync(path.join(folder, name)))
        .update('\0');
  }
  return hash.digest('hex');
}

/** The file in a cache folder that names the addon in use. */
export function currentFile(cache: string): string {
  return path.join(cache, CURRENT);
}

/** Whether this module lies in its package; a bundler may have taken it out. */
export function inPackage(root = packageRoot): boolean {
  const file = path.join(root, 'package.json');
  return existsSync(file) && (JSON.parse(readFileSync(file, 'utf8')) as { name?: string }).name === 'headrace';
}

/** The folder of the addon to load, and all that were looked at; `found` is null where it was not built yet. */
export function findAddon(root = packageRoot): { found: string | null; looked: string[] } {
  const own = ownFolder(root);
  if (existsSync(path.join(own, ADDON))) return { found: own, looked: [own] };
  const cache = cacheFolder(root);
  const looked = [own, cache];
  if (!existsSync(currentFile(cache))) return { found: null, looked };
  const found = path.join(cache, readFileSync(currentFile(cache), 'utf8').trim());
  return { found: existsSync(path.join(found, ADDON)) ? found : null, looked };
}
