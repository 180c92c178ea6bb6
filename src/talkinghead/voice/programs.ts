/** Programs for speech that the system may have: run with a clear word where one is missing. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HeadraceError } from '../../torch/index.js';

/** What each comes with on Debian. */
const packages: Readonly<Record<string, string>> = {
  flite: 'flite',
  festival: 'festival festvox-us-slt-hts festvox-kallpc16k',
  python3: 'python3',
  'espeak-ng': 'espeak-ng',
  pocketsphinx_continuous: 'pocketsphinx pocketsphinx-en-us',
};

/** Whether a program can be run. */
export function hasProgram(name: string): boolean {
  return spawnSync(name, ['--version'], { stdio: 'ignore', timeout: 10_000 }).error === undefined;
}

/**
 * Runs a program to its end and gives what it prints.
 * @throws HeadraceError where it is missing, fails, or takes longer than `seconds`
 */
export function runProgram(name: string, args: readonly string[], options: { input?: string; seconds?: number } = {}) {
  const { input = '', seconds = 120 } = options;
  const ran = spawnSync(name, args, { input, encoding: 'utf8', timeout: 1000 * seconds, maxBuffer: 1 << 28 });
  if (ran.error !== undefined) {
    const missing = (ran.error as NodeJS.ErrnoException).code === 'ENOENT';
    const why = missing
      ? `${name} is not installed; on Debian: apt install ${packages[name] ?? name}`
      : `${name} could not be run to its end: ${ran.error.message}`;
    throw new HeadraceError(why, { cause: ran.error });
  }
  if (ran.status !== 0) {
    const said = ran.stderr.trim().split('\n').slice(-3).join(' ');
    throw new HeadraceError(`${name} failed with exit code ${ran.status}: ${said}`);
  }
  return ran.stdout;
}

/** Makes a folder for the time that `use` takes. */
export async function withFolder<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'headrace-voice-'));
  try {
    return await use(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
