// The C++ compiler, and how the addon is compiled and linked with it.

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { atLeast, multiarch } from './libtorch.mjs';
import { SetupError } from './say.mjs';
import { STAND_INS, standsIn } from './unneeded.mjs';

/** The version of Node-API that the addon is written for; any Node that has it loads the addon. */
export const NODE_API = 8;

// Loops over numbers become vectors at -O3; without fused multiply-adds they give the same numbers on any processor.
// Choices between numbers are no branches where nobody looks at the processor's exception flags. GCC 14 warns of bounds
// inside its own library then.
const LOOPS = ['-O3', '-fno-trapping-math', '-ffp-contract=off', '-Wno-array-bounds'];

/**
 * What one unit is compiled with besides. Those of process groups do nothing where Gloo's headers are not there.
 *
 * @param {import('./units.mjs').Unit} unit
 * @param {import('./libtorch.mjs').Libtorch} libtorch
 */
export function flagsOf({ kind }, libtorch) {
  if (kind === 'loops') return LOOPS;
  return kind === 'ranks' && hasGloo(libtorch) ? ['-DHEADRACE_GLOO', '-DUSE_C10D_GLOO'] : [];
}

/** Whether the headers of libtorch's process groups over Gloo are there, with Gloo's own, which they include. */
export function hasGloo({ includeDir }) {
  const needed = ['torch/csrc/distributed/c10d/ProcessGroupGloo.hpp', 'gloo/rendezvous/store.h'];
  return process.platform === 'linux' && needed.every((header) => existsSync(path.join(includeDir, header)));
}

const candidates = () => (process.env.CXX ? [process.env.CXX] : ['c++', 'g++', 'clang++']);

/** @returns {{ command: string, version: string } | null} null where none of those looked for runs */
export function lookForCompiler() {
  for (const command of candidates()) {
    const result = spawnSync(command, ['--version'], { encoding: 'utf8' });
    if (result.status === 0) return { command, version: result.stdout.split('\n')[0] };
  }
  return null;
}

/** @throws {SetupError} where there is none */
export function findCompiler() {
  const compiler = lookForCompiler();
  if (compiler !== null) return compiler;
  throw new SetupError(
    `no C++ compiler: looked on the PATH for ${candidates().join(', ')}.\n` +
      '  Install one (Debian, Ubuntu: sudo apt-get install -y g++; macOS: xcode-select --install) or set CXX.',
  );
}

/** What a compilation is told, headers of Node apart: their folder moves with the package. */
export function compileFlags(libtorch) {
  // A system include folder named again would break #include_next in the C++ library.
  const folders = [libtorch.includeDir, path.join(libtorch.includeDir, 'torch', 'csrc', 'api', 'include')];
  return [
    atLeast(libtorch.version, '2.10') ? '-std=c++20' : '-std=c++17',
    ...['-O2', '-fPIC', '-Wall', '-Wextra', `-DNAPI_VERSION=${NODE_API}`],
    ...(process.platform === 'linux' ? [`-D_GLIBCXX_USE_CXX11_ABI=${libtorch.cxx11Abi ? 1 : 0}`] : []),
    ...folders.filter((folder) => folder !== '/usr/include').flatMap((folder) => ['-isystem', folder]),
  ];
}

/** The headers of Node-API, which are a package of npm's. @throws {SetupError} where it is not installed */
export function nodeHeaders() {
  const require = createRequire(import.meta.url);
  try {
    const { version } = JSON.parse(readFileSync(require.resolve('node-api-headers/package.json'), 'utf8'));
    return { version, flags: ['-isystem', require('node-api-headers').include_dir] };
  } catch (cause) {
    throw new SetupError(`the package node-api-headers, which headrace depends on, is missing: run npm install again`, {
      cause,
    });
  }
}

export function linkFlags(libtorch) {
  const libraries = ['torch', 'torch_cpu', 'c10', ...(libtorch.cuda ? ['torch_cuda', 'c10_cuda'] : [])];
  const names = libraries.map((name) => `-l${name}`);
  // Handed to the linker as they are: a comma in a folder's name would part what -Wl takes.
  const linker = (...options) => options.flatMap((option) => ['-Xlinker', option]);
  if (process.platform === 'darwin') {
    const lazy = ['-undefined', 'dynamic_lookup'];
    return ['-shared', ...lazy, `-L${libtorch.libDir}`, ...linker('-rpath', libtorch.libDir), ...names];
  }
  // Libraries that register operators and devices when loaded are kept though no symbol of theirs is used. The old
  // kind of rpath reaches what libtorch itself loads, so that OpenBLAS for OpenMP serves whatever the system's choice:
  // the other builds bring threads of their own that fight with libtorch's.
  const openblas = path.join('/usr/lib', multiarch, 'openblas-openmp');
  const rpaths = [
    ...(standsIn(libtorch) ? [`$ORIGIN/${STAND_INS}`] : []),
    ...(existsSync(path.join(openblas, 'libblas.so.3')) && libtorch.source === 'system' ? [openblas] : []),
    libtorch.libDir,
  ];
  return [
    '-shared',
    `-L${libtorch.libDir}`,
    ...linker('--disable-new-dtags', ...rpaths.flatMap((folder) => ['-rpath', folder]), '--no-as-needed'),
    ...names,
  ];
}
