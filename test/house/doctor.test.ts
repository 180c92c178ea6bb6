import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { test } from 'node:test';
import { root } from './repository.js';

type Doctor = typeof import('../../dist/cli/doctor.js');
type Findings = Parameters<Doctor['diagnose']>[0];

const { diagnose, findBlas } = (await import(path.join(root, 'dist/cli/doctor.js'))) as Doctor;

const healthy: Findings = {
  headrace: '0.1.0',
  node: 'v20.20.2',
  platform: 'linux x64',
  cores: 2,
  memoryBytes: 2 ** 34,
  nvidiaDriver: false,
  coreType: null,
  build: { version: '2.6.0', source: 'system', libDir: '/usr/lib', cuda: false },
  native: {
    libtorch: '2.6.0',
    config: '',
    parallel: '',
    mkldnn: true,
    mkl: false,
    openmp: true,
    blasKernels: 'Haswell',
    cudaDevices: 0,
    mpsDevices: 0,
    gloo: true,
    nccl: false,
    allocatorTuned: true,
    threads: 2,
  },
  loadError: null,
  blas: { kind: 'openblas-openmp', path: '/usr/lib/openblas-openmp/libblas.so.3' },
  glooAdvice: null,
  addon: '/project/node_modules/headrace/build/native/headrace.node',
  setup: null,
  optional: [],
};

/** A machine where set-up has all that it needs and was not run. */
const ready: NonNullable<Findings['setup']> = {
  libtorch: { version: '2.6.0', source: 'system', libDir: '/usr/lib', cuda: false },
  looked: [],
  compiler: 'c++ 12',
  missing: [],
  lacks: [],
  command: null,
  installs: false,
  folder: '/project/node_modules/headrace/build/native',
  built: false,
};
const before = (setup: Partial<typeof ready>) =>
  diagnose({
    ...healthy,
    native: null,
    blas: null,
    addon: null,
    loadError: 'not built',
    setup: { ...ready, ...setup },
  });

const native = healthy.native as NonNullable<Findings['native']>;
const one = (change: Partial<Findings>) => {
  const problems = diagnose({ ...healthy, ...change });
  assert.equal(problems.length, 1);
  return problems[0] as (typeof problems)[number];
};

test('a healthy machine has no problem', () => {
  assert.deepEqual(diagnose(healthy), []);
});

test('an addon that cannot be loaded is an error that says why and what to run', () => {
  const problem = one({ native: null, blas: null, loadError: 'libtorch_cpu.so: cannot open shared object file' });
  assert.equal(problem.severity, 'error');
  assert.match(problem.what, /libtorch_cpu\.so: cannot open/);
  assert.match(problem.fix, /npx headrace setup/);
});

test('before set-up, what it would lack is told with the command that supplies it', () => {
  assert.deepEqual(
    before({}).map(({ what }) => what),
    ['the addon cannot be loaded: not built'],
  );
  const command = 'sudo apt-get update && sudo apt-get install -y libtorch-dev libopenblas0-openmp libgloo-dev g++';
  const looked = ['LIBTORCH: not set', '/usr (the package libtorch-dev): no header'];
  const missing = ['libtorch-dev', 'libopenblas0-openmp', 'libgloo-dev', 'g++'];
  const bare = before({ libtorch: null, looked, compiler: null, missing, command });
  assert.deepEqual(
    bare.map(({ severity }) => severity),
    ['error', 'error', 'error'],
  );
  assert.match(bare[0]!.what, /libtorch was not found: LIBTORCH: not set; .*no header/);
  assert.equal(bare[0]!.fix, command);
  assert.match(bare[1]!.what, /no C\+\+ compiler/);
  const lacks = ['OpenBLAS is missing', "Gloo's headers are missing"];
  const lacking = before({ missing: ['libopenblas0-openmp', 'libgloo-dev'], lacks, command: 'apt', installs: true });
  assert.deepEqual(
    lacking.map(({ what }) => what),
    [...lacks, 'the addon cannot be loaded: not built'],
  );
  assert.deepEqual(lacking[0], {
    severity: 'warning',
    what: 'OpenBLAS is missing',
    fix: 'apt (headrace setup does so by itself)',
  });
});

test('what slows down or is missing is a warning with its fix', () => {
  assert.match(one({ blas: { kind: 'reference', path: '/usr/lib/libblas.so.3' } }).fix, /libopenblas0-openmp/);
  assert.match(one({ blas: { kind: 'openblas-pthread', path: null } }).what, /share its threads/);
  assert.match(
    one({ native: { ...native, libtorch: '2.7.1' } }).what,
    /built for libtorch 2\.6\.0 and runs on 2\.7\.1/,
  );
  assert.deepEqual(diagnose({ ...healthy, native: { ...native, libtorch: '2.6.0+cpu' } }), []);
  assert.match(one({ coreType: 'Haswell' }).what, /kernels for Haswell, whatever this processor is/);
  assert.deepEqual(diagnose({ ...healthy, native: { ...native, blasKernels: null }, coreType: 'Haswell' }), []);
  assert.match(one({ nvidiaDriver: true }).what, /sees no CUDA device/);
  assert.match(
    one({ native: { ...native, mkldnn: false, config: 'Intel(R) MKL-DNN v3.7.2' } }).what,
    /oneDNN is left out/,
  );
  assert.match(one({ native: { ...native, gloo: false } }).what, /no Gloo/);
  const without = one({ glooAdvice: 'sudo apt-get install -y libgloo-dev' });
  assert.match(without.what, /built without Gloo's headers/);
  assert.match(without.fix, /libgloo-dev/);
});

test('the BLAS is told from the libraries that are loaded', () => {
  const folder = '/usr/lib/x86_64-linux-gnu';
  const kind = (file: string) => findBlas(['/usr/lib/libc.so.6', file], '').kind;
  assert.equal(kind(`${folder}/openblas-openmp/libblas.so.3`), 'openblas-openmp');
  assert.equal(kind(`${folder}/openblas-pthread/libblas.so.3`), 'openblas-pthread');
  assert.equal(kind(`${folder}/openblas-serial/libblas.so.3`), 'openblas');
  assert.equal(kind(`${folder}/blas/libblas.so.3.11.0`), 'reference');
  assert.equal(kind('/opt/intel/libmkl_rt.so.2'), 'mkl');
  assert.equal(findBlas([], 'Intel(R) oneAPI Math Kernel Library Version, BLAS_INFO=mkl').kind, 'mkl');
  assert.equal(findBlas([], '').kind, 'built in');
});

test('the report of this machine is one JSON object', () => {
  const code = 'const { doctor } = await import(process.argv[1]); await doctor({ json: true });';
  const file = path.join(root, 'dist/cli/doctor.js');
  const output = execFileSync(process.execPath, ['--input-type=module', '-e', code, file], { encoding: 'utf8' });
  const report = JSON.parse(output) as Record<string, unknown>;
  assert.equal(report.ok, true);
  assert.equal(report.node, process.version);
  assert.ok(Array.isArray(report.devices) && report.devices.includes('cpu'));
  assert.match((report.libtorch as { version: string }).version, /^\d+\.\d+\.\d+/);
});
