import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { ffmpegInfo } from 'headrace/media';

test('FFmpeg is loaded by the first use, not by the import', () => {
  const loaded = "process.report.getReport().sharedObjects.some((file) => file.includes('node-av'))";
  const code = `const media = await import('headrace/media');
    const before = ${loaded};
    await media.ffmpegInfo();
    console.log(before, ${loaded});`;
  const output = execFileSync(process.execPath, ['--input-type=module', '-e', code], { encoding: 'utf8' });
  assert.equal(output.trim(), 'false true');
});

test("the build's licence follows from its configuration", async () => {
  const { version, licence, configuration } = await ffmpegInfo();
  assert.match(version, /^\d+\.\d+/);
  assert.equal(licence.startsWith('GPL'), configuration.includes('--enable-gpl'));
});
