/** Experiments: rows that are trained one after another, measured alike, and put into one table. What is done already is taken as it is. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { readJsonFile, writeFileAtomic } from '../../../io/index.js';
import type { Run } from '../../../report/index.js';
import { describeDifferences, differencesOf } from '../../../run/index.js';
import { ConfigError } from '../../../torch/index.js';
import type { StepRecord } from '../../training/steps.js';
import type { ExperimentRow } from './rows.js';

export interface ExperimentHooks {
  readonly onProgress?: (what: string, done: number, all: number) => void;
  readonly onRecord?: (record: StepRecord) => void;
  readonly note?: (text: string) => void;
  readonly shouldStop?: () => boolean;
}

/** How a kind of model is trained and measured. Null where it was asked to stop. */
export interface ExperimentKind<Config, Found extends object> {
  /** Trains, or goes on. */
  train(
    config: Config,
    out: string,
    resume: boolean,
    hooks: ExperimentHooks,
  ): Promise<{ readonly history: readonly StepRecord[] } | null>;
  /** Measures on people left out. */
  evaluate(run: string, hooks: ExperimentHooks): Promise<Found | null>;
  /** The numbers that rows are compared by; NaN of what could not be measured. */
  figures(found: Found): Run;
}

/** What a row came to with one seed. */
export interface RowResult<Found> {
  readonly seed: number;
  readonly figures: Run;
  /** Seconds of a step, the mean over the training. */
  readonly secondsPerStep: number;
  readonly found: Found;
}

export interface RowResults<Found> {
  readonly name: string;
  readonly results: readonly RowResult<Found>[];
}

export interface ExperimentOptions extends ExperimentHooks {
  /** Folder of the experiment: a folder for each row, and in it one for each seed. */
  readonly out: string;
  /** How many seeds, from the configuration's own on. */
  readonly seeds: number;
  /** Told when a row begins. */
  readonly onRow?: (name: string, seed: number, done: number, all: number) => void;
}

/** Where a row's run with a seed lies. */
export function rowFolder(out: string, name: string, seed: number): string {
  return join(out, name.replaceAll(' ', '-'), `seed-${seed}`);
}

/**
 * Trains and measures all rows. The same call goes on where an earlier one was broken off.
 * @returns null where it was asked to stop: what is done is kept
 * @throws ConfigError where the folder holds rows of other settings
 */
export async function runExperiment<Config extends { readonly seed: number }, Found extends object>(
  kind: ExperimentKind<Config, Found>,
  rows: readonly ExperimentRow<Config>[],
  { out, seeds, onRow, ...hooks }: ExperimentOptions,
): Promise<RowResults<Found>[] | null> {
  const done: RowResults<Found>[] = [];
  for (const [i, { name, config }] of rows.entries()) {
    const results: RowResult<Found>[] = [];
    for (let k = 0; k < seeds; k++) {
      const seed = config.seed + k;
      onRow?.(name, seed, i * seeds + k, rows.length * seeds);
      const result = await rowResult(kind, { ...config, seed }, rowFolder(out, name, seed), hooks);
      if (result === null) return null;
      results.push(result);
    }
    done.push({ name, results });
  }
  return done;
}

async function rowResult<Config extends { readonly seed: number }, Found extends object>(
  kind: ExperimentKind<Config, Found>,
  config: Config,
  run: string,
  hooks: ExperimentHooks,
): Promise<RowResult<Found> | null> {
  const [settings, kept] = [join(run, 'config.json'), join(run, 'row.json')];
  const begun = existsSync(settings);
  if (begun) checkSame(readJsonFile<object>(settings, 'a configuration'), config, run);
  if (existsSync(kept)) return readJsonFile<RowResult<Found>>(kept, "a row's result");
  const trained = await kind.train(config, run, begun, hooks);
  const found = trained && (await kind.evaluate(run, hooks));
  if (trained === null || found === null) return null;
  const { history } = trained;
  const seconds = history.reduce((sum, record) => sum + record.seconds, 0);
  const secondsPerStep = seconds / history.at(-1)!.step;
  // As it will be read again.
  const text = JSON.stringify({ seed: config.seed, figures: kind.figures(found), secondsPerStep, found }, null, 2);
  writeFileAtomic(kept, `${text}\n`);
  return JSON.parse(text) as RowResult<Found>;
}

function checkSame(kept: object, config: object, run: string): void {
  const differences = differencesOf(kept, config);
  if (differences.length > 0)
    throw new ConfigError(
      `${run} holds a row of another configuration: its settings are ${describeDifferences(differences)}. Give those to go on, or another folder`,
    );
}
