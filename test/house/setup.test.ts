// The search for libtorch and the bookkeeping of set-up, in made-up file systems.

import assert from 'node:assert/strict';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, beforeEach, test } from 'node:test';
import { root } from './repository.js';

interface Libtorch {
  source: string;
  prefix: string;
  includeDir: string;
  libDir: string;
  version: string;
  cuda: boolean;
  cxx11Abi: boolean;
}
interface Finder {
  multiarch: string;
  findLibtorch(options: { env: Record<string, string>; root: string; pythonTorch: () => string | null }): {
    found: Libtorch | null;
    looked: string[];
  };
  missingMessage(looked: string[]): string;
  libraryName(name: string): string;
  librarySignature(libtorch: { libDir: string }): { size: number; digest: string };
  atLeast(version: string, minimum: string): boolean;
}
interface Stamps {
  once(stamp: string, fingerprint: string, outputs: string[], step: () => Promise<void>): Promise<void>;
  fingerprint(root: string, entries: string[], extension: string): string;
}
interface Units {
  unitDigest(root: string, sources: readonly string[], settings: unknown): string;
  unitsOf(root: string): readonly { readonly name: string; readonly sources: readonly string[] }[];
}
interface StandIns {
  placeStandIns(
    addon: string,
    libtorch: { libDir: string; source: string },
    compiler: string,
    names: readonly string[],
  ): string[];
}
interface Locks {
  withLock<T>(file: string, body: () => Promise<T>): Promise<T>;
}

const script = async <T>(name: string) => (await import(path.join(root, 'scripts', 'setup', name))) as T;
const { multiarch, findLibtorch, missingMessage, libraryName, librarySignature, atLeast } =
  await script<Finder>('libtorch.mjs');
const { once, fingerprint } = await script<Stamps>('stamp.mjs');
const { withLock } = await script<Locks>('lock.mjs');
const { unitDigest, unitsOf } = await script<Units>('units.mjs');
const { placeStandIns } = await script<StandIns>('unneeded.mjs');
const { findCompiler } = await script<{ findCompiler(): { command: string } }>('compiler.mjs');

const top = mkdtempSync(path.join(tmpdir(), 'headrace-setup-'));
let fake = '';
let count = 0;
beforeEach(() => {
  count += 1;
  fake = path.join(top, String(count));
  mkdirSync(fake);
});
after(() => rmSync(top, { recursive: true }));

function put(file: string, content = ''): void {
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, content);
}

function versionHeader(version: string): string {
  const [major, minor, patch] = version.split('.');
  return `#define TORCH_VERSION_MAJOR ${major}\n#define TORCH_VERSION_MINOR ${minor}\n#define TORCH_VERSION_PATCH ${patch}\n`;
}

/** Lays out libtorch below `prefix`, its libraries in `libFolder`. */
function layOut(prefix: string, version: string, libFolder: string, options: { cuda?: boolean; c10?: string } = {}) {
  put(path.join(prefix, 'include/torch/csrc/api/include/torch/version.h'), versionHeader(version));
  for (const name of ['torch_cpu', 'c10', ...(options.cuda ? ['torch_cuda'] : [])]) {
    put(path.join(prefix, libFolder, libraryName(name)), name === 'c10' ? options.c10 : '');
  }
}

const search = (env: Record<string, string> = {}, pythonTorch: string | null = null) =>
  findLibtorch({ env, root: fake, pythonTorch: () => pythonTorch });

test('the folder in LIBTORCH comes first', () => {
  layOut(path.join(fake, 'usr'), '1.13.0', `lib/${multiarch}`);
  layOut(path.join(fake, 'own'), '2.4.1', 'lib', { cuda: true });
  const own = path.join(fake, 'own');
  const { found } = search({ LIBTORCH: own });
  assert.deepEqual(found, {
    source: 'LIBTORCH',
    prefix: own,
    includeDir: path.join(own, 'include'),
    libDir: path.join(own, 'lib'),
    version: '2.4.1',
    cuda: true,
    cxx11Abi: true,
  });
});

