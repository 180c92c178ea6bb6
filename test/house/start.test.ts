// How the package starts: before set-up, after it, copied, moved, and where its folder cannot be written to.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { fillCache, installCopy, node } from './packages.js';

const top = mkdtempSync(path.join(tmpdir(), 'headrace start é '));
after(() => rmSync(top, { recursive: true, force: true }));
chmodSync(top, 0o755);
const cache = path.join(top, 'cache');
fillCache(cache);
const empty = { HEADRACE_CACHE: path.join(top, 'nothing') };

const project = path.join(top, 'my project');
const copy = installCopy(project);
const cli = path.join('node_modules', 'headrace', 'dist', 'cli', 'main.js');
const use = ['--input-type=module', '-e', "import { ones } from 'headrace'; console.log(ones([2]).sum().item());"];

test('before set-up every import throws one error, which names the command', () => {
  for (const door of [
    'headrace',
    'headrace/torch',
    'headrace/nn',
    'headrace/optim',
    'headrace/data',
    'headrace/pipeline',
  ]) {
    const { status, stderr } = node(project, ['--input-type=module', '-e', `import '${door}';`], empty);
    assert.equal(status, 1, door);
    assert.match(
      stderr,
      /HeadraceError: The native addon of headrace is not built yet: run "npx headrace setup"/,
      door,
    );
    assert.doesNotMatch(stderr, /^\s+at /m, door);
  }
});

test('before set-up every verb ends with that error in one line', () => {
  const verbs = [
    ['train', 'resnet20', '--data', 'mnist', '--out', 'run'],
    ['eval', 'run', '--data', 'mnist'],
    ['predict', 'run', 'a.png'],
    ['export', 'run', '-o', 'x.safetensors'],
    ['compare', 'resnet20', '--data', 'mnist'],
    ['plan', 'resnet20'],
    ['sentiment', 'predict', '--text', 'fine'],
    ['sentiment', 'train', 'ours', '--data', 'mosi:x', '--out', 'run'],
  ];
  for (const verb of verbs) {
    const { status, stderr, stdout } = node(project, [cli, ...verb], empty);
    assert.equal(status, 1, verb.join(' '));
    assert.equal(stdout, '');
    assert.match(
      stderr,
      /^headrace: The native addon of headrace is not built yet: run "npx headrace setup".*\n$/,
      verb.join(' '),
    );
  }
});

test('before set-up the help, the version and the doctor work', () => {
  assert.match(node(project, [cli, '--help'], empty).stdout, /setup \[options\] .*find libtorch and build the addon/);
  assert.match(
    node(project, [cli, 'setup', '--help'], empty).stdout,
    /Libtorch 1\.13 or newer is taken from.*--rebuild/s,
  );
  assert.match(node(project, [cli, '--version'], empty).stdout, /^\d+\.\d+\.\d+\n$/);
  const { status, stdout } = node(project, [cli, 'doctor', '--json'], empty);
  const report = JSON.parse(stdout) as Record<string, unknown>;
  assert.equal(status, 1);
  const setup = report.setup as { libtorch: { version: string }; compiler: string; folder: string; built: boolean };
  assert.match(setup.libtorch.version, /^\d+\.\d+/);
  assert.ok(setup.compiler.length > 0);
  assert.deepEqual([setup.folder, setup.built], [path.join(copy, 'build', 'native'), false]);
  const parts = report.optional as { name: string; installed: string | null; command: string }[];
  assert.deepEqual(
    parts.filter(({ installed }) => installed !== null),
    [],
  );
  assert.match(parts.find(({ name }) => name === 'node-av')!.command, /^npm install node-av@\d+\.\d+\.\d+$/);
  assert.match(
    node(project, [cli, 'doctor'], empty).stdout,
    /Set-up takes .*libtorch.*sharp .*missing: npm install sharp@/s,
  );
});

test('an addon in the cache serves a package that has none, and set-up copies it without building', () => {
  assert.equal(node(project, use, { HEADRACE_CACHE: cache }).stdout, '2\n');
  const { status, stdout, stderr } = node(project, [cli, 'setup', '--json'], { HEADRACE_CACHE: cache });
  assert.equal(status, 0, stderr);
  const done = JSON.parse(stdout) as { addon: string; was: string };
  assert.deepEqual([done.addon, done.was], [path.join(copy, 'build', 'native', 'headrace.node'), 'in the cache']);
  assert.doesNotMatch(stderr, /native\/addon\.cpp/);
  assert.equal(node(project, use, empty).stdout, '2\n');
});

test('a project that was moved has its addon, and set-up finds nothing to do, without a compiler too', () => {
  const moved = path.join(top, 'moved');
  renameSync(project, moved);
  const addon = path.join(moved, 'node_modules', 'headrace', 'build', 'native', 'headrace.node');
  const { mtimeMs } = statSync(addon);
  assert.equal(node(moved, use, empty).stdout, '2\n');
  const { stdout, stderr } = node(moved, [cli, 'setup', '--json'], { ...empty, PATH: '/nowhere' });
  assert.equal((JSON.parse(stdout) as { was: string }).was, 'there', stderr);
  assert.equal(statSync(addon).mtimeMs, mtimeMs);
  renameSync(moved, project);
});

