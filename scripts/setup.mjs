// Everything between a fresh clone and a package that runs: libtorch, npm's packages, the addon, the TypeScript.
// Runs before `npm ci`, hence on Node alone. Each step is skipped when done before.

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { addonRecord, buildNative, isBuilt } from './build-native.mjs';
import { aptInstall } from './setup/apt.mjs';
import { APT_PACKAGES, aptLine, findLibtorch, missingBeside, missingMessage } from './setup/libtorch.mjs';
import { withLock } from './setup/lock.mjs';
import { addonPlaces, cachedFolder, forgetAddon, keepInCache, nowhere, takeFromCache } from './setup/place.mjs';
import { SetupError, say, secondsSince } from './setup/say.mjs';
import { filesIn, fingerprint, once } from './setup/stamp.mjs';

export const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
// An installed package comes compiled, and its dependencies with it; only the addon is left to build.
const isCheckout = existsSync(path.join(root, 'src'));

/**
 * Does all the set-up that is still to do in a clone.
 *
 * @param {object} [options]
 * @param {boolean} [options.programs]  also compile tests, benchmarks and examples, to build/
 * @param {boolean} [options.tolerant]  go on where those have type errors (they are printed)
 * @returns {Promise<boolean>} false where type errors were passed over
 */
export async function setup({ programs = false, tolerant = false } = {}) {
  if (!isCheckout) {
    await setupAddon();
    return true;
  }
  checkNode();
  return withLock(path.join(root, 'build', 'setup.lock'), async () => {
    const libtorch = ensureLibtorch();
    installPackages();
    await buildNative({ root, libtorch });
    let clean = await compile('tsconfig.json', ['src'], 'dist', tolerant);
    if (programs)
      clean = (await compile('tsconfig.test.json', ['test', 'bench', 'examples'], 'build', tolerant)) && clean;
    return clean;
  });
}

/**
 * Sees to libtorch and the addon, which is all that an installed package needs: it comes compiled, with its dependencies.
 *
 * @param {object} [options]
 * @param {boolean} [options.rebuild]  build the addon also where there is one
 * @returns {Promise<{ libtorch: import('./setup/libtorch.mjs').Libtorch, addon: string, was: 'there' | 'in the cache' | 'built' }>}
 */
export async function setupAddon({ rebuild = false } = {}) {
  checkNode();
  const { own, ownWritable, cache } = await addonPlaces(root);
  const outcome = (libtorch, folder, was) => ({ libtorch, addon: path.join(folder, 'headrace.node'), was });
  const { found } = findLibtorch();
  // An image that holds package and addon, and lets nobody write to them, is set up.
  if (found && !ownWritable && isBuilt(own, addonRecord(root, found))) return outcome(found, own, 'there');
  if (!ownWritable && cache === null) throw new SetupError(await nowhere(root));
  return withLock(path.join(ownWritable ? path.dirname(own) : cache, 'setup.lock'), async () => {
    const libtorch = ensureLibtorch();
    const record = addonRecord(root, libtorch);
    const folder = ownWritable ? own : cachedFolder(cache, record);
    // Who works on the sources keeps the objects for the next time, and fills no cache with every state of them.
    const kept = cache === null || isCheckout ? null : cachedFolder(cache, record);
    if (rebuild) forgetAddon([folder, ...(kept === null ? [] : [kept])]);
    let was = isBuilt(folder, record) ? 'there' : null;
    if (was === null && kept !== null && takeFromCache(kept, record, folder)) was = 'in the cache';
    if (was === null) {
      await buildNative({ root, libtorch, output: folder, record });
      if (!isCheckout) rmSync(path.join(folder, 'obj'), { recursive: true, force: true });
    }
    if (kept !== null) await keepInCache(root, cache, record, folder);
    return outcome(libtorch, folder, was ?? 'built');
  });
}

function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > 20 || (major === 20 && minor >= 11)) return;
  throw new SetupError(
    `Node 20.11 or newer is needed, and this is ${process.version} (${process.execPath}).\n` +
      '  Get a newer one from https://nodejs.org or, for Debian 12, from https://deb.nodesource.com.',
  );
}

