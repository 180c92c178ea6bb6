import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { deflateRawSync } from 'node:zlib';
import { LazyArray, loadNpz, NpzFile, ObjectArray, saveNpz, ZipFile } from 'headrace/io';
import { DataError, tensor } from 'headrace/torch';
import { mutate, randomSource, temporaryFolder } from './helpers.js';
import { zip } from './zipfile.js';

const folder = temporaryFolder();
const path = join(folder, 'x.npz');

/**
 * numpy 1.24.2: savez_compressed(f, a=arange(6, dtype='f4').reshape(2, 3), words=array(['hé', 'b']), big=arange(3, dtype='>i2'),
 * scalar=float64(2.5)), base64.
 */
const compressedByNumpy =
  'UEsDBBQAAAAIAAAAIQBP6QAqVQAAAJgAAAAFABQAYS5ucHkBABAAmAAAAAAAAABVAAAAAAAAAJvsF+obEMnIUMZQrZ6SWpxcpG6loG6TZqKuo6' +
  'Cell9UUpSYF59flJIKEndLzClOBYoXZyQWpAL5GkY6CsaaOgq1CmQDLgYwaLAHEg5ABMQNQLzAAQBQSwMEFAAAAAgAAAAhADooubdOAAAAkAAA' +
  'AAkAFAB3b3Jkcy5ucHkBABAAkAAAAAAAAABOAAAAAAAAAJvsF+obEMnIUMZQrZ6SWpxcpG6loG4TaqSuo6Cell9UUpSYF59flJIKEndLzClOBY' +
  'oXZyQWpAL5GkY6mjoKtQoUAK4MBgaGl0CcxAABAFBLAwQUAAAACAAAACEAzW1qg0oAAACGAAAABwAUAGJpZy5ucHkBABAAhgAAAAAAAABKAAAA' +
  'AAAAAJvsF+obEMnIUMZQrZ6SWpxcpG6loG6XaaSuo6Cell9UUpSYF59flJIKEndLzClOBYoXZyQWpAL5GsY6mjoKtQoUAC4GBgZGBiYAUEsDBB' +
  'QAAAAIAAAAIQA1tDqTRwAAAIgAAAAKABQAc2NhbGFyLm5weQEAEACIAAAAAAAAAEcAAAAAAAAAm+wX6hsQychQxlCtnpJanFykbqWgbpNmoa6j' +
  'oJ6WX1RSlJgXn1+UkgoSd0vMKU4FihdnJBakAvkamjoKtQoUAS4GMGBxAABQSwECFAMUAAAACAAAACEAT+kAKlUAAACYAAAABQAAAAAAAAAAAA' +
  'AAgAEAAAAAYS5ucHlQSwECFAMUAAAACAAAACEAOii5t04AAACQAAAACQAAAAAAAAAAAAAAgAGMAAAAd29yZHMubnB5UEsBAhQDFAAAAAgAAAAh' +
  'AM1taoNKAAAAhgAAAAcAAAAAAAAAAAAAAIABFQEAAGJpZy5ucHlQSwECFAMUAAAACAAAACEANbQ6k0cAAACIAAAACgAAAAAAAAAAAAAAgAGYAQ' +
  'AAc2NhbGFyLm5weVBLBQYAAAAABAAEANcAAAAbAgAAAAA=';

const tensors = {
  a: tensor([
    [0, 1, 2],
    [3, 4, 5],
  ]),
  labels: tensor([1, -2], { dtype: 'int64' }),
};

test('an archive that numpy wrote reads as its arrays, text and either byte order included', () => {
  writeFileSync(path, Buffer.from(compressedByNumpy, 'base64'));
  using file = NpzFile.open(path);
  assert.deepEqual(file.names, ['a', 'words', 'big', 'scalar']);
  const [a, words] = [file.get('a'), file.get('words')];
  assert.ok(a instanceof LazyArray && words instanceof ObjectArray);
  assert.deepEqual([a.dtype, a.tensor().tolist()], ['float32', tensors.a.tolist()]);
  assert.deepEqual([words.shape, words.values], [[2], ['hé', 'b']]);
  const loaded = loadNpz(path);
  assert.deepEqual([loaded.get('big')?.tolist(), loaded.get('scalar')?.item()], [[0, 1, 2], 2.5]);
  assert.equal(loaded.has('words'), false);
});

test('tensors and text survive an archive, plain and compressed, and the same content gives the same bytes', () => {
  for (const compress of [false, true]) {
    saveNpz(path, { ...tensors, id: ['v$_$1', '', '\u{1f600}é'] }, { compress });
    const first = readFileSync(path);
    saveNpz(path, new Map(Object.entries({ ...tensors, id: ['v$_$1', '', '\u{1f600}é'] })), { compress });
    assert.deepEqual(readFileSync(path), first);
    using file = NpzFile.open(path);
    const [a, labels, id] = [file.get('a') as LazyArray, file.get('labels') as LazyArray, file.get('id')];
    assert.deepEqual([a.shape, a.tensor().tolist()], [[2, 3], tensors.a.tolist()]);
    assert.deepEqual([labels.dtype, labels.tensor().tolist()], ['int64', [1, -2]]);
    assert.deepEqual((id as ObjectArray).values, ['v$_$1', '', '\u{1f600}é']);
    assert.deepEqual([...new Float32Array(a.rows(1, 2).bytes.buffer)], [3, 4, 5]);
  }
});

test('64-bit sizes are read where the 32-bit ones are full', () => {
  const data = Buffer.from('hello');
  writeFileSync(path, zip([{ name: 'a.txt', data, wide: true }], { wide: true }));
  using file = ZipFile.open(path);
  const entry = file.entries.get('a.txt');
  assert.ok(entry !== undefined && entry.size === 5);
  assert.equal(Buffer.from(file.read(entry)).toString(), 'hello');
});

