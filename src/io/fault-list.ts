/** Many faults in one message. */

/** The first `most` lines, each indented, and how many more there are. */
export function firstLines(lines: readonly string[], most: number): string {
  const shown = lines.slice(0, most).map((line) => `  ${line}`);
  if (lines.length > most) shown.push(`  and ${lines.length - most} more`);
  return shown.join('\n');
}
