import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';

/** A folder that is removed after the file's tests. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'headrace-test-'));
  after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A small seeded generator for test data: uniform in [0, 1). */
export function randomSource(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** `bytes` with one to four seeded faults: flipped bits, changed, cut, inserted or repeated bytes; mostly in its first part. */
export function mutate(bytes: Uint8Array, random: () => number): Buffer {
  let out = Buffer.from(bytes);
  const below = (n: number): number => Math.floor(random() * n);
  const place = (): number => (random() < 0.7 ? below(Math.min(out.length, 256)) : below(out.length));
  const faults = 1 + below(4);
  for (let i = 0; i < faults && out.length > 0; i++) {
    const at = place();
    const kind = below(6);
    if (kind === 0) out[at] = (out[at] as number) ^ (1 << below(8));
    else if (kind === 1) out[at] = below(256);
    else if (kind === 2) out = out.subarray(0, at);
    else if (kind === 3)
      out = Buffer.concat([out.subarray(0, at), Buffer.alloc(1 + below(8), below(256)), out.subarray(at)]);
    else if (kind === 4) out = Buffer.concat([out, out.subarray(at)]);
    else out.fill(random() < 0.5 ? 0xff : 0x39, at, Math.min(out.length, at + 1 + below(8))); // huge numbers, in binary and in text ('9')
  }
  return out;
}
