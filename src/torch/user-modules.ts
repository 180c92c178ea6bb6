/**
 * Modules of the user's, which every thread imports by itself: where they lie, and that a worker thread loads TypeScript where
 * the main thread does.
 */
import { existsSync } from 'node:fs';
import { createRequire, isBuiltin } from 'node:module';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { getEnvironmentData, setEnvironmentData } from 'node:worker_threads';
import { ConfigError } from './errors.js';
import { doorFile, packageFolder, partsOf, workingPlace } from './packages.js';
import { failureOf, isOwnModule, messageWithPlace } from './user-errors.js';

/** Where relative names are looked for, as URLs of files: the file that called this package, then the working directory. */
export function callerPlaces(): string[] {
  const caller = callerFile();
  return caller === null ? [workingPlace()] : [caller, workingPlace()];
}

/** The URL of the nearest file on the stack that is not of this package; null where none is, as after an `await`. */
function callerFile(): string | null {
  const { prepareStackTrace, stackTraceLimit } = Error;
  try {
    Error.stackTraceLimit = 100;
    Error.prepareStackTrace = (_error, sites) => sites.map((site) => site.getFileName());
    const files = new Error().stack as unknown as (string | null | undefined)[];
    const urls = files.flatMap((file) => (file ? [path.isAbsolute(file) ? pathToFileURL(file).href : file] : []));
    return urls.find((url) => url.startsWith('file:') && !isOwnModule(url)) ?? null;
  } finally {
    Object.assign(Error, { prepareStackTrace, stackTraceLimit });
  }
}

const FILE = /^(.+\.[cm]?[jt]s)(?::([\w$]+))?$/;

/** What `./mine.js:name` names, the default export without a name; null for anything but the file of a program. */
export function fileExport(text: string): { readonly module: string; readonly export: string } | null {
  const [, module, name = 'default'] = FILE.exec(text) ?? [];
  return module === undefined ? null : { module, export: name };
}

/**
 * The same with the file's URL.
 * @param what - it is, for the error: `a model`
 * @throws ConfigError for a file that is not there, from the working directory
 */
export function locatedExport(text: string, what: string): { readonly module: string; readonly export: string } {
  const named = fileExport(text);
  if (named === null)
    throw new ConfigError(`Expected a file with ${what}, such as ./mine.js or ./mine.js:name, got ${text}`);
  const file = path.resolve(named.module);
  if (!existsSync(file)) throw new ConfigError(`Expected a file with ${what} at ${file}, found none.`);
  return { ...named, module: pathToFileURL(file).href };
}

/** What a path may stand for: TypeScript names the file that its source would become. */
function spellings(file: string): string[] {
  const source = file.replace(/\.([cm]?)js(x?)$/, '.$1ts$2');
  return source === file ? [file] : [file, source];
}

/**
 * The URL of a module: of a path beside the caller or in the working directory, or of a package as seen from there. A URL, and
 * what is of this package, stays as it is.
 * @param places see {@link callerPlaces}
 * @throws ConfigError that says where it looked
 */
export function locateModule(specifier: string, places: readonly string[]): string {
  if (/^[a-z][a-z\d+.-]+:/i.test(specifier) || /^headrace(\/|$)/.test(specifier)) return specifier;
  const isPath = /^\.{1,2}(\/|$)/.test(specifier) || path.isAbsolute(specifier);
  if (!isPath) return locatePackage(specifier, places);
  const looked = [...new Set(places.map((place) => path.resolve(path.dirname(fileURLToPath(place)), specifier)))];
  const found = looked.flatMap(spellings).find((file) => existsSync(file));
  if (found !== undefined) return pathToFileURL(found).href;
  throw new ConfigError(
    `Expected a module at ${specifier}, found none: looked for ${looked.join(' and ')}. A relative path is looked for beside ` +
      'the file that gives it, then in the working directory; new URL(path, import.meta.url).href says it in full.',
  );
}

function locatePackage(specifier: string, places: readonly string[]): string {
  if (isBuiltin(specifier)) return specifier;
  const { name, door } = partsOf(specifier);
  for (const place of places) {
    try {
      return pathToFileURL(createRequire(place).resolve(specifier)).href;
    } catch {
      const folder = specifier.startsWith('#') ? null : packageFolder(place, name);
      if (folder !== null) return pathToFileURL(doorFile(folder, door)).href; // one that is for import alone
    }
  }
  const looked = places.map((place) => path.dirname(fileURLToPath(place)));
  throw new ConfigError(
    `Expected the module ${specifier} as a package, found none from ${[...new Set(looked)].join(' or ')}. ` +
      'Install it there, or give a path that begins with ./',
  );
}

