import assert from 'node:assert/strict';

export function near(found: number, expected: number, within: number, what = ''): void {
  assert.ok(Math.abs(found - expected) <= within, `${what}: expected ${expected} within ${within}, got ${found}`);
}
