// Reads which modules a TypeScript source imports, and judges the direction.

import path from 'node:path';

/** A folder of src/ imports only from itself and from those before it. */
export const FOLDERS = [
  'torch',
  'report',
  'nn',
  'optim',
  'data',
  'io',
  'run',
  'media',
  'features',
  'text',
  'distributed',
  'pipeline',
  'vision',
  'sentiment',
  'talkinghead',
  'cli',
];
const SYSTEMS = ['vision', 'sentiment', 'talkinghead'];

/** The module names in a source: static, re-exporting, dynamic, and workers' URLs. */
export function importsOf(source: string): string[] {
  const code = source.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '');
  const forms = [
    /\b(?:import|export)\b[^'"`;]*?\bfrom\s*['"]([^'"]+)['"]/g,
    /^\s*import\s*['"]([^'"]+)['"]/gm,
    /\bimport\(\s*['"]([^'"]+)['"]/g,
    /\bnew URL\(\s*['"](\.[^'"]+\.js)['"]\s*,\s*import\.meta\.url/g,
  ];
  return forms.flatMap((form) => [...code.matchAll(form)].map((match) => match[1] as string));
}

/** Why `file` (relative to the root, in src/) may not import `target`; null where it may. */
export function objection(file: string, target: string, packages: readonly string[]): string | null {
  const from = folderOf(file);
  if (target.startsWith('node:')) return null;
  if (!target.startsWith('.')) {
    const name = target
      .split('/')
      .slice(0, target.startsWith('@') ? 2 : 1)
      .join('/');
    return packages.includes(name) ? null : `imports ${target}, which is not among the dependencies`;
  }
  const to = folderOf(path.join(path.dirname(file), target));
  if (from === 'index.ts' || from === to) return null;
  if (!FOLDERS.includes(from)) return `lies in src/${from}, which has no place in the order of folders`;
  if (!FOLDERS.includes(to)) return `imports ${target}, outside the folders of src/`;
  if (FOLDERS.indexOf(to) > FOLDERS.indexOf(from)) return `imports ${target}: ${from} comes before ${to}`;
  if (SYSTEMS.includes(from) && SYSTEMS.includes(to)) return `imports ${target}: systems do not import each other`;
  return null;
}

function folderOf(file: string): string {
  const parts = path.normalize(file).split(path.sep);
  return parts[0] === 'src' ? (parts[1] ?? '') : parts.join('/');
}
