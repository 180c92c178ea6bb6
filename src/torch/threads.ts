/** Starts worker threads as this one was started: with the same loaders and conditions of modules. */
import { Worker, type WorkerOptions } from 'node:worker_threads';

/** Options of Node that say how modules are found and loaded; those in the first list take a value. */
const WITH_VALUE = ['--import', '--require', '-r', '--loader', '--experimental-loader', '--conditions', '-C'];
const ALONE = /^--(no-)?(experimental-|enable-source-maps|preserve-symlinks)/;

/** A worker thread that runs the module at `url`. It has this thread's loaders, however this program was given to Node. */
export function startThread(url: URL, options: WorkerOptions): Worker {
  return new Worker(url, { ...options, ...inherited(process.execArgv) });
}

/**
 * A thread takes over Node's options by itself; but those of a program that was typed, piped or evaluated say how to read that
 * program, and a thread refuses them. Then it is told the rest.
 */
function inherited(execArgv: readonly string[]): { execArgv?: string[] } {
  if (!execArgv.some((argument) => argument.startsWith('--input-type'))) return {};
  const kept = execArgv.flatMap((argument, i) => {
    if (WITH_VALUE.includes(argument)) return [argument, execArgv[i + 1] ?? ''];
    const named = WITH_VALUE.some((option) => argument.startsWith(`${option}=`));
    return named || ALONE.test(argument) ? [argument] : [];
  });
  return { execArgv: kept };
}

const ENGINE = Symbol.for('headrace.engineThread');

/** Says that this thread is the engine's: it imports users' modules to build what they export, and must not start runs. */
export function markEngineThread(): void {
  Object.defineProperty(globalThis, ENGINE, { value: true });
}

export function inEngineThread(): boolean {
  return ENGINE in globalThis;
}
