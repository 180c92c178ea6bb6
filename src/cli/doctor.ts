/**
 * `headrace doctor`: what this machine offers and what is wrong with it. Works without the addon, and says then why it
 * cannot be loaded and what `headrace setup` would use.
 */
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { availableParallelism, totalmem } from 'node:os';
import { join } from 'node:path';
import { findAddon, packageRoot } from '../torch/addon-place.js';
import type { NativeInfo } from '../torch/index.js';
import type { BuildRecord } from '../torch/native.js';
import { type OptionalPart, optionalParts } from '../torch/optional.js';

/** Which matrix library libtorch uses. */
export interface BlasReport {
  kind: 'openblas-openmp' | 'openblas-pthread' | 'openblas' | 'mkl' | 'blis' | 'atlas' | 'reference' | 'built in';
  /** The library's file, where it is one of its own. */
  path: string | null;
}

/** What the addon was built against, as the build recorded it. */
export type BuildReport = Pick<BuildRecord, 'version' | 'source' | 'libDir' | 'cuda'>;

/** What set-up would use here, as its scripts see it. */
export interface SetupPlan {
  libtorch: BuildReport | null;
  /** Why each place has no libtorch. */
  looked: string[];
  compiler: string | null;
  /** Packages of the system that are missing, and the command that installs them; null where there is no apt. */
  missing: string[];
  /** What is worse without those of them that a libtorch works without. */
  lacks: string[];
  command: string | null;
  /** Whether set-up would run the command by itself. */
  installs: boolean;
  /** Where the addon would be built. */
  folder: string | null;
  built: boolean;
}

/** Something that does not work, or not as fast as it could. */
export interface Problem {
  severity: 'error' | 'warning';
  what: string;
  fix: string;
}

/** What the doctor found. `native` and `blas` are null where the addon could not be loaded, `loadError` says why. */
export interface Findings {
  headrace: string;
  node: string;
  platform: string;
  cores: number;
  memoryBytes: number;
  nvidiaDriver: boolean;
  /** OPENBLAS_CORETYPE, which takes the choice of kernels from OpenBLAS; null where it is not set. */
  coreType: string | null;
  build: BuildReport | null;
  native: NativeInfo | null;
  loadError: string | null;
  blas: BlasReport | null;
  /** How the addon would get what it needs for several processes; null where it has it, or did not load. */
  glooAdvice: string | null;
  /** The addon's file; null where it is not built. */
  addon: string | null;
  /** Null where the addon loads. */
  setup: SetupPlan | null;
  optional: OptionalPart[];
}

/**
 * Prints Node, libtorch, BLAS, threads, devices, Gloo and NCCL, and a line per problem with its fix. The exit code is 1
 * where Headrace cannot run here.
 */
export async function doctor(options: { json: boolean }): Promise<void> {
  const findings = await examine();
  const problems = diagnose(findings);
  const text = options.json ? JSON.stringify(asJson(findings, problems)) : asText(findings, problems);
  process.stdout.write(`${text}\n`);
  if (problems.some((problem) => problem.severity === 'error')) process.exitCode = 1;
}

async function examine(): Promise<Findings> {
  const { native, loadError } = await loadNative();
  const { found } = findAddon();
  return {
    headrace: (readJson(join(packageRoot, 'package.json')) as { version: string }).version,
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    nvidiaDriver: existsSync('/proc/driver/nvidia/version'),
    coreType: process.env.OPENBLAS_CORETYPE || null,
    build: found === null ? null : (readJson(join(found, 'build.json')) as BuildReport | null),
    native,
    loadError,
    blas: native === null ? null : findBlas(loadedLibraries(), native.config),
    glooAdvice: native === null ? null : await adviceOfGloo(),
    addon: found === null ? null : join(found, 'headrace.node'),
    setup: native === null ? await planSetup() : null,
    optional: optionalParts(),
  };
}

async function planSetup(): Promise<SetupPlan> {
  const url = new URL('../../scripts/setup/plan.mjs', import.meta.url).href;
  const scripts = (await import(url)) as { planSetup(root: string): Promise<SetupPlan> };
  return scripts.planSetup(packageRoot);
}

async function loadNative(): Promise<{ native: NativeInfo | null; loadError: string | null }> {
  try {
    const { buildInfo } = await import('../torch/index.js');
    return { native: buildInfo(), loadError: null };
  } catch (error) {
    return { native: null, loadError: (error as Error).message };
  }
}

async function adviceOfGloo(): Promise<string | null> {
  const { glooAdvice, isAvailable } = await import('../distributed/addon.js');
  return isAvailable() ? null : glooAdvice();
}

function readJson(path: string): unknown {
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : null;
}

