import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import { File, ready } from 'h5wasm/node';
import {
  type ByteSource,
  Hdf5File,
  type LazyArray,
  loadIdx,
  loadMat,
  loadNpy,
  loadNpz,
  loadSafetensors,
  loadTorch,
  NpzFile,
  PickleFile,
  parsePickle,
  SafetensorsFile,
  ZipFile,
} from 'headrace/io';
import { ConfigError, DataError } from 'headrace/torch';
import { randomSource, temporaryFolder } from './helpers.js';
import { hostileFiles, npyHead } from './hostile.js';
import { matFile } from './matfile.js';
import { zip } from './zipfile.js';

const folder = temporaryFolder();
const path = join(folder, 'x');

interface Outcome {
  readonly path?: string;
  readonly ended: string;
  /** Kibibytes. */
  readonly peak: number;
}

test('every hostile size is refused, in one process, with less than 300 MiB of memory', () => {
  const paths = hostileFiles.map(({ name, make }) => {
    writeFileSync(join(folder, name), make());
    return join(folder, name);
  });
  const program = fileURLToPath(new URL('./hostile-run.js', import.meta.url));
  const { stdout, stderr, status } = spawnSync(process.execPath, ['--expose-gc', program, ...paths], {
    encoding: 'utf8',
    timeout: 120_000,
  });
  assert.equal(status, 0, stderr);
  const [start, ...outcomes] = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Outcome);
  assert.equal(outcomes.length, hostileFiles.length);
  outcomes.forEach(({ ended, peak }, i) => {
    const { name, refusal } = hostileFiles[i]!;
    assert.match(ended, /^(DataError|PickleError): /, name);
    assert.match(ended, refusal, name);
    const taken = (peak - start!.peak) / 1024;
    assert.ok(taken < 300, `${name}: ${taken} MiB`);
  });
});

test('maxMemory lowers and raises the limit of every reader that unpacks', () => {
  const zeros = Buffer.alloc(2 ** 16);
  const npy = Buffer.concat([npyHead('|u1', `(${zeros.length},)`), zeros]);
  const [low, high] = [{ maxMemory: 2 ** 16 }, { maxMemory: 2 ** 17 }];
  writeFileSync(path, zip([{ name: 'a.npy', data: deflateRawSync(npy), method: 8, size: npy.length, of: npy }]));
  assert.throws(() => loadNpz(path, low), { name: 'DataError', message: /more than 65536.*maxMemory \(\d+\)/ });
  assert.equal(loadNpz(path, high).get('a')?.numel, zeros.length);
  writeFileSync(path, gzipSync(Buffer.concat([Buffer.from([0, 0, 8, 1, 0, 1, 0, 0]), zeros])));
  assert.throws(() => loadIdx(path, low), /more than 65536/);
  assert.equal(loadIdx(path, high).numel, zeros.length);
  writeFileSync(path, matFile([{ name: 'X', shape: [256, 256], values: zeros, kind: 'uint8' }]));
  assert.throws(() => loadMat(path, ['X'], low), /variable 'X' unpacks to \d+ bytes, more than 65536/);
  assert.deepEqual(loadMat(path, ['X'], high).get('X')?.shape, [256, 256]);
});

test('without an option, 60 MiB of zeros are read from 60 kB', () => {
  const zeros = Buffer.alloc(60 * 2 ** 20);
  writeFileSync(path, gzipSync(Buffer.concat([Buffer.from([0, 0, 8, 1, 3, 0xc0, 0, 0]), zeros]), { level: 1 }));
  assert.equal(loadIdx(path).numel, zeros.length);
});

test('a named pipe is refused, and not waited for', () => {
  const pipe = join(folder, 'pipe');
  spawnSync('mkfifo', [pipe]);
  for (const load of [loadNpy, loadNpz, loadIdx, loadMat, loadSafetensors, loadTorch, PickleFile.open]) {
    assert.throws(() => load(pipe), /Cannot read .*pipe: expected a file, got a special file/);
  }
});

test('unknown options and limits that are no numbers are refused by every reader', async () => {
  const wrong = { maxmemory: 5 } as object;
  const calls: (() => unknown)[] = [
    () => loadNpz(path, wrong),
    () => NpzFile.open(path, wrong),
    () => ZipFile.open(path, wrong),
    () => loadIdx(path, wrong),
    () => loadMat(path, undefined, wrong),
    () => loadSafetensors(path, wrong),
    () => SafetensorsFile.open(path, wrong),
    () => PickleFile.open(path, wrong),
    () => parsePickle(Buffer.from('N.'), 'x', wrong),
    () => loadTorch(path, wrong),
  ];
  for (const call of calls) {
    assert.throws(
      call,
      (error: Error) => error instanceof ConfigError && /Did you mean maxMemory\?/.test(error.message),
    );
  }
  await assert.rejects(Hdf5File.open(path, wrong), /Did you mean maxMemory\?/);
  assert.throws(
    () => loadNpz(path, { maxMemory: Number.NaN }),
    /maxMemory of loadNpz to be a number of bytes > 0, got NaN/,
  );
});

