/** The files of a session: JSON with every round, and the same as tables to read. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Host, hostLine, root } from './host.js';
import { markdownPart, type Part, verdict } from './results.js';

export interface Session {
  readonly date: string;
  readonly host: Host;
  readonly parts: Readonly<Record<string, Part>>;
}

/** Numbers of a quick look are kept apart, lest someone take them for results. */
export function folderFor(quick: boolean): string {
  return join(root, 'bench', quick ? 'scratch' : 'results');
}

export function today(): string {
  return new Date().toISOString().slice(0, 10);
}

/**
 * Writes `<date>-<kind of host>.json` and `.md`. Parts that this day's file of the same commit has already are kept.
 * @param only - the one model that was measured, which has files of its own
 * @returns the path without its ending
 */
export function writeResults(
  host: Host,
  parts: Readonly<Record<string, Part>>,
  { quick, only }: { quick: boolean; only?: string | undefined },
): string {
  const path = join(folderFor(quick), [today(), host.kind, ...(only ? [only] : [])].join('-'));
  const before = existsSync(`${path}.json`) ? (JSON.parse(readFileSync(`${path}.json`, 'utf8')) as Session) : null;
  const kept = before && before.host.commit === host.commit ? before.parts : {};
  const session: Session = { date: today(), host, parts: { ...kept, ...parts } };
  mkdirSync(folderFor(quick), { recursive: true });
  writeFileSync(`${path}.json`, `${JSON.stringify(session, null, 2)}\n`);
  writeFileSync(`${path}.md`, markdown(session));
  return path;
}

function markdown({ date, host, parts }: Session): string {
  const all = Object.values(parts);
  const rows = all.flatMap((part) => part.rows);
  const head = `# Benchmark of ${date}\n\n${hostLine(host)}.\n\n${verdict(rows)}. Medians over rounds, in which all sides take turns; a ratio is that of each round.\n`;
  return [head, ...all.map((part) => markdownPart(part))].join('\n');
}
