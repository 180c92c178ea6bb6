/**
 * IDX files, MNIST's format: big-endian arrays behind a header of sizes; `.gz` is unpacked.
 * Format: http://yann.lecun.com/exdb/mnist/ ("the IDX file format")
 */
import { constants } from 'node:buffer';
import { gunzipSync } from 'node:zlib';
import { DTYPES, type DType } from '../torch/dtype.js';
import { DataError } from '../torch/errors.js';
import type { Tensor } from '../torch/index.js';
import { rawToTensor } from './convert.js';
import { FileReader, reason } from './file.js';
import { countElements, type RawArray, swapBytes } from './raw.js';

const dtypeOf: Readonly<Record<number, DType>> = {
  8: 'uint8',
  9: 'int8',
  11: 'int16',
  12: 'int32',
  13: 'float32',
  14: 'float64',
};

/** Pixels do not shrink further than this; a stream that swells more is refused before it fills the memory. */
const maxInflation = 200;

/**
 * Reads an IDX file, plain or gzipped (told by its first bytes).
 * @throws DataError when it is damaged, cut short or longer than its header says
 */
export function readIdx(path: string): RawArray {
  const bytes = FileReader.with(path, (file) => file.read(0, file.size));
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return parseIdx(bytes, path);
  let plain: Uint8Array;
  try {
    plain = gunzipSync(bytes, {
      maxOutputLength: Math.min(constants.MAX_LENGTH, bytes.length * maxInflation + (1 << 20)),
    });
  } catch (error) {
    throw new DataError(`${path} is a damaged gzip file (${reason(error)}): fetch it again`, { cause: error });
  }
  return parseIdx(plain, path);
}

/** `readIdx` as a tensor. */
export function loadIdx(path: string): Tensor {
  return rawToTensor(readIdx(path));
}

/** Parses the bytes of an IDX file; `where` is named in errors. */
export function parseIdx(bytes: Uint8Array, where: string): RawArray {
  const dtype = dtypeOf[bytes[2] ?? 0];
  if (bytes.length < 4 || bytes[0] !== 0 || bytes[1] !== 0 || dtype === undefined) {
    const start = Buffer.from(bytes.subarray(0, 4)).toString('hex');
    throw new DataError(
      `${where} is not an IDX file: expected it to start with 0000, a type (08 to 0e) and a rank, got ${start}`,
    );
  }
  const rank = bytes[3] as number;
  const start = 4 + 4 * rank;
  if (bytes.length < start)
    throw new DataError(`${where} is cut short: its IDX header takes ${start} bytes, it has ${bytes.length}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const shape = Array.from({ length: rank }, (_, d) => view.getUint32(4 + 4 * d));
  const expected = start + countElements(shape, where) * DTYPES[dtype].bytes;
  if (bytes.length !== expected) {
    throw new DataError(
      `${where} ${bytes.length < expected ? 'is cut short' : 'is too long'}: ${dtype} [${shape.join(', ')}] takes ` +
        `${expected} bytes with its header, got ${bytes.length}`,
    );
  }
  return { dtype, shape, bytes: swapBytes(new Uint8Array(bytes.subarray(start)), DTYPES[dtype].bytes) };
}
