// Installs what libtorch needs with apt, where the user may.

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { aptLine } from './libtorch.mjs';
import { SetupError, say, secondsSince } from './say.mjs';

/**
 * Installs Debian packages, saying so first.
 *
 * @param {string[]} packages
 * @param {string} reason  one line, shown before anything is installed
 * @returns {boolean} false where apt is not to be had or the user lacks the rights; nothing was done then
 * @throws {SetupError} where apt was run and failed
 */
export function aptInstall(packages, reason) {
  const prefix = privilege();
  if (prefix === null) return false;
  const start = Date.now();
  say(`${reason}; installing ${packages.join(' ')} with apt-get (this takes a few minutes)`);
  // A third-party source that fails to update does not keep Debian's own packages from installing.
  const update = apt(prefix, ['update']);
  const install = apt(prefix, ['install', '-y', '--no-install-recommends', ...packages]);
  if (install.status !== 0) {
    const output = [update, install].map((run) => `${run.stdout}${run.stderr}`.trim()).join('\n');
    throw new SetupError(
      `apt-get could not install ${packages.join(' ')}. Its last lines:\n${lastLines(output, 15)}\n` +
        `  Mend this and run the same command again, or install by hand: ${aptLine(packages)}`,
    );
  }
  say(`installed ${packages.join(' ')} in ${secondsSince(start)}`);
  return true;
}

/** Whether the user may install packages with apt. */
export function canInstall() {
  return privilege() !== null;
}

/** @returns {string[] | null} what to put before apt-get; null where it cannot be run */
function privilege() {
  if (!existsSync('/usr/bin/apt-get')) return null;
  if (process.getuid?.() === 0) return [];
  const sudo = spawnSync('sudo', ['-n', 'true'], { stdio: 'ignore' });
  return sudo.status === 0 ? ['sudo', '-n'] : null;
}

function apt(prefix, args) {
  const options = ['-q', '-o', 'DPkg::Lock::Timeout=300'];
  const [command, ...rest] = [...prefix, 'env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', ...options, ...args];
  return spawnSync(command, rest, { encoding: 'utf8', maxBuffer: 64 << 20, stdio: ['ignore', 'pipe', 'pipe'] });
}

function lastLines(text, count) {
  return text
    .split('\n')
    .slice(-count)
    .map((line) => `    ${line}`)
    .join('\n');
}