test('column-major arrays of every rank and width come out in the order of their indices', () => {
  const shapes = [[7], [1, 9], [65, 33], [33, 1, 70], [3, 4, 5, 6], [40, 2, 37, 3], [2, 1, 3, 1, 2, 2]];
  const types = { '|u1': Uint8Array, '<i2': Int16Array, '<i4': Int32Array, '<f8': Float64Array };
  for (const shape of shapes) {
    for (const [descr, Type] of Object.entries(types)) {
      const count = shape.reduce((a, b) => a * b, 1);
      const head = npyHead(descr, `(${shape.join(', ')},)`)
        .toString('latin1')
        .replace('False', 'True ');
      const values = new Type(Array.from({ length: count }, (_, i) => i % 251));
      writeFileSync(path, Buffer.concat([Buffer.from(head, 'latin1'), Buffer.from(values.buffer)]));
      assert.deepEqual(loadNpy(path).reshape([-1]).tolist(), rowMajor([...values], shape), `${descr} [${shape}]`);
    }
  }
});

/** By the definition: index by index. */
function rowMajor(values: readonly number[], shape: readonly number[]): number[] {
  return values.map((_, target) => {
    let [left, source, stride] = [target, 0, 1];
    const index = [...shape].reverse().map((size) => {
      const at = left % size;
      left = Math.floor(left / size);
      return at;
    });
    index.reverse().forEach((at, d) => {
      source += at * stride;
      stride *= shape[d]!;
    });
    return values[source]!;
  });
}

/** Bytes that opening a pickle reads. */
function bytesRead(pickle: Buffer): number {
  writeFileSync(path, pickle);
  const prototype = Object.getPrototypeOf(
    (PickleFile.open(path) as unknown as { file: ByteSource }).file,
  ) as ByteSource;
  const original = prototype.read;
  let read = 0;
  prototype.read = function counted(this: ByteSource, offset: number, length: number): Uint8Array {
    read += length;
    return original.call(this, offset, length);
  };
  try {
    PickleFile.open(path).close();
  } finally {
    prototype.read = original;
  }
  return read;
}

test('short lines, and references to one long text, are read in linear time', () => {
  const lines = Buffer.concat([Buffer.from('('), Buffer.alloc(300_000, 'I1\n'), Buffer.from('l.')]);
  assert.ok(bytesRead(lines) < 2 * lines.length);
  const text = Buffer.alloc(100_000, 'a');
  const size = Buffer.alloc(4);
  size.writeUInt32LE(text.length);
  const shared = [
    Buffer.from('(X'),
    size,
    text,
    Buffer.from('q\x00'),
    Buffer.alloc(40_000, 'h\x00'),
    Buffer.from('l.'),
  ];
  assert.ok(bytesRead(Buffer.concat(shared)) < 2 * (text.length + 40_000) + 2 ** 17);
  const values = parsePickle(Buffer.concat(shared), 'x') as string[];
  assert.deepEqual([values.length, values[20_000]?.length], [20_001, 100_000]);
});

test('local headers that lead into the next member are refused', () => {
  const bytes = zip([
    { name: 'a', data: Buffer.from('one') },
    { name: 'b', data: Buffer.from('two') },
  ]);
  bytes.writeUInt16LE(20, 28); // the first one's extra field now reaches beyond its room
  writeFileSync(path, bytes);
  using file = ZipFile.open(path);
  assert.throws(() => file.read(file.entries.get('a')!), /the member 'a' is not where the directory says/);
});

test('many gzip members are unpacked one after the other', () => {
  const content = Buffer.from([0, 0, 8, 1, 0, 0, 0, 3, 7, 8, 9]);
  const empty = gzipSync(Buffer.alloc(0));
  writeFileSync(
    path,
    Buffer.concat([
      ...new Array<Buffer>(50).fill(empty),
      gzipSync(content.subarray(0, 5)),
      gzipSync(content.subarray(5)),
    ]),
  );
  assert.deepEqual(loadIdx(path).tolist(), [7, 8, 9]);
});

