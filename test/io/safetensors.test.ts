import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  loadSafetensors,
  SafetensorsFile,
  SafetensorsModel,
  saveSafetensors,
  writeSafetensorsIndex,
} from 'headrace/io';
import { type DType, type Tensor, tensor, zeros } from 'headrace/torch';
import { mutate, randomSource, temporaryFolder } from './helpers.js';

const folder = temporaryFolder();
const path = join(folder, 'x.safetensors');

/** A file put together from the format's public description. */
function file(header: unknown, data: Uint8Array): Buffer {
  const json = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  return Buffer.concat([length, json, data]);
}

const entry = (dtype: string, shape: number[], begin: number, end: number): object => ({
  dtype,
  shape,
  data_offsets: [begin, end],
});

/** The Python library safetensors 0.8.0 wrote: {b: u1 [1, 2, 3], a: f4 [[1.5, -2]], e: f8 of shape (0, 3)}, metadata {format: pt}. */
const writtenByPython =
  'yAAAAAAAAAB7Il9fbWV0YWRhdGFfXyI6eyJmb3JtYXQiOiJwdCJ9LCJlIjp7ImR0eXBlIjoiRjY0Iiwic2hhcGUiOlswLDNdLCJkYXRhX29mZnNl' +
  'dHMiOlswLDBdfSwiYSI6eyJkdHlwZSI6IkYzMiIsInNoYXBlIjpbMSwyXSwiZGF0YV9vZmZzZXRzIjpbMCw4XX0sImIiOnsiZHR5cGUiOiJVOCIs' +
  'InNoYXBlIjpbM10sImRhdGFfb2Zmc2V0cyI6WzgsMTFdfX0gICAgIAAAwD8AAADAAQID';

test('a file that the Python library wrote reads as the same values, and ours is byte for byte the same', () => {
  const bytes = Buffer.from(writtenByPython, 'base64');
  writeFileSync(path, bytes);
  const { tensors, metadata } = loadSafetensors(path);
  assert.deepEqual({ ...metadata }, { format: 'pt' });
  assert.deepEqual([...tensors.keys()], ['e', 'a', 'b']);
  assert.deepEqual(tensors.get('a')?.tolist(), [[1.5, -2]]);
  assert.deepEqual(tensors.get('b')?.tolist(), [1, 2, 3]);
  assert.deepEqual([tensors.get('e')?.dtype, tensors.get('e')?.shape], ['float64', [0, 3]]);
  saveSafetensors(path, tensors, metadata);
  assert.deepEqual(readFileSync(path), bytes);
});

test('every dtype survives bit for bit, with its metadata and order', () => {
  const values: [DType, number[]][] = [
    ['uint8', [0, 255, 7]],
    ['float32', [0.1, -0, Infinity]],
    ['bfloat16', [1.5, -3, 1e30]],
    ['float64', [Math.PI, 1e-300, -1]],
    ['float16', [0.5, 65504, -2]],
    ['int64', [2 ** 53, -1, 0]],
    ['int32', [2 ** 31 - 1, -(2 ** 31), 0]],
    ['int16', [-32768, 32767, 1]],
    ['int8', [-128, 127, 1]],
    ['bool', [1, 0, 1]],
  ];
  const tensors = new Map<string, Tensor>(values.map(([dtype, list]) => [`x.${dtype}`, tensor(list, { dtype })]));
  tensors.set('12', tensor(3)); // a scalar, under a key that JavaScript objects would move to the front
  saveSafetensors(path, tensors, { note: 'grüße "quoted"' });
  const read = loadSafetensors(path);
  assert.deepEqual({ ...read.metadata }, { note: 'grüße "quoted"' });
  assert.deepEqual([...read.tensors.keys()], [...tensors.keys()]);
  for (const [key, source] of tensors) {
    const copy = read.tensors.get(key) as Tensor;
    assert.deepEqual(
      [copy.dtype, copy.shape, [...copy.bytes()]],
      [source.dtype, source.shape, [...source.bytes()]],
      key,
    );
  }
});

test('a transposed view is written in its own order', () => {
  saveSafetensors(path, {
    t: tensor([
      [1, 2],
      [3, 4],
    ]).t(),
  });
  assert.deepEqual(loadSafetensors(path).tensors.get('t')?.tolist(), [
    [1, 3],
    [2, 4],
  ]);
});

test('each tensor is aligned to its element size', () => {
  saveSafetensors(path, { a: tensor([1], { dtype: 'uint8' }), b: tensor([1], { dtype: 'float64' }), c: tensor([1]) });
  const opened = SafetensorsFile.open(path);
  for (const [key, width] of [
    ['a', 1],
    ['b', 8],
    ['c', 4],
  ] as const)
    assert.equal((opened.entries.get(key)?.offset ?? 1) % width, 0, key);
  opened.close();
});

test('a lazy reader lists without reading and names a key that is absent', () => {
  saveSafetensors(path, { a: tensor([1, 2]), b: zeros([3, 4]) });
  const opened = SafetensorsFile.open(path);
  assert.deepEqual(opened.entries.get('b')?.shape, [3, 4]);
  assert.deepEqual(opened.get('a').tolist(), [1, 2]);
  assert.throws(() => opened.get('c'), /x\.safetensors holds no tensor 'c'; it holds 2: a, b/);
  opened.close();
  assert.throws(() => opened.get('a'), /the reader is closed/);
});

