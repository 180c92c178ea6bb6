// Libraries that libtorch asks for and takes nothing from. Debian's is linked to those by which Caffe2 read pictures and films,
// and these bring two hundred others: half of what a program's start costs, and 70 MB of each process. An empty library of
// the same name, in a folder beside the addon, is loaded in the place of each.

import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, rmSync, symlinkSync } from 'node:fs';
import path from 'node:path';

/** Beside the addon. */
export const STAND_INS = 'unneeded';

/** What may be stood in for. */
export const FAMILIES = /^lib(opencv_\w+|av(codec|format|util|device|filter)|sw(scale|resample))\.so\./;

/** Whether stand-ins are wanted. HEADRACE_LIBRARIES=all loads what libtorch asks for: for programs that use these libraries, too. */
export function standsIn({ source }) {
  return process.platform === 'linux' && source === 'system' && process.env.HEADRACE_LIBRARIES !== 'all';
}

/** The names by which libtorch asks for such libraries; none where that cannot be told. */
function unneeded({ libDir }) {
  const { stdout } = spawnSync('readelf', ['-d', path.join(libDir, 'libtorch_cpu.so')], { encoding: 'utf8' });
  return [...(stdout ?? '').matchAll(/\(NEEDED\).*\[(.+)\]/g)]
    .map(([, name]) => name)
    .filter((name) => FAMILIES.test(name));
}

/**
 * Puts stand-ins beside an addon that is linked to find them, if it loads with them: every symbol is looked up then, so that one
 * that is missed is missed now.
 *
 * @param {string} addon
 * @param {{ libDir: string, source: string }} libtorch
 * @param {string} compiler
 * @returns {string[]} the names that they have
 */
export function placeStandIns(addon, libtorch, compiler, names = standsIn(libtorch) ? unneeded(libtorch) : []) {
  const folder = path.join(path.dirname(addon), STAND_INS);
  rmSync(folder, { recursive: true, force: true });
  if (names.length === 0) return [];
  mkdirSync(folder);
  const empty = path.join(folder, 'empty.so');
  const { status } = spawnSync(compiler, ['-shared', '-nostdlib', '-x', 'c++', '-o', empty, '/dev/null']);
  if (status === 0) for (const name of names) symlinkSync('empty.so', path.join(folder, name));
  if (status === 0 && loads(addon)) return names;
  rmSync(folder, { recursive: true, force: true });
  return [];
}

function loads(addon) {
  const program = 'process.dlopen({ exports: {} }, process.argv[1])';
  const env = { ...process.env, LD_BIND_NOW: '1' };
  return spawnSync(process.execPath, ['-e', program, addon], { env, stdio: 'ignore' }).status === 0;
}

/** Copies the stand-ins of one folder to another, which has those of before or none. */
export function copyStandIns(from, to) {
  const [given, taken] = [path.join(from, STAND_INS), path.join(to, STAND_INS)];
  rmSync(taken, { recursive: true, force: true });
  if (existsSync(given)) cpSync(given, taken, { recursive: true, verbatimSymlinks: true });
}
