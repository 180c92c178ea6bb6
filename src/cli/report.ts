// What the user sees of a result or an error: one JSON object, or one line; and the exit code.

import { existsSync, realpathSync } from 'node:fs';
import { dirname, extname } from 'node:path';
import { CommanderError } from 'commander';
import { TruncatedError } from '../media/truncated.js';
import { ConfigError, DataError, HeadraceError, RankError } from '../torch/errors.js';
import { isThrownByUser, messageWithPlace } from '../torch/user-errors.js';

/** The exit code of wrong usage, of any other error, of a rank that lost the others, and of a run that Ctrl-C ended. */
export const exitCodes = { ok: 0, failed: 1, usage: 2, lost: 75, interrupted: 130 } as const;

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

/** Before all the work, not after it. @throws ConfigError where a file would lie in a folder that is not there */
export function checkFolderOf(option: string, file: string): void {
  const folder = dirname(file);
  if (!existsSync(folder))
    throw new ConfigError(`Expected ${option} in a folder that exists, got ${file}: make ${folder} first`);
}

/** Before all the work, not after it. @throws ConfigError where a file to be written is one that is read */
export function checkApart(option: string, file: string, read: Readonly<Record<string, string | undefined>>): void {
  for (const [name, other] of Object.entries(read))
    if (other !== undefined && existsSync(file) && existsSync(other) && realpathSync(file) === realpathSync(other))
      throw new ConfigError(`Expected ${option} to be another file than ${name}, got ${file} for both`);
}

/** Before all the work, not after it. @throws ConfigError where a file's name ends otherwise */
export function checkEnding(option: string, file: string, endings: readonly string[]): void {
  if (!endings.includes(extname(file).toLowerCase()))
    throw new ConfigError(`Expected ${option} to end in ${endings.join(' or ')}, got ${file}`);
}

/** A line on stderr, where progress and remarks go. */
export function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

/**
 * Says what went wrong, and returns the exit code. `HEADRACE_DEBUG=1` shows the stack. Whoever starts ranks again is told by the
 * code of wrong usage that a mistake in the command would come again.
 */
export function reportError(error: unknown): number {
  if (error instanceof CommanderError) {
    // Commander has printed its message. Help that was asked for is no error; a missing verb is.
    return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
  }
  const debug = process.env.HEADRACE_DEBUG === '1';
  if (debug && error instanceof Error) say(`headrace: ${error.stack}${causes(error)}`);
  else if (isExpected(error)) say(`headrace: ${oneLine(messageOf(error))}`);
  else if (isThrownByUser(error)) say(`headrace: ${(error as Error).name}: ${oneLine(messageWithPlace(error))}`);
  else say(`headrace: unexpected ${String(error)} (a bug of headrace; HEADRACE_DEBUG=1 shows where)`);
  if (error instanceof RankError && process.env.HEADRACE_RECOVERY === 'stage') return exitCodes.lost;
  return error instanceof ConfigError && process.env.TORCHELASTIC_MAX_RESTARTS ? exitCodes.usage : exitCodes.failed;
}

const oneLine = (text: string): string => text.replaceAll(/\s*\n\s*/g, ' ');

/** Settings as messages of the library name them, and what they are called on the command line. */
const flags: Readonly<Record<string, string>> = {
  'resume: true': '--resume',
  'allowNaN: true': '--allow-nan',
  'skipBad: true': '--skip-bad',
  'lazy: true': '--lazy',
  'syncBatchNorm: true': '--sync-batch-norm',
  'size: N': '--image-size N',
  'choose with face:': 'choose with --face',
  'irfd: RUN': '--set irfd=RUN',
  'sync: RUN': '--set sync=RUN',
  'loss.sync: 0': '--set loss.sync=0',
  batchSize: '--batch',
  poseScale: '--pose-scale',
  checkpointEvery: '--checkpoint-every',
};
const settings = new RegExp(`\\b(${Object.keys(flags).join('|')})(?!\\w)`, 'g');

/** An error in words of the command line. */
export function messageOf(error: Error): string {
  if (error instanceof TruncatedError) return `${error.fact}. Copy or record it again`;
  // A line that points at a place in another says nothing in a single line; the message has the place as a number.
  const message = messageWithPlace(error).replace(/\n[^\n]*\n *\^$/, '');
  return inFlags(message);
}

/** A remark of the library, in words of the command line. */
export function inFlags(remark: string): string {
  return remark.replaceAll(settings, (name) => flags[name]!);
}

/** Runs a verb that has `--allow-truncated`, of which users of a file that was cut short are told. */
export async function withTruncatedAllowed<T>(body: () => Promise<T>): Promise<T> {
  try {
    return await body();
  } catch (cause) {
    if (!(cause instanceof TruncatedError)) throw cause;
    const remedy = 'Copy or record it again, or take what is there with --allow-truncated';
    throw new DataError(`${cause.fact}. ${remedy}`, { code: cause.code, cause });
  }
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
