// Compiles native/*.cpp to build/native/headrace.node against the libtorch found, recompiling only what changed.
// Usage: node scripts/build-native.mjs   (CXX chooses the compiler)

import { spawn, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { atLeast, findLibtorch, libraryName, missingMessage, multiarch } from './setup/libtorch.mjs';
import { runMain, SetupError, say, secondsSince } from './setup/say.mjs';

const JOBS = 2;

// Loops over numbers become vectors at -O3; without fused multiply-adds they give the same numbers on any processor.
// Choices between numbers are no branches where nobody looks at the processor's exception flags. GCC 14 warns of bounds
// inside its own library then.
const LOOPS = ['-O3', '-fno-trapping-math', '-ffp-contract=off', '-Wno-array-bounds'];
const FLAGS_OF = { 'batchnorm.cpp': LOOPS, 'gates.cpp': LOOPS, 'gelu.cpp': LOOPS };

/**
 * @param {object} options
 * @param {string} options.root      the package's folder
 * @param {import('./setup/libtorch.mjs').Libtorch} options.libtorch
 * @param {string} [options.output]  folder of the addon and its objects
 */
export async function buildNative({ root, libtorch, output = path.join(root, 'build', 'native') }) {
  const sourceDir = path.join(root, 'native');
  const names = readdirSync(sourceDir).filter((name) => name.endsWith('.cpp'));
  const compiler = findCompiler();
  const flags = compileFlags(libtorch);
  const objectDir = path.join(output, 'obj');
  discardIfChanged(objectDir, { compiler, flags, flagsOf: FLAGS_OF, libtorch, stamp: librarySignature(libtorch) });

  const units = names.map((name) => {
    const stem = path.join(objectDir, name.slice(0, -'.cpp'.length));
    return { name, source: path.join(sourceDir, name), object: `${stem}.o`, depends: `${stem}.d` };
  });
  const stale = units.filter((unit) => !isFresh(unit));
  const record = path.join(output, 'build.json');
  const addon = path.join(output, 'headrace.node');
  const link = linkFlags(libtorch);
  const linked = JSON.stringify({ ...libtorch, compiler: compiler.version, files: names, link }, null, 2);
  if (stale.length === 0 && existsSync(addon) && existsSync(record) && readFileSync(record, 'utf8') === linked) return;

  const start = Date.now();
  say(`building the addon against libtorch ${libtorch.version}${libtorch.cuda ? ' (CUDA)' : ''} in ${libtorch.libDir}`);
  removeOrphans(objectDir, units);
  await compileAll(stale, compiler.command, flags);
  const temporary = `${addon}.${process.pid}.tmp`;
  const objects = units.map((unit) => unit.object);
  await execute(compiler.command, ['-o', temporary, ...objects, ...link], 'link');
  renameSync(temporary, addon);
  writeFileSync(record, linked);
  say(`addon built in ${secondsSince(start)}`);
}

function findCompiler() {
  const candidates = process.env.CXX ? [process.env.CXX] : ['c++', 'g++', 'clang++'];
  for (const command of candidates) {
    const result = spawnSync(command, ['--version'], { encoding: 'utf8' });
    if (result.status === 0) return { command, version: result.stdout.split('\n')[0] };
  }
  throw new SetupError(
    `no C++ compiler: looked on the PATH for ${candidates.join(', ')}.\n` +
      '  Install one (Debian, Ubuntu: sudo apt-get install -y g++; macOS: xcode-select --install) or set CXX.',
  );
}

function compileFlags(libtorch) {
  const nodeApi = createRequire(import.meta.url)('node-api-headers').include_dir;
  // A system include folder named again would break #include_next in the C++ library.
  const folders = [libtorch.includeDir, path.join(libtorch.includeDir, 'torch', 'csrc', 'api', 'include'), nodeApi];
  return [
    atLeast(libtorch.version, '2.10') ? '-std=c++20' : '-std=c++17',
    ...['-O2', '-fPIC', '-Wall', '-Wextra', '-DNAPI_VERSION=8'],
    ...(process.platform === 'linux' ? [`-D_GLIBCXX_USE_CXX11_ABI=${libtorch.cxx11Abi ? 1 : 0}`] : []),
    ...folders.filter((folder) => folder !== '/usr/include').flatMap((folder) => ['-isystem', folder]),
  ];
}

function linkFlags(libtorch) {
  const libraries = ['torch', 'torch_cpu', 'c10', ...(libtorch.cuda ? ['torch_cuda', 'c10_cuda'] : [])];
  const names = libraries.map((name) => `-l${name}`);
  if (process.platform === 'darwin') {
    return [
      '-shared',
      '-undefined',
      'dynamic_lookup',
      `-L${libtorch.libDir}`,
      `-Wl,-rpath,${libtorch.libDir}`,
      ...names,
    ];
  }
  // Libraries that register operators and devices when loaded are kept though no symbol of theirs is used. The old
  // kind of rpath reaches what libtorch itself loads, so that OpenBLAS for OpenMP serves whatever the system's choice:
  // the other builds bring threads of their own that fight with libtorch's.
  const openblas = path.join('/usr/lib', multiarch, 'openblas-openmp');
  const rpaths = [
    ...(existsSync(path.join(openblas, 'libblas.so.3')) && libtorch.source === 'system' ? [openblas] : []),
    libtorch.libDir,
  ];
  return [
    '-shared',
    `-L${libtorch.libDir}`,
    '-Wl,--disable-new-dtags',
    ...rpaths.map((folder) => `-Wl,-rpath,${folder}`),
    '-Wl,--no-as-needed',
    ...names,
  ];
}

// An upgrade in place changes the library, not its version's first two numbers.
function librarySignature({ libDir }) {
  const { size, mtimeMs } = statSync(path.join(libDir, libraryName('torch_cpu')));
  return `${size} ${mtimeMs}`;
}

function discardIfChanged(objectDir, settings) {
  const stamp = path.join(objectDir, 'settings.json');
  const text = JSON.stringify(settings, null, 2);
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === text) return;
  rmSync(objectDir, { recursive: true, force: true });
  mkdirSync(objectDir, { recursive: true });
  writeFileSync(stamp, text);
}

