import { join } from 'node:path';
import { writeFileAtomic } from '../io/index.js';
import { formatColumns } from '../report/index.js';
import {
  type AblationPart,
  ablationParts,
  ablationRows,
  compareRows,
  conditionCalled,
  loadSentiment,
  parseSentimentSpec,
  resultTable,
  summariseRuns,
  verdict,
} from '../sentiment/index.js';
import { ConfigError } from '../torch/index.js';
import { print, say } from './report.js';
import { factorTable, type TrainedRow, underCondition } from './sentiment-conditions.js';
import type { SentimentAblateFlags } from './sentiment-program.js';
import { type ConstantRow, configOf, runSeeds } from './sentiment-train.js';

/** `headrace sentiment ablate`. */
export async function ablateSentiment(name: string, flags: SentimentAblateFlags): Promise<void> {
  const unknown = flags.rows.find((part) => !(ablationParts as readonly string[]).includes(part));
  if (unknown) throw new ConfigError(`Expected --rows among ${ablationParts.join(', ')}, got '${unknown}'`);
  const rows = ablationRows(configOf(name, flags), flags.rows as AblationPart[]);
  const source = parseSentimentSpec(flags.data);
  for (const name of flags.conditions) conditionCalled(name); // before all the work
  const done: TrainedRow[] = [];
  let constant: ConstantRow | null = null;
  for (const [i, row] of rows.entries()) {
    const title = [row.name, ...row.also].join(' = ');
    say(`row ${i + 1} of ${rows.length}: ${title}`);
    const folder = join(flags.out, row.name.replaceAll(/[^\w.+-]+/g, '_'));
    const trained = await runSeeds(row.config, source, { ...flags, resume: true }, folder, `${row.name}, `);
    if (trained === null) return;
    done.push({ name: title, folder, results: trained.results });
    constant = trained.constant;
  }
  const data = await loadSentiment(source);
  const conditions = flags.conditions.map((name) => ({ name, rows: underCondition(done, data, name) }));
  const factors = factorTable(done, data);
  const result = {
    data: flags.data,
    ...gridOf(done),
    constant,
    conditions: conditions.map(({ name, rows: worse }) => ({ name, ...gridOf(worse) })),
    factors,
  };
  writeFileAtomic(join(flags.out, 'ablation.json'), `${JSON.stringify(result, null, 2)}\n`);
  const tables = [
    `${formatColumns(resultTable(done, constant))}\n\n${result.verdict}`,
    ...conditions.map(
      ({ name, rows: worse }, i) => `${name}\n${formatColumns(resultTable(worse))}\n\n${result.conditions[i]!.verdict}`,
    ),
    ...(factors.length > 0 ? [formatColumns(factors)] : []),
  ];
  print(flags.json, result, tables.join('\n\n'));
}

/** Every row beside the first, and what that allows to say. */
function gridOf(rows: readonly TrainedRow[]): { readonly rows: readonly object[]; readonly verdict: string } {
  const outcomes = compareRows(rows);
  return {
    rows: outcomes.map(({ name, results, difference }) => ({
      name,
      seeds: results.length,
      test: summariseRuns(results.map(({ test }) => test)),
      difference,
    })),
    verdict: verdict(outcomes),
  };
}
