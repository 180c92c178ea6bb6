// JSON files that are read back: what is damaged is named, with the file and every fault.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import {
  isFlag,
  isList,
  isNumber,
  isObject,
  isOneOf,
  isText,
  isWhole,
  optional,
  orNull,
  readJsonFile,
} from 'headrace/io';

const folder = mkdtempSync(join(tmpdir(), 'headrace-json-'));
after(() => rmSync(folder, { recursive: true }));
const path = join(folder, 'thing.json');

const isThing = isObject({
  name: isText,
  kind: isOneOf(['a', 'b']),
  sizes: isList(isWhole(1)),
  rate: optional(isNumber),
  inner: orNull(isObject({ on: isFlag })),
});

function read(text: string): unknown {
  writeFileSync(path, text);
  return readJsonFile(path, 'a thing', isThing);
}

test('what fits is given as it is, with fields that nobody asked for', () => {
  const thing = { name: 'x', kind: 'b', sizes: [1, 2], inner: { on: true }, more: [null] };
  assert.deepEqual(read(JSON.stringify(thing)), thing);
  assert.deepEqual(read('{"name":"","kind":"a","sizes":[],"rate":-1.5,"inner":null}'), {
    name: '',
    kind: 'a',
    sizes: [],
    rate: -1.5,
    inner: null,
  });
});

test('every fault is named by its path, in one line', () => {
  assert.throws(() => read('{"kind":"c","sizes":[0,2,"3"],"rate":"fast","inner":{"on":1}}'), {
    name: 'DataError',
    message:
      `Expected ${path} to hold a thing, but it is damaged: expected name to be a text, got nothing; ` +
      'kind to be one of a, b, got "c"; sizes[0] to be a whole number >= 1, got 0; sizes[2] to be a whole number >= 1, ' +
      'got "3"; rate to be a number, got "fast"; inner.on to be true or false, got 1',
  });
});

test('what is no object, no JSON, cut short, empty or absent is told apart', () => {
  for (const [text, message] of [
    ['[]', /expected it to be an object, got \[\]/],
    ['null', /expected it to be an object, got null/],
    ['"text"', /expected it to be an object, got "text"/],
    ['{"name":', /thing\.json to hold a thing, but it is damaged or cut short: /],
    ['{\n"name": x\n}', /damaged or cut short: [^\n]+$/],
    [' \n', /it is empty/],
  ] as const) {
    assert.throws(() => read(text), { name: 'DataError', message });
  }
  assert.throws(
    () => readJsonFile(join(folder, 'none.json'), 'a thing'),
    /^DataError: Cannot read .*none\.json: ENOENT/,
  );
  assert.throws(() => readJsonFile(folder, 'a thing'), /^DataError: Cannot read .*: EISDIR/);
});

test('a long value is shown in part', () => {
  assert.throws(
    () => read(JSON.stringify({ name: Array(1000).fill(7) })),
    /name to be a text, got \[7,7,.{45,60}\.\.\.;/,
  );
});
