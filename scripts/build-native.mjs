// Compiles native/*.cpp to headrace.node against the libtorch found, recompiling only what changed. What was done before is
// told by content, so that a package with its addon may be copied or moved, and nothing is built again.
// Usage: node scripts/build-native.mjs   (CXX chooses the compiler)

import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { compileFlags, findCompiler, flagsOf, linkFlags, NODE_API, nodeHeaders } from './setup/compiler.mjs';
import { findLibtorch, librarySignature, missingMessage } from './setup/libtorch.mjs';
import { runMain, SetupError, say, secondsSince } from './setup/say.mjs';
import { unitDigest, unitsOf } from './setup/units.mjs';
import { copyStandIns, FAMILIES, placeStandIns, standsIn } from './setup/unneeded.mjs';

/** Compilers at once: two are what a small machine has memory for. */
const JOBS = Math.max(1, Number(process.env.JOBS) || 2);
const ADDON = 'headrace.node';
const RECORD = 'build.json';

/**
 * What an addon of this source, libtorch and platform is known by. The compiler counts only where CXX names one: a machine
 * without any can go on with an addon that was built elsewhere.
 *
 * @param {string} root  the package's folder
 * @param {import('./setup/libtorch.mjs').Libtorch} libtorch
 */
export function addonRecord(root, libtorch) {
  const library = librarySignature(libtorch);
  const flags = compileFlags(libtorch);
  const link = linkFlags(libtorch);
  const chosen = process.env.CXX ? findCompiler().version : null;
  const units = unitsOf(root).map((unit) => [unit.name, unitDigest(root, unit.sources, flagsOf(unit, libtorch))]);
  const spared = standsIn(libtorch) ? FAMILIES.source : null;
  const facts = [process.platform, process.arch, NODE_API, library, flags, link, spared, chosen, units];
  const key = createHash('sha256').update(JSON.stringify(facts)).digest('hex');
  return { ...libtorch, library, platform: process.platform, arch: process.arch, nodeApi: NODE_API, link, key };
}

/** Whether `folder` holds the addon of this record. */
export function isBuilt(folder, { key }) {
  try {
    return (
      existsSync(path.join(folder, ADDON)) && JSON.parse(readFileSync(path.join(folder, RECORD), 'utf8')).key === key
    );
  } catch {
    return false; // no record, or one that was not written to its end
  }
}

/** Copies a built addon with its record; a process that uses the one before keeps it. */
export function copyAddon(from, to) {
  mkdirSync(to, { recursive: true });
  copyStandIns(from, to);
  for (const name of [ADDON, RECORD]) {
    const temporary = path.join(to, `.${name}.${process.pid}`);
    copyFileSync(path.join(from, name), temporary);
    renameSync(temporary, path.join(to, name));
  }
}

/**
 * Builds the addon, unless `output` holds it.
 *
 * @param {object} options
 * @param {string} options.root      the package's folder
 * @param {import('./setup/libtorch.mjs').Libtorch} options.libtorch
 * @param {string} [options.output]  folder of the addon and its objects
 * @param {ReturnType<typeof addonRecord>} [options.record]
 * @returns {Promise<boolean>} whether there was something to build
 */
