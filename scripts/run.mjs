// The commands behind `npm run`: node scripts/run.mjs setup | demo | test | bench | format
// They depend on nothing but Node, so that they work in a fresh clone.

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { runMain, SetupError } from './setup/say.mjs';
import { filesIn } from './setup/stamp.mjs';
import { root, runTool, setup } from './setup.mjs';

const [verb, ...args] = process.argv.slice(2);
const BIOME = '@biomejs/biome/bin/biome';

const verbs = {
  setup: async () => {
    await setup();
    return 0;
  },

  demo: async () => {
    await setup({ programs: true });
    return runProgram('build/examples/demo.js', args);
  },

  bench: async () => {
    await setup({ programs: true });
    return runProgram('build/bench/main.js', args);
  },

  /** `npm test` checks everything; `npm test -- nn` runs the test files whose path contains `nn`, and nothing else. */
  test: async () => {
    const patterns = args.filter((arg) => !arg.startsWith('-'));
    const options = args.filter((arg) => arg.startsWith('-'));
    const clean = await setup({ programs: true, tolerant: patterns.length > 0 });
    if (patterns.length === 0 && runTool(BIOME, ['ci', '--error-on-warnings', '.']) !== 0) return 1;
    const code = await runTests(testFiles(patterns), options);
    return clean ? code : 1;
  },

  format: async () => {
    await setup({ tolerant: true });
    return runTool(BIOME, ['check', '--write', '.']);
  },
};

// Listed from the sources: what an earlier build left in build/ for a test that is gone does not run.
function testFiles(patterns) {
  const files = filesIn(path.join(root, 'test'), '.test.ts').map((file) => path.relative(root, file));
  const chosen = patterns.length === 0 ? files : files.filter((file) => patterns.some((text) => file.includes(text)));
  if (chosen.length === 0)
    throw new SetupError(`no test file's path contains ${patterns.join(' or ')}; looked in test/`);
  return chosen.map((file) => path.join('build', file.replace(/\.ts$/, '.js')));
}

function runTests(files, options) {
  const limits = ['--test-concurrency=2', '--test-timeout=300000', '--test-reporter=spec'];
  return runNode(['--enable-source-maps', '--test', ...limits, ...options, ...files]);
}

function runProgram(file, programArgs) {
  if (!existsSync(path.join(root, file)))
    throw new SetupError(`${file} is missing: its source is not in this checkout`);
  return runNode(['--enable-source-maps', file, ...programArgs]);
}

/** Runs Node and passes on its exit code. Ctrl-C reaches the child too, which decides how to end. */
function runNode(nodeArgs) {
  const child = spawn(process.execPath, nodeArgs, { cwd: root, stdio: 'inherit' });
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  return new Promise((resolve) => {
    child.on('close', (code) => resolve(code ?? 1));
  });
}

await runMain(() => {
  const action = verbs[verb];
  if (action === undefined) {
    throw new SetupError(`expected one of ${Object.keys(verbs).join(', ')}, got ${verb ?? 'nothing'}`);
  }
  return action();
});