test('a wrong LIBTORCH is an error, not passed over', () => {
  layOut(path.join(fake, 'usr'), '1.13.0', `lib/${multiarch}`);
  const wrong = path.join(fake, 'nowhere');
  assert.throws(
    () => search({ LIBTORCH: wrong }),
    (error: Error) => error.message.includes(`LIBTORCH is set to ${wrong}`) && error.message.includes('version.h'),
  );
  layOut(wrong, '2.0.0', 'elsewhere');
  assert.throws(() => search({ LIBTORCH: wrong }), /torch_cpu\.\w+ is not in its lib\//);
});

test("the system's libtorch-dev comes before Python's torch", () => {
  const python = path.join(fake, 'site-packages/torch');
  layOut(path.join(fake, 'usr'), '2.6.0', `lib/${multiarch}`);
  layOut(python, '2.7.1', 'lib');
  const { found } = search({}, python);
  assert.equal(found?.source, 'system');
  assert.equal(found?.version, '2.6.0');
  assert.equal(found?.libDir, path.join(fake, 'usr/lib', multiarch));
});

test("Python's torch serves where there is no other, with its ABI of std::string read from the library", () => {
  const python = path.join(fake, 'site-packages/torch');
  layOut(python, '2.5.1', 'lib', { c10: 'x\0_ZN3c106detail14torchCheckFailEPKcS2_jRKSs\0y' });
  const { found } = search({}, python);
  assert.equal(found?.source, 'python');
  assert.equal(found?.cxx11Abi, false);
});

test('the version is read where newer releases keep it', () => {
  const prefix = path.join(fake, 'usr');
  layOut(prefix, '2.9.0', 'lib64');
  put(path.join(prefix, 'include/torch/csrc/api/include/torch/version.h'), '#include <torch/headeronly/version.h>');
  put(path.join(prefix, 'include/torch/headeronly/version.h'), versionHeader('2.9.0'));
  assert.equal(search().found?.version, '2.9.0');
});

test('where there is none, the message says what was looked for, where, and how to supply it', () => {
  const { found, looked } = search();
  assert.equal(found, null);
  const message = missingMessage(looked);
  for (const part of [
    'LIBTORCH: not set',
    path.join(fake, 'usr'),
    'libtorch-dev',
    "Python's torch",
    'pip install torch',
  ]) {
    assert.ok(message.includes(part), `${part} in ${message}`);
  }
  assert.match(
    message,
    /sudo apt-get update && sudo apt-get install -y libtorch-dev libopenblas0-openmp libgloo-dev\n/,
  );
});

test('a libtorch that is too old is passed over with its version', () => {
  layOut(path.join(fake, 'usr'), '1.8.1', 'lib');
  const { found, looked } = search();
  assert.equal(found, null);
  assert.ok(looked.some((line) => line.includes('1.8.1 is older than 1.13')));
  assert.ok(atLeast('2.10.0', '2.9') && atLeast('1.13.0', '1.13') && !atLeast('1.9.9', '1.13'));
});

test('a step runs once for the same inputs, and again when an input or an output is gone', async () => {
  const file = (name: string) => path.join(fake, name);
  let runs = 0;
  const build = () =>
    once(file('stamp'), fingerprint(fake, ['src'], '.ts'), [file('out.js')], async () => {
      runs += 1;
      put(file('out.js'));
    });
  put(file('src/a.ts'), 'one');
  await build();
  await build();
  assert.equal(runs, 1);
  put(file('src/a.ts'), 'two');
  await build();
  assert.equal(runs, 2);
  rmSync(file('out.js'));
  await build();
  assert.equal(runs, 3);
  put(file('src/note.txt'));
  await build();
  assert.equal(runs, 3);
});

test('a step that failed is not taken for done', async () => {
  const stamp = path.join(fake, 'stamp');
  await assert.rejects(once(stamp, 'x', [], () => Promise.reject(new Error('no'))));
  let ran = false;
  await once(stamp, 'x', [], async () => {
    ran = true;
  });
  assert.ok(ran);
});

test('the lock keeps a second set-up out until the first is done, and outlives no process', async () => {
  const file = path.join(fake, 'lock');
  const order: string[] = [];
  const first = withLock(file, async () => {
    order.push('first in');
    await new Promise((resolve) => setTimeout(resolve, 20));
    order.push('first out');
  });
  await Promise.all([first, withLock(file, async () => void order.push('second in'))]);
  assert.deepEqual(order, ['first in', 'first out', 'second in']);
  const left = (holder: string) => {
    writeFileSync(file, holder);
    return withLock(file, async () => readFileSync(file, 'utf8').split(' ')[0]);
  };
  assert.equal(await left('4194305'), String(process.pid));
  // A number that was used again: the process of that number began at another time.
  if (existsSync('/proc/self/stat')) assert.equal(await left(`${process.pid} 1`), String(process.pid));
  assert.deepEqual(readdirSync(fake), []);
});

test('of many who find a dead lock, one at a time gets in', async () => {
  const file = path.join(fake, 'lock');
  writeFileSync(file, '4194305');
  let [inside, most, done] = [0, 0, 0];
  const body = async () => {
    inside += 1;
    most = Math.max(most, inside);
    await new Promise((resolve) => setTimeout(resolve, 5));
    inside -= 1;
    done += 1;
  };
  await Promise.all(Array.from({ length: 5 }, () => withLock(file, body)));
  assert.deepEqual([most, done], [1, 5]);
});

test('a source is compiled again for its own text, a header it includes and its settings, wherever it lies', () => {
  const lay = (folder: string, header: string) => {
    put(path.join(fake, folder, 'native/a.cpp'), '#include <vector>\n#include "one.h"\n');
    put(path.join(fake, folder, 'native/one.h'), '  #  include "two.h"\n#include "absent.h"');
    put(path.join(fake, folder, 'native/two.h'), header);
    put(path.join(fake, folder, 'native/other.h'), folder);
    return unitDigest(path.join(fake, folder), ['a.cpp'], ['-O2']);
  };
  const first = lay('here', 'int x;');
  assert.equal(lay('there é', 'int x;'), first);
  assert.notEqual(lay('here', 'int y;'), first);
  assert.notEqual(unitDigest(path.join(fake, 'there é'), ['a.cpp'], ['-O3']), first);
});

test('every source of the addon is in one unit, and those that are named are there', () => {
  const sources = readdirSync(path.join(root, 'native')).filter((name) => name.endsWith('.cpp'));
  assert.deepEqual(
    unitsOf(root)
      .flatMap((unit) => unit.sources)
      .sort(),
    sources.sort(),
  );
  put(path.join(fake, 'native/new.cpp'));
  assert.deepEqual(unitsOf(fake).at(-1), { name: 'new', sources: ['new.cpp'] });
});

test('libraries that are needed after all are no longer stood in for', (t) => {
  const built = path.join(root, 'build', 'native');
  const record = JSON.parse(readFileSync(path.join(built, 'build.json'), 'utf8')) as { libDir: string; link: string[] };
  const { libDir, link } = record;
  if (!link.includes('$ORIGIN/unneeded')) return t.skip('this addon looks for none');
  const addon = path.join(fake, 'headrace.node');
  copyFileSync(path.join(built, 'headrace.node'), addon);
  const place = (...names: string[]) =>
    placeStandIns(addon, { libDir, source: 'system' }, findCompiler().command, names);
  const folder = path.join(fake, 'unneeded');
  assert.deepEqual(place('libnobody.so.1'), ['libnobody.so.1']);
  assert.deepEqual(readdirSync(folder).sort(), ['empty.so', 'libnobody.so.1']);
  assert.deepEqual(place(...readdirSync(libDir).filter((name) => /^libc10\.so/.test(name))), []);
  assert.ok(!existsSync(folder));
});

test('a build of libtorch is known by content: a copy is the same, another of equal size is not', () => {
  const lay = (folder: string, bytes: Buffer) => {
    put(path.join(fake, folder, libraryName('torch_cpu')), '');
    writeFileSync(path.join(fake, folder, libraryName('torch_cpu')), bytes);
    return librarySignature({ libDir: path.join(fake, folder) });
  };
  const bytes = Buffer.alloc(300_000, 7);
  const first = lay('a', bytes);
  assert.equal(first.size, 300_000);
  assert.deepEqual(lay('b', bytes), first);
  bytes[100] = 8;
  assert.notDeepEqual(lay('c', bytes), first);
});
