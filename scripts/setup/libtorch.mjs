// Finds libtorch: LIBTORCH, then the system's libtorch-dev, then the one inside Python's torch package.

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync, existsSync, fstatSync, openSync, readFileSync, readSync, realpathSync } from 'node:fs';
import path from 'node:path';
import { SetupError } from './say.mjs';

export const MINIMUM = '1.13';

const MULTIARCH = {
  x64: 'x86_64-linux-gnu',
  arm64: 'aarch64-linux-gnu',
  ppc64: 'powerpc64le-linux-gnu',
  riscv64: 'riscv64-linux-gnu',
  s390x: 's390x-linux-gnu',
};

/** The Debian name of this machine's library folder, such as x86_64-linux-gnu. */
export const multiarch = MULTIARCH[process.arch] ?? process.arch;

/**
 * @typedef {object} Libtorch
 * @property {'LIBTORCH' | 'system' | 'python'} source
 * @property {string} prefix       the folder it was found under
 * @property {string} includeDir   holds torch/ and ATen/
 * @property {string} libDir       holds libtorch_cpu and libc10
 * @property {string} version
 * @property {boolean} cuda        built with CUDA
 * @property {boolean} cxx11Abi    false for libraries built with the old std::string
 */

/**
 * Looks in every place in order.
 *
 * @param {object} [options]
 * @param {Record<string, string | undefined>} [options.env]
 * @param {string} [options.root]  taken as the file system's root; tests lay out other machines there
 * @param {() => string | null} [options.pythonTorch]  the folder of Python's torch package
 * @returns {{ found: Libtorch | null, looked: string[] }} `looked`: a line per place, saying why it does not serve
 * @throws {SetupError} where LIBTORCH is set but names no libtorch: a wrong setting is never passed over
 */
export function findLibtorch({ env = process.env, root = '/', pythonTorch = findPythonTorch } = {}) {
  if (env.LIBTORCH) {
    const result = inspect('LIBTORCH', env.LIBTORCH);
    if (typeof result !== 'string') return { found: result, looked: [] };
    throw new SetupError(
      `LIBTORCH is set to ${env.LIBTORCH}, but ${result}.\n` +
        '  Set it to the folder that holds include/ and lib/ of libtorch, or unset it to search the system.',
    );
  }
  const looked = [];
  const system = path.join(root, 'usr');
  const places = [
    ['system', () => system, `${system} (the package libtorch-dev)`],
    ['python', pythonTorch, "Python's torch package"],
  ];
  looked.push('LIBTORCH: not set');
  for (const [source, locate, label] of places) {
    const prefix = locate();
    const result = prefix === null ? 'not installed for the python3 on the PATH' : inspect(source, prefix);
    if (typeof result !== 'string') return { found: result, looked };
    looked.push(`${label}: ${result}`);
  }
  return { found: null, looked };
}

/**
 * What Debian's libtorch-dev does not bring: it takes whatever libblas.so.3 there is, and its headers of process groups include
 * those of Gloo.
 */
const COMPANIONS = [
  {
    name: 'libopenblas0-openmp',
    file: `/usr/lib/${multiarch}/openblas-openmp/libblas.so.3`,
    lack: 'OpenBLAS for OpenMP is missing, and without it matrix products are many times slower',
  },
  {
    name: 'libgloo-dev',
    file: '/usr/include/gloo/rendezvous/store.h',
    lack: "Gloo's headers are missing, and without them a run cannot have several processes",
  },
];
export const APT_PACKAGES = ['libtorch-dev', ...COMPANIONS.map(({ name }) => name)];

/** @returns {{ name: string, lack: string }[]} packages to install beside a libtorch, and what their lack means */
export function missingBeside({ source }) {
  if (source !== 'system' || !existsSync('/etc/debian_version')) return [];
  return COMPANIONS.filter(({ file }) => !existsSync(file)).map(({ name, lack }) => ({ name, lack }));
}

