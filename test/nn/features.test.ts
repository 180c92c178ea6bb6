import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

const root = new URL('../../../', import.meta.url);

test('FEATURES.md is what scripts/features.mjs writes', async () => {
  const { renderFeatures } = (await import(new URL('scripts/features.mjs', root).href)) as {
    renderFeatures(): Promise<string>;
  };
  const message = 'run: node scripts/features.mjs';
  assert.equal(readFileSync(new URL('FEATURES.md', root), 'utf8'), await renderFeatures(), message);
});

test('an argument that is missing, renamed, required, or has another default is no longer "same"', async () => {
  type Rules = Readonly<Record<string, { readonly fallback: unknown }>>;
  const { differencesOf } = (await import(new URL('scripts/signatures.mjs', root).href)) as {
    differencesOf(theirs: unknown[][], value: unknown, declared?: { args: Rules; options: Rules }): string[];
  };
  const theirs = [['input'], ['weight'], ['p', 0.5], ['T_max', 3], ['mode', 'fan_in'], ['size_average', null]];
  const ours = (_x: unknown, _weight: unknown, _p: number, _options: object): null => null;
  const declared = (options: Record<string, unknown>, args: Record<string, unknown> = { p: 0.5 }) => {
    const rules = (from: Record<string, unknown>): Rules =>
      Object.fromEntries(Object.entries(from).map(([name, fallback]) => [name, { fallback }]));
    return { args: rules(args), options: rules(options) };
  };
  assert.deepEqual(differencesOf(theirs, ours, declared({ tMax: 3, mode: 'fanIn' })), []);
  assert.deepEqual(differencesOf(theirs, ours, declared({ tMax: 3 })), ['no `mode`']);
  assert.deepEqual(differencesOf(theirs, ours, declared({ tMax: 4, mode: 'fanIn' })), ['`tMax` is 4 by default']);
  assert.deepEqual(differencesOf(theirs, ours, declared({ tMax: 3, mode: 'fanIn' }, { p: undefined })), [
    '`p` must be given',
  ]);
  class Parent {
    constructor(
      readonly inFeatures: number,
      readonly other: { readonly a: number } = { a: 1 },
    ) {}
  }
  class Child extends Parent {}
  assert.deepEqual(differencesOf([['in_features'], ['other', null]], Child), []);
  assert.deepEqual(differencesOf([['in_features'], ['other', null], ['more', 1]], Child), ['no `more`']);
});
