// What set-up tells the user: short lines on stderr, and errors that need no stack trace.

/** A failure that the user can mend; its message says what was looked for, where, and what to do. */
export class SetupError extends Error {}

/** @param {string} line */
export function say(line) {
  process.stderr.write(`headrace: ${line}\n`);
}

/** Runs `main`, prints a SetupError's message without its stack, and exits non-zero on any failure. */
export async function runMain(main) {
  try {
    process.exitCode = (await main()) ?? 0;
  } catch (error) {
    say(error instanceof SetupError ? error.message : `internal error: ${error.stack}`);
    process.exitCode = 1;
  }
}

/** Seconds since `start` (a Date.now() value), to a tenth. */
export function secondsSince(start) {
  return `${((Date.now() - start) / 1000).toFixed(1)} s`;
}