test('of a MATLAB file only what is asked for is unpacked', () => {
  const small = { name: 'y', shape: [2, 1], values: Uint8Array.of(4, 5), kind: 'double' as const };
  const random = randomSource(4);
  const values = Uint8Array.from({ length: 20_000 }, () => 256 * random());
  const bytes = matFile([{ name: 'X', shape: [20_000, 1], values, kind: 'uint8' }, small]);
  const packed = bytes.readUInt32LE(132);
  bytes.fill(0, 128 + 8 + packed - 4, 128 + 8 + packed); // X's checksum
  writeFileSync(path, bytes);
  assert.deepEqual(loadMat(path, ['y']).get('y')?.tolist(), [[4], [5]]);
  assert.throws(() => loadMat(path), /damaged compressed data/);
});

/** An HDF5 file with a data set of 1,000 numbers, packed, whose chunk is exchanged for another stream. */
async function hdf5With(stream: Buffer): Promise<void> {
  await ready;
  const file = new File(path, 'w');
  file.create_dataset({ name: 'stream', data: new Uint8Array(stream), shape: [stream.length], dtype: '<B' });
  const data = Float32Array.from({ length: 1000 }, (_, i) => Math.sin(i));
  file.create_dataset({ name: 'x', data, shape: [1000], dtype: '<f4', chunks: [1000], compression: 'gzip' });
  file.create_dataset({ name: 'plain', data, shape: [1000], dtype: '<f4' });
  file.close();
  const bytes = readFileSync(path);
  const entry = bytes.indexOf('TREE') + 24; // of the list of chunks: size, filters, two offsets, address
  bytes.writeUInt32LE(stream.length, entry);
  bytes.writeBigUInt64LE(BigInt(bytes.indexOf(stream)), entry + 24);
  writeFileSync(path, bytes);
}

test('a chunk of an HDF5 file that swells beyond its size is an error of that reading alone', async () => {
  await hdf5With(deflateSync(Buffer.from(Float32Array.from({ length: 1000 }, (_, i) => i).buffer)));
  const sound = await Hdf5File.open(path);
  assert.equal(Buffer.from((await sound.read('x')).bytes).readFloatLE(4 * 999), 999); // the exchange itself is sound
  await sound.close();
  await hdf5With(deflateSync(Buffer.alloc(2 ** 28)));
  await using file = await Hdf5File.open(path);
  await assert.rejects(file.read('x'), /'x' cannot be read: it unpacks to more than its size and chunks announce/);
  assert.equal((await file.read('plain')).bytes.length, 4000);
});

test('HDF5 data sets and chunks beyond the limit are refused by their size, and read with maxMemory', async () => {
  await ready;
  const made = new File(path, 'w');
  const length = 2 ** 24 + 1024;
  const zeros = new Float32Array(length);
  made.create_dataset({
    name: 'x',
    data: zeros,
    shape: [length],
    dtype: '<f4',
    chunks: [2 ** 16],
    compression: 'gzip',
  });
  const unbounded = { shape: [8], maxshape: [null], chunks: [length] };
  made.create_dataset({ name: 'chunk', data: new Float32Array(8), dtype: '<f4', compression: 'gzip', ...unbounded });
  made.close();
  const file = await Hdf5File.open(path);
  await assert.rejects(file.read('x'), (error: Error) => {
    return (
      error instanceof DataError &&
      /\[16778240\] takes 67112960 bytes; at most 67108864 .*maxMemory/.test(error.message)
    );
  });
  await assert.rejects(file.read('chunk'), /'chunk' lies in chunks of 67112960 bytes; at most 67108864/);
  assert.deepEqual((await file.read('x', [length - 2, length])).shape, [2]);
  await file.close();
  await using allowed = await Hdf5File.open(path, { maxMemory: 2 ** 27 });
  assert.equal((await allowed.read('x')).bytes.length, 4 * length);
});

test('a text array is read whole, whatever its width', () => {
  const text = 'ab\u{1f600}é';
  const width = 100_000;
  const data = Buffer.alloc(4 * width);
  Array.from(text).forEach((character, i) => {
    data.writeUInt32LE(character.codePointAt(0)!, 4 * i);
  });
  writeFileSync(path, zip([{ name: 't.npy', data: Buffer.concat([npyHead(`<U${width}`, '(1,)'), data]) }]));
  using file = NpzFile.open(path);
  assert.deepEqual((file.get('t') as unknown as { values: string[] }).values, [text]);
  assert.equal((file.get('t') as LazyArray).shape.length, 1);
});
