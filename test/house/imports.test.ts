import assert from 'node:assert/strict';
import { test } from 'node:test';
import { importsOf, objection } from './imports.js';
import { filesBelow, read } from './repository.js';

const manifest = JSON.parse(read('package.json')) as Record<
  'dependencies' | 'peerDependencies',
  Record<string, string>
>;
const packages = Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies });

test('every import in src goes from a later folder to an earlier one', () => {
  const files = filesBelow('src', ['.ts']);
  assert.ok(files.length > 0);
  const wrong = files.flatMap((file) =>
    importsOf(read(file))
      .map((target) => objection(file, target, packages))
      .filter((reason) => reason !== null)
      .map((reason) => `${file} ${reason}`),
  );
  assert.deepEqual(wrong, []);
});

test('the reader sees every form of import and no comment', () => {
  const source = [
    "import { a } from './a.js';",
    'import {\n  b,\n  c,\n} from "./b.js";',
    "export * from './c.js';",
    "export type { D } from './d.js';",
    "import './e.js';",
    "const f = await import('./f.js');",
    "new Worker(new URL('./g.js', import.meta.url));",
    "// import './h.js';",
    "/* import './i.js'; */",
  ].join('\n');
  assert.deepEqual(
    importsOf(source).sort(),
    ['a', 'b', 'c', 'd', 'e', 'f', 'g'].map((name) => `./${name}.js`),
  );
});

test('a wrong direction is named with its reason', () => {
  const judge = (file: string, target: string) => objection(file, target, ['sharp']);
  assert.equal(judge('src/nn/linear.ts', '../torch/index.js'), null);
  assert.equal(judge('src/nn/layers/linear.ts', '../module.js'), null);
  assert.equal(judge('src/index.ts', './cli/index.js'), null);
  assert.equal(judge('src/cli/main.ts', '../vision/index.js'), null);
  assert.equal(judge('src/data/images.ts', 'sharp'), null);
  assert.equal(judge('src/data/images.ts', 'node:fs'), null);
  assert.match(judge('src/torch/tensor.ts', '../nn/index.js') ?? '', /torch comes before nn/);
  assert.match(judge('src/sentiment/model.ts', '../vision/index.js') ?? '', /systems do not import each other/);
  assert.match(judge('src/data/images.ts', 'left-pad') ?? '', /left-pad, which is not among the dependencies/);
  assert.match(judge('src/misc/x.ts', '../nn/index.js') ?? '', /misc, which has no place/);
  assert.match(judge('src/nn/x.ts', '../../bench/main.js') ?? '', /outside the folders/);
});