/** An object is fresh if it is newer than everything its dependency file lists. */
function isFresh({ object, depends }) {
  if (!existsSync(object) || !existsSync(depends)) return false;
  const built = statSync(object).mtimeMs;
  const text = readFileSync(depends, 'utf8').replace(/\\\n/g, ' ');
  const inputs = text.slice(text.indexOf(': ') + 2).match(/(?:\\ |\S)+/g) ?? [];
  return inputs.every((input) => {
    const file = input.replace(/\\ /g, ' ');
    return existsSync(file) && statSync(file).mtimeMs <= built;
  });
}

function removeOrphans(objectDir, units) {
  const wanted = new Set(units.flatMap((unit) => [unit.object, unit.depends]).map((file) => path.basename(file)));
  for (const name of readdirSync(objectDir)) {
    if (/\.[od]$/.test(name) && !wanted.has(name)) rmSync(path.join(objectDir, name));
  }
}

async function compileAll(units, command, flags) {
  const waiting = [...units];
  const failures = [];
  const worker = async () => {
    for (let unit = waiting.shift(); unit !== undefined && failures.length === 0; unit = waiting.shift()) {
      try {
        await compile(unit, command, flags);
      } catch (error) {
        failures.push(error);
      }
    }
  };
  await Promise.all(Array.from({ length: JOBS }, worker));
  if (failures.length > 0) throw failures[0];
}

// The object takes the time its compilation began, so that a source edited meanwhile is compiled again.
async function compile({ name, source, object, depends }, command, flags) {
  const start = Date.now();
  const temporary = `${object}.tmp`;
  const dependencies = ['-MMD', '-MF', depends, '-MT', object];
  const own = FLAGS_OF[name] ?? [];
  await execute(command, [...flags, ...own, ...dependencies, '-c', source, '-o', temporary], `compile native/${name}`);
  utimesSync(temporary, start / 1000, start / 1000);
  renameSync(temporary, object);
  say(`  native/${name} ${secondsSince(start)}`);
}

/** Runs the compiler; its output appears only where it warns or fails. */
function execute(command, args, what) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
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
