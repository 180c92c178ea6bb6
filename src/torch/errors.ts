/**
 * Errors that a program can tell apart. Messages say what was expected, what came, where, and what to do.
 */
import { camelCase } from './spelling.js';

/** The base of every error that Headrace throws on purpose. */
export class HeadraceError extends Error {
  /** A short, stable word for programs, such as `FREED` or `QUEUE_CLOSED`. */
  readonly code: string;

  constructor(message: string, options: { code?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.code = options.code ?? 'HEADRACE';
  }
}

/** libtorch refused an operation: wrong shapes, dtypes, devices, or arguments that fit no overload. */
export class TorchError extends HeadraceError {}

/** A module or function was given a tensor of the wrong shape. */
export class ShapeError extends HeadraceError {}

/** Data on disk or from the network is missing, damaged or of the wrong form. */
export class DataError extends HeadraceError {}

/** A queue was closed, or stayed full or empty for longer than its time-out. */
export class QueueError extends HeadraceError {}

/** Another rank cannot be reached, went silent, failed, or never came; the message names it. */
export class RankError extends HeadraceError {}

/** A configuration, command line or argument cannot be used as it stands. */
export class ConfigError extends HeadraceError {}

/** A stage of a pipeline failed; it names the stage, the action and the step. */
export class StageError extends HeadraceError {
  readonly stage: number;
  readonly action: string | null;
  readonly step: number | null;

  constructor(message: string, at: { stage: number; action: string | null; step: number | null; cause?: unknown }) {
    super(message, { code: 'STAGE', cause: at.cause });
    this.stage = at.stage;
    this.action = at.action;
    this.step = at.step;
  }
}

/** The error for an asynchronous body; a rejection of `promise`, which nobody will await, is swallowed. */
export function asynchronous(taker: string, promise: Promise<unknown>, advice = ''): TorchError {
  promise.catch(() => {});
  return new TorchError(`${taker} a synchronous function, got one that returns a Promise${advice}`, { code: 'ASYNC' });
}

const BY_CODE: Record<string, typeof HeadraceError> = {
  QUEUE_CLOSED: QueueError,
  QUEUE_TIMEOUT: QueueError,
  QUEUE_GRAD: QueueError,
  DATA: DataError,
  RANK_LOST: RankError,
  LINK_LOST: RankError,
  RANK_TIMEOUT: RankError,
  STORE_SILENT: RankError,
  STORE_UNREACHABLE: RankError,
  STORE_PORT_TAKEN: RankError,
  STORE_CLOSED: RankError,
};

/** libtorch's messages speak Python, of `retain_graph=True` and `.retain_grad()`: what is written here instead. */
function spelledHere(message: string): string {
  return message
    .replace(/\b([a-z]+(?:_[a-z]+)+)=(True|False)\b/g, (_, name: string, value: string) => {
      return `{ ${camelCase(name)}: ${value.toLowerCase()} }`;
    })
    .replace(/\.(retain_grad|requires_grad_)\(/g, (_, name: string) => `.${camelCase(name)}(`);
}

/** libtorch's ways to say that an index or a class number must be whole. */
const WHOLE = /expected scalar type Long but found|scalar types: Long, Int; but got|Expected dtype int64 for index/i;
const MAKE_WHOLE =
  "Indices and class numbers are int64: tensor([...], { dtype: 'int64' }), or x.to({ dtype: 'int64' }).";

/** Gives an error from the native addon its class; anything else passes unchanged. */
export function translateNativeError(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof HeadraceError) return error;
  const code = (error as Error & { code?: string }).code;
  if (typeof code !== 'string') return error;
  const ErrorClass = BY_CODE[code] ?? TorchError;
  const message = spelledHere(error.message);
  return new ErrorClass(WHOLE.test(message) ? `${message.trimEnd()}. ${MAKE_WHOLE}` : message, { code });
}

/** Runs `body`, giving errors of the addon their class. */
export function translating<T>(body: () => T): T {
  try {
    return body();
  } catch (error) {
    throw translateNativeError(error);
  }
}