function ensureLibtorch() {
  let { found, looked } = findLibtorch();
  if (!found) {
    if (existsSync('/proc/driver/nvidia/version')) {
      say(
        'this machine has an NVIDIA driver, but apt offers libtorch for the CPU; docs/install.md says how to use CUDA',
      );
    }
    if (!aptInstall(APT_PACKAGES, 'libtorch was not found')) throw new SetupError(missingMessage(looked));
    ({ found, looked } = findLibtorch());
    if (!found) throw new SetupError(missingMessage(looked));
  }
  for (const { name, lack } of missingBeside(found)) {
    if (!aptInstall([name], lack)) say(`warning: ${lack}. To install it: ${aptLine([name])}`);
  }
  return found;
}

/** Whether node_modules holds what the lock file says, by content: a clone may be copied. */
function packagesInstalled() {
  const read = (...parts) => JSON.parse(readFileSync(path.join(root, ...parts), 'utf8')).packages;
  if (!existsSync(path.join(root, 'node_modules', '.package-lock.json'))) return false;
  const [wanted, installed] = [read('package-lock.json'), read('node_modules', '.package-lock.json')];
  return Object.entries(wanted).every(
    ([name, { version, optional }]) => name === '' || optional || installed[name]?.version === version,
  );
}

function installPackages() {
  if (packagesInstalled()) return;
  const start = Date.now();
  say('installing npm packages (npm ci)');
  const args = ['ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error'];
  const env = { ...process.env, SKIP_FFMPEG: 'true' }; // node-av would download an ffmpeg program, which nothing here runs
  const result = spawnSync('npm', args, { cwd: root, env, stdio: ['ignore', 2, 2] });
  if (result.error) throw new SetupError(`npm could not be run (${result.error.message}); it comes with Node.`);
  if (result.status !== 0) throw new SetupError('npm ci failed; its own message is above.');
  say(`npm packages installed in ${secondsSince(start)}`);
}

/** Compiles one TypeScript project. Returns false where it has type errors and `tolerant` says to go on. */
async function compile(project, folders, output, tolerant) {
  const sources = folders.flatMap((folder) => filesIn(path.join(root, folder), '.ts'));
  if (sources.length === 0) return true;
  const emitted = sources
    .map((file) => path.relative(output === 'dist' ? path.join(root, 'src') : root, file))
    .filter((file) => !file.endsWith('.d.ts'))
    .map((file) => path.join(root, output, file.replace(/\.ts$/, '.js')));
  const inputs = fingerprint(root, ['src', ...folders, 'tsconfig.json', project, 'package-lock.json'], '.ts');
  let clean = true;
  try {
    await once(path.join(root, 'build', 'stamps', project), inputs, emitted, async () => {
      const start = Date.now();
      if (!emitted.every((file) => existsSync(file))) forgetIncrement(output);
      if (output === 'dist') removeOrphans(emitted);
      const result = runTool('typescript/bin/tsc', ['--project', project, '--pretty', 'false'], { stdout: 2 });
      if (result !== 0) throw new SetupError(`${folders.join(', ')}: the TypeScript does not compile; see above.`);
      say(`compiled ${folders.join(', ')} in ${secondsSince(start)}`);
    });
  } catch (error) {
    if (!tolerant || !(error instanceof SetupError)) throw error;
    clean = false;
  }
  return clean;
}

// The compiler trusts its record of what it emitted, also where that is no longer there.
function forgetIncrement(output) {
  for (const folder of ['.', 'test']) rmSync(path.join(root, output, folder, '.tsbuildinfo'), { force: true });
}

/** Deletes what an earlier build emitted for sources that are gone, lest it be imported or published. */
function removeOrphans(emitted) {
  const wanted = new Set(emitted);
  for (const file of filesIn(path.join(root, 'dist'), '.d.ts')) {
    const stem = file.slice(0, -'.d.ts'.length);
    if (wanted.has(`${stem}.js`)) continue;
    for (const extension of ['.d.ts', '.js', '.js.map']) rmSync(stem + extension, { force: true });
  }
}

/** Runs a tool out of node_modules with this Node; returns its exit code. */
export function runTool(script, args, { stdout = 1 } = {}) {
  const command = [path.join(root, 'node_modules', script), ...args];
  const result = spawnSync(process.execPath, command, { cwd: root, stdio: ['ignore', stdout, 2] });
  return result.status ?? 1;
}
