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
