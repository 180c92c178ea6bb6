// Runs the Python that stands beside the TypeScript in docs/pytorch.md, where Python has torch.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../../', import.meta.url));

function blocks(document: string, language: string): string[] {
  const text = readFileSync(path.join(root, 'docs', document), 'utf8');
  return [...text.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'gms'))].map((match) => match[1]!);
}

test('the Python beside the TypeScript gives what it says', (t) => {
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
