/**
 * Loads a reader of sentiment in a process of its own and reads the texts that come on stdin, a JSON list; prints what that took:
 * reader-run reader | vader. Or reads a text a line by the command line, and writes the most bytes that it held to descriptor 3:
 * reader-run lines.
 */
import { writeFileSync } from 'node:fs';
import { json } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { peakBytes } from './peak.js';
import { loadVader } from './vader.js';

/** Of one process. */
export interface Alone {
  /** Milliseconds of loading, what is imported before not among them. */
  readonly load: number;
  /** Milliseconds from the start of the process to the end of the first text. */
  readonly first: number;
  /** The most bytes that it ever held. */
  readonly bytes: number;
}

type Read = (texts: readonly string[]) => void;

async function loadReader(): Promise<[load: number, read: Read]> {
  const { SentimentReader } = await import('headrace/sentiment');
  const { setNumThreads } = await import('headrace/torch');
  setNumThreads(1);
  const begun = performance.now();
  const reader = SentimentReader.load();
  return [performance.now() - begun, (texts) => reader.read(texts)];
}

async function loadOther(): Promise<[load: number, read: Read]> {
  const begun = performance.now();
  const score = await loadVader();
  return [performance.now() - begun, (texts) => texts.map(score)];
}

async function readAll(side: string): Promise<void> {
  const [load, read] = await (side === 'reader' ? loadReader() : loadOther());
  read(['I loved every minute of it.']);
  const first = performance.now();
  read((await json(process.stdin)) as string[]);
  process.stdout.write(JSON.stringify({ load, first, bytes: peakBytes() } satisfies Alone));
}

async function readLines(): Promise<void> {
  const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
  process.on('exit', () => writeFileSync(3, String(peakBytes())));
  process.argv.splice(1, process.argv.length, main, 'sentiment', 'predict', '--file', '-');
  await import(main);
}

const [, , side] = process.argv;
await (side === 'lines' ? readLines() : readAll(side!));
