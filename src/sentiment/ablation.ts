/** The ablation grid of arXiv 2305.08473: which losses, which pairs, which weight, which unimodal tasks. */

import type { Modality } from '../features/specs.js';
import { pairedTest, type Run, summariseRuns, welchTest } from '../report/statistics.js';
import { ConfigError } from '../torch/index.js';
import { checkBranches, type SentimentConfig } from './config.js';
import { metricTitle } from './metrics.js';
import type { SeedResult } from './train-seed.js';

/** One line of the grid. */
export interface AblationRow {
  /** Also the name of its folder. */
  readonly name: string;
  /** Other rows of the grid that are this one: `lambda 1` is `L2+L1+L3` where that has weight 1. */
  readonly also: readonly string[];
  readonly config: SentimentConfig;
}

export const ablationParts = ['losses', 'pairs', 'lambda', 'kinds', 'tasks', 'branches'] as const;
export type AblationPart = (typeof ablationParts)[number];

const initials: Readonly<Record<Modality, string>> = { text: 'T', audio: 'A', vision: 'V' };

/**
 * The rows of the parts asked for, equal ones once. The first row is what the others are compared with: L2 + L1, which is
 * Self-MM.
 * @throws ConfigError where the configuration has one modality only: there is nothing to align; for branches that cannot be trained apart
 */
export function ablationRows(config: SentimentConfig, parts: readonly AblationPart[]): AblationRow[] {
  const used = config.modalities;
  if (used.length < 2) throw new ConfigError(`Expected two modalities or more to ablate, got ${used.join()}`);
  const unimodal = config.unimodal ?? { labels: 'generated' };
  const shared = config.alignment ?? { on: 'projected' as const, weights: { [`${used.at(-2)}-${used.at(-1)}`]: 1 } };
  const row = (name: string, change: Partial<SentimentConfig>): NamedConfig => [name, { ...config, ...change }];
  const withPairs = (pairs: readonly string[], weight = 1): SentimentConfig['alignment'] =>
    pairs.length === 0 ? null : { ...shared, weights: Object.fromEntries(pairs.map((pair) => [pair, weight])) };
  const rows: NamedConfig[] = [row('L2+L1', { unimodal, alignment: null })];
  if (parts.includes('losses')) {
    rows.push(row('L2', { unimodal: null, alignment: null }));
    rows.push(row('L2+L3', { unimodal: null, alignment: shared }));
    rows.push(row('L2+L1+L3', { unimodal, alignment: shared }));
  }
  if (parts.includes('pairs')) {
    for (const pairs of subsets(pairsOf(used)).filter((some) => some.length > 0)) {
      rows.push(row(`pairs ${pairs.map(shortPair).join(',')}`, { unimodal, alignment: withPairs(pairs) }));
    }
  }
  if (parts.includes('lambda')) {
    for (const weight of [0.01, 0.1, 1, 10, 100]) {
      rows.push(row(`lambda ${weight}`, { unimodal, alignment: withPairs(Object.keys(shared.weights), weight) }));
    }
  }
  if (parts.includes('kinds')) {
    const { normalise: _, loss: __, ...rest } = shared;
    rows.push(row('kind covariance', { unimodal, alignment: rest }));
    rows.push(row('kind correlation', { unimodal, alignment: { ...rest, normalise: 'correlation' } }));
    rows.push(row('kind cca', { unimodal, alignment: { ...rest, loss: 'cca' } }));
    rows.push(row('kind contrastive', { unimodal, alignment: { ...rest, loss: 'contrastive' } }));
  }
  if (parts.includes('tasks')) {
    for (const heads of subsets(used)) {
      const name = ['M', ...heads.map((head) => initials[head])].join('+');
      const all = heads.length === used.length;
      const tasks = heads.length === 0 ? null : all ? unimodal : { ...unimodal, modalities: heads };
      rows.push(row(`tasks ${name}`, { unimodal: tasks, alignment: null }));
    }
  }
  if (parts.includes('branches')) {
    // The last is trained as the aligned row of all losses is, but for what the fusion tells the encoders.
    rows.push(row('L2+L1+L3', { unimodal, alignment: shared }));
    const branches = [
      row('branches', { unimodal, alignment: null, schedule: 'ppll' }),
      row('branches aligned', { unimodal, alignment: shared, schedule: 'ppll' }),
    ];
    for (const [, each] of branches) checkBranches(each);
    rows.push(...branches);
  }
  return withoutTwins(rows);
}

type NamedConfig = readonly [name: string, config: SentimentConfig];

