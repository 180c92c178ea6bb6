/**
 * Rows as aligned columns for a terminal, two spaces apart.
 * @param rows - cells, as many in each row
 * @param left - the columns of words, which begin at the left; the others are numbers and end at the right. Default the first
 */
export function formatColumns(rows: readonly (readonly string[])[], left: readonly number[] = [0]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const cell = (text: string, column: number): string =>
    left.includes(column) ? text.padEnd(widths[column]!) : text.padStart(widths[column]!);
  return rows.map((row) => row.map(cell).join('  ').trimEnd()).join('\n');
}
