// Runs test files one after the other in one process, each a suite by its own name: libtorch is loaded once for all of them.
import assert from 'node:assert/strict';
import { after, describe } from 'node:test';
import { setImmediate as tick } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { getNumThreads, isGradEnabled, manualSeed } from 'headrace/torch';

/** What libtorch's default generator begins with in a new process. */
const FIRST_SEED = 67280421310721n;
/** Milliseconds after which a file, or a test, is given up: it hangs. However busy the machine is, none takes so long. */
const LIMIT = 1_200_000;

/** A variable that sharp sets when it is loaded. */
const SHARPS = 'VIPSHOME';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** What belongs to the process, so that a file could leave it changed for those that follow, by name. */
function state(): Map<string, unknown> {
  const signals = process.eventNames().filter((name) => String(name).startsWith('SIG'));
  return new Map<string, unknown>([
    ['working directory', process.cwd()],
    ['exit code', process.exitCode],
    ["libtorch's number of threads", getNumThreads()],
    ['gradients on', isGradEnabled()],
    ...signals.map((name) => [`listeners of ${String(name)}`, process.listenerCount(name)] as const),
    ...Object.entries(process.env).flatMap(([name, value]) =>
      name === SHARPS ? [] : [[`variable ${name}`, value] as const],
    ),
    ...Object.getOwnPropertyNames(globalThis).map((name) => [`global ${name}`, 'defined'] as const),
  ]);
}

function leavesAsItWas(file: string, before: ReadonlyMap<string, unknown>): void {
  const now = state();
  const names = [...new Set([...before.keys(), ...now.keys()])];
  const changed = names.filter((name) => before.get(name) !== now.get(name));
  assert.deepEqual(changed, [], `${file} leaves these of its process changed for the files that follow`);
}

/** The next file begins as in a new process: with the same random numbers, and without the garbage of those before. */
async function beginAnew(): Promise<void> {
  for (let i = 0; i < 2; i++) {
    collectGarbage();
    await tick();
  }
  manualSeed(FIRST_SEED);
}

/** @param files - from the root of the repository: test/nn/linear.test.ts. One that says so in a comment shall run alone. */
export async function runTogether(files: readonly string[]): Promise<void> {
  for (const file of files) {
    await beginAnew();
    const before = state();
    await describe(file, { timeout: LIMIT }, async () => {
      await import(new URL(`../${file.replace(/\.ts$/, '.js')}`, import.meta.url).href);
      after(() => leavesAsItWas(file, before)); // after the file's own hooks
    });
  }
}
