import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { filesBelow, isGenerated, read, root, trackedFiles } from './repository.js';

const LONGEST = 400;

test(`no source file is longer than ${LONGEST} lines`, () => {
  const files = [...filesBelow('src', ['.ts']), ...filesBelow('native', ['.cpp', '.h'])];
  const long = files
    .filter((file) => !isGenerated(file))
    .map((file) => ({ file, lines: read(file).trimEnd().split('\n').length }))
    .filter(({ lines }) => lines > LONGEST);
  assert.deepEqual(long, []);
});

test('no tracked file names a path of the machine it was written on', (t) => {
  const files = trackedFiles();
  if (files === null) return t.skip('not a git checkout');
  // Spelled in parts, so that this file passes its own test.
  const traces = [['', 'work', ''].join('/'), ['.', 'library'].join(''), ['farm', ''].join('-')];
  const found = files.flatMap((file) => {
    const content = readFileSync(path.join(root, file));
    if (content.includes(0)) return [];
    return traces.filter((trace) => content.includes(trace)).map((trace) => `${file} mentions ${trace}`);
  });
  assert.deepEqual(found, []);
});

test('every door of the package leads to a built module with typings', () => {
  const manifest = JSON.parse(read('package.json')) as {
    exports: Record<string, string | { types: string; default: string }>;
    bin: Record<string, string>;
  };
  const targets = Object.values(manifest.exports).flatMap((entry) =>
    typeof entry === 'string' ? [entry] : [entry.types, entry.default],
  );
  const missing = [...targets, ...Object.values(manifest.bin)].filter((file) => !existsSync(path.join(root, file)));
  assert.deepEqual(missing, []);
});

test('the lock file pins the dependencies that the manifest names', () => {
  interface Manifest {
    dependencies: Record<string, string>;
    devDependencies: Record<string, string>;
  }
  const manifest = JSON.parse(read('package.json')) as Manifest;
  const lock = JSON.parse(read('package-lock.json')) as { packages: Record<string, Manifest> };
  assert.deepEqual(lock.packages['']?.dependencies, manifest.dependencies);
  assert.deepEqual(lock.packages['']?.devDependencies, manifest.devDependencies);
});
