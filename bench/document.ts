/**
 * Fills the tables of docs/results.md and the short one of README.md from the newest files in bench/results/:
 * npm run setup && npx tsc -p tsconfig.test.json && node build/bench/document.js
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type AccuracySession, accuracyTable } from './accuracy.js';
import { hostLine, root } from './host.js';
import { cells, markdownPart, markdownTable, type Part, type Row } from './results.js';
import { folderFor, type Session } from './write.js';

const OPEN = '<!-- results -->';
const CLOSE = '<!-- /results -->';

/** Result files, of accuracies or of speeds, by falling date, with which their names begin. */
function files(accuracy: boolean): string[] {
  const folder = folderFor(false);
  if (!existsSync(folder)) return [];
  const names = readdirSync(folder).filter((name) => name.endsWith('.json'));
  return names.filter((name) => name.includes('-accuracy-') === accuracy).sort((a, b) => (a < b ? 1 : -1));
}

/** The newest of each kind: of the same models. */
function newest(names: readonly string[]): string[] {
  const kind = (name: string): string => name.slice('2000-01-01'.length);
  return names.filter((name, i) => names.findIndex((other) => kind(other) === kind(name)) === i);
}

const read = <T>(name: string): T => JSON.parse(readFileSync(join(folderFor(false), name), 'utf8')) as T;

/** Speeds that ratios come from, and sizes. */
const SHOWN = ['images/s', 'utterances/s', 'texts/s', 'MiB'];

/** What has a target, and what it comes from. */
function shortened(part: Part): Part {
  return { ...part, rows: part.rows.filter(({ target, unit }) => target || SHOWN.includes(unit)) };
}

/** Parts that a session may measure for some models alone, whose names begin their rows; of others the newest is whole. */
const BY_MODEL = ['step', 'pipeline', 'memory', 'replicas'];

/** Sessions, the newest first; what a newer one measured is left out of the older ones. */
function sessions(): [name: string, session: Session][] {
  const seen = new Set<string>();
  const all = files(false).map((name): [string, Session] => [name, read<Session>(name)]);
  const time = ([, { parts }]: [string, Session]): string =>
    Object.values(parts)
      .map((part) => part.time)
      .sort()
      .at(-1)!;
  all.sort((a, b) => (time(a) < time(b) ? 1 : -1));
  const shown = all.map(([name, session]): [string, Session] => {
    const left = Object.entries(session.parts).map(([key, part]): [string, Part] => {
      const name = ({ what }: Row): string => (BY_MODEL.includes(key) ? `${key} ${what.split(',')[0]}` : key);
      const rows = part.rows.filter((row) => !seen.has(name(row)));
      for (const row of rows) seen.add(name(row));
      return [key, shortened({ ...part, rows })];
    });
    return [name, { ...session, parts: Object.fromEntries(left.filter(([, { rows }]) => rows.length > 0)) }];
  });
  return shown.filter(([, { parts }]) => Object.keys(parts).length > 0);
}

function speedSection([name, { date, host, parts }]: [string, Session]): string {
  const tables = Object.values(parts).map((part) => markdownPart(part, '##'));
  const all = `../bench/results/${name.replace(/json$/, 'md')}`;
  const head = `Measured on ${date}: ${hostLine(host)}. Medians of rounds in which all sides take turns. [All numbers](${all}).\n`;
  return [head, ...tables].join('\n');
}

function accuracySection(name: string): string {
  const { date, host, runs } = read<AccuracySession>(name);
  return `## Accuracy on held-out images\n\n${date}, ${hostLine(host)}.\n\n${accuracyTable(runs)}\n`;
}

/** What the README shows of the newest sessions, by part. */
const headlines: readonly (readonly [part: string, what: string])[] = [
  ['step', 'resnet32, speed of Headrace / PyTorch'],
  ['step', 'vit-tiny-p4, speed of Headrace / PyTorch'],
  ['pipeline', 'resnet32, ppll / sequential'],
  ['pipeline', 'resnet32, ppll / 1f1b, 4 microbatches'],
  ['pipeline', 'vit-tiny-p4, ppll / sequential'],
  ['pipeline', 'vit-tiny-p4, ppll / 1f1b, 4 microbatches'],
  ['calls', 'add of two tensors of 3, Headrace'],
  ['calls', 'hand-off of 1 MB between threads'],
  ['sentiment', 'self-mm, speed of Headrace / PyTorch'],
  ['branches', 'self-mm, ppll / sequential'],
  ['talk', 'sound to mp4'],
];

function summary(all: readonly [string, Session][]): string {
  const lines = headlines.map(([key, what]) => {
    for (const [, { date, parts }] of all) {
      const part = parts[key];
      const found = part?.rows.find((row) => row.what === what);
      if (part && found) return [`${part.title.split(':')[0]}: ${what}`, ...cells(found).slice(1), date];
    }
    throw new Error(`Expected '${what}' of ${key} in bench/results: measure it, or change what the README shows`);
  });
  return markdownTable(['measured', 'median', 'rounds', 'target', '', 'on'], lines);
}

function fill(document: string, filling: string): void {
  const path = join(root, document);
  const text = readFileSync(path, 'utf8');
  const [start, end] = [text.indexOf(OPEN), text.indexOf(CLOSE)];
  if (start < 0 || end < start) throw new Error(`Expected ${OPEN} and ${CLOSE} in ${path}`);
  writeFileSync(path, `${text.slice(0, start + OPEN.length)}\n\n${filling}\n${text.slice(end)}`);
}

const measured = sessions();
fill('README.md', `${summary(measured)}\n`);
fill('docs/results.md', [...measured.map(speedSection), ...newest(files(true)).map(accuracySection)].join('\n'));
