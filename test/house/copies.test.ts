// Two copies of the package in one process: a dependency may bring its own, and pnpm keeps one for each set of optional packages.

import assert from 'node:assert/strict';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { fillCache, installCopy, node } from './packages.js';
import { root } from './repository.js';

const top = mkdtempSync(path.join(tmpdir(), 'headrace copies '));
after(() => rmSync(top, { recursive: true, force: true }));
const cache = path.join(top, 'cache');
fillCache(cache);
const library = path.join(top, 'library');
const copies = [installCopy(top), installCopy(library)];
for (const folder of [top, library]) writeFileSync(path.join(folder, 'package.json'), '{ "type": "module" }');

// Operators of torch's and of the addon's own (the fused layers), with texts among their arguments.
const use = `
import { nn, ones, scope, tensor } from 'headrace';
export { ones };
export function numbers() {
  return scope(() => {
    const padded = nn.functional.pad(ones([2, 2]), [1, 1], { mode: 'constant', value: 3 }).sum().item();
    const fused = new nn.Sequential(new nn.BatchNorm1d(1), new nn.ReLU()).forward(tensor([[-3], [3]]));
    return [padded, Math.round(fused.sum().item()), nn.functional.gelu(tensor([100])).item()];
  });
}
`;
writeFileSync(path.join(top, 'own.js'), use);
writeFileSync(path.join(library, 'other.js'), use);
writeFileSync(
  path.join(library, 'thread.js'),
  "import { parentPort } from 'node:worker_threads';\nimport { numbers } from './other.js';\nparentPort.postMessage(numbers());\n",
);

const program = `
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
const thread = new Worker(new URL('./library/thread.js', import.meta.url));
const [fromThread] = await once(thread, 'message');
const own = await import('./own.js');
const all = [fromThread, own.numbers()];
await thread.terminate();
const other = await import('./library/other.js');
all.push(own.numbers(), other.numbers(), own.numbers());
let told = '';
try {
  own.ones([1]).add(other.ones([1]));
} catch (error) {
  told = error.name + ': ' + error.message;
}
console.log(JSON.stringify({ all, told }));
`;
writeFileSync(path.join(top, 'program.js'), program);

/** 4 ones and 4 threes; a normalised -1 that is cut off, and 1; gelu is the identity for large numbers. */
const expected = [16, 1, 100];

function check(): void {
  const { stdout, stderr, status } = node(top, ['program.js'], { HEADRACE_CACHE: cache });
  assert.equal(status, 0, stderr);
  const { all, told } = JSON.parse(stdout) as { all: number[][]; told: string };
  assert.deepEqual(all, new Array(5).fill(expected));
  assert.match(told, /^TorchError: .*got a Tensor of another copy of headrace: this thread has loaded it twice/);
}

test('two copies that share the addon of the cache compute side by side, and refuse the tensors of each other', check);

test('two copies with an addon each do so, too', () => {
  for (const copy of copies) {
    const folder = path.join(copy, 'build', 'native');
    mkdirSync(folder, { recursive: true });
    cpSync(path.join(root, 'build', 'native', 'headrace.node'), path.join(folder, 'headrace.node'));
  }
  check();
});