/** The message for a machine without libtorch. */
export function missingMessage(looked) {
  return [
    `libtorch ${MINIMUM} or newer was not found. Looked at:`,
    ...looked.map((line) => `    ${line}`),
    '  Supply it in one of these ways, then run the same command again:',
    `    Debian, Ubuntu:  ${aptLine()}`,
    '    Python:          pip install torch',
    '    a download:      unpack libtorch from https://pytorch.org and set LIBTORCH to its folder',
  ].join('\n');
}

/** The one line that installs what Debian and Ubuntu offer. */
export function aptLine(packages = APT_PACKAGES) {
  return `sudo apt-get update && sudo apt-get install -y ${packages.join(' ')}`;
}

/** @returns {Libtorch | string} or why this prefix does not serve */
function inspect(source, prefix) {
  const includeDir = path.join(prefix, 'include');
  const header = path.join('torch', 'csrc', 'api', 'include', 'torch', 'version.h');
  if (!existsSync(path.join(includeDir, header))) return `${path.join(includeDir, header)} does not exist`;
  const libDir = ['lib', `lib/${multiarch}`, 'lib64']
    .map((folder) => path.join(prefix, folder))
    .find((folder) => existsSync(path.join(folder, libraryName('torch_cpu'))));
  if (libDir === undefined) return `${libraryName('torch_cpu')} is not in its lib/, lib/${multiarch}/ or lib64/`;
  const version = readVersion(includeDir);
  if (version === null) return `no version number could be read from ${includeDir}`;
  if (!atLeast(version, MINIMUM)) return `version ${version} is older than ${MINIMUM}`;
  return {
    source,
    prefix,
    includeDir,
    libDir,
    version,
    cuda: existsSync(path.join(libDir, libraryName('torch_cuda'))),
    cxx11Abi: usesNewStrings(path.join(libDir, libraryName('c10'))),
  };
}

export function libraryName(name) {
  return process.platform === 'darwin' ? `lib${name}.dylib` : `lib${name}.so`;
}

/**
 * Tells one build of libtorch from another, by content: the size of its library and a digest of both ends, where the linker's
 * mark of the build and the table of sections are. An upgrade in place need not change the version's first two numbers.
 *
 * @param {Libtorch} libtorch
 */
export function librarySignature({ libDir }) {
  const end = 1 << 16;
  const file = openSync(path.join(libDir, libraryName('torch_cpu')), 'r');
  try {
    const { size } = fstatSync(file);
    const hash = createHash('sha256');
    for (const at of [0, Math.max(0, size - end)]) {
      const bytes = Buffer.alloc(Math.min(end, size));
      readSync(file, bytes, 0, bytes.length, at);
      hash.update(bytes);
    }
    return { size, digest: hash.digest('hex').slice(0, 16) };
  } finally {
    closeSync(file);
  }
}

// The macros moved from the first of these files to the second in 2.9.
function readVersion(includeDir) {
  for (const file of ['torch/csrc/api/include/torch/version.h', 'torch/headeronly/version.h']) {
    const header = path.join(includeDir, file);
    if (!existsSync(header)) continue;
    const text = readFileSync(header, 'utf8');
    const parts = ['MAJOR', 'MINOR', 'PATCH'].map((part) => text.match(`#define TORCH_VERSION_${part} (\\d+)`)?.[1]);
    if (parts.every((part) => part !== undefined)) return parts.join('.');
  }
  return null;
}

/** @param {string} version  dotted numbers */
export function atLeast(version, minimum) {
  const [have, want] = [version, minimum].map((text) => text.split('.').map(Number));
  for (const [i, number] of want.entries()) {
    if ((have[i] ?? 0) !== number) return (have[i] ?? 0) > number;
  }
  return true;
}

// Wheels before 2.6 were built with the old std::string, which shows in the mangled names ("Ss").
function usesNewStrings(library) {
  return !(existsSync(library) && readFileSync(realpathSync(library)).includes('torchCheckFailEPKcS2_jRKSs'));
}

// find_spec locates the package without importing it, which would take seconds.
function findPythonTorch() {
  const code =
    'import importlib.util as u; s = u.find_spec("torch"); print(list(s.submodule_search_locations)[0] if s else "")';
  const result = spawnSync('python3', ['-c', code], { encoding: 'utf8' });
  return result.status === 0 && result.stdout.trim() !== '' ? result.stdout.trim() : null;
}
