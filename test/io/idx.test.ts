import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { loadIdx, parseIdx, readIdx } from 'headrace/io';
import { mutate, randomSource, temporaryFolder } from './helpers.js';

const folder = temporaryFolder();

/** An IDX file put together from its public description. */
function idx(type: number, shape: number[], data: Uint8Array): Buffer {
  const head = Buffer.alloc(4 + 4 * shape.length);
  head[2] = type;
  head[3] = shape.length;
  shape.forEach((size, d) => {
    head.writeUInt32BE(size, 4 + 4 * d);
  });
  return Buffer.concat([head, data]);
}

test('bytes and big-endian numbers read, plain and gzipped', () => {
  const path = join(folder, 'images');
  writeFileSync(path, gzipSync(idx(8, [2, 1, 3], Uint8Array.of(1, 2, 3, 4, 5, 255))));
  assert.deepEqual(loadIdx(path).tolist(), [[[1, 2, 3]], [[4, 5, 255]]]);
  writeFileSync(path, idx(12, [2], Uint8Array.of(0, 0, 1, 0, 0xff, 0xff, 0xff, 0xfe)));
  const array = readIdx(path);
  assert.deepEqual([array.dtype, [...new Int32Array(array.bytes.buffer)]], ['int32', [256, -2]]);
});

test('a file cut short, too long or of another kind is one clear error', () => {
  const valid = idx(8, [2, 3], new Uint8Array(6));
  const cases: [Buffer, RegExp][] = [
    [valid.subarray(0, -1), /images is cut short: uint8 \[2, 3\] takes 18 bytes with its header, got 17/],
    [valid.subarray(0, 7), /cut short: its IDX header takes 12 bytes, it has 7/],
    [Buffer.concat([valid, valid]), /too long/],
    [Buffer.from('<html>'), /not an IDX file/],
    [idx(8, [0xffffffff, 0xffffffff], new Uint8Array(6)), /impossibly large/],
  ];
  for (const [bytes, message] of cases) assert.throws(() => parseIdx(bytes, 'images'), { name: 'DataError', message });
  const path = join(folder, 'cut.gz');
  writeFileSync(path, gzipSync(valid).subarray(0, -9));
  assert.throws(() => readIdx(path), { name: 'DataError', message: /damaged gzip file.*fetch it again/ });
});

test('300 damaged files give an array or a DataError', () => {
  const random = randomSource(2);
  const path = join(folder, 'damaged');
  const valid = idx(8, [4, 5, 6], Buffer.alloc(120, 3));
  for (let i = 0; i < 300; i++) {
    writeFileSync(path, mutate(i % 2 === 0 ? valid : gzipSync(valid), random));
    try {
      readIdx(path);
    } catch (error) {
      assert.equal((error as Error).name, 'DataError', `mutation ${i}: ${(error as Error).stack}`);
    }
  }
});
