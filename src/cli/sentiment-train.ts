import type { ProcessGroup } from '../distributed/index.js';
import { writeFileAtomic } from '../io/index.js';
import { duration, formatColumns } from '../report/index.js';
import {
  beginFolder,
  constantName,
  constantScores,
  type InitReport,
  likeConstant,
  loadSentiment,
  type Modality,
  mmsaScores,
  modelTitle,
  type PreparedData,
  parseSentimentSpec,
  prepareData,
  type Run,
  readSentimentConfig,
  resultTable,
  type SeedNotice,
  type SeedResult,
  SeedRuns,
  type SentimentConfig,
  type SentimentData,
  type SentimentSource,
  summariseRuns,
  trainingConstant,
} from '../sentiment/index.js';
import { asRank } from './ranks.js';
import { exitCodes, onInterrupt, print, say } from './report.js';
import type { SentimentTrainFlags } from './sentiment-program.js';
import { resultsCsv } from './sentiment-tables.js';

/** `headrace sentiment train`. */
export function trainSentiment(name: string, flags: SentimentTrainFlags): Promise<void> {
  return asRank((group, again) => trainHere(name, again ? { ...flags, resume: true } : flags, group));
}

async function trainHere(name: string, flags: SentimentTrainFlags, group: ProcessGroup | null): Promise<void> {
  const config = configOf(name, flags);
  const source = parseSentimentSpec(flags.data);
  const trained = await runSeeds(config, source, flags, flags.out, '', group);
  if (trained === null) return;
  const { results, constant } = trained;
  const summary = summariseRuns(results.map(({ test }) => test));
  const valid = summariseRuns(results.map((result) => result.valid));
  const speed = results.map(({ utterancesPerSecond }) => utterancesPerSecond);
  const seeds = results.map(({ seed }) => seed);
  const result = {
    model: modelTitle(config.model),
    data: flags.data,
    seeds,
    test: summary,
    mmsa: mmsaScores(summary),
    valid,
    constant,
    utterancesPerSecond: speed,
    out: flags.out,
  };
  writeFileAtomic(`${flags.out}/summary.json`, `${JSON.stringify(result, null, 2)}\n`);
  const runs = results.map(({ seed, test }): [number, Run] => [seed, test]);
  writeFileAtomic(`${flags.out}/results.csv`, resultsCsv(modelTitle(config.model), runs));
  const table = resultTable([{ name: modelTitle(config.model), results }], constant);
  print(flags.json, result, `${formatColumns(table)}\nkept in ${flags.out}`);
}

/** What a run came to, beside what saying the same of every utterance of the test part comes to. */
export interface TrainedSeeds {
  readonly results: SeedResult[];
  readonly constant: ConstantRow;
}

export interface ConstantRow {
  readonly name: string;
  /** What is said of every utterance. */
  readonly value: number;
  readonly test: Run;
}

function constantRow(config: SentimentConfig, { data, shape, splits }: PreparedData): ConstantRow {
  const value = trainingConstant(config, splits.train);
  const test = constantScores(config, splits.test, value, shape.outputs);
  return { name: constantName(config, value, data.classes), value, test };
}

/** Values of features that were no numbers, in words; nothing where there were none. */
function cleaned(data: SentimentData): string[] {
  return data.modalities.flatMap((name) => {
    const { nan, infinite, utterances } = data.features[name]!.cleaned;
    if (nan + infinite === 0) return [];
    return [`${name}: ${nan} NaN and ${infinite} infinite values, in ${utterances} utterances, are read as 0`];
  });
}

/** The configuration that a command line describes. */
export function configOf(name: string, flags: SentimentTrainFlags): SentimentConfig {
  const { vectors, bert, model, threads, schedule, init } = flags;
  const modalities = flags.modalities as Modality[] | undefined;
  const given = Object.entries({ schedule, init }).filter(([, value]) => value !== undefined);
  const set = { ...flags.set, ...Object.fromEntries(given) };
  const config = readSentimentConfig(name, { modalities, vectors, bert, model, set });
  return { ...config, threads };
}

