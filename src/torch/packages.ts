/** npm packages on disk: where one lies as seen from a file, and which file one of its doors is. */
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

export interface Manifest {
  readonly version: string;
  readonly main?: string;
  readonly exports?: unknown;
  readonly peerDependencies?: Readonly<Record<string, string>>;
}

export function manifestIn(folder: string): Manifest {
  return JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8')) as Manifest;
}

/** A place to look from: the working directory, as if a file in it asked. */
export function workingPlace(): string {
  return pathToFileURL(path.join(process.cwd(), 'package.json')).href;
}

/** The folder of a package as seen from a file; null where there is none. @param place URL of the file */
export function packageFolder(place: string, name: string): string | null {
  const require = createRequire(place);
  const folders = (require.resolve.paths(name) ?? []).map((folder) => path.join(folder, name));
  const found = folders.find((folder) => existsSync(path.join(folder, 'package.json')));
  if (found !== undefined) return found;
  try {
    return path.dirname(require.resolve(`${name}/package.json`)); // where packages lie in no node_modules
  } catch {
    return null;
  }
}

/** `@scope/name/door` in its parts: `@scope/name` and `./door`. */
export function partsOf(specifier: string): { name: string; door: string } {
  const parts = specifier.split('/');
  const name = parts.slice(0, specifier.startsWith('@') ? 2 : 1).join('/');
  return { name, door: `.${specifier.slice(name.length)}` };
}

/** The file of a package's door, for import. */
export function doorFile(folder: string, door: string): string {
  const { exports, main } = manifestIn(folder);
  const doors = exports as Readonly<Record<string, unknown>> | string | undefined;
  const target = typeof doors === 'object' && Object.keys(doors)[0]?.startsWith('.') ? doors[door] : doors;
  return path.join(folder, choose(target) ?? (door === '.' ? (main ?? 'index.js') : door));
}

function choose(target: unknown): string | null {
  if (typeof target === 'string') return target;
  if (typeof target !== 'object' || target === null) return null;
  for (const [condition, inner] of Object.entries(target)) {
    const found = ['node', 'import', 'default'].includes(condition) ? choose(inner) : null;
    if (found !== null) return found;
  }
  return null;
}
