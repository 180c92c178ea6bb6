/** PyTorch's stored values: see golden/make_golden.py. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

/** The lines of a file of test/torch/golden; the tests themselves run from build/. */
export function readLines<T extends { python: string }>(name: string): T[] {
  const text = readFileSync(new URL(`../../../test/torch/golden/${name}`, import.meta.url), 'utf8');
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as T);
}

/** One test for each stored line, with its counterpart in TypeScript, and one that the two lists are the same. */
export function testEach<T extends { python: string }, C>(
  file: string,
  counterparts: Readonly<Record<string, C>>,
  check: (golden: T, counterpart: C) => void,
): void {
  const goldens = readLines<T>(file);
  test(`${file} and its TypeScript have the same cases`, () => {
    assert.deepEqual(
      Object.keys(counterparts),
      goldens.map((golden) => golden.python),
    );
  });
  for (const golden of goldens) {
    test(golden.python, () => {
      const counterpart = counterparts[golden.python];
      assert.ok(counterpart !== undefined);
      check(golden, counterpart);
    });
  }
}
