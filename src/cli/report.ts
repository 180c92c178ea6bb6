// What the user sees of a result or an error: one JSON object, or one line; and the exit code.

import { CommanderError } from 'commander';
import { HeadraceError } from '../torch/errors.js';

/** The exit code of wrong usage, of any other error, and of a run that Ctrl-C ended. */
export const exitCodes = { ok: 0, failed: 1, usage: 2, interrupted: 130 } as const;

/** Prints a result: with `--json` one object on a line of its own, else the text. */
export function print(json: boolean, result: object, text: string): void {
  process.stdout.write(json ? `${JSON.stringify(result)}\n` : `${text}\n`);
}

/** The first Ctrl-C (or SIGTERM) does `ask`, the second ends the process. Returns how to undo it. */
export function onInterrupt(ask: () => void): () => void {
  let asked = false;
  const onSignal = (): void => {
    if (asked) process.exit(exitCodes.interrupted);
    asked = true;
    ask();
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  return () => {
    process.off('SIGINT', onSignal);
    process.off('SIGTERM', onSignal);
  };
}

/** A line on stderr, where progress and remarks go. */
export function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** Says what went wrong, and returns the exit code. `HEADRACE_DEBUG=1` shows the stack. */
export function reportError(error: unknown): number {
  if (error instanceof CommanderError) {
    // Commander has printed its message. Help that was asked for is no error; a missing verb is.
    return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
  }
  const debug = process.env.HEADRACE_DEBUG === '1';
  if (debug && error instanceof Error) say(`headrace: ${error.stack}${causes(error)}`);
  else if (isExpected(error)) say(`headrace: ${error.message.replaceAll(/\s*\n\s*/g, ' ')}`);
  else say(`headrace: unexpected ${String(error)} (a bug of headrace; HEADRACE_DEBUG=1 shows where)`);
  return exitCodes.failed;
}

/** Whether an error is a user's to mend. */
export function isExpected(error: unknown): error is Error {
  // Errors of the system (no such file, no permission, no space) carry a code too, and are the user's to mend.
  return error instanceof HeadraceError || (error instanceof Error && 'syscall' in error);
}

function causes(error: Error): string {
  const { cause } = error;
  return cause instanceof Error ? `\ncaused by ${cause.stack}${causes(cause)}` : '';
}
