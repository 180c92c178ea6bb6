import { ConfigError } from '../torch/index.js';

const LONGEST_MS = 1e12;

/** @throws ConfigError unless it can be a time-out */
export function checkMs(ms: number): void {
  if (ms >= 0 && ms <= LONGEST_MS) return;
  throw new ConfigError(`expected a time-out from 0 to ${LONGEST_MS} ms, got ${ms}`);
}

const sleeper = new Int32Array(new SharedArrayBuffer(4));

/** Blocks this thread. */
export function sleep(ms: number): void {
  Atomics.wait(sleeper, 0, 0, ms);
}
