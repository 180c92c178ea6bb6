/**
 * IDX files, MNIST's format: big-endian arrays behind a header of sizes; `.gz` is unpacked.
 * Format: http://yann.lecun.com/exdb/mnist/ ("the IDX file format")
 */

import { DTYPES, type DType } from '../torch/dtype.js';
import { DataError } from '../torch/errors.js';
import { expectBytes } from '../torch/expect.js';
import type { Tensor } from '../torch/index.js';
import { rawToTensor } from './convert.js';
import { FileReader } from './file.js';
import { inflateExactly, inflateHead } from './inflate.js';
import { checkLimits, checkUnpacked, type ReadLimits } from './limits.js';
import { countElements, type RawArray, swapBytes } from './raw.js';

const dtypeOf: Readonly<Record<number, DType>> = {
  8: 'uint8',
  9: 'int8',
  11: 'int16',
  12: 'int32',
  13: 'float32',
  14: 'float64',
};

/** What stands before the values. */
interface IdxHeader {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly start: number;
  /** Bytes of the whole, header included. */
  readonly size: number;
}

/** libtorch's own limit. */
const maxRank = 64;
const maxHeader = 4 + 4 * maxRank;

/**
 * Reads an IDX file, plain or gzipped (told by its first bytes).
 * @throws DataError when it is damaged, cut short or longer than its header says, or unpacks to more than `maxMemory`
 */
export function readIdx(path: string, limits: ReadLimits = {}): RawArray {
  checkLimits('readIdx', limits);
  return FileReader.with(path, (file) => {
    const head = file.read(0, Math.min(file.size, maxHeader));
    if (head[0] === 0x1f && head[1] === 0x8b) return readPacked(file, limits);
    const header = parseHeader(head, path);
    checkSize(header, file.size, path);
    return toArray(header, file.read(header.start, file.size - header.start));
  });
}

/** The header is unpacked first: it says how much the rest will be. */
function readPacked(file: FileReader, limits: ReadLimits): RawArray {
  const packed = file.read(0, file.size);
  const header = parseHeader(inflateHead('gzip', packed, maxHeader, file.path), file.path);
  checkUnpacked(file.path, header.size, file.size, limits);
  const bytes = inflateExactly('gzip', packed, header.size, file.path);
  return toArray(header, new Uint8Array(bytes.subarray(header.start)));
}

/** `readIdx` as a tensor. */
export function loadIdx(path: string, limits: ReadLimits = {}): Tensor {
  return rawToTensor(readIdx(path, limits));
}

/** Parses the bytes of an IDX file; `where` is named in errors. */
export function parseIdx(bytes: Uint8Array, where: string): RawArray {
  expectBytes('parseIdx', bytes);
  const header = parseHeader(bytes, where);
  checkSize(header, bytes.length, where);
  return toArray(header, new Uint8Array(bytes.subarray(header.start)));
}

/** @param data big-endian numbers, owned: they are turned round in place */
function toArray({ dtype, shape }: IdxHeader, data: Uint8Array): RawArray {
  return { dtype, shape, bytes: swapBytes(data, DTYPES[dtype].bytes) };
}

/** The header at the beginning of `bytes`, which may end anywhere after it. */
function parseHeader(bytes: Uint8Array, where: string): IdxHeader {
  const dtype = dtypeOf[bytes[2] ?? 0];
  if (bytes.length < 4 || bytes[0] !== 0 || bytes[1] !== 0 || dtype === undefined) {
    const start = Buffer.from(bytes.subarray(0, 4)).toString('hex');
    throw new DataError(
      `${where} is not an IDX file: expected it to start with 0000, a type (08 to 0e) and a rank, got ${start}`,
    );
  }
  const rank = bytes[3] as number;
  if (rank > maxRank) throw new DataError(`${where}: expected at most ${maxRank} dimensions, got ${rank}`);
  const start = 4 + 4 * rank;
  if (bytes.length < start)
    throw new DataError(`${where} is cut short: its IDX header takes ${start} bytes, it has ${bytes.length}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const shape = Array.from({ length: rank }, (_, d) => view.getUint32(4 + 4 * d));
  return { dtype, shape, start, size: start + countElements(shape, where) * DTYPES[dtype].bytes };
}

function checkSize({ dtype, shape, size }: IdxHeader, actual: number, where: string): void {
  if (actual === size) return;
  throw new DataError(
    `${where} ${actual < size ? 'is cut short' : 'is too long'}: ${dtype} [${shape.join(', ')}] takes ` +
      `${size} bytes with its header, got ${actual}`,
  );
}
