// What the documents say is so: their links lead somewhere, their examples compile and run, their grids are the code's own.
import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { type Action, backward, drawGrid, forward, layOut, needsGradients, scheduleFor } from 'headrace/pipeline';
import { compilePrograms, run } from './programs.js';
import { filesBelow, read, root } from './repository.js';

const documents = ['README.md', 'CONTRIBUTING.md', ...filesBelow('docs', ['.md'])];

test('every relative link and every path named in a document leads to something', () => {
  const broken = documents.flatMap((document) => {
    const text = read(document);
    const links = [...text.matchAll(/\]\((?!https?:|#|mailto:)([^)#]+)[^)]*\)/g)].map(([, target]) =>
      path.join(path.dirname(document), target!),
    );
    const named = [...text.matchAll(/`((?:src|native|test|bench|docs|examples|scripts)\/[\w./-]*)`/g)].map(
      ([, target]) => target!,
    );
    return [...links, ...named]
      .filter((target) => !existsSync(path.join(root, target)))
      .map((target) => `${document}: ${target}`);
  });
  assert.deepEqual(broken, []);
});

test('the README names every dependency, with its licence', () => {
  const manifest = JSON.parse(read('package.json')) as Record<string, Record<string, string>>;
  const names = Object.keys({ ...manifest.dependencies, ...manifest.devDependencies });
  const text = read('README.md');
  assert.deepEqual(
    names.filter((name) => !text.includes(`\`${name}\``)),
    [],
  );
});

test('the reading list is as long as the README says, and the layout names the folders that there are', () => {
  const list = /## Reading the code\n(.*?)\n\nThen/s.exec(read('README.md'))![1]!;
  const files = [...list.matchAll(/^\d+\. `([^`]+)`/gm)].map(([, file]) => file!);
  const said = Number(/some ([\d,]+) lines/.exec(list)![1]!.replace(',', ''));
  const lines = files.reduce((sum, file) => sum + read(file).split('\n').length - 1, 0);
  assert.ok(Math.abs(lines - said) <= 100, `${lines} lines`);
  const order = /imports only from those before it: (.*?)\./.exec(read('CONTRIBUTING.md'))![1]!;
  const named = [...order.matchAll(/`(\w+)`/g)].map(([, folder]) => folder!);
  const folders = readdirSync(path.join(root, 'src'), { withFileTypes: true }).filter((each) => each.isDirectory());
  assert.deepEqual(named.sort(), folders.map(({ name }) => name).sort());
});

/** The code block that follows a marker. */
function block(document: string, marker: string): string {
  const found = new RegExp(`<!-- ${marker} -->\n\`\`\`\\w*\n(.*?)\n\`\`\``, 's').exec(read(document));
  assert.ok(found, `${document} has a code block after <!-- ${marker} -->`);
  return found[1]!;
}

function replaced(text: string, from: string, to: string): string {
  assert.ok(text.includes(from), `the example holds ${from}`);
  return text.replace(from, to);
}

test("the README's programs compile and run", async () => {
  const pipeline = block('README.md', 'run: pipeline');
  const folder = path.join(root, 'build', 'readme');
  const runFolder = path.join(folder, 'run');
  const short = replaced(
    replaced(replaced(pipeline, 'epochs: 3', 'epochs: 1'), 'mnist()', 'mnist({ limit: 256 })'),
    "'runs/digits'",
    JSON.stringify(runFolder),
  );
  const tensors = block('README.md', 'run: tensors');
  const out = await compilePrograms(folder, { 'pipeline.ts': pipeline, 'short.ts': short, 'tensors.ts': tensors });
  assert.match(await run(folder, path.join(out, 'short.js')), /epoch 1: accuracy 0\.\d+\n.*steps: 2,.*stopped: false/s);
  assert.ok(existsSync(path.join(runFolder, 'checkpoint', 'state.json')));
  const losses = (await run(folder, path.join(out, 'tensors.js'))).trim().split('\n');
  assert.equal(losses.length, 4);
  assert.ok(Number(losses.at(-1)!.split(' ')[1]) < 0.1, losses.join('; '));
});

test('the example with a model of its own learns, and the same on three workers as on one', async () => {
  const lines = (await run(root, path.join('build', 'examples', 'own-model-train.js'))).trim().split('\n');
  const [sequential, ppll] = lines.map((line) => line.split(': ')[1]!);
  assert.equal(sequential, ppll);
  assert.ok(Number(/accuracy ([\d.]+)/.exec(ppll!)![1]) > 95, ppll);
});

for (const [name, stages, microbatches] of [
  ['gpipe', 3, 4],
  ['1f1b', 3, 4],
  ['ppll', 3, 1],
] as const) {
  test(`the grid of ${name} in the pipeline document is the schedule's own`, () => {
    const { steps } = layOut(scheduleFor(name, stages, microbatches), { gradients: needsGradients(name) });
    assert.equal(block('docs/pipeline.md', `grid ${name} ${stages} ${microbatches}`), drawGrid(steps));
  });
}

test('the grid of ppll over several batches is what its actions lay out to', () => {
  const [stages, batches] = [3, 4];
  const schedule = Array.from({ length: stages }, (_, stage): Action[] =>
    Array.from({ length: batches }, (_, batch) => [forward(stage, batch), backward(stage, batch)]).flat(),
  );
  const { steps } = layOut(schedule, { gradients: false });
  assert.equal(block('docs/pipeline.md', `batches ppll ${stages} ${batches}`), drawGrid(steps));
});