/** The shared libraries in this process; none where the system does not tell. */
function loadedLibraries(): string[] {
  if (!existsSync('/proc/self/maps')) return [];
  const files = readFileSync('/proc/self/maps', 'utf8').match(/\/\S+\.so\S*/g) ?? [];
  return [...new Set(files)].map((file) => (existsSync(file) ? realpathSync(file) : file));
}

/** Tells the BLAS from the libraries that are loaded: `libblas.so.3` may be any of several. */
export function findBlas(libraries: string[], config: string): BlasReport {
  const kinds: [RegExp, BlasReport['kind']][] = [
    [/openblas-openmp\/|libopenblaso/, 'openblas-openmp'],
    [/openblas-pthread\//, 'openblas-pthread'],
    [/openblas-serial\/|libopenblas/, 'openblas'],
    [/libmkl_/, 'mkl'],
    [/\/blis/, 'blis'],
    [/\/atlas\//, 'atlas'],
    [/\/libblas\.so/, 'reference'],
  ];
  for (const [pattern, kind] of kinds) {
    const path = libraries.find((file) => pattern.test(file));
    if (path !== undefined) return { kind, path };
  }
  return { kind: /MKL Version|BLAS_INFO=mkl/i.test(config) ? 'mkl' : 'built in', path: null };
}

/** What is wrong, worst first. */
export function diagnose(findings: Findings): Problem[] {
  const { native, blas, build, glooAdvice } = findings;
  if (native === null) return beforeSetup(findings);
  const problems: Problem[] = [];
  const warn = (what: string, fix: string) => problems.push({ severity: 'warning', what, fix });
  if (blas?.kind === 'reference') {
    const fix = 'sudo apt-get install -y libopenblas0-openmp, then `npx headrace setup`';
    warn('matrix products use the reference BLAS, which is many times slower than OpenBLAS', fix);
  }
  if (blas?.kind === 'openblas-pthread' || blas?.kind === 'openblas') {
    const fix = 'sudo apt-get install -y libopenblas0-openmp, then `npx headrace setup`';
    warn("OpenBLAS does not share its threads with libtorch's OpenMP", fix);
  }
  if (native.blasKernels !== null && findings.coreType !== null) {
    const what = `OpenBLAS uses the kernels for ${native.blasKernels}, whatever this processor is, and may be half as fast`;
    warn(`${what}: OPENBLAS_CORETYPE is ${findings.coreType}`, 'unset OPENBLAS_CORETYPE');
  }
  if (build !== null && !sameRelease(build.version, native.libtorch)) {
    warn(
      `the addon was built for libtorch ${build.version} and runs on ${native.libtorch}`,
      'run `npx headrace setup`',
    );
  }
  if (findings.nvidiaDriver && native.cudaDevices === 0) {
    const fix = 'use a libtorch built with CUDA (docs/install.md)';
    warn('this machine has an NVIDIA driver, but libtorch sees no CUDA device', fix);
  }
  if (process.platform === 'linux' && !native.allocatorTuned) {
    warn('freed memory goes back to the system at once, which slows training', 'unset HEADRACE_MALLOC');
  }
  if (!native.mkldnn && /MKL-DNN/.test(native.config)) {
    const fix = 'use libtorch 1.13 or another machine; HEADRACE_ONEDNN=on only where you checked it (docs/install.md)';
    warn('oneDNN is left out, so convolutions are slower: HEADRACE_ONEDNN=off, or hidden cache sizes', fix);
  }
  if (!native.gloo) {
    warn('this libtorch has no Gloo: training across processes is not available', 'use another libtorch');
  } else if (glooAdvice !== null) {
    warn("the addon was built without Gloo's headers: training across processes is not available", glooAdvice);
  }
  return problems;
}

/** What keeps the addon from loading, and what set-up will lack. */
function beforeSetup({ loadError, setup }: Findings): Problem[] {
  const problems: Problem[] = [];
  const error = (what: string, fix: string) => problems.push({ severity: 'error', what, fix });
  const supply = setup?.command ?? 'see docs/install.md';
  const fix = `${supply}${setup?.installs ? ' (headrace setup does so by itself)' : ''}`;
  if (setup !== null && setup.libtorch === null) {
    error(`libtorch was not found: ${setup.looked.map((line) => line.trim()).join('; ')}`, fix);
  }
  if (setup !== null && setup.compiler === null) error('there is no C++ compiler (CXX, c++, g++, clang++)', fix);
  for (const what of setup?.lacks ?? []) problems.push({ severity: 'warning', what, fix });
  error(`the addon cannot be loaded: ${loadError}`, 'run `npx headrace setup`; docs/install.md helps further');
  return problems;
}

function sameRelease(a: string, b: string): boolean {
  const release = (version: string) => version.split('.').slice(0, 2).join('.');
  return release(a) === release(b);
}

function devicesOf(native: NativeInfo | null): string[] {
  if (native === null) return [];
  const list = (kind: string, count: number) => Array.from({ length: count }, (_, i) => `${kind}:${i}`);
  return ['cpu', ...list('cuda', native.cudaDevices), ...(native.mpsDevices > 0 ? ['mps'] : [])];
}

function asJson(findings: Findings, problems: Problem[]): Record<string, unknown> {
  const { native, build } = findings;
  return {
    headrace: findings.headrace,
    node: findings.node,
    platform: findings.platform,
    libtorch: native && { version: native.libtorch, source: build?.source, folder: build?.libDir, cuda: build?.cuda },
    addon: findings.addon,
    loadError: findings.loadError,
    setup: findings.setup,
    blas: findings.blas && { ...findings.blas, kernels: native?.blasKernels ?? null },
    cores: findings.cores,
    threads: native?.threads ?? null,
    openmp: native?.openmp ?? null,
    mkldnn: native?.mkldnn ?? null,
    memoryBytes: findings.memoryBytes,
    devices: devicesOf(native),
    gloo: native?.gloo ?? null,
    nccl: native?.nccl ?? null,
    allocatorTuned: native?.allocatorTuned ?? null,
    optional: findings.optional,
    ok: problems.every((problem) => problem.severity !== 'error'),
    problems,
  };
}

function blasLine(blas: BlasReport | null, kernels: string | null): string {
  const what = `${blas?.kind ?? 'unknown'}${kernels === null ? '' : `, kernels for ${kernels}`}`;
  return blas?.path ? `${what} (${blas.path})` : what;
}

function asText(findings: Findings, problems: Problem[]): string {
  const { native, build, blas } = findings;
  const yes = (value: boolean) => (value ? 'yes' : 'no');
  const rows: [string, string][] = [
    ['Headrace', findings.headrace],
    ['Node', `${findings.node} on ${findings.platform}`],
  ];
  if (build !== null) rows.push(['libtorch', libtorchLine({ ...build, version: native?.libtorch ?? build.version })]);
  if (findings.addon !== null) rows.push(['Addon', findings.addon]);
  rows.push(['Cores', `${findings.cores}, memory ${(findings.memoryBytes / 2 ** 30).toFixed(1)} GiB`]);
  if (native !== null) {
    rows.push(
      ['BLAS', blasLine(blas, native.blasKernels)],
      ['oneDNN', yes(native.mkldnn)],
      ['Threads', `${native.threads} inside an operator${native.openmp ? ', by OpenMP' : ''}`],
      ['Devices', devicesOf(native).join(', ')],
      ['Across processes', `Gloo ${yes(native.gloo)}, NCCL ${yes(native.nccl)}`],
      ['Allocator', native.allocatorTuned ? 'keeps freed memory' : "the system's settings"],
    );
  }
  if (findings.setup !== null) rows.push(...setupRows(findings.setup));
  const width = Math.max(...rows.map(([name]) => name.length)) + 2;
  const lines = rows.map(([name, value]) => name.padEnd(width) + value);
  const verdicts = problems.map(({ severity, what, fix }) => `${severity}: ${what}\n  fix: ${fix}`);
  const all = verdicts.length > 0 ? verdicts : ['All is well.'];
  return [...lines, '', 'Optional packages', ...findings.optional.map(optionalLine), '', ...all].join('\n');
}

function libtorchLine({ version, source, libDir }: BuildReport): string {
  const origin = { LIBTORCH: 'from LIBTORCH', system: "the system's", python: "Python's" }[source] ?? source;
  return `${version}, ${origin}, in ${libDir}`;
}

/** What set-up would use, where it is still to be run. */
function setupRows({ libtorch, compiler, folder, built }: SetupPlan): [string, string][] {
  return [
    ['Set-up takes', libtorch === null ? 'no libtorch: none was found' : `libtorch ${libtorchLine(libtorch)}`],
    ['  compiles with', compiler ?? 'nothing: there is no C++ compiler'],
    ['  builds in', `${folder ?? 'no folder: none can be written to'}${built ? ', where it is built' : ''}`],
  ];
}

/** What asks for a package on the command line. */
const askedBy: Readonly<Record<string, string>> = {
  sharp: ' (folder:DIR, predict)',
  mnist: ' (--data mnist)',
  '@huggingface/transformers': ' (--asr)',
};

function optionalLine({ name, purpose, installed, command }: OptionalPart): string {
  const state = installed === null ? `missing: ${command}` : installed;
  return `  ${name.padEnd(26)}${`${purpose}${askedBy[name] ?? ''}`.padEnd(50)}${state}`;
}
