/** Arrays in files whose values are read when asked for, whole or by rows. */
import { DataError, ShapeError } from '../torch/errors.js';
import type { Tensor } from '../torch/index.js';
import type { ByteRange } from './bytes.js';
import { rawToTensor } from './convert.js';
import { decodeNumbers, type NumpyType } from './numpy-types.js';
import { countElements, type RawArray } from './raw.js';

/**
 * An array of numbers in an open file. Only its type, shape and place are in memory: reading needs the file to stay open.
 */
export class LazyArray {
  private whole: RawArray | null = null;

  /**
   * @param bytes the elements; its length is checked against the shape
   * @param fortran whether the first index runs fastest
   * @throws DataError when bytes and shape do not fit, or the elements are not numbers
   */
  constructor(
    private readonly bytes: ByteRange,
    readonly type: NumpyType,
    readonly shape: readonly number[],
    private readonly fortran = false,
  ) {
    const where = bytes.source.path;
    if (type.kind !== 'number') throw new DataError(`${where}: expected an array of numbers, got type ${type}`);
    const expected = countElements(shape, where) * type.width;
    if (bytes.length !== expected) {
      throw new DataError(
        `${where}: an array ${type} [${shape.join(', ')}] takes ${expected} bytes, ${bytes.length} are there`,
      );
    }
  }

  /** What its numbers are read as: unsigned types wider than a byte widen. */
  get dtype(): RawArray['dtype'] {
    return this.type.dtype as RawArray['dtype'];
  }

  /** The first dimension; 1 for a single number. */
  get length(): number {
    return this.shape[0] ?? 1;
  }

  /** All values, row-major: a fresh copy. */
  read(): RawArray {
    return decodeNumbers(this.bytes.read(), this.type, this.shape, this.fortran);
  }

  /**
   * The rows `start` to `end` (exclusive) of the first dimension: only their bytes are read. An array in Fortran order, whose rows
   * are spread over the file, is read whole at the first call and kept.
   * @throws ShapeError for rows that the array does not have
   */
  rows(start: number, end: number): RawArray {
    const [first, ...rest] = this.shape;
    if (
      first === undefined ||
      !Number.isInteger(start) ||
      !Number.isInteger(end) ||
      start < 0 ||
      end < start ||
      end > first
    ) {
      throw new ShapeError(`expected rows within an array [${this.shape.join(', ')}], got ${start} to ${end}`);
    }
    const shape = [end - start, ...rest];
    const row = rest.reduce((product, size) => product * size, 1);
    if (!this.fortran || rest.length === 0) {
      const width = row * this.type.width;
      return decodeNumbers(this.bytes.read(start * width, end * width), this.type, shape, false);
    }
    this.whole ??= this.read();
    const width = first === 0 ? 0 : this.whole.bytes.length / first;
    return { dtype: this.dtype, shape, bytes: this.whole.bytes.slice(start * width, end * width) };
  }

  /** All values as a tensor (CPU). */
  tensor(): Tensor {
    return rawToTensor(this.read());
  }

  toString(): string {
    return `LazyArray(${this.type} [${this.shape.join(', ')}])`;
  }
}

/** An array of text, bytes or Python values, row-major. */
export class ObjectArray<T = unknown> {
  constructor(
    readonly values: readonly T[],
    readonly shape: readonly number[],
  ) {}
}
