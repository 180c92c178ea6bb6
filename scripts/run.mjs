// The commands behind `npm run`: node scripts/run.mjs setup | demo | test | bench | format
// They depend on nothing but Node, so that they work in a fresh clone.

import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
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
  return chosen;
}

/** Files of a folder that share a process, at most: it is lost whole where one of them crashes it. */
const TOGETHER = 10;
const ALONE = /^\/\/ Runs in a process of its own: /m;

/** Folders whose tests take longest, which begin first, so that none is left alone at the end; some compute, some mostly wait. */
const LONG = ['pipeline', 'house', 'talkinghead', 'distributed', 'cli', 'sentiment'];
const SHORT = 1000; // the round of the others

/**
 * Programs that run the test files: those of a folder together, since loading libtorch takes longer than most of them; and each
 * that says so in a comment alone. Node runs them by the order of their names.
 */
function testPrograms(files) {
  const folder = path.join(root, 'build/together');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const isAlone = (file) => ALONE.test(readFileSync(path.join(root, file), 'utf8'));
  const byFolder = new Map();
  for (const file of files.filter((each) => !isAlone(each)))
    byFolder.set(folderOf(file), [...(byFolder.get(folderOf(file)) ?? []), file]);
  const together = [...byFolder].flatMap(([name, all]) => {
    const count = Math.ceil(all.length / TOGETHER);
    return Array.from({ length: count }, (_, k) => {
      const part = JSON.stringify(all.slice((k * all.length) / count, ((k + 1) * all.length) / count), null, 2);
      const round = LONG.includes(name) ? k : SHORT;
      return { name: `${name}-${k + 1}`, round, code: `(await import('../test/together.js')).runTogether(${part})` };
    });
  });
  const alone = files.filter(isAlone).map((file) => ({
    name: path.basename(file, '.test.ts'),
    round: Infinity,
    code: `import('../${file.replace(/\.ts$/, '.js')}')`,
  }));
  const place = ({ name }) => LONG.indexOf(name.split('-')[0]);
  const programs = [...together, ...alone].sort((a, b) => a.round - b.round || place(a) - place(b));
  return programs.map(({ name, code }, i) => {
    const program = path.join(folder, `${String(i + 1).padStart(2, '0')}-${name}.mjs`);
    // Not by Node's option, which threads inherit: each would read the map of every module that it loads.
    writeFileSync(program, `process.setSourceMapsEnabled(true);\nawait ${code};\n`);
    return program;
  });
}

const folderOf = (file) => path.dirname(file).split(path.sep)[1];

// Three at once keep two cores at work: some wait for time-outs. The limit is of a whole program, and ends one that hangs; test/together.ts has that of a file.
function runTests(files, options) {
  const limits = ['--test-concurrency=3', '--test-timeout=3600000', '--test-reporter=spec'];
  return runNode(['--test', ...limits, ...options, ...testPrograms(files)]);
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
