/** When the collector is asked to run, and the warning where tensors outside scopes pile up all the same. */
import { fileURLToPath } from 'node:url';
import { ConfigError } from './errors.js';
import { native } from './native.js';
import { checkOptions } from './options.js';

/** Of tensors that no scope owns, on the calling thread. */
export interface MemoryLimits {
  /** The garbage collector is made to run when their memory has grown by so many bytes; 128 MiB by default. */
  readonly collectBytes?: number;
  /** Warn when, after a collection, they still have more memory, and nobody called `keep`; 1 GiB by default. */
  readonly warnBytes?: number;
  /** Warn when, after a collection, more of them are still in use; 50,000 by default. */
  readonly warnTensors?: number;
}

const MIB = 2 ** 20;
const KNOWN = ['collectBytes', 'warnBytes', 'warnTensors'] as const;
// This package's code, and what source maps take it for.
const OWN = ['../', '../../src/'].map((folder) => fileURLToPath(new URL(folder, import.meta.url)));

/** The variables of the environment that set the limits of every thread. */
function fromEnvironment(name: string, unit: number, otherwise: number): number {
  const text = process.env[name];
  if (text === undefined || text === '') return otherwise;
  const value = Number(text);
  if (!(value > 0)) throw new ConfigError(`expected a number above 0 in the variable ${name}, got '${text}'`);
  return Math.min(value * unit, Number.MAX_SAFE_INTEGER);
}

const limits: Record<(typeof KNOWN)[number], number> = {
  collectBytes: fromEnvironment('HEADRACE_COLLECT_MB', MIB, 128 * MIB),
  warnBytes: fromEnvironment('HEADRACE_WARN_MB', MIB, 1024 * MIB),
  warnTensors: fromEnvironment('HEADRACE_WARN_TENSORS', 1, 50_000),
};

function apply(): void {
  native.setMemoryLimits(limits.collectBytes, limits.warnBytes, limits.warnTensors);
}
apply();

/**
 * Sets when the garbage collector is made to run, and when to warn of tensors that pile up outside scopes, on this
 * thread; what is left out stays. A warning that was given may come again. `Infinity` turns one off.
 */
export function setMemoryLimits(options: MemoryLimits): void {
  checkOptions('setMemoryLimits', options ?? null, KNOWN);
  for (const name of KNOWN) {
    const value = options[name];
    if (value === undefined) continue;
    if (typeof value !== 'number' || !(value > 0)) {
      throw new ConfigError(`setMemoryLimits: expected ${name} above 0, got ${String(value)}`);
    }
    limits[name] = Math.min(Math.floor(value), Number.MAX_SAFE_INTEGER);
  }
  apply();
}

/** The nearest line of the call stack that is not this package's: whose code makes a tensor right now. */
function callingLine(): string {
  const before = Error.stackTraceLimit;
  Error.stackTraceLimit = 100;
  const lines = (new Error().stack ?? '').split('\n').slice(1);
  Error.stackTraceLimit = before;
  const foreign = lines.find((line) => !line.includes('node:') && !OWN.some((folder) => line.includes(folder)));
  return (foreign ?? lines.at(-1) ?? '').trim();
}

/** Says, as a warning of the process with a code, how much has piled up and where the last of it was made. */
export function warnOfPile(): void {
  const megabytes = Math.round(native.looseBytes() / MIB);
  process.emitWarning(
    `${native.looseCount()} tensors (${megabytes} MiB) that no scope owns are in use at once; the last was made ${callingLine()}`,
    {
      type: 'HeadraceWarning',
      code: 'HEADRACE_UNSCOPED_TENSORS',
      detail:
        'Put scope(() => ...) around the body of the loop that makes them, dispose() of what is done with, or keep() what ' +
        'shall stay. setMemoryLimits() or the variables HEADRACE_WARN_TENSORS and HEADRACE_WARN_MB move the limits. ' +
        'See docs/memory.md.',
    },
  );
}
