import { formatColumns } from '../report/index.js';
import {
  type Comparison,
  compareRuns,
  metricTitle,
  modelTitle,
  type Run,
  readManifest,
  readResults,
  type SeedResult,
} from '../sentiment/index.js';
import { ConfigError } from '../torch/index.js';
import { print, say } from './report.js';
import type { SentimentCompareFlags } from './sentiment-program.js';

/** `headrace sentiment compare`: two runs by the seeds that both have, on the test part. */
export function compareSentiment(a: string, b: string, { unpaired, json }: SentimentCompareFlags): void {
  const manifests = [a, b].map(readManifest);
  const [data, other] = manifests.map((manifest) => manifest.data);
  if (data !== other)
    throw new ConfigError(`Expected two runs on the same data, got ${data} (${a}) and ${other} (${b})`);
  const [first, second] = [a, b].map(readResults) as [SeedResult[], SeedResult[]];
  const of = (results: readonly SeedResult[]): Map<number, SeedResult> =>
    new Map(results.map((result) => [result.seed, result]));
  const [ofA, ofB] = [of(first), of(second)];
  const seeds = unpaired ? [] : [...ofA.keys()].filter((seed) => ofB.has(seed));
  if (!unpaired && seeds.length < 2) {
    throw new ConfigError(
      `Expected two seeds or more that both have, got ${seeds.length}: ${a} has ${[...ofA.keys()].join(', ') || 'none'}, ` +
        `${b} has ${[...ofB.keys()].join(', ') || 'none'}. --unpaired takes all of each`,
    );
  }
  const left = first.length + second.length - 2 * seeds.length;
  if (!unpaired && left > 0) say(`note: ${left} seed(s) that only one of both has are left out`);
  const runsOf = (results: Map<number, SeedResult>) =>
    unpaired ? [...results.values()] : seeds.map((seed) => results.get(seed)!);
  const [ofOne, ofOther] = [runsOf(ofA), runsOf(ofB)].map((results) => results.map(({ test }) => test)) as [
    Run[],
    Run[],
  ];
  const defined = Object.keys(ofOne[0] ?? {}).filter((name) =>
    [...ofOne, ...ofOther].every((run) => Number.isFinite(run[name])),
  );
  const only = (run: Run): Run => Object.fromEntries(defined.map((name) => [name, run[name]!]));
  const scores = compareRuns(ofOne.map(only), ofOther.map(only), { paired: !unpaired });
  const models = manifests.map(({ config }) => modelTitle(config.model));
  const test = unpaired ? "Welch's test" : `paired t-test over ${seeds.length} seeds`;
  print(json, { a, b, models, data, seeds, test, scores }, `${test}, ${data}\n${formatColumns(table(a, b, scores))}`);
}

function table(a: string, b: string, scores: Readonly<Record<string, Comparison>>): string[][] {
  const number = (value: number): string => (Number.isNaN(value) ? '-' : value.toFixed(4));
  const rows = Object.entries(scores).map(([name, { a: of, b: than, difference, interval, p }]) => [
    metricTitle(name),
    number(of.mean),
    number(than.mean),
    `${difference < 0 ? '' : '+'}${number(difference)}`,
    `${number(interval[0])} to ${number(interval[1])}`,
    number(p),
  ]);
  return [['', a, b, 'difference', '95 % interval', 'p'], ...rows];
}
