// The script for machines with a GPU, as far as it comes without one.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { buildInfo } from 'headrace/torch';

const script = fileURLToPath(new URL('../../../scripts/test-cuda.sh', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'headrace-cuda-'));
after(() => rmSync(folder, { recursive: true }));

/** With a PATH that has no node. */
function run(...args: string[]): { code: number | null; stdout: string; stderr: string } {
  const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', HOME: folder, LIBTORCH: process.env.LIBTORCH ?? '' };
  const { status, stdout, stderr } = spawnSync('bash', [script, ...args], { env, encoding: 'utf8', timeout: 120_000 });
  return { code: status, stdout, stderr };
}

test('scripts/test-cuda.sh builds, tests and measures with the Node of an archive; on the CPU it skips what needs a device', () => {
  const node = join(folder, 'node-v20-linux-x64', 'bin');
  mkdirSync(node, { recursive: true });
  symlinkSync(process.execPath, join(node, 'node'));
  const packed = spawnSync('tar', ['-czf', join(folder, 'node-v20.tar.gz'), '-C', folder, 'node-v20-linux-x64']);
  assert.equal(packed.status, 0);
  const { code, stdout, stderr } = run('--dry', folder);
  assert.equal(code, 0, stderr + stdout);
  assert.match(stderr, /^test-cuda: Node v\d+.*, cpu$/m);
  assert.match(stderr, /^test-cuda: done after \d+ s$/m);
  assert.match(stdout, /^with bfloat16 throughout [\d.]+ ms, [\d.]+ times as fast$/m);
});

test('scripts/test-cuda.sh says what is missing', () => {
  const help = run();
  assert.equal(help.code, 2);
  assert.match(help.stderr, /scripts\/test-cuda\.sh FOLDER/);
  assert.match(run(join(folder, 'none')).stderr, /there is no folder .*none/);
});

test('scripts/test-cuda.sh asks for a libtorch with CUDA', { skip: buildInfo().cudaDevices > 0 }, () => {
  const { code, stderr } = run(folder);
  assert.equal(code, 1);
  assert.match(stderr, /the libtorch that was found is not one for CUDA|libtorch sees no CUDA device/);
});
