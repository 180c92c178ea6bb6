/**
 * Packages that only some of Headrace needs, and that a user installs where they are needed. All are loaded through here, by the
 * first use, so that their absence is told in the same words: what needs them, and the command that gets them.
 */
import { pathToFileURL } from 'node:url';
import { packageRoot } from './addon-place.js';
import { ConfigError } from './errors.js';
import { doorFile, manifestIn, packageFolder, partsOf, workingPlace } from './packages.js';

/** The packages, with what each is for. The versions are those of the manifest's peerDependencies. */
export const optionalPurposes = {
  sharp: 'reading image files',
  mnist: 'the digits of mnist',
  'node-av': 'reading and writing videos and compressed sound',
  '@vladmandic/face-api': 'finding faces: the weights of its networks',
  h5wasm: 'reading HDF5 files (.csd, .h5)',
  '@huggingface/transformers': 'speech recognition',
} as const;

export type OptionalName = keyof typeof optionalPurposes;

/** The version that Headrace was written for and is tested with. */
function versionOf(name: OptionalName): string {
  const range = manifestIn(packageRoot).peerDependencies?.[name];
  return range === undefined ? 'latest' : range.replace(/^[\^~]/, '');
}

/** The command that installs a package, or several. */
export function installCommand(...names: OptionalName[]): string {
  return `npm install ${names.map((name) => `${name}@${versionOf(name)}`).join(' ')}`;
}

/** Looks beside this package, as a package's own are, then from the working directory. */
function find(name: OptionalName): { folder: string; beside: boolean } | null {
  for (const [i, place] of [import.meta.url, workingPlace()].entries()) {
    const folder = packageFolder(place, name);
    if (folder !== null) return { folder, beside: i === 0 };
  }
  return null;
}

function absent(name: OptionalName, purpose: string): ConfigError {
  return new ConfigError(
    `${purpose} needs the package ${name}, which is not installed: ${installCommand(name)} (in the project's folder)`,
    { code: 'NO_PACKAGE' },
  );
}

/**
 * Where a package lies, for its files.
 * @param purpose what needs it, as a sentence begins: `'Reading HDF5 files'`
 * @throws ConfigError (code NO_PACKAGE) with the command that installs it
 */
export function optionalFolder(name: OptionalName, purpose: string): string {
  const found = find(name);
  if (found === null) throw absent(name, purpose);
  return found.folder;
}

/**
 * Loads a package, or one of its doors (`node-av/lib`).
 * @param purpose what needs it, as a sentence begins: `'Reading videos'`
 * @throws ConfigError (code NO_PACKAGE) with the command that installs it, or that says why it cannot be loaded
 */
export async function optionalPackage<T>(
  specifier: OptionalName | `${OptionalName}/${string}`,
  purpose: string,
): Promise<T> {
  const { name, door } = partsOf(specifier) as { name: OptionalName; door: string };
  const found = find(name);
  if (found === null) throw absent(name, purpose);
  const target = found.beside ? specifier : pathToFileURL(doorFile(found.folder, door)).href;
  try {
    return (await import(target)) as T;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.split('\n')[0] : String(cause);
    throw new ConfigError(
      `${purpose} needs the package ${name}, and the one in ${found.folder} cannot be loaded on ${process.platform} ` +
        `${process.arch}: ${reason}. Install it again, with its optional packages: ${installCommand(name)}`,
      { code: 'NO_PACKAGE', cause },
    );
  }
}

/** An optional package on this machine. */
export interface OptionalPart {
  readonly name: OptionalName;
  readonly purpose: string;
  /** The version that is installed; null without it. */
  readonly installed: string | null;
  /** The version that it is tested with. */
  readonly tested: string;
  readonly command: string;
}

/** All of them, installed or not. */
export function optionalParts(): OptionalPart[] {
  return (Object.keys(optionalPurposes) as OptionalName[]).map((name) => {
    const found = find(name);
    const installed = found === null ? null : manifestIn(found.folder).version;
    return { name, purpose: optionalPurposes[name], installed, tested: versionOf(name), command: installCommand(name) };
  });
}