const known = new Map<string, (...given: never[]) => unknown>();

/**
 * Remembers a function that this thread has in hand: a program that waits for a run at its top level is not yet imported
 * itself, and importing it would wait for its end.
 */
export function rememberFunction(url: string, name: string, found: (...given: never[]) => unknown): void {
  known.set(`${url}#${name}`, found);
}

/** A function that this thread has imported or remembered, for those that cannot wait; null where it has not. */
export function functionInHand<F extends (...given: never[]) => unknown>(url: string, name: string): F | null {
  return (known.get(`${url}#${name}`) as F | undefined) ?? null;
}

/** Imports a function of a module on this thread. @throws ConfigError where that fails, or the module has no such function */
export async function importFunction<F extends (...given: never[]) => unknown>(url: string, name: string): Promise<F> {
  await prepareLoader(url);
  const inHand = known.get(`${url}#${name}`);
  if (inHand) return inHand as F;
  let loaded: Record<string, unknown>;
  try {
    loaded = (await import(url)) as Record<string, unknown>;
  } catch (cause) {
    throw new ConfigError(`Cannot import ${url}: ${messageWithPlace(cause)}${hint(cause)}`, { cause });
  }
  // What a module of CommonJS exports is not always told by its names alone.
  const found = loaded[name] ?? (loaded.default as Record<string, unknown> | null | undefined)?.[name];
  if (typeof found === 'function') {
    rememberFunction(url, name, found as F);
    return found as F;
  }
  throw new ConfigError(`Expected ${url} to export a function ${name}, got ${typeof found}`);
}

/**
 * Calls a function that a module exports.
 * @throws ConfigError where it cannot be imported, or throws: with the place in the user's file
 */
export async function callFunction(url: string, name: string, ...given: readonly unknown[]): Promise<unknown> {
  const call = await importFunction<(...given: unknown[]) => unknown>(url, name);
  try {
    return await call(...given);
  } catch (cause) {
    throw failureOf(url, name, cause);
  }
}

const TYPESCRIPT = /\.[cm]?tsx?(\?|$)/;
const KEY = 'headrace: TypeScript is loaded';

/**
 * Node's threads do not have the loaders that were registered on the main thread alone, as tsx does on many versions of Node. A
 * thread that loads TypeScript leaves word for those that it starts, and one that finds such a word, and does not, registers tsx.
 */
export async function prepareLoader(url: string): Promise<void> {
  if (isOwnModule(url)) return;
  const tsx = tsxArguments();
  if (tsx.length === 0 && !TYPESCRIPT.test(url)) return;
  if (await loadsTypeScript()) return setEnvironmentData(KEY, true);
  if (tsx.length === 0 && getEnvironmentData(KEY) !== true) return;
  // npx runs a tsx that lies in no project: where it lies is told by what it starts Node with alone.
  const places = [...tsx.flatMap(fileOf), ...(url.startsWith('file:') ? [url] : []), workingPlace()];
  const folder = places.map((place) => packageFolder(place, 'tsx')).find((each) => each !== null);
  if (folder === undefined) return;
  const { register } = (await import(pathToFileURL(doorFile(folder, './esm/api')).href)) as { register(): void };
  register();
}

let loads: Promise<boolean> | null = null;

/** Whether this thread has a loader for TypeScript, more than Node's own. */
function loadsTypeScript(): Promise<boolean> {
  loads ??= import(new URL('../../scripts/probe/typescript.ts', import.meta.url).href).then(
    () => true,
    () => false,
  );
  return loads;
}

/** The modules by which this program was started with tsx. */
function tsxArguments(): string[] {
  const given = [...process.execArgv, ...(process.env.NODE_OPTIONS ?? '').split(/\s+/)];
  return given
    .map((argument) => argument.replace(/^--[a-z-]+=/, '').replaceAll('"', ''))
    .filter((argument) => /^tsx(\/|$)|\/tsx\/dist\//.test(argument));
}

/** As a URL, where it is a file and no name of a package. */
function fileOf(module: string): string[] {
  if (module.startsWith('file:')) return [module];
  return path.isAbsolute(module) ? [pathToFileURL(module).href] : [];
}

function hint(error: unknown): string {
  const code = (error as { code?: unknown }).code;
  if (code === 'ERR_UNKNOWN_FILE_EXTENSION') {
    return '. Start the program with npx tsx, or with Node 22.18 or newer, which read TypeScript';
  }
  if (code !== 'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX') return '';
  return '. Node leaves types out and reads the rest as it is: start the program with npx tsx, or leave out enums and parameter properties';
}