export async function buildNative({
  root,
  libtorch,
  output = path.join(root, 'build', 'native'),
  record = addonRecord(root, libtorch),
}) {
  if (isBuilt(output, record)) return false;
  const compiler = findCompiler();
  const headers = nodeHeaders();
  const flags = compileFlags(libtorch);
  const { library } = record;
  const objectDir = path.join(output, 'obj');
  mkdirSync(objectDir, { recursive: true });
  const units = unitsOf(root).map((unit) => {
    const own = flagsOf(unit, libtorch);
    const settings = { compiler, flags, own, library, headers: headers.version, sources: unit.sources };
    const object = path.join(objectDir, `${unit.name}.o`);
    const digest = unitDigest(root, unit.sources, settings);
    return { ...unit, object, digest, flags: [...flags, ...own, ...headers.flags] };
  });
  const stale = units.filter(({ object, digest }) => !isFresh(object, digest));

  const start = Date.now();
  say(`building the addon against libtorch ${libtorch.version}${libtorch.cuda ? ' (CUDA)' : ''} in ${libtorch.libDir}`);
  if (stale.length > 3) say(`  ${stale.length} units of C++, two at a time; this takes one to three minutes`);
  removeOrphans(objectDir, units);
  await compileAll(stale, compiler.command, root);
  const temporary = path.join(output, `.${ADDON}.${process.pid}`);
  const objects = units.map((unit) => unit.object);
  await execute(compiler.command, ['-o', temporary, ...objects, ...linkFlags(libtorch)], 'link', root);
  rmSync(path.join(output, RECORD), { force: true }); // an addon of other sources must not be taken for this one
  renameSync(temporary, path.join(output, ADDON));
  const unneeded = placeStandIns(path.join(output, ADDON), libtorch, compiler.command);
  if (unneeded.length > 0)
    say(`  ${unneeded.length} libraries that libtorch asks for, and takes nothing from, are spared`);
  writeFileSync(
    path.join(output, RECORD),
    JSON.stringify({ ...record, compiler: compiler.version, unneeded }, null, 2),
  );
  say(`addon built in ${secondsSince(start)}`);
  return true;
}

const digestFile = (object) => object.replace(/o$/, 'digest');

/** An object is fresh if it was compiled from the same contents with the same settings. */
function isFresh(object, digest) {
  const file = digestFile(object);
  return existsSync(object) && existsSync(file) && readFileSync(file, 'utf8') === digest;
}

function removeOrphans(objectDir, units) {
  const wanted = new Set(
    units.flatMap(({ object }) => [object, digestFile(object)]).map((file) => path.basename(file)),
  );
  for (const name of readdirSync(objectDir)) {
    if (!wanted.has(name)) rmSync(path.join(objectDir, name), { force: true });
  }
}

async function compileAll(units, command, root) {
  const waiting = [...units];
  const failures = [];
  let done = 0;
  const worker = async () => {
    for (let unit = waiting.shift(); unit !== undefined && failures.length === 0; unit = waiting.shift()) {
      try {
        const start = Date.now();
        await compile(unit, command, root);
        done += 1;
        say(`  [${done}/${units.length}] ${unit.sources.join(', ')} ${secondsSince(start)}`);
      } catch (error) {
        failures.push(error);
      }
    }
  };
  await Promise.all(Array.from({ length: JOBS }, worker));
  if (failures.length > 0) throw failures[0];
}

// The digest is of the source as it was before: one edited meanwhile is compiled again.
async function compile({ sources, object, digest, flags }, command, root) {
  const temporary = `${object}.tmp`;
  const source = `${object.slice(0, -1)}cpp`;
  writeFileSync(source, sources.map((name) => `#include "native/${name}"\n`).join(''));
  await execute(command, [...flags, '-I', '.', '-c', source, '-o', temporary], `compile ${sources.join(', ')}`, root);
  rmSync(digestFile(object), { force: true });
  renameSync(temporary, object);
  writeFileSync(digestFile(object), digest);
}

/** Runs the compiler in the package's folder; its output appears only where it warns or fails. */
function execute(command, args, what, cwd) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
    let text = '';
    const take = (chunk) => {
      text += chunk;
    };
    child.stdout.on('data', take);
    child.stderr.on('data', take);
    child.on('error', (error) => reject(new SetupError(`could not ${what}: ${error.message}`)));
    child.on('close', (code, signal) => {
      if (text !== '') process.stderr.write(text);
      if (code === 0) resolve();
      else
        reject(new SetupError(`could not ${what}: ${command} ended with ${signal ?? `code ${code}`}${hint(signal)}`));
    });
  });
}

function hint(signal) {
  return signal === 'SIGKILL' ? ' (out of memory? a file needs about 1.5 GB to compile)' : '';
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await runMain(async () => {
    const { found, looked } = findLibtorch();
    if (!found) throw new SetupError(missingMessage(looked));
    await buildNative({ root: path.dirname(path.dirname(fileURLToPath(import.meta.url))), libtorch: found });
  });
}