/** Trains all seeds of one configuration with progress on stderr; null when Ctrl-C ended it. */
export async function runSeeds(
  config: SentimentConfig,
  source: SentimentSource,
  flags: SentimentTrainFlags,
  out: string,
  title: string,
  group: ProcessGroup | null = null,
): Promise<TrainedSeeds | null> {
  const data = await loadSentiment(source);
  const prepared = prepareData(config, data);
  beginFolder(out, config, prepared, flags.resume);
  for (const note of [...data.notes, ...cleaned(data), ...prepared.notes]) say(`note: ${note}`);
  if (prepared.unlabelled > 0) say(`note: ${prepared.unlabelled} utterances without a label are left out`);
  const constant = constantRow(config, prepared);
  data.dispose();
  const seeds = Array.from({ length: flags.seeds }, (_, i) => flags.firstSeed + i);
  const progress = new SeedProgress(config, seeds.length, title);
  const onNotice = (notice: SeedNotice): void => progress.update(notice);
  const runs = new SeedRuns(config, source, { seeds, out, jobs: flags.jobs, onNotice, group });
  const release = onInterrupt(() => {
    say(`\nheadrace: stopping after this epoch, with all of it kept in ${out}; Ctrl-C again ends at once`);
    runs.stop();
  });
  try {
    const results = await runs.run();
    progress.finish();
    if (!runs.stopped) {
      for (const result of results) warnOfConstant(result, title);
      return { results, constant };
    }
    say(`headrace: stopped; ${results.length} of ${seeds.length} seeds are done. To go on, add --resume`);
    process.exitCode = exitCodes.interrupted;
    return null;
  } finally {
    progress.finish();
    release();
  }
}

function warnOfConstant({ seed, test, spread = null }: SeedResult, title: string): void {
  const why = likeConstant(test, spread);
  if (why !== null) say(`warning: ${title}seed ${seed} is no better than a constant: ${why}`);
}

/** What the seeds begin with, in words. */
function begins({ seed, taken, fresh }: InitReport, folder: string | null): string {
  const rest = fresh.length === 0 ? '' : `; drawn anew: ${fresh.join(', ')}`;
  return `every seed begins with ${taken.length} tensors of ${folder}, seed ${seed}${rest}`;
}

/** One line, rewritten on a terminal; elsewhere a line for each seed that ends. */
class SeedProgress {
  #done = 0;
  #open = false;
  #begunWith = false;
  readonly #begun = Date.now();

  constructor(
    private readonly config: SentimentConfig,
    private readonly seeds: number,
    private readonly title: string,
  ) {}

  update(notice: SeedNotice): void {
    if (notice.kind === 'begun') {
      if (!this.#begunWith) say(`note: ${begins(notice.from, this.config.init)}`);
      this.#begunWith = true;
    } else if (notice.kind === 'done') {
      this.#done++;
      const { bestEpoch, epochs, test, seconds } = notice.result;
      const score = Object.entries(test)
        .slice(0, 2)
        .map(([name, value]) => `${name} ${value.toFixed(4)}`);
      this.#line(
        `${this.title}seed ${notice.seed}: best epoch ${bestEpoch} of ${epochs}, test ${score.join(', ')}, ${seconds.toFixed(0)} s`,
      );
      this.finish();
    } else if (notice.kind === 'epoch' && process.stderr.isTTY) {
      const { epoch, validLoss, utterancesPerSecond } = notice.record;
      const speed = `${utterancesPerSecond.toFixed(0)} utterances/s`;
      this.#line(
        `${this.title}seed ${notice.seed}, epoch ${epoch}: validation ${validLoss.toFixed(4)}, ${speed}${this.#eta(epoch)}`,
      );
    }
  }

  finish(): void {
    if (this.#open) process.stderr.write('\n');
    this.#open = false;
  }

  /** By the seeds that have ended; before that, the most it can take. */
  #eta(epoch: number): string {
    const passed = (Date.now() - this.#begun) / 1000;
    const share = this.#done > 0 ? this.#done / this.seeds : epoch / this.config.maxEpochs / this.seeds;
    const left = duration(passed / share - passed);
    return `, seeds ${this.#done}/${this.seeds}, ETA ${this.#done > 0 ? '' : 'at most '}${left}`;
  }

  #line(text: string): void {
    process.stderr.write(process.stderr.isTTY ? `\r${text}\x1b[K` : text);
    this.#open = true;
  }
}
