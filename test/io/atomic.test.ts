import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { AtomicFile, writeFileAtomic } from 'headrace/io';
import { temporaryFolder } from './helpers.js';

const folder = temporaryFolder();

test('a file written atomically holds the whole content and leaves nothing else behind', () => {
  const inside = join(folder, 'whole');
  mkdirSync(inside);
  writeFileAtomic(join(inside, 'a'), 'grüße');
  writeFileAtomic(join(inside, 'a'), [Buffer.from([1, 2]), Buffer.from([]), Buffer.from([3])]);
  assert.deepEqual(readdirSync(inside), ['a']);
  assert.deepEqual([...readFileSync(join(inside, 'a'))], [1, 2, 3]);
});

test('the previous file stays whole when the writing fails half-way', () => {
  const inside = join(folder, 'half');
  mkdirSync(inside);
  const path = join(inside, 'a');
  writeFileSync(path, 'old');
  const pieces = function* (): Iterable<Uint8Array> {
    yield Buffer.from('new');
    throw new Error('the source failed');
  };
  assert.throws(() => writeFileAtomic(path, pieces()), /the source failed/);
  assert.deepEqual(readdirSync(inside), ['a']);
  assert.equal(readFileSync(path, 'utf8'), 'old');
});

test('a folder that cannot be written is an error that names the path and the cause', () => {
  assert.throws(() => writeFileAtomic(join(folder, 'absent', 'a'), 'x'), {
    name: 'DataError',
    message: /Cannot write .*absent.a: ENOENT.*folder exists and is writable/,
  });
});

test('a rename that fails removes the temporary file', () => {
  const inside = join(folder, 'rename');
  mkdirSync(join(inside, 'a'), { recursive: true }); // the target name is a folder
  assert.throws(() => writeFileAtomic(join(inside, 'a'), 'x'), { name: 'DataError' });
  assert.deepEqual(readdirSync(inside), ['a']);
});

test('an aborted file leaves no trace and takes no more bytes', () => {
  const inside = join(folder, 'abort');
  mkdirSync(inside);
  const file = new AtomicFile(join(inside, 'a'));
  file.write(Buffer.from('x'));
  file.abort();
  assert.deepEqual(readdirSync(inside), []);
  assert.throws(() => file.write(Buffer.from('y')), /committed or aborted/);
});
