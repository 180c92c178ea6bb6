import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { loadMat, type MatArray, readMat } from 'headrace/io';
import { mutate, randomSource, temporaryFolder } from './helpers.js';
import { matFile } from './matfile.js';

const folder = temporaryFolder();
const path = join(folder, 'x.mat');

const preamble = matFile([]);

/** scipy 1.17.1: savemat(f, {'X': arange(12, dtype='u1').reshape(2, 3, 2), 'y': [[10.], [1.]], 's': 'text'}, do_compression=True)[128:] */
const compressedByScipy =
  'DwAAADcAAAB4nONjYGDwAGI2IOYAYk4GCGAFYh4gZgJiZigNAoxAGAHlg+QZ2Jg4WLgY2Zk5WblBXAAySwEwDwAAAC0AAAB4nONjYGBwAGI2' +
  'IOaA0iDACuUzATEjGDMyVAJpTiAWYIABFQcI/cEeADIFApoPAAAAKAAAAHic42NgYDAAYjYg5gBiFgYIYIXyGaFijEBYDKQFgLyS1IoSAByNArE=';

/** scipy 1.17.1: savemat(f, {'w': int32 [[1, -2, 300]], 'u': uint32 [[70000]]}, do_compression=False)[128:] */
const plainByScipy =
  'DgAAAEAAAAAGAAAACAAAAAwAAAAAAAAABQAAAAgAAAABAAAAAwAAAAEAAQB3AAAABQAAAAwAAAABAAAA/v///ywBAAAAAAAADgAAADAAAAAGAAAA' +
  'CAAAAA0AAAAAAAAABQAAAAgAAAABAAAAAQAAAAEAAQB1AAAABgAEAHARAQA=';

test('arrays that scipy wrote, compressed and plain, read as the same values', () => {
  writeFileSync(path, Buffer.concat([preamble, Buffer.from(compressedByScipy, 'base64')]));
  const compressed = loadMat(path);
  assert.deepEqual([...compressed.keys()], ['X', 'y']); // the text is not numeric
  assert.deepEqual(compressed.get('X')?.tolist(), [
    [
      [0, 1],
      [2, 3],
      [4, 5],
    ],
    [
      [6, 7],
      [8, 9],
      [10, 11],
    ],
  ]);
  assert.deepEqual([compressed.get('y')?.dtype, compressed.get('y')?.tolist()], ['float64', [[10], [1]]]);
  writeFileSync(path, Buffer.concat([preamble, Buffer.from(plainByScipy, 'base64')]));
  const plain = loadMat(path);
  assert.deepEqual([plain.get('w')?.dtype, plain.get('w')?.tolist()], ['int32', [[1, -2, 300]]]);
  assert.deepEqual([plain.get('u')?.dtype, plain.get('u')?.tolist()], ['int64', [[70000]]]);
});

test('numbers stored in a smaller type than their class are converted; either byte order reads', () => {
  const variables = [
    { name: 'X', shape: [2, 3], values: Uint8Array.of(1, 2, 3, 4, 5, 6), kind: 'uint8' as const },
    { name: 'labels', shape: [3, 1], values: Uint8Array.of(10, 1, 2), kind: 'double' as const },
  ];
  for (const options of [
    { compressed: false },
    { compressed: true },
    { compressed: false, little: false },
    { little: false },
  ]) {
    writeFileSync(path, matFile(variables, options));
    const arrays = readMat(path);
    assert.deepEqual([...(arrays.get('X')?.bytes ?? [])], [1, 2, 3, 4, 5, 6]);
    const labels = arrays.get('labels') as MatArray;
    assert.deepEqual([...new Float64Array(labels.bytes.buffer)], [10, 1, 2]);
  }
});

test('only the variables asked for are read, and an absent or unsuitable one is named', () => {
  writeFileSync(path, Buffer.concat([preamble, Buffer.from(compressedByScipy, 'base64')]));
  assert.deepEqual([...readMat(path, ['y']).keys()], ['y']);
  assert.throws(() => readMat(path, ['y', 'z']), /x\.mat holds no variable 'z' \(found: y\)/);
  assert.throws(() => readMat(path, ['s']), /variable 's' is char; only real numeric arrays are read/);
});

test('a file cut short and files of other kinds say so', () => {
  const valid = matFile([{ name: 'X', shape: [2, 3], values: new Uint8Array(6), kind: 'uint8' }]);
  const version73 = Buffer.from(valid);
  version73.writeUInt16LE(0x0200, 124);
  const cases: [Buffer, RegExp][] = [
    [valid.subarray(0, -3), /x\.mat, at byte 128: the file is cut short: a variable of \d+ bytes, \d+ are left/],
    [valid.subarray(0, 100), /not a level-5 \.mat file: expected at least 128 bytes, got 100/],
    [version73, /version 0x200.*HDF5: save with -v7/],
    [Buffer.alloc(200), /expected a level-5 \.mat file/],
    [
      matFile([{ name: 'X', shape: [2, 4], values: new Uint8Array(6), kind: 'uint8' }]),
      /expected \[2, 4\] = 8 values of 1 bytes.*got 6/,
    ],
  ];
  for (const [bytes, message] of cases) {
    writeFileSync(path, bytes);
    assert.throws(() => readMat(path), { name: 'DataError', message });
  }
});

test('400 damaged files give arrays or a DataError', () => {
  const random = randomSource(3);
  const variable = { name: 'X', shape: [4, 5, 6], values: Buffer.alloc(120, 3), kind: 'double' as const };
  for (let i = 0; i < 400; i++) {
    const valid = matFile([variable], { compressed: i % 4 === 0, little: i % 3 !== 0 });
    const body = mutate(valid.subarray(128), random);
    writeFileSync(
      path,
      Buffer.concat([i % 10 === 0 ? mutate(valid.subarray(0, 128), random) : valid.subarray(0, 128), body]),
    );
    try {
      readMat(path);
    } catch (error) {
      assert.equal((error as Error).name, 'DataError', `mutation ${i}: ${(error as Error).stack}`);
    }
  }
});
