/** What pickles are read as, and the stand-ins that live on the machine's stack until reading ends. */
import { expectList } from '../torch/expect.js';
import type { ByteRange } from './bytes.js';
import type { LazyArray, ObjectArray } from './lazy-array.js';
import type { NumpyType } from './numpy-types.js';

/** A key of a dict or a member of a set. Tuples and bytes as keys are refused: a `Map` would compare them by identity. */
export type PickleKey = null | boolean | number | bigint | string;

/**
 * A value from a pickle. Python's int is a number, or a bigint beyond 2^53; float is a number; bytes and bytearray are `ByteRange`s;
 * list is an array, tuple a `PickleTuple`; dict a `Map`; set and frozenset a `Set`; a NumPy scalar is the plain value;
 * an array of numbers a `LazyArray`, one of text or objects an `ObjectArray`; a dtype a `NumpyType`.
 */
export type PickleValue =
  | PickleKey
  | ByteRange
  | readonly PickleValue[]
  | ReadonlyMap<PickleKey, PickleValue>
  | ReadonlySet<PickleKey>
  | LazyArray
  | ObjectArray<PickleValue>
  | NumpyType;

/** A Python tuple: an array that remembers that it was one. */
export class PickleTuple<T = PickleValue> extends Array<T> {
  /** `Array.of` for any items, a single number included. */
  static fromItems<T>(items: readonly T[]): PickleTuple<T> {
    expectList('PickleTuple.fromItems', items, 'items in a list');
    const tuple = new PickleTuple<T>();
    for (const item of items) tuple.push(item);
    return tuple;
  }

  /** What `map` and `slice` return is a plain array. */
  static override get [Symbol.species](): ArrayConstructor {
    return Array;
  }
}

/** An allowed global name. It stands for itself only; nothing is looked up. */
export class PickleGlobal {
  constructor(
    readonly name: string,
    /** What calling it gives; null for names that are only passed on. */
    readonly call: ((host: PickleHost, args: readonly unknown[]) => unknown) | null,
    /** What it is read as where it is a value itself. */
    readonly value?: PickleKey,
  ) {}
}

/** What a pickle may name, and what that gives. */
export interface PicklePolicy {
  /** @returns undefined for every name that is not allowed */
  find(module: string, name: string): PickleGlobal | undefined;
  /** What `BUILD` does to a value. */
  setState(host: PickleHost, target: unknown, state: unknown): void;
  /** What lies outside the pickle under an id; null where nothing does. */
  readonly persistent: ((host: PickleHost, id: unknown) => unknown) | null;
  /** What is read, and what to do about the rest; for the refusal of a name. */
  readonly reads: string;
}

/** What the functions behind global names need of the machine. */
export interface PickleHost {
  /** Takes memory from the budget. @throws DataError when it is spent */
  charge(bytes: number): void;
  /** @throws DataError naming file, offset and opcode */
  fail(message: string): never;
}

/** An array between `_reconstruct` and the state that fills it. */
export class ArrayDraft {
  value: LazyArray | ObjectArray<PickleValue> | null = null;
}

/** A dtype between its call and the state that gives its byte order. */
export class TypeDraft {
  constructor(public value: NumpyType) {}
}

/** Text too long to be read before it is known whether it is text or, as protocols 0 to 2 write them, the bytes of an array. */
export class LongText {
  /** The bytes it stands for, once asked. */
  bytes: ByteRange | null = null;
  /** The text, once read: many places may refer to it. */
  text: string | null = null;

  constructor(readonly range: ByteRange) {}
}

/** A `str` of Python 2 that is not plain ASCII or long: text or bytes, which only its use tells. */
export class Python2String {
  /** The text, once read. */
  text: string | null = null;

  constructor(readonly range: ByteRange) {}
}
