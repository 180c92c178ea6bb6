import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Hdf5File, viewNumbers } from 'headrace/io';
import { DataError } from 'headrace/torch';
import { randomSource, temporaryFolder } from './helpers.js';

const folder = temporaryFolder();
/** Written by h5py 3: see hdf5/make_csd.py. The tests run from build/. */
const stored = (name: string): string => fileURLToPath(new URL(`../../../test/io/hdf5/${name}`, import.meta.url));

const types = await Hdf5File.open(stored('types.h5'));
after(() => types.close());
const numbers = async (path: string): Promise<unknown[]> => {
  const array = await types.read(path);
  return [array.dtype, array.shape, [...Array.from(viewNumbers(array))]];
};

test('a computational sequence reads as h5py wrote it: groups, numbers, text', async () => {
  await using file = await Hdf5File.open(stored('sound.csd'));
  assert.deepEqual(await file.keys(''), ['COVAREP']);
  assert.deepEqual(await file.keys('COVAREP'), ['data', 'metadata']);
  assert.deepEqual(await file.keys('COVAREP/data'), ['vidA', 'vidB']);
  assert.deepEqual(await file.info('COVAREP/data/vidA/features'), { type: 'float32', shape: [11, 2] });
  const features = viewNumbers(await file.read('COVAREP/data/vidA/features'));
  assert.deepEqual([features[0], features[4], features[19], features[21]], [0, Number.NaN, -Infinity, 21]);
  const intervals = await file.read('COVAREP/data/vidB/intervals');
  assert.deepEqual([intervals.dtype, [...Array.from(viewNumbers(intervals))]], ['float64', [0, 0.5, 0.5, 1]]);
  assert.deepEqual(await file.readText('COVAREP/metadata/dimension names'), ['["F0", "VUV"]']);
  await using words = await Hdf5File.open(stored('words.csd'));
  assert.deepEqual(await words.readText('words/data/vidA/features'), ['good', 'sp', 'film', 'bad', 'end']);
});

test('rows are read alone', async () => {
  await using file = await Hdf5File.open(stored('sound.csd'));
  const rows = await file.read('COVAREP/data/vidA/features', [3, 5]);
  assert.deepEqual(
    [rows.shape, [...Array.from(viewNumbers(rows))]],
    [
      [2, 2],
      [6, 7, 8, 9],
    ],
  );
  assert.deepEqual((await file.read('COVAREP/data/vidA/features', [11, 11])).shape, [0, 2]);
  await assert.rejects(
    file.read('COVAREP/data/vidA/features', [10, 12]),
    /expected rows within .* \[11, 2\], got 10 to 12/,
  );
});

test('every type of number, either byte order, scalars and empty arrays', async () => {
  const dtypes = {
    i1: 'int8',
    u1: 'uint8',
    i2: 'int16',
    u2: 'int32',
    i4: 'int32',
    u4: 'int64',
    i8: 'int64',
    f4: 'float32',
    f8: 'float64',
  };
  for (const [name, dtype] of Object.entries(dtypes))
    assert.deepEqual(await numbers(name), [dtype, [2, 2], [1, 2, 3, 4]], name);
  assert.deepEqual((await types.info('f2')).type, 'float16');
  assert.deepEqual(await numbers('big'), ['int32', [3], [1, -2, 300]]);
  assert.deepEqual(await numbers('scalar'), ['float64', [], [2.5]]);
  assert.deepEqual(await numbers('none'), ['float32', [0, 3], []]);
  assert.deepEqual(await types.readText('texts'), ['one', 'zéro']);
});

test('links, values in other files, other types and claims beyond the file are refused', async () => {
  const cases: [string, RegExp][] = [
    ['soft', /types\.h5: 'soft' is a link, which is not followed/],
    ['outside/data/vidA/features', /'outside' is a link/],
    ['virtual', /the values of 'virtual' lie in other files/],
    ['raw', /the data set 'raw' cannot be (opened|read): .+/],
    ['u8', /a type that is not read \(class 0, 8 bytes\)/],
    ['complex', /a type that is not read/],
    ['huge', /takes 8796093022208 bytes; at most/],
    ['absent', /there is no data set 'absent'/],
    ['f4/x', /there is no group 'f4'/],
    ['../f4', /there is no group '\.\.'/],
    ['', /the root is no data set/],
  ];
  for (const [path, message] of cases) {
    await assert.rejects(
      types.read(path),
      (error: Error) => error instanceof DataError && message.test(error.message),
      path,
    );
  }
  await assert.rejects(types.readText('f4'), /expected text at 'f4', got float32 \[2, 2\]/);
  await assert.rejects(types.read('texts'), /expected numbers at 'texts', got text/);
  assert.deepEqual(await numbers('i1'), ['int8', [2, 2], [1, 2, 3, 4]]); // errors leave the file usable
});

test('absent files, folders and files of other kinds say so', async () => {
  const path = join(folder, 'x.csd');
  writeFileSync(path, 'not HDF5');
  await assert.rejects(Hdf5File.open(path), /x\.csd: not an HDF5 file/);
  await assert.rejects(Hdf5File.open(join(folder, 'none.csd')), /Cannot open .*none\.csd/);
  await assert.rejects(Hdf5File.open(folder), /got a folder/);
  assert.equal(existsSync(join(folder, 'none.csd')), false);
});

test('damaged files give values or a DataError, and after a fault the file says that it is lost', async () => {
  const random = randomSource(11);
  const path = join(folder, 'x.csd');
  const valid = readFileSync(stored('words.csd'));
  for (let i = 0; i < 10; i++) {
    let bytes = Buffer.from(valid);
    for (let k = 0; k < 8; k++) bytes[Math.floor(random() * 4096)] = Math.floor(random() * 256);
    if (i % 5 === 0) bytes = bytes.subarray(0, Math.floor(random() * bytes.length));
    writeFileSync(path, bytes);
    try {
      await using file = await Hdf5File.open(path, { timeout: 10_000 });
      await file.readText('words/data/vidA/features');
      await file.read('words/data/vidA/intervals');
    } catch (error) {
      assert.ok(error instanceof DataError, String(error));
    }
  }
});

test('a closed file refuses, and closing twice does no harm', async () => {
  const file = await Hdf5File.open(stored('labels.csd'));
  await file.close();
  await file.close();
  await assert.rejects(file.keys(''), /labels\.csd was closed/);
});
