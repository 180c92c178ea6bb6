// The addon's sources: which there are, and a digest of each with all that it includes, by content alone.

import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** The names of the sources in native/, sorted. */
export function unitNames(root) {
  return readdirSync(path.join(root, 'native'))
    .filter((name) => name.endsWith('.cpp'))
    .sort();
}

/** A digest of a source and of the headers beside it that it includes, and of `settings`, which it is compiled with. */
export function unitDigest(root, name, settings) {
  const hash = createHash('sha256').update(JSON.stringify(settings));
  for (const file of included(path.join(root, 'native'), name)) {
    hash.update(`\0${file}\0`).update(readFileSync(path.join(root, 'native', file)));
  }
  return hash.digest('hex');
}

/** The source and the headers of its folder that it includes, directly or through others, sorted. */
function included(folder, name) {
  const present = new Set(readdirSync(folder));
  const found = new Set();
  const waiting = [name];
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    if (found.has(file) || !present.has(file)) continue;
    found.add(file);
    const text = readFileSync(path.join(folder, file), 'utf8');
    for (const [, header] of text.matchAll(/^\s*#\s*include\s*"([^"]+)"/gm)) waiting.push(path.normalize(header));
  }
  return [...found].sort();
}
