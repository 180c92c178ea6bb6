/**
 * Python pickles, protocols 0 to 5, read by a policy of our own: plain values and NumPy arrays, nothing else. Nothing is looked up,
 * imported or run; see `pickle-globals.ts` for the names that are allowed. Arrays of numbers stay in the file until they are read.
 */

import { DataError } from '../torch/errors.js';
import { expectBytes } from '../torch/expect.js';
import { type ByteSource, MemoryBytes } from './bytes.js';
import { FileReader } from './file.js';
import { checkLimits, type ReadLimits } from './limits.js';
import { arrayPolicy } from './pickle-globals.js';
import { PickleMachine } from './pickle-machine.js';
import { type Python2Encoding, settle } from './pickle-settle.js';
import type { PickleValue } from './pickle-values.js';

/** How to read a pickle. */
export interface PickleOptions extends ReadLimits {
  /** What the `str` of Python 2 is: `ascii` (the default: anything else is an error), `latin1` or `utf8`. Arrays do not need it. */
  readonly python2Strings?: Python2Encoding;
}

/**
 * Reads a pickle held in memory; its arrays are views on `bytes`.
 * @param where named in errors
 * @throws DataError for damaged or cut data and for everything outside the policy, naming the opcode and its offset
 */
export function parsePickle(bytes: Uint8Array, where: string, options: PickleOptions = {}): PickleValue {
  expectBytes('parsePickle', bytes);
  checkLimits('parsePickle', options, ['python2Strings']);
  return read(new MemoryBytes(bytes, where), options);
}

function read(source: ByteSource, options: PickleOptions): PickleValue {
  const machine = new PickleMachine(source, arrayPolicy, options);
  return settle(machine.run(), machine, source.size, options.python2Strings ?? 'ascii');
}

/**
 * An open pickle: its text, numbers and structure are in memory, its arrays (`LazyArray`) and longer bytes (`ByteRange`) read the file
 * when asked, so that a file of any size opens in little memory. They fail after `close`.
 *
 * @example
 * using file = PickleFile.open('unaligned_50.pkl');
 * const train = (file.value as Map<string, PickleValue>).get('train') as Map<string, PickleValue>;
 * const audio = train.get('audio') as LazyArray;   // [1284, 375, 5], nothing read yet
 * audio.rows(0, 32);                               // the first 32 utterances
 */
export class PickleFile {
  private constructor(
    private readonly file: FileReader,
    readonly value: PickleValue,
  ) {}

  /** @throws DataError when the file is absent, damaged, cut or holds anything outside the policy */
  static open(path: string, options: PickleOptions = {}): PickleFile {
    checkLimits('PickleFile.open', options, ['python2Strings']);
    const file = FileReader.open(path);
    try {
      checkKind(file);
      return new PickleFile(file, read(file, options));
    } catch (error) {
      file.close();
      throw error;
    }
  }

  get path(): string {
    return this.file.path;
  }

  /** Safe to call twice. */
  close(): void {
    this.file.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** Names common files that are no pickles. */
function checkKind(file: FileReader): void {
  if (file.size === 0) throw new DataError(`${file.path} is empty: expected a pickle`);
  const head = Buffer.from(file.read(0, Math.min(8, file.size))).toString('latin1');
  const kinds: readonly (readonly [string, string])[] = [
    ['PK\x03\x04', 'a zip archive (NpzFile reads .npz files, loadTorch those of torch.save)'],
    ['\x1f\x8b', 'gzip: unpack it first'],
    ['\x93NUMPY', 'a .npy file'],
    ['\x89HDF', 'an HDF5 file'],
  ];
  const kind = kinds.find(([magic]) => head.startsWith(magic));
  if (kind !== undefined) throw new DataError(`${file.path}: expected a pickle, got ${kind[1]}`);
}
