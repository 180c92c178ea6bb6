#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { buildProgram } from './program.js';
import { reportError } from './report.js';

/** Runs a command line; resolves to the exit code. */
async function main(args: string[]): Promise<number> {
  const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  try {
    await buildProgram(manifest.version).parseAsync(args, { from: 'user' });
    return Number(process.exitCode ?? 0);
  } catch (error) {
    return reportError(error);
  }
}

const code = await main(process.argv.slice(2));
// A stage that still holds a thread must not keep the process alive; what was printed is written out first.
process.stdout.write('', () => process.stderr.write('', () => process.exit(code)));
