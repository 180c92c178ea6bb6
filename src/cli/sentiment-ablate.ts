import { join } from 'node:path';
import { writeFileAtomic } from '../io/index.js';
import { formatColumns } from '../pipeline/index.js';
import {
  type AblationPart,
  ablationParts,
  ablationRows,
  compareRows,
  parseSentimentSpec,
  resultTable,
  type SeedResult,
  summariseRuns,
  verdict,
} from '../sentiment/index.js';
import { ConfigError } from '../torch/index.js';
import { print, say } from './report.js';
import type { SentimentAblateFlags } from './sentiment-program.js';
import { type ConstantRow, configOf, runSeeds } from './sentiment-train.js';

/** `headrace sentiment ablate`. */
export async function ablateSentiment(name: string, flags: SentimentAblateFlags): Promise<void> {
  const unknown = flags.rows.find((part) => !(ablationParts as readonly string[]).includes(part));
  if (unknown) throw new ConfigError(`Expected --rows among ${ablationParts.join(', ')}, got '${unknown}'`);
  const rows = ablationRows(configOf(name, flags), flags.rows as AblationPart[]);
  const source = parseSentimentSpec(flags.data);
  const done: { name: string; results: SeedResult[] }[] = [];
  let constant: ConstantRow | null = null;
  for (const [i, row] of rows.entries()) {
    const title = [row.name, ...row.also].join(' = ');
    say(`row ${i + 1} of ${rows.length}: ${title}`);
    const folder = join(flags.out, row.name.replaceAll(/[^\w.+-]+/g, '_'));
    const trained = await runSeeds(row.config, source, { ...flags, resume: true }, folder, `${row.name}, `);
    if (trained === null) return;
    done.push({ name: title, results: trained.results });
    constant = trained.constant;
  }
  const outcomes = compareRows(done);
  const conclusion = verdict(outcomes);
  const result = {
    data: flags.data,
    rows: outcomes.map(({ name: row, results, difference }) => ({
      name: row,
      seeds: results.length,
      test: summariseRuns(results.map(({ test }) => test)),
      difference,
    })),
    constant,
    verdict: conclusion,
  };
  writeFileAtomic(join(flags.out, 'ablation.json'), `${JSON.stringify(result, null, 2)}\n`);
  print(flags.json, result, `${formatColumns(resultTable(done, constant))}\n\n${conclusion}`);
}