const npy = (shape: string, data: Buffer, descr = '<f4'): Buffer => {
  const text = `{'descr': '${descr}', 'fortran_order': False, 'shape': ${shape}, }\n`;
  const head = Buffer.from('\x93NUMPY\x01\x00\x00\x00', 'latin1');
  head.writeUInt16LE(text.length, 8);
  return Buffer.concat([head, Buffer.from(text), data]);
};

test('hostile names, sizes that cannot be, encryption, unknown methods and shared bytes are refused', () => {
  const data = Buffer.from('x');
  const cases: [Buffer, RegExp][] = [
    ...['/etc/passwd', '../x.npy', 'a/../../x.npy', 'C:\\x.npy', 'a\\b.npy', 'a\0b.npy', ''].map(
      (name): [Buffer, RegExp] => [zip([{ name, data }]), /is not a plain relative path/],
    ),
    [
      zip([
        { name: 'a', data },
        { name: 'a', data },
      ]),
      /holds two members called 'a'/,
    ],
    [zip([{ name: 'a', data, flags: 1 }]), /the member 'a' is encrypted/],
    [zip([{ name: 'a', data, method: 12 }]), /packed by method 12/],
    [zip([{ name: 'a', data, size: 7 }]), /claims 1 bytes that unpack to 7, which cannot be/],
    [zip([{ name: 'a', data: deflateRawSync(data), method: 8, size: 2 ** 31 }]), /which cannot be/],
    [
      zip([
        { name: 'a', data },
        { name: 'b', data, header: 0 },
      ]),
      /overlaps the one after it/,
    ],
    [zip([{ name: 'a', data }], { count: 60_000 }), /directory of 60000 members does not fit/],
    [zip([{ name: 'a', data }]).subarray(0, -5), /not a zip archive, or is cut short/],
    [Buffer.alloc(0), /not a zip archive/],
  ];
  for (const [bytes, message] of cases) {
    writeFileSync(path, bytes);
    assert.throws(
      () => NpzFile.open(path),
      (error: Error) => error instanceof DataError && message.test(error.message),
      String(message),
    );
  }
});

test('a bomb is refused before it is unpacked, and a member that unpacks to more than it says is damaged', () => {
  const zeros = npy('(1000, 1000, 3)', Buffer.alloc(12_000_000));
  const packed = deflateRawSync(zeros);
  assert.ok(packed.length < 20_000);
  writeFileSync(path, zip([{ name: 'a.npy', data: packed, method: 8, size: zeros.length, of: zeros }]));
  assert.throws(
    () => NpzFile.open(path, { maxMemory: 2 ** 20 }).get('a'),
    /unpacks to 120\d+ bytes, more than 1048576/,
  );
  assert.deepEqual(NpzFile.open(path).get('a').shape, [1000, 1000, 3]);
  // The header announces four numbers, the stream holds many.
  writeFileSync(path, zip([{ name: 'a.npy', data: packed, method: 8, size: npy('(4,)', Buffer.alloc(16)).length }]));
  assert.throws(() => NpzFile.open(path).get('a'), /is cut short: .* takes 12000000 bytes/);
});

test('damaged members, pickled ones, and arrays that do not fit say so', () => {
  const cases: [Buffer, RegExp][] = [
    [zip([{ name: 'a.npy', data: npy('(1,)', Buffer.alloc(3)) }]), /array 'a' is cut short/],
    [zip([{ name: 'a.npy', data: npy('(1,)', Buffer.alloc(8), '|O') }]), /array 'a' holds Python objects/],
    [zip([{ name: 'a.npy', data: npy('(1,)', Buffer.alloc(8), '<c8') }]), /unsupported array type <c8/],
    [
      zip([{ name: 'a.npy', data: npy('(9000000,)', Buffer.alloc(0), '<U0') }]),
      /array 'a': its names and structure take about 360000000 bytes, more than 67108864/,
    ],
    [zip([{ name: 'b.npy', data: npy('(0,)', Buffer.alloc(0)) }]), /holds no array 'a'; it holds: b/],
  ];
  for (const [bytes, message] of cases) {
    writeFileSync(path, bytes);
    assert.throws(() => NpzFile.open(path).get('a'), message);
  }
  const good = deflateRawSync(npy('(4,)', Buffer.alloc(16)));
  writeFileSync(
    path,
    zip([{ name: 'a.npy', data: good, method: 8, size: npy('(4,)', Buffer.alloc(16)).length, crc: 5 }]),
  );
  assert.throws(() => NpzFile.open(path).get('a'), /the member 'a\.npy' is damaged \(its checksum/);
});

test('400 damaged archives give arrays or a DataError', () => {
  const random = randomSource(5);
  saveNpz(path, { ...tensors, id: ['a', 'bc'] }, { compress: true });
  const sources = [
    readFileSync(path),
    Buffer.from(compressedByNumpy, 'base64'),
    zip([{ name: 'a.npy', data: npy('(1,)', Buffer.alloc(4)) }]),
  ];
  for (let i = 0; i < 400; i++) {
    const source = sources[i % sources.length] as Buffer;
    // Half of the faults in the directory, which lies at the end.
    const bytes =
      i % 2 === 0 ? mutate(source, random) : Buffer.from(mutate(Buffer.from(source).reverse(), random)).reverse();
    writeFileSync(path, bytes);
    try {
      const file = NpzFile.open(path);
      for (const name of file.names) file.get(name);
      file.close();
    } catch (error) {
      assert.ok(error instanceof DataError, String(error));
    }
  }
});
