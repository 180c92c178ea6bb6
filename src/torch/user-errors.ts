/** Errors of a user's own code, which a run calls: told with the place in the user's file, and never taken for one of this package. */
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { ConfigError, HeadraceError } from './errors.js';

/** Of this package's compiled modules. */
const OWN = new URL('..', import.meta.url).href;

/** Whether a module is of this package, by its URL or the name of a door. */
export function isOwnModule(url: string): boolean {
  return url.startsWith(OWN) || /^headrace(\/|$)/.test(url);
}

const FRAME = /^ +at (?:async )?(?:.*? \()?((?:file:\/\/|\/|[A-Za-z]:\\).*):(\d+):\d+\)?$/;

interface Frame {
  readonly url: string;
  readonly line: string;
}

/** The files on an error's stack, the nearest first; Node's own are left out. */
function framesOf(error: unknown): Frame[] {
  const stack = error instanceof Error && typeof error.stack === 'string' ? error.stack : '';
  return stack.split('\n').flatMap((text) => {
    const [, file, line] = FRAME.exec(text) ?? [];
    if (file === undefined) return [];
    return [{ url: path.isAbsolute(file) ? pathToFileURL(file).href : file, line: line! }];
  });
}

const isUsers = ({ url }: Frame): boolean => !isOwnModule(url) && !url.includes('/node_modules/');

/** A module as messages show it: the path of a file, anything else as it is. */
export function fileName(url: string): string {
  return url.startsWith('file:') ? fileURLToPath(url) : url;
}

/** Whether an error was thrown by a user's code itself. */
export function isThrownByUser(error: unknown): boolean {
  const [nearest] = framesOf(error);
  return nearest !== undefined && isUsers(nearest);
}

/** An error's message, with the nearest place in a user's code where it came from any: `x is not defined (at /my/data.js:3)`. */
export function messageWithPlace(error: unknown): string {
  const message = error instanceof Error ? error.message.trimEnd() : String(error);
  const found = framesOf(error).find(isUsers);
  return found === undefined ? message : `${message} (at ${fileName(found.url)}:${found.line})`;
}

/**
 * The error for what a function of the user's threw. Those of this package are told as they are: they say what to do.
 * @param name - what the function is exported as, by the module at `url`
 */
export function failureOf(url: string, name: string, cause: unknown): unknown {
  if (isOwnModule(url) || cause instanceof HeadraceError) return cause;
  const kind = cause instanceof Error ? `${cause.name}: ` : '';
  const called = name === 'default' ? 'the default export' : name;
  return new ConfigError(`${called} of ${fileName(url)} failed: ${kind}${messageWithPlace(cause)}`, { cause });
}
