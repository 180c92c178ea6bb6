// The repository seen as files, for the tests of its own rules.

import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../../..', import.meta.url));

/** Files below `folder` (relative to the root) whose name ends in one of `extensions`, relative to the root. */
export function filesBelow(folder: string, extensions: string[]): string[] {
  if (!existsSync(path.join(root, folder))) return [];
  return readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => extensions.some((extension) => name.endsWith(extension)))
    .map((name) => path.join(folder, name))
    .sort();
}

export function isGenerated(file: string): boolean {
  return file.split(path.sep).includes('generated') || file.endsWith('.generated.ts');
}

export function read(file: string): string {
  return readFileSync(path.join(root, file), 'utf8');
}

/** The files under version control that exist, or null where this is no checkout (an unpacked archive). */
export function trackedFiles(): string[] | null {
  try {
    const listed = execFileSync('git', ['ls-files', '-z'], {
      cwd: root,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
      maxBuffer: 1 << 26,
    });
    return listed.split('\0').filter((file) => file !== '' && existsSync(path.join(root, file)));
  } catch {
    return null;
  }
}
