// Runs the command line as a user does: a process of its own.

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const main = fileURLToPath(new URL('../../../dist/cli/main.js', import.meta.url));

export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly seconds: number;
}

/** @param whenStarted called with the process, to send it signals */
export function headrace(
  args: readonly string[],
  options: { env?: Record<string, string>; whenStarted?: (child: ChildProcess) => void } = {},
): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const begun = performance.now();
    const child = spawn(process.execPath, [main, ...args], { env: { ...process.env, ...options.env } });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk) => {
      stdout += chunk;
    });
    child.stderr.on('data', (chunk) => {
      stderr += chunk;
    });
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, stdout, stderr, seconds: (performance.now() - begun) / 1000 }));
    options.whenStarted?.(child);
  });
}

/** The last line of stdout, which `--json` promises to be one object. */
export function lastJson({ stdout }: Outcome): Record<string, unknown> {
  return JSON.parse(stdout.trimEnd().split('\n').at(-1)!) as Record<string, unknown>;
}

export function temporaryFolder(): { path: string; at(name: string): string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'headrace-cli-'));
  return { path, at: (name) => join(path, name), remove: () => rmSync(path, { recursive: true, force: true }) };
}