test('each fault of a header is refused with file, key and numbers', () => {
  const cases: [Buffer, RegExp][] = [
    [Buffer.alloc(3), /cut short: expected 8 bytes at offset 0, but the file has 3/],
    [
      file('{}', new Uint8Array(0)).fill(0xff, 0, 8),
      /header length is 18446744073709552000, but the file has 10 bytes/,
    ],
    [file('{"a":', new Uint8Array(0)), /damaged safetensors header/],
    [file(Buffer.from([0x7b, 0xff, 0x7d]).toString('latin1'), new Uint8Array(0)), /damaged safetensors header/],
    [file('[]', new Uint8Array(0)), /to be a JSON object/],
    [
      file({ a: entry('F8_E4M3', [1], 0, 1) }, new Uint8Array(1)),
      /tensor 'a': unknown dtype "F8_E4M3"; expected one of F64/,
    ],
    [file({ a: entry('toString', [1], 0, 1) }, new Uint8Array(1)), /unknown dtype/],
    [
      file({ a: entry('F32', [2], 0, 4) }, new Uint8Array(4)),
      /tensor 'a': F32 \[2\] takes 8 bytes, but data_offsets \[0, 4\] span 4/,
    ],
    [file({ a: entry('F32', [-1], 0, 4) }, new Uint8Array(4)), /shape of integers, got \[-1\]/],
    [file({ a: entry('U8', [2 ** 30, 2 ** 30, 2 ** 30], 0, 4) }, new Uint8Array(4)), /impossibly large/],
    [
      file({ a: entry('U8', [4], 1, 5) }, new Uint8Array(5)),
      /tensor 'a': its data leaves a hole before it: expected offset 0, got 1/,
    ],
    [
      file({ a: entry('U8', [4], 0, 4), b: entry('U8', [4], 2, 6) }, new Uint8Array(6)),
      /tensor 'b': its data overlaps/,
    ],
    [
      file({ a: entry('U8', [4], 0, 4) }, new Uint8Array(3)),
      /is cut short: its header describes \d+ bytes, the file has/,
    ],
    [file({ a: entry('U8', [4], 0, 4) }, new Uint8Array(5)), /has bytes after its last tensor/],
    [
      file(
        '{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}, "\\u0061" :{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}',
        new Uint8Array(1),
      ),
      /names the key 'a' twice/,
    ],
    [file('{"__metadata__":{"k":"1","k":"2"}}', new Uint8Array(0)), /names the key 'k' twice/],
    [file({ __metadata__: { k: 1 } }, new Uint8Array(0)), /__metadata__ to map strings to strings/],
    [file({ a: null }, new Uint8Array(0)), /tensor 'a': expected an object/],
  ];
  for (const [bytes, message] of cases) {
    writeFileSync(path, bytes);
    assert.throws(() => SafetensorsFile.open(path), { name: 'DataError', message });
  }
  assert.throws(() => SafetensorsFile.open(join(folder, 'absent')), /Cannot open .*absent: ENOENT/);
  assert.throws(() => SafetensorsFile.open(folder), /expected a file, got a folder/);
});

test('a key like __proto__ is an ordinary key', () => {
  writeFileSync(path, file('{"__proto__":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}', Uint8Array.of(9)));
  assert.deepEqual(loadSafetensors(path).tensors.get('__proto__')?.tolist(), [9]);
});

test('shards with an index read as one model', () => {
  const inside = join(folder, 'sharded');
  mkdirSync(inside);
  const shards = new Map<string, Record<string, Tensor>>([
    ['model-00001-of-00002.safetensors', { a: tensor([1, 2]), b: tensor([3]) }],
    ['model-00002-of-00002.safetensors', { c: tensor([4], { dtype: 'int64' }) }],
  ]);
  for (const [name, tensors] of shards) saveSafetensors(join(inside, name), tensors);
  const index = join(inside, 'model.safetensors.index.json');
  writeSafetensorsIndex(index, new Map([...shards].map(([name, tensors]) => [name, Object.keys(tensors)])), {
    step: 7,
  });
  const model = new SafetensorsModel(inside);
  assert.deepEqual(model.keys(), ['a', 'b', 'c']);
  assert.deepEqual(model.metadata, { step: 7, total_size: 4 * 3 + 8 });
  assert.deepEqual(
    [...model.readAll()].map(([key, t]) => [key, t.tolist()]),
    [
      ['a', [1, 2]],
      ['b', [3]],
      ['c', [4]],
    ],
  );
  assert.deepEqual([model.has('c'), model.entry('c').dtype], [true, 'int64']);
  assert.throws(() => model.get('d'), /No tensor 'd' in model-00001/);
  model.close();
  assert.deepEqual(readdirSync(inside).length, 3);
  assert.throws(
    () => writeSafetensorsIndex(index, new Map([['model-00002-of-00002.safetensors', ['a']]])),
    /disagree\. Missing in the shard: \[a\]/,
  );
  writeFileSync(index, JSON.stringify({ weight_map: { a: '../x.safetensors' } }));
  assert.throws(() => new SafetensorsModel(inside), /expected a file name in the same folder/);
});

test('600 damaged files open or give a DataError, and read no more than they hold', () => {
  const random = randomSource(4);
  saveSafetensors(path, { a: zeros([3, 4]), b: tensor([1, 2, 3], { dtype: 'int64' }), c: tensor([true]) }, { k: 'v' });
  const valid = readFileSync(path);
  for (let i = 0; i < 600; i++) {
    const bytes = mutate(valid, random);
    writeFileSync(path, bytes);
    try {
      for (const t of loadSafetensors(path).tensors.values()) assert.ok(t.bytes().length <= bytes.length);
    } catch (error) {
      assert.equal((error as Error).name, 'DataError', `mutation ${i}: ${(error as Error).stack}`);
    }
  }
});
