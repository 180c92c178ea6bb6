// Remembers what a step was last done for, so that a step done before is skipped.

import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/**
 * Runs `step` unless it was done before for the same inputs.
 *
 * @param {string} stamp       file that remembers the inputs
 * @param {string} fingerprint  of the inputs
 * @param {string[]} outputs   files that must exist for the step to count as done
 * @param {() => Promise<void>} step
 */
export async function once(stamp, fingerprint, outputs, step) {
  const done = existsSync(stamp) && readFileSync(stamp, 'utf8') === fingerprint && outputs.every((o) => existsSync(o));
  if (done) return;
  await step();
  mkdirSync(path.dirname(stamp), { recursive: true });
  writeFileSync(stamp, fingerprint);
}

/** A digest of the names and contents of files, and of the files with `extension` inside folders. */
export function fingerprint(root, entries, extension) {
  const hash = createHash('sha256');
  for (const file of entries.flatMap((entry) => filesIn(path.join(root, entry), extension))) {
    hash
      .update(`${path.relative(root, file)}\0`)
      .update(readFileSync(file))
      .update('\0');
  }
  return hash.digest('hex');
}

/** The file itself, or the files with `extension` below a folder, sorted; none where nothing is there. */
export function filesIn(entry, extension) {
  if (!existsSync(entry)) return [];
  const below = (folder) =>
    readdirSync(folder, { withFileTypes: true }).flatMap((item) => {
      const full = path.join(folder, item.name);
      if (item.isDirectory()) return below(full);
      return item.name.endsWith(extension) ? [full] : [];
    });
  return path.extname(entry) === '' ? below(entry).sort() : [entry];
}