test('libraries that libtorch asks for and takes nothing from are not loaded, wherever the package lies', (t) => {
  const native = path.join(copy, 'build', 'native');
  const record = JSON.parse(readFileSync(path.join(native, 'build.json'), 'utf8'));
  const { unneeded, libDir, link } = record as { unneeded: string[]; libDir: string; link: string[] };
  const asked = spawnSync('readelf', ['-d', path.join(libDir, 'libtorch_cpu.so')], { encoding: 'utf8' }).stdout ?? '';
  if (!link.includes('$ORIGIN/unneeded') || !asked.includes('libopencv_core'))
    return t.skip('this libtorch asks for none of them, or they are wanted');
  assert.ok(
    unneeded.some((name) => name.startsWith('libopencv_core.so')),
    `${unneeded}`,
  );
  const loaded =
    "import 'headrace'; import fs from 'node:fs'; console.log(fs.readFileSync('/proc/self/maps', 'utf8'));";
  const moved = path.join(top, 'moved again');
  renameSync(project, moved);
  const { stdout } = node(moved, ['--input-type=module', '-e', loaded], empty);
  renameSync(moved, project);
  assert.match(stdout, /libtorch_cpu\.so/);
  const names = new Set(unneeded.map((name) => name.slice(0, name.indexOf('.so'))));
  const found = [...stdout.matchAll(/\/([^/\s]+)\.so[.\d]*$/gm)].map(([, name]) => name!);
  assert.deepEqual(
    found.filter((name) => names.has(name)),
    [],
  );
});

test('where the package cannot be written to, set-up puts the addon into the cache', (t) => {
  const locked = path.join(top, 'locked');
  const folder = installCopy(locked);
  const user = process.getuid?.() === 0 ? 65534 : undefined; // root may write anywhere
  if (user === undefined) chmodSync(folder, 0o555);
  const home = path.join(top, 'home');
  mkdirSync(home);
  chmodSync(home, 0o777);
  const asUser = (args: readonly string[]) => node(locked, args, { HEADRACE_CACHE: path.join(home, 'c') }, user);
  const readable = 'fs.readdirSync("node_modules/commander")'; // a link into this clone, which may lie in root's own folder
  if (asUser(['-e', readable]).status !== 0) return t.skip('this Node, or this clone, is closed to other users');
  // What another set-up of this user left there: nothing is compiled.
  fillCache(path.join(home, 'c'));
  const [version] = readdirSync(path.join(home, 'c')) as [string];
  rmSync(path.join(home, 'c', version, 'current'));
  for (const name of [home, path.join(home, 'c'), path.join(home, 'c', version)]) chmodSync(name, 0o777);
  assert.match(asUser(use).stderr, /run "npx headrace setup"/);
  const { status, stdout, stderr } = asUser([cli, 'setup', '--json']);
  assert.equal(status, 0, stderr);
  const { addon } = JSON.parse(stdout) as { addon: string };
  assert.ok(addon.startsWith(path.join(home, 'c', version, 'libtorch-')), addon);
  assert.ok(!existsSync(path.join(folder, 'build')));
  assert.equal(asUser(use).stdout, '2\n');
  chmodSync(folder, 0o755);
});

test('an addon of another platform or libtorch is told before it is loaded', () => {
  const native = path.join(copy, 'build', 'native');
  const record = JSON.parse(node(native, ['-p', "fs.readFileSync('build.json','utf8')"]).stdout) as Record<
    string,
    unknown
  >;
  const errorWith = (change: object): string => {
    writeFileSync(path.join(native, 'build.json'), JSON.stringify({ ...record, ...change }));
    return node(project, use, empty).stderr;
  };
  assert.match(errorWith({ platform: 'plan9' }), /was built for plan9 .*run "npx headrace setup" again/);
  assert.match(
    errorWith({ library: { size: 1 } }),
    /built for libtorch .*is another one now: run "npx headrace setup" again/,
  );
  writeFileSync(path.join(native, 'build.json'), JSON.stringify(record));
  writeFileSync(path.join(native, 'headrace.node'), 'no library');
  assert.match(node(project, use, empty).stderr, /cannot be loaded: .*run "npx headrace setup" again/);
});

test('no script runs at installation', () => {
  const { scripts } = JSON.parse(node(copy, ['-p', "fs.readFileSync('package.json','utf8')"]).stdout) as {
    scripts: Record<string, string>;
  };
  assert.deepEqual(
    Object.keys(scripts).filter((name) => /install|prepare|prepublish|postpack|dependencies/.test(name)),
    [],
  );
});
