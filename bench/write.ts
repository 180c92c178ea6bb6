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
 * Writes `<date>-<kind of host>.json` and `.md`. Parts of this day's earlier sessions stay, with the commit that they were measured at
 * where that is another; a part that was measured anew replaces its old one.
 * @param only - the one model that was measured, which has files of its own
 * @param folder - by default the one of {@link folderFor}
 * @returns the path without its ending
 */
export function writeResults(
  host: Host,
  parts: Readonly<Record<string, Part>>,
  { quick, only, folder = folderFor(quick) }: { quick: boolean; only?: string | undefined; folder?: string },
): string {
  const path = join(folder, [today(), host.kind, ...(only ? [only] : [])].join('-'));
  const before = existsSync(`${path}.json`) ? (JSON.parse(readFileSync(`${path}.json`, 'utf8')) as Session) : null;
  const kept = Object.entries(before?.parts ?? {}).map(([name, part]) => {
    const commit = part.commit ?? before!.host.commit;
    const { commit: _, ...plain } = part;
    return [name, commit === host.commit ? plain : { ...plain, commit }] as const;
  });
  const session: Session = { date: today(), host, parts: { ...Object.fromEntries(kept), ...parts } };
  mkdirSync(folder, { recursive: true });
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
