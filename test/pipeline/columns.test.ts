// Tables for a terminal.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatColumns } from 'headrace/pipeline';

const rows = [
  ['a', 'layers', 'ms'],
  ['long', 'x', '1.25'],
];

test('words begin at the left, numbers end at the right, and no line ends in spaces', () => {
  assert.equal(formatColumns(rows), 'a     layers    ms\nlong       x  1.25');
  assert.equal(formatColumns(rows, [1]), '   a  layers    ms\nlong  x       1.25');
  assert.equal(formatColumns(rows, [0, 1, 2]), 'a     layers  ms\nlong  x       1.25');
  assert.equal(
    formatColumns([
      ['name', ''],
      ['a', ''],
    ]),
    'name\na',
  );
  assert.equal(formatColumns([]), '');
});