/** What is trained once counts once, in Holm's correction too. */
function withoutTwins(rows: readonly NamedConfig[]): AblationRow[] {
  const found = new Map<string, { name: string; config: SentimentConfig; also: string[] }>();
  for (const [name, config] of rows) {
    const key = JSON.stringify(config);
    const twin = found.get(key);
    if (twin) twin.also.push(name);
    else found.set(key, { name, config, also: [] });
  }
  return [...found.values()];
}

function pairsOf(names: readonly Modality[]): string[] {
  return names.flatMap((a, i) => names.slice(i + 1).map((b) => `${a}-${b}`));
}

function shortPair(pair: string): string {
  return pair
    .split('-')
    .map((name) => initials[name as Modality])
    .join('');
}

/** All subsets, by size: subset k holds the items whose bits k has. */
function subsets<T>(items: readonly T[]): T[][] {
  const all = Array.from({ length: 2 ** items.length }, (_, bits) => items.filter((_, i) => (bits >> i) & 1));
  return all.sort((a, b) => a.length - b.length);
}

/** A row with its results, beside the first one. */
export interface AblationOutcome {
  readonly name: string;
  readonly results: readonly SeedResult[];
  /** Mean test MAE less that of the first row, with its 95 % interval and p-value; null for the first row. */
  readonly difference: {
    readonly mean: number;
    readonly interval: readonly [number, number];
    readonly p: number;
  } | null;
}

/** Compares every row's test MAE with the first row's, seed by seed where both have the same seeds, else by Welch's test. */
export function compareRows(
  rows: readonly { readonly name: string; readonly results: readonly SeedResult[] }[],
): AblationOutcome[] {
  const [first] = rows;
  const mae = (results: readonly SeedResult[]): number[] => results.map(({ test }) => test.mae!);
  const seeds = (results: readonly SeedResult[]): string => results.map(({ seed }) => seed).join();
  return rows.map(({ name, results }) => {
    if (name === first!.name) return { name, results, difference: null };
    const test = seeds(results) === seeds(first!.results) ? pairedTest : welchTest;
    const { difference, interval, p } = test(mae(results), mae(first!.results));
    return { name, results, difference: { mean: difference, interval, p } };
  });
}

/**
 * What the numbers allow to say. A row counts as different when its p-value stays below 0.05 after Holm's correction for
 * the number of rows.
 */
export function verdict(outcomes: readonly AblationOutcome[]): string {
  const compared = outcomes.filter(({ difference }) => difference !== null);
  const ordered = [...compared].sort((a, b) => a.difference!.p - b.difference!.p);
  const proven: string[] = [];
  for (const [rank, { name, difference }] of ordered.entries()) {
    // Also where there is no p-value: equal results of every seed.
    if (!(difference!.p * (ordered.length - rank) < 0.05)) break;
    proven.push(`${name} is ${difference!.mean < 0 ? 'better' : 'worse'} (MAE ${signed(difference!.mean)})`);
  }
  const test = samePairs(outcomes) ? 'paired t-test' : "Welch's test";
  const seeds = Math.min(...outcomes.map(({ results }) => results.length));
  const against = `${outcomes[0]!.name}, ${seeds} seeds, ${test} on test MAE with Holm's correction for ${ordered.length} rows`;
  if (proven.length === 0) return `No difference that these runs can show, against ${against}.`;
  return `Against ${against}: ${proven.join('; ')}. The other rows show no difference.`;
}

function samePairs(outcomes: readonly AblationOutcome[]): boolean {
  return new Set(outcomes.map(({ results }) => results.map(({ seed }) => seed).join())).size === 1;
}

function signed(value: number): string {
  return `${value < 0 ? '-' : '+'}${Math.abs(value).toFixed(4)}`;
}

const shown = (score: number): string => (Number.isNaN(score) ? '-' : score.toFixed(4));

/**
 * A table of test metrics, mean ± standard deviation over the seeds; `-` where a score is not defined.
 * @param constant - the last row: what saying the same of every utterance comes to
 */
export function resultTable(
  rows: readonly { readonly name: string; readonly results: readonly SeedResult[] }[],
  constant?: { readonly name: string; readonly test: Run } | null,
): string[][] {
  const [first] = rows.filter(({ results }) => results.length > 0);
  if (!first) return [];
  const names = Object.keys(first.results[0]!.test);
  const header = ['', 'seeds', ...names.map(metricTitle)];
  const lines = rows.map(({ name, results }) => {
    const summary = summariseRuns(results.map(({ test }) => test));
    const cells = names.map((metric) => {
      const { mean, std } = summary[metric]!;
      return Number.isNaN(std) ? shown(mean) : `${shown(mean)} ± ${std.toFixed(4)}`;
    });
    return [name, String(results.length), ...cells];
  });
  if (constant) lines.push([constant.name, '', ...names.map((name) => shown(constant.test[name] ?? Number.NaN))]);
  return [header, ...lines];
}
