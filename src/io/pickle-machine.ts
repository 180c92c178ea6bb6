/**
 * The pickle machine: a stack, marks and a memo, driven by opcodes. It makes plain values only; see `pickle-globals.ts` for the policy.
 * Format: CPython's Lib/pickletools.py, which documents every opcode.
 */
import { DataError, HeadraceError } from '../torch/errors.js';
import { ByteRange, type ByteSource } from './bytes.js';
import { reason } from './file.js';
import { freeMemory, paidFor, type ReadLimits, structureLimit } from './limits.js';
import { PickleCursor } from './pickle-cursor.js';
import { quote } from './pickle-globals.js';
import { type Operation, opcodes } from './pickle-opcodes.js';
import { PickleGlobal, type PickleHost, type PicklePolicy } from './pickle-values.js';

/** Marks open at once. Python itself cannot write deeper nesting than its recursion limit of 1,000. */
const maxMarks = 10_000;

/** One run over one pickle. Operations reach the stack through its methods only. */
export class PickleMachine implements PickleHost {
  readonly cursor: PickleCursor;
  private readonly stack: unknown[] = [];
  private readonly marks: number[] = [];
  /** The memo: indices that come in order, and (in hostile or hand-made pickles) any others. */
  private readonly dense: unknown[] = [];
  private readonly sparse = new Map<number, unknown>();
  private spent = 0;
  private operation: Operation | undefined;
  private start = 0;
  private frameEnd = Infinity;

  /** Where the budget ends whatever the file pays. */
  private readonly most: number;
  /** Up to here nothing need be asked. */
  private readonly free: number;

  /** @param position where the pickle begins */
  constructor(
    source: ByteSource,
    readonly policy: PicklePolicy,
    private readonly limits: ReadLimits,
    position = 0,
  ) {
    this.cursor = new PickleCursor(source, position);
    this.start = position;
    this.most = structureLimit(limits, paidFor(source.size));
    this.free = Math.min(this.most, freeMemory);
  }

  /**
   * Runs to STOP; returns the value with its stand-ins.
   * @param alone whether nothing may follow in the file
   * @throws DataError naming file, offset and opcode
   */
  run(alone = true): unknown {
    try {
      while (this.operation?.name !== 'STOP') this.step();
    } catch (error) {
      // A RangeError is V8's word for a collection beyond its limits.
      if (error instanceof RangeError || (error instanceof HeadraceError && !(error instanceof PickleError))) {
        this.fail(reason(error), error);
      }
      throw error;
    }
    const result = this.pop();
    if (this.stack.length > 0 || this.marks.length > 0) this.fail('values are left over at the end');
    if (alone && this.cursor.remaining > 0) {
      this.fail(`${this.cursor.remaining} bytes follow the end of the pickle; only one pickle a file is read`);
    }
    return result;
  }

  private step(): void {
    this.start = this.cursor.position;
    this.operation = undefined;
    if (this.cursor.remaining === 0) this.fail('the file is cut short: a pickle ends with STOP');
    const code = this.cursor.byte();
    this.operation = opcodes[code];
    if (this.operation === undefined) {
      const hint = this.start === 0 ? '; is this a pickle?' : '';
      this.fail(`unknown opcode 0x${code.toString(16).padStart(2, '0')}${hint}`);
    }
    this.operation.run(this);
    if (this.cursor.position > this.frameEnd) this.fail('it goes beyond the end of its frame');
    if (this.cursor.position === this.frameEnd) this.frameEnd = Infinity;
  }

  /** Protocol 4 and later announce runs of opcodes, which end with an opcode. */
  beginFrame(length: number): void {
    if (length > this.cursor.remaining) {
      this.fail(`the file is cut short: a frame of ${length} bytes, ${this.cursor.remaining} are left`);
    }
    if (this.frameEnd !== Infinity) this.fail('a frame begins inside a frame');
    this.frameEnd = this.cursor.position + length;
  }

  charge(bytes: number): void {
    this.spent += bytes;
    if (this.spent > this.free && this.spent > this.allowed()) {
      this.fail(
        `its values, without the numbers of its arrays, take more than ${Math.floor(this.allowed())} bytes; allow more with maxMemory`,
      );
    }
  }

  /** Without an option, what has been read so far pays: a file of empty lists only is refused at its beginning. */
  private allowed(): number {
    return this.limits.maxMemory === undefined ? Math.min(this.most, paidFor(this.cursor.position)) : this.most;
  }

  fail(message: string, cause?: unknown): never {
    const at = this.operation === undefined ? '' : ` (opcode ${this.operation.name})`;
    throw new PickleError(`${this.cursor.source.path}, at byte ${this.start}${at}: ${message}`, { cause });
  }

  /** @param bytes what the new value takes, besides its place on the stack */
  push(value: unknown, bytes = 0): void {
    this.charge(16 + bytes);
    this.stack.push(value);
  }

  /** @throws DataError when nothing stands above the last mark */
  pop(): unknown {
    if (this.stack.length <= this.floor) this.fail('expected a value on the stack');
    return this.stack.pop();
  }

  top(): unknown {
    if (this.stack.length <= this.floor) this.fail('expected a value on the stack');
    return this.stack[this.stack.length - 1];
  }

  /** Whether a value stands above the last mark. */
  get holdsValue(): boolean {
    return this.stack.length > this.floor;
  }

  mark(): void {
    if (this.marks.length >= maxMarks) this.fail(`values are nested deeper than ${maxMarks} levels`);
    this.marks.push(this.stack.length);
  }

  /** Takes the values above the last mark, and the mark. */
  popMark(): unknown[] {
    const mark = this.marks.pop();
    if (mark === undefined) return this.fail('expected a mark on the stack');
    return this.stack.splice(mark);
  }

  private get floor(): number {
    return this.marks[this.marks.length - 1] ?? 0;
  }

  remember(index: number): void {
    const value = this.top();
    if (index === this.dense.length) {
      this.charge(16);
      this.dense.push(value);
      this.sparse.delete(index);
    } else if (index < this.dense.length) {
      this.dense[index] = value;
    } else {
      this.charge(64);
      this.sparse.set(index, value);
    }
  }

  /** MEMOIZE: under the number of values remembered so far. */
  rememberNext(): void {
    this.remember(this.dense.length + this.sparse.size);
  }

  recall(index: number): void {
    const known = index < this.dense.length || this.sparse.has(index);
    if (!known) this.fail(`the memo holds no value ${index}`);
    this.push(index < this.dense.length ? this.dense[index] : this.sparse.get(index));
  }

  /** The bytes that follow, `length` of them: short ones are read, long ones stay in the file. */
  bytes(length: number): ByteRange {
    const { source } = this.cursor;
    return new ByteRange(source, this.cursor.skip(length), length);
  }

  /** Calls an allowed name. */
  reduce(callee: unknown, args: unknown): unknown {
    if (!(callee instanceof PickleGlobal)) return this.fail('expected an allowed name to call');
    if (callee.call === null) return this.fail(`${callee.name} is not called by itself in pickles of arrays`);
    if (!Array.isArray(args)) return this.fail('expected a tuple of arguments');
    return callee.call(this, args as unknown[]);
  }

  refuse(module: string, name: string): never {
    return this.fail(`refused ${quote(`${module}.${name}`)}: ${this.policy.reads}`);
  }
}

/** Already placed in the file. */
class PickleError extends DataError {}
