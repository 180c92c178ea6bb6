import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { encodeNpy, loadNpy, parseNpy, type RawArray, saveNpy } from 'headrace/io';
import { tensor } from 'headrace/torch';
import { mutate, randomSource, temporaryFolder } from './helpers.js';

const folder = temporaryFolder();

/** A .npy file put together from its public description. */
function npy(dictionary: string, data: Uint8Array, major = 1): Buffer {
  const text = Buffer.from(`${dictionary}\n`);
  const head = Buffer.alloc(major === 1 ? 10 : 12);
  head.write('\x93NUMPY', 'latin1');
  head[6] = major;
  if (major === 1) head.writeUInt16LE(text.length, 8);
  else head.writeUInt32LE(text.length, 8);
  return Buffer.concat([head, text, data]);
}

const bytesOf = (array: ArrayBufferView): Buffer => Buffer.from(array.buffer, array.byteOffset, array.byteLength);
const floats = Float32Array.of(0, 1, 2, 3, 4, 5);

/** What numpy 2.4.6 wrote: np.save(f, np.array([[1.5, -2], [3, 4]], 'f4')), base64. */
const writtenByNumpy =
  'k05VTVBZAQB2AHsnZGVzY3InOiAnPGY0JywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzogKDIsIDIpLCB9ICAgICAgICAg' +
  'ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoAAMA/AAAAwAAAQEAAAIBA';

test('versions 1 to 3 read alike', () => {
  for (const major of [1, 2, 3]) {
    const array = parseNpy(
      npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", bytesOf(floats), major),
      'x',
    );
    assert.deepEqual(
      { ...array, bytes: [...array.bytes] },
      { dtype: 'float32', shape: [2, 3], bytes: [...bytesOf(floats)] },
    );
  }
});

test('our bytes are the bytes that numpy writes, and read back', () => {
  const values = Float32Array.of(1.5, -2, 3, 4);
  const array: RawArray = { dtype: 'float32', shape: [2, 2], bytes: new Uint8Array(values.buffer) };
  assert.equal(Buffer.concat(encodeNpy(array)).toString('base64'), writtenByNumpy);
  assert.deepEqual([...parseNpy(Buffer.from(writtenByNumpy, 'base64'), 'x').bytes], [...bytesOf(values)]);
});

test('Fortran order, big endian, scalars, empty arrays and wide unsigned types become row-major values', () => {
  const read = (descr: string, fortran: string, shape: string, data: ArrayBufferView): RawArray =>
    parseNpy(npy(`{"shape": ${shape}, 'fortran_order': ${fortran}, 'descr': '${descr}'}`, bytesOf(data)), 'x');
  const fortran = read('<f4', 'True', '(2, 3)', floats);
  assert.deepEqual([...new Float32Array(fortran.bytes.buffer)], [0, 2, 4, 1, 3, 5]);
  const cube = read(
    '|u1',
    'True',
    '(2, 3, 2)',
    Uint8Array.from({ length: 12 }, (_, i) => i),
  );
  assert.deepEqual([...cube.bytes], [0, 6, 2, 8, 4, 10, 1, 7, 3, 9, 5, 11]);
  assert.deepEqual(
    [...new Int16Array(read('>i2', 'False', '(2,)', Uint8Array.of(1, 2, 0xff, 0xfe)).bytes.buffer)],
    [258, -2],
  );
  assert.deepEqual(read('<f4', 'False', '()', Float32Array.of(7)).shape, []);
  assert.deepEqual(read('<f4', 'False', '(0, 4)', new Float32Array(0)).shape, [0, 4]);
  const wide = read('<u4', 'False', '(1L,)', Uint32Array.of(0xffffffff));
  assert.deepEqual([wide.dtype, new BigInt64Array(wide.bytes.buffer)[0]], ['int64', 0xffffffffn]);
  const wide2 = read('<u2', 'False', '(1,)', Uint16Array.of(65535));
  assert.deepEqual([wide2.dtype, new Int32Array(wide2.bytes.buffer)[0]], ['int32', 65535]);
});

test('tensors survive a file', () => {
  const path = join(folder, 'x.npy');
  for (const source of [
    tensor([
      [1.5, -2],
      [3, 4],
    ]),
    tensor([1n, -(2n ** 53n)]),
    tensor([true, false]),
    tensor(3),
  ]) {
    saveNpy(path, source);
    const read = loadNpy(path);
    assert.deepEqual([read.dtype, read.shape, read.tolist()], [source.dtype, source.shape, source.tolist()]);
  }
  assert.throws(() => saveNpy(path, tensor([1], { dtype: 'bfloat16' })), /NumPy has no bfloat16/);
});

test('what cannot be read says so and why', () => {
  const ok = bytesOf(floats);
  const dictionary = (descr: string, shape = '(2, 3)'): string =>
    `{'descr': ${descr}, 'fortran_order': False, 'shape': ${shape}, }`;
  const cases: [Buffer, RegExp][] = [
    [Buffer.from('PK'), /a\.npy is not a \.npy file/],
    [npy(dictionary("'|O'"), ok), /holds Python objects .*pickles/],
    [npy(dictionary("[('a', '<f4'), ('b', 'O')]"), ok), /objects|unsupported/],
    [npy(dictionary("'<c8'"), ok), /unsupported array type <c8/],
    [npy(dictionary("'<f4'"), ok.subarray(1)), /cut short.*\[2, 3\] takes 24 bytes.* 23/],
    [npy(dictionary("'<f4'"), Buffer.concat([ok, ok])), /bytes after its array/],
    [npy(dictionary("'<f4'", '(9007199254740993, 1)'), ok), /shape/],
    [npy(dictionary("'<f4'", '(99999999999, 99999999999)'), ok), /impossibly large/],
    [npy("{'descr': __import__('os'), 'fortran_order': False, 'shape': (1,)}", ok), /expected a \.npy header/],
    [npy(dictionary("'<f4'"), ok, 4), /version 1\.0, 2\.0 or 3\.0, got 4\.0/],
  ];
  for (const [bytes, message] of cases) assert.throws(() => parseNpy(bytes, 'a.npy'), { name: 'DataError', message });
});

test('400 damaged files give an array or a DataError, never more memory than the file', () => {
  const random = randomSource(1);
  const valid = npy("{'descr': '<u2', 'fortran_order': True, 'shape': (2, 3, 4), }", Buffer.alloc(48, 7));
  for (let i = 0; i < 400; i++) {
    const bytes = mutate(valid, random);
    try {
      assert.ok(parseNpy(bytes, 'x').bytes.length <= 4 * bytes.length);
    } catch (error) {
      assert.equal((error as Error).name, 'DataError', `mutation ${i}: ${(error as Error).stack}`);
    }
  }
});
