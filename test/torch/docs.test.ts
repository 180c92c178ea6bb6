// Runs the examples of docs/pytorch.md and docs/memory.md: those in TypeScript here, those in Python where it has torch.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { inspect } from 'node:util';

const root = fileURLToPath(new URL('../../../', import.meta.url));

function blocks(document: string, language: string): string[] {
  const text = readFileSync(path.join(root, 'docs', document), 'utf8');
  return [...text.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'gms'))].map((match) => match[1]!);
}

/** `expression; // => text` becomes a check of its text, `expression; // throws text` one of its error. */
function withChecks(block: string): string {
  const quoted = (text: string) => JSON.stringify(text);
  return block
    .replace(/^(.*?);\s*\/\/ => (.*)$/gm, (_, code, text) => `check(${quoted(code)}, ${code}, ${quoted(text)});`)
    .replace(/^(.*?);\s*\/\/ throws (.*)$/gm, (_, code, text) => `checkThrows(() => ${code}, ${quoted(text)});`);
}

/** The blocks of a document as one module; the first holds the imports. */
function moduleOf(document: string): string {
  const [imports, ...examples] = blocks(document, 'ts');
  const body = examples.map((block) => `{\n${withChecks(block)}}\n`).join('');
  return `${imports}export const run = (check, checkThrows) => {\n${body}};\n`;
}

for (const document of ['pytorch.md', 'memory.md']) {
  test(`the examples of docs/${document} give what they say`, async () => {
    // In the build folder, where the package finds itself by its name.
    const folder = mkdtempSync(fileURLToPath(new URL('./docs-', import.meta.url)));
    let checks = 0;
    const check = (code: string, value: unknown, text: string) => {
      checks++;
      assert.equal(typeof value === 'string' ? value : inspect(value), text, code);
    };
    const checkThrows = (body: () => unknown, text: string) => {
      checks++;
      assert.throws(body, (error: Error) => {
        assert.ok(error.message.startsWith(text), `expected "${text}", got "${error.message}"`);
        return true;
      });
    };
    try {
      const file = path.join(folder, 'examples.mjs');
      writeFileSync(file, moduleOf(document));
      const { run } = (await import(pathToFileURL(file).href)) as { run(...checking: unknown[]): void };
      run(check, checkThrows);
      const marks = blocks(document, 'ts')
        .join('')
        .match(/\/\/ (=>|throws)/g)?.length;
      assert.equal(checks, marks, 'every mark was checked');
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
}

test('the Python beside them gives what it says', (t) => {
  const checks = blocks('pytorch.md', 'python').map((block) =>
    block.replace(/^(\S.*?)\s*# => (.*)$/gm, (_, code, text) => `check(${code}, "${text.replaceAll('"', '\\"')}")`),
  );
  const program = `
import sys
try:
    import torch
except ImportError:
    sys.exit(77)
def check(value, text):
    assert str(value) == text, f"expected {text}, got {value}"
${checks.join('\n')}
print("done")
`;
  for (const python of process.env.PYTHON ? [process.env.PYTHON] : ['/usr/bin/python3', 'python3']) {
    const { status, stdout, stderr } = spawnSync(python, ['-'], { encoding: 'utf8', input: program });
    if (status === null || status === 77) continue;
    assert.equal(status, 0, stderr);
    assert.match(stdout, /done/);
    return;
  }
  t.skip('no Python here has torch');
});
