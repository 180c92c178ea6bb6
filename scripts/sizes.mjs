// What an installation takes: packs the package, installs it into an empty folder, and prints the sizes of the core and of each
// optional part, in MB (10^6 bytes) of files on disk. libtorch apart. Needs npm's registry.
//   node scripts/sizes.mjs [--json]

import { spawnSync } from 'node:child_process';
import { lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { runMain, SetupError } from './setup/say.mjs';
import { root } from './setup.mjs';

const CORE_LIMIT = 60;

function npm(cwd, ...args) {
  const env = { ...process.env, SKIP_FFMPEG: 'true' };
  const result = spawnSync('npm', args, { cwd, env, encoding: 'utf8' });
  if (result.status !== 0) throw new SetupError(`npm ${args.join(' ')} failed:\n${result.stderr}`);
  return result.stdout;
}

/** Bytes of all files below a folder; what is linked counts where it lies. */
function bytesIn(folder) {
  return readdirSync(folder, { withFileTypes: true }).reduce((sum, item) => {
    const file = path.join(folder, item.name);
    return sum + (item.isDirectory() ? bytesIn(file) : lstatSync(file).size);
  }, 0);
}

/** Installs packages into a new folder without scripts; returns how many bytes they and all that they need take. */
function installed(top, name, ...packages) {
  const folder = path.join(top, name);
  mkdirSync(folder);
  writeFileSync(path.join(folder, 'package.json'), '{ "private": true }');
  npm(folder, 'install', '--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline', ...packages);
  return bytesIn(path.join(folder, 'node_modules'));
}

await runMain(() => {
  const top = mkdtempSync(path.join(tmpdir(), 'headrace-sizes-'));
  try {
    npm(root, 'pack', '--ignore-scripts', '--pack-destination', top);
    const [tarball] = readdirSync(top);
    const { peerDependencies } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
    const core = installed(top, 'core', path.join(top, tarball));
    const parts = Object.entries(peerDependencies).map(([name, range], i) => {
      const exact = `${name}@${range.replace(/^[\^~]/, '')}`;
      return [name, installed(top, `part${i}`, exact)];
    });
    report(core, parts);
    if (core > CORE_LIMIT * 1e6) throw new SetupError(`the core takes more than ${CORE_LIMIT} MB`);
  } finally {
    rmSync(top, { recursive: true, force: true });
  }
});

function report(core, parts) {
  const megabytes = (bytes) => Number((bytes / 1e6).toFixed(1));
  if (process.argv.includes('--json')) {
    const sizes = Object.fromEntries(parts.map(([name, bytes]) => [name, megabytes(bytes)]));
    console.log(JSON.stringify({ core: megabytes(core), parts: sizes }));
    return;
  }
  for (const [name, bytes] of [['headrace, with all that the core needs', core], ...parts]) {
    console.log(`${name.padEnd(42)}${megabytes(bytes).toFixed(1).padStart(8)} MB`);
  }
}
