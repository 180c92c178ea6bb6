// What the addon is compiled of: units of several sources, since most of a compilation is reading libtorch's headers; and a
// digest of each with all that it includes, by content alone.

import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

/**
 * Sources that are compiled together, in one after the other; names that they keep to themselves must differ. What is in none of these is a
 * unit of its own.
 *
 * `loops` are compiled for loops over numbers, `ranks` for process groups.
 */
const together = [
  { name: 'calls', sources: ['addon', 'autocast', 'autograd', 'custom', 'dispatch', 'schema', 'tensors'] },
  { name: 'lives', sources: ['blocks', 'collector', 'generators', 'hooks', 'lifetime', 'system'] },
  { name: 'rest', sources: ['frame', 'grain', 'lstm', 'queues', 'vertices', 'waits'] },
  { name: 'meshes', kind: 'loops', sources: ['develop', 'gates', 'light', 'raster'] },
  { name: 'photographs', kind: 'loops', sources: ['batchnorm', 'portrait'] },
  { name: 'samples', kind: 'loops', sources: ['gelu', 'mouth', 'sample'] },
  { name: 'borders', kind: 'ranks', sources: ['border', 'buckets', 'transfers', 'wire'] },
  { name: 'groups', kind: 'ranks', sources: ['group', 'reach', 'sockets', 'store'] },
];

/**
 * @typedef {object} Unit
 * @property {string} name
 * @property {'loops' | 'ranks'} [kind]
 * @property {string[]} sources  of native/, with their ending
 */

/**
 * The units of a package.
 *
 * @param {string} root
 * @returns {Unit[]}
 */
export function unitsOf(root) {
  const present = readdirSync(path.join(root, 'native'))
    .filter((name) => name.endsWith('.cpp'))
    .sort();
  const units = together.map((unit) => ({ ...unit, sources: unit.sources.map((name) => `${name}.cpp`) }));
  const placed = new Set(units.flatMap(({ sources }) => sources));
  const alone = present.filter((name) => !placed.has(name));
  return [...units, ...alone.map((name) => ({ name: path.basename(name, '.cpp'), sources: [name] }))];
}

/** A digest of sources and of the headers beside them that they include, and of `settings`, which they are compiled with. */
export function unitDigest(root, sources, settings) {
  const hash = createHash('sha256').update(JSON.stringify(settings));
  for (const file of included(path.join(root, 'native'), sources)) {
    hash.update(`\0${file}\0`).update(readFileSync(path.join(root, 'native', file)));
  }
  return hash.digest('hex');
}

/** The sources and the headers of their folder that they include, directly or through others, sorted. */
function included(folder, sources) {
  const present = new Set(readdirSync(folder));
  const found = new Set();
  const waiting = [...sources];
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    if (found.has(file) || !present.has(file)) continue;
    found.add(file);
    const text = readFileSync(path.join(folder, file), 'utf8');
    for (const [, header] of text.matchAll(/^\s*#\s*include\s*"([^"]+)"/gm)) waiting.push(path.normalize(header));
  }
  return [...found].sort();
}
