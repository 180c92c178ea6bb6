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

// An error that nobody caught, in a callback say, ends the process as any other does: with one message.
process.on('uncaughtException', (error) => process.exit(reportError(error)));
for (const stream of [process.stdout, process.stderr]) stream.on('error', ignoreClosedPipe);

/** Who reads the output may end first (`| head`): what goes there is lost, and work goes on. */
function ignoreClosedPipe(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error;
}

const code = await main(process.argv.slice(2));
// A stage that still holds a thread must not keep the process alive; what was printed is written out first.
process.stdout.write('', () => process.stderr.write('', () => process.exit(code)));
