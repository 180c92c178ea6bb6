import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { writeFileAtomic } from '../io/index.js';
import { formatColumns, summariseRuns } from '../report/index.js';
import {
  chosenRows,
  type ExperimentKind,
  type ExperimentRow,
  irfdExperiment,
  irfdFigures,
  irfdRows,
  type RowResults,
  readIrfdConfig,
  readTalkingConfig,
  runExperiment,
  speakExperiment,
  speakRows,
} from '../talkinghead/index.js';
import { print, say } from './report.js';
import type { TalkAblateFlags } from './talk-models-program.js';
import { recipeChanges } from './talk-train.js';
import { watched } from './watched.js';

/** `headrace talk ablate irfd`. */
export async function ablateIrfd(recipe: string, flags: TalkAblateFlags): Promise<void> {
  const config = readIrfdConfig(recipe, recipeChanges(flags));
  const results = await rowsOf(irfdExperiment(flags.data!), irfdRows(config), config.steps, flags);
  if (results === null) return;
  // Exact pictures are the same for all rows.
  const { leakage: _, ...figures } = irfdFigures(results[0]!.results[0]!.found, 'exact');
  tell(results, flags, config.steps, { 'exact pictures': figures });
}

/** `headrace talk ablate speak`. */
export async function ablateSpeak(recipe: string, flags: TalkAblateFlags): Promise<void> {
  const config = readTalkingConfig(recipe, recipeChanges(flags));
  const results = await rowsOf(
    speakExperiment(flags.data!, config.sync || null, flags.clips),
    speakRows(config),
    config.steps,
    flags,
  );
  if (results !== null) tell(results, flags, config.steps, {});
}

async function rowsOf<Config extends { readonly seed: number }, Found extends object>(
  kind: ExperimentKind<Config, Found>,
  all: readonly ExperimentRow<Config>[],
  steps: number,
  { out, seeds, rows }: TalkAblateFlags,
): Promise<RowResults<Found>[] | null> {
  const chosen = chosenRows(all, rows);
  if (!existsSync(out)) mkdirSync(out, { recursive: true });
  const stopping = `stopping after what is being done, with all of it kept in ${out}`;
  const stopped = 'stopped. The same command goes on';
  return watched({ steps, stopping, stopped }, (watching) =>
    runExperiment(kind, chosen, {
      ...watching,
      out,
      seeds,
      onRow: (name, seed, done, count) => say(`${done + 1} of ${count}: ${name}, seed ${seed}`),
    }),
  );
}

/** One table of all rows: means over the seeds, with deviations where there are several. */
function tell(
  results: readonly RowResults<object>[],
  { out, json, seeds }: TalkAblateFlags,
  steps: number,
  beside: Readonly<Record<string, Readonly<Record<string, number>>>>,
): void {
  const rows = results.map(({ name, results: runs }) => ({
    name,
    figures: summariseRuns(runs.map(({ figures }) => plain(figures))),
    secondsPerStep: runs.reduce((sum, { secondsPerStep }) => sum + secondsPerStep, 0) / runs.length,
  }));
  const names = Object.keys(rows[0]!.figures);
  const lines = rows.map(({ name, figures, secondsPerStep }) => [
    name,
    ...names.map((key) => {
      const { mean, std } = figures[key]!;
      return seeds > 1 ? `${number(mean)} ± ${number(std)}` : number(mean);
    }),
    secondsPerStep.toFixed(3),
  ]);
  const others = Object.entries(beside).map(([name, figures]) => [
    name,
    ...names.map((key) => number(figures[key] ?? Number.NaN)),
    '-',
  ]);
  const table = formatColumns([[`${steps} steps each`, ...names, 's/step'], ...lines, ...others]);
  const result = { steps, seeds, rows, beside, out };
  writeFileAtomic(join(out, 'ablation.json'), `${JSON.stringify({ ...result, results }, null, 2)}\n`);
  print(json, result, `${table}\nkept in ${out}`);
}

/** JSON has no NaN: what could not be measured comes back as null. */
function plain(figures: Readonly<Record<string, number | null>>): Record<string, number> {
  return Object.fromEntries(Object.entries(figures).map(([name, value]) => [name, value ?? Number.NaN]));
}

const number = (value: number): string => (Number.isNaN(value) ? '-' : value.toFixed(Math.abs(value) < 10 ? 2 : 1));
