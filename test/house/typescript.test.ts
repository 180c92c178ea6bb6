// Programs in TypeScript that are run as they are: by tsx, however it was started, and by Node itself. Their worker threads
// import the user's modules, which are found beside the program.

import assert from 'node:assert/strict';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { installCopy, node } from './packages.js';
import { root } from './repository.js';

const top = mkdtempSync(path.join(tmpdir(), 'headrace ts é '));
after(() => rmSync(top, { recursive: true, force: true }));
const copy = installCopy(top, ['tsx']);
cpSync(path.join(root, 'build', 'native', 'headrace.node'), path.join(copy, 'build', 'native', 'headrace.node'));
writeFileSync(path.join(top, 'package.json'), '{ "type": "module" }');
mkdirSync(path.join(top, 'src'));

const write = (name: string, text: string) => writeFileSync(path.join(top, name), text);
const example = readFileSync(path.join(root, 'examples', 'own-model.ts'), 'utf8');
write('src/my-model.ts', example);
// What leaving types out does not do: a loader is needed, on every thread.
write('src/full-model.ts', `${example}\nexport enum Unused { Name }\n`);

/** Two steps of local learning on two threads, measured cut and all; then a batch by a prefetching thread. */
const program = (model: string) => `
import { DataLoader } from 'headrace/data';
import { type RunConfig, runDefaults, Trainer } from 'headrace/pipeline';
import { spirals } from '${model}';
const module: string = '${model}';
const config: RunConfig = {
  ...runDefaults,
  model: { module, export: 'spiralNet', options: { width: 8, depth: 1 } },
  modelName: 'spiral-net',
  data: { module, export: 'spirals', options: { train: 40, test: 20 } },
  cut: [0],
  head: { kind: 'linear' },
  steps: 2,
  batchSize: 20,
  optimizer: { name: 'adamw', lr: 3e-3, betas: [0.9, 0.999], eps: 1e-8, weightDecay: 0.01, decay: 'weights' },
  lrSchedule: { name: 'constant', warmupEpochs: 0 },
  labelSmoothing: 0,
  evalEvery: 0,
  memoryFormat: 'contiguous',
};
const { steps } = await new Trainer(config).result;
const loader = new DataLoader(spirals({ train: 40, test: 20 }).train, { batchSize: 20 });
let batches = 0;
for await (const _batch of loader.prefetch(0)) batches++;
console.log(steps, batches);
`;
write('src/my-train.ts', program('./my-model.ts'));
write('src/full-train.ts', program('./full-model.ts'));
write('src/register.mjs', "import { register } from 'tsx/esm/api';\nregister();\nawait import('./full-train.ts');\n");

const tsx = path.join(root, 'node_modules', 'tsx', 'dist');
const ways: [string, readonly string[], Record<string, string>][] = [
  ['tsx', [path.join(tsx, 'cli.mjs'), 'src/full-train.ts'], {}],
  ['node --import tsx', ['--import', 'tsx', 'src/full-train.ts'], {}],
  [
    'NODE_OPTIONS',
    ['src/full-train.ts'],
    { NODE_OPTIONS: `--import ${pathToFileURL(path.join(tsx, 'loader.mjs')).href}` },
  ],
  ['a program that registers tsx', ['src/register.mjs'], {}],
];
for (const [name, args, env] of ways) {
  test(`a model in TypeScript, with an enum, trains on worker threads by ${name}`, () => {
    const { stdout, stderr } = node(top, args, env);
    assert.equal(stdout, '2 2\n', stderr);
  });
}

test('a model in TypeScript trains by a tsx that the project has not, as npx runs one', () => {
  const bare = mkdtempSync(path.join(tmpdir(), 'headrace npx '));
  after(() => rmSync(bare, { recursive: true, force: true }));
  const installed = installCopy(bare);
  cpSync(path.join(copy, 'build'), path.join(installed, 'build'), { recursive: true });
  writeFileSync(path.join(bare, 'package.json'), '{ "type": "module" }');
  for (const name of ['full-model.ts', 'full-train.ts']) cpSync(path.join(top, 'src', name), path.join(bare, name));
  const { stdout, stderr } = node(bare, [path.join(tsx, 'cli.mjs'), 'full-train.ts']);
  assert.equal(stdout, '2 2\n', stderr);
});

test('a model in TypeScript trains by Node alone', (t) => {
  const { typescript } = process.features as { typescript?: string | false };
  if (!typescript) return t.skip(`Node ${process.version} does not read TypeScript`);
  const { stdout, stderr } = node(top, ['--no-warnings', 'src/my-train.ts']);
  assert.equal(stdout, '2 2\n', stderr);
  assert.match(node(top, ['src/full-train.ts']).stderr, /enum/);
});

test('a relative module is looked for beside the caller, then in the working directory, and nowhere else', () => {
  const script = (module: string) => `
    import { resolveRef } from 'headrace/pipeline';
    try {
      const model = await resolveRef({ module: '${module}', export: 'make', options: 'seen' });
      console.log(model);
    } catch (error) {
      console.log(error.name + ': ' + error.message);
    }`;
  const made = (where: string) => `export const make = (options) => options + ' from ${where}';`;
  write('src/a.mjs', made('beside'));
  write('a.mjs', made('cwd'));
  write('b.mjs', made('cwd'));
  const run = (module: string) => {
    write('src/locate.mjs', script(module));
    return node(top, ['src/locate.mjs']).stdout.trim();
  };
  assert.equal(run('./a.mjs'), 'seen from beside');
  assert.equal(run('../a.mjs'), 'seen from cwd');
  assert.equal(run('./b.mjs'), 'seen from cwd');
  const told = run('./index.js'); // there is one beside the modules of the package
  assert.ok(told.startsWith('ConfigError: Expected a module at ./index.js, found none: looked for '), told);
  assert.ok(told.includes(`${path.join(top, 'src', 'index.js')} and ${path.join(top, 'index.js')}.`), told);
  // Node does not find the names of what CommonJS exports this way.
  write('src/made.cjs', 'module.exports = Object.fromEntries([["make", (options) => options + " from CommonJS"]]);');
  assert.equal(run('./made.cjs'), 'seen from CommonJS');
  write('src/c.mjs', 'export const other = 1;');
  assert.match(run('./c.mjs'), /^ConfigError: Expected file:.*c\.mjs to export a function make, got undefined$/);
  assert.match(
    run('no-such-package'),
    /^ConfigError: Expected the module no-such-package as a package, found none from /,
  );
  mkdirSync(path.join(top, 'node_modules', 'only-esm'), { recursive: true });
  write('node_modules/only-esm/package.json', '{ "exports": { "./door": { "import": "./d.mjs" } } }');
  write('node_modules/only-esm/d.mjs', made('a package'));
  assert.equal(run('only-esm/door'), 'seen from a package');
});
