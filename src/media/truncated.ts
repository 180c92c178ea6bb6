import { DataError } from '../torch/errors.js';

/** A media file ends before it should; its `code` is `TRUNCATED`. Reading takes what is there with `allowTruncated`. */
export class TruncatedError extends DataError {
  /** What is wrong, without what to do about it: for programs whose users have other options than those of code. */
  readonly fact: string;

  constructor(fact: string) {
    super(`${fact}. Copy or record it again, or take what is there with { allowTruncated: true }`, {
      code: 'TRUNCATED',
    });
    this.name = 'DataError'; // by which programs know all of its kind
    this.fact = fact;
  }
}

/** An error's message, without options of code that whoever reads it may not have. @internal */
export function factOf(error: Error): string {
  return error instanceof TruncatedError ? error.fact : error.message;
}
