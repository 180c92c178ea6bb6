/**
 * Trains one model by one recipe in several ways and compares what they reach on held-out images. Hours of work: each run
 * has its own folder, a finished one is read and not trained again, and one that was broken off goes on.
 *
 * npm run bench accuracy -- --data cifar10:DIR --epochs 30
 * npm run bench accuracy -- --from DIR --from FILE     only the table, of runs that exist
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import {
  type EvalEvent,
  hasCheckpoint,
  isLocal,
  loadRunData,
  Progress,
  type RunConfig,
  type RunMetrics,
  readRun,
  readRunConfig,
  runDefaults,
  type ScheduleName,
  scheduleNames,
  Trainer,
} from 'headrace/pipeline';
import { type DataOptions, type ImageData, parseDataSpec, recipe, visionModelRef } from 'headrace/vision';
import { describeHost, type Host, hostLine } from './host.js';
import { say } from './progress.js';
import { markdownTable, median } from './results.js';
import { folderFor, today } from './write.js';

const HELP = `npm run bench accuracy -- --data SPEC [options]
  --model NAME         default resnet32
  --model-option K=N   a number of the model, such as width=96; may be repeated
  --epochs N           default 12
  --schedules LIST     default bp,ppll
  --stages LIST        of those but bp, default 2,4
  --head KIND          default auglocal (linear, dgl)
  --depth N            layers of an auglocal head, default 1
  --seeds LIST         default 0
  --batch N            default 128
  --limit N            first N images only, to try it out
  --out DIR            folders of the runs, default runs/accuracy
  --from DIR           no training: tabulate this run, or those of a .json in bench/results/; may be repeated
  --quick              write the table to bench/scratch/`;

/** What a finished run reached. */
interface Reached {
  readonly model: string;
  readonly schedule: ScheduleName;
  readonly stages: number;
  readonly head: string;
  readonly epochs: number;
  readonly seed: number;
  readonly cut: readonly number[];
  readonly accuracy: number;
  readonly loss: number | null;
  readonly count: number | null;
  readonly samplesPerSecond: number | null;
  readonly perEpoch: readonly number[];
  readonly folder: string;
}

export async function accuracy(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      data: { type: 'string' },
      model: { type: 'string', default: 'resnet32' },
      'model-option': { type: 'string', multiple: true, default: [] as string[] },
      epochs: { type: 'string', default: '12' },
      schedules: { type: 'string', default: 'bp,ppll' },
      stages: { type: 'string', default: '2,4' },
      head: { type: 'string', default: 'auglocal' },
      depth: { type: 'string', default: '1' },
      seeds: { type: 'string', default: '0' },
      batch: { type: 'string', default: '128' },
      limit: { type: 'string' },
      out: { type: 'string', default: 'runs/accuracy' },
      from: { type: 'string', multiple: true, default: [] as string[] },
      quick: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(`${HELP}\n`);
    return;
  }
  const host = describeHost();
  if (values.from.length > 0) {
    report(host, values.from.flatMap(readAllReached), values.quick);
    return;
  }
  if (values.data === undefined) throw new Error(`Expected --data SPEC.\n${HELP}`);
  const configs = await configsOf({ ...values, data: values.data });
  const reached: Reached[] = [];
  for (const [i, config] of configs.entries()) {
    say(`run ${i + 1} of ${configs.length}: ${config.out}`);
    if (!(await trained(config))) {
      process.exitCode = 130;
      return;
    }
    reached.push(readReached(config.out!));
    report(host, reached, values.quick);
  }
}

interface Flags {
  readonly data: string;
  readonly model: string;
  readonly 'model-option': readonly string[];
  readonly epochs: string;
  readonly schedules: string;
  readonly stages: string;
  readonly head: string;
  readonly depth: string;
  readonly seeds: string;
  readonly batch: string;
  readonly limit?: string | undefined;
  readonly out: string;
}

function whole(text: string, what: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) throw new Error(`Expected ${what} to be whole numbers, got ${text}`);
  return value;
}

const list = (text: string, what: string): number[] => text.split(',').map((item) => whole(item, what));

function keyAndNumber(text: string): [string, number] {
  const [key, value = ''] = text.split('=');
  return [key!, whole(value, `--model-option ${key}`)];
}

/** Every run that is asked for: one seed after another, so that a broken session has whole comparisons. */
async function configsOf(flags: Flags): Promise<RunConfig[]> {
  const { kind, dir } = parseDataSpec(flags.data);
  const schedules = flags.schedules.split(',') as ScheduleName[];
  const unknown = schedules.filter((name) => !scheduleNames.includes(name));
  if (unknown.length > 0) throw new Error(`Expected schedules among ${scheduleNames.join(', ')}, got ${unknown}`);
  const limit = flags.limit === undefined ? {} : { limit: whole(flags.limit, '--limit') };
  const options: DataOptions = { spec: dir === null ? kind : `${kind}:${resolve(dir)}`, ...limit };
  const data = { module: 'headrace/vision', export: 'loadDataset', options };
  const images = (await loadRunData(data)) as unknown as ImageData;
  const [channels, ...imageSize] = images.inputShape;
  const epochs = whole(flags.epochs, '--epochs');
  const form = Object.fromEntries(flags['model-option'].map(keyAndNumber));
  const chosen = recipe(flags.model, kind, { epochs, batchSize: whole(flags.batch, '--batch') });
  const head = flags.head as RunConfig['head']['kind'];
  const base: RunConfig = {
    ...runDefaults,
    ...chosen,
    model: visionModelRef({ name: flags.model, classes: images.classes.length, channels, imageSize, ...form } as never),
    modelName: [flags.model, ...flags['model-option']].join('-').replaceAll('=', ''),
    data,
    schedule: 'bp',
    stages: 1,
    head: head === 'auglocal' ? { kind: head, depth: whole(flags.depth, '--depth') } : { kind: head },
    checkpointEvery: Math.ceil(images.train.length / chosen.batchSize),
  };
  return list(flags.seeds, '--seeds').flatMap((seed) =>
    schedules.flatMap((schedule) => {
      const counts = schedule === 'bp' ? [1] : list(flags.stages, '--stages');
      return counts.map((stages): RunConfig => {
        const microbatches = schedule === 'gpipe' || schedule === '1f1b' ? 4 : 1;
        const config = { ...base, schedule, stages, microbatches, seed };
        return { ...config, out: resolve(flags.out, nameOf(config)) };
      });
    }),
  );
}

function nameOf(config: RunConfig): string {
  const { modelName, schedule, stages, head, epochs, seed } = config;
  const cut = schedule === 'bp' ? 'bp' : `${schedule}${stages}`;
  const headName = isLocal(schedule) ? `-${head.kind}${head.depth ?? ''}` : '';
  return `${modelName}-${cut}${headName}-e${epochs}-s${seed}`;
}

/** Trains, or goes on, or finds it done. @returns false where it was asked to stop before the end */
async function trained(wanted: RunConfig): Promise<boolean> {
  const out = wanted.out!;
  if (isFinished(out)) return true;
  const resume = hasCheckpoint(out);
  // A run that goes on keeps its own configuration: its cut was measured once.
  const run = new Trainer(resume ? readRunConfig(out) : wanted, { resume });
  const stop = (): void => run.stop();
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  const progress = new Progress(process.stderr, process.stderr.isTTY ? {} : { every: 60_000 });
  try {
    for await (const event of run) progress.update(event);
  } finally {
    progress.finish();
    process.off('SIGINT', stop);
    process.off('SIGTERM', stop);
  }
  return !(await run.result).stopped;
}

interface Metrics extends RunMetrics {
  readonly stopped: boolean;
}

const metricsPath = (out: string): string => join(out, 'metrics.json');

function isFinished(out: string): boolean {
  if (!existsSync(metricsPath(out)) || !hasCheckpoint(out)) return false;
  return !(JSON.parse(readFileSync(metricsPath(out), 'utf8')) as Metrics).stopped;
}

/** What is in a results file, or in the folder of a run. */
function readAllReached(path: string): readonly Reached[] {
  if (!path.endsWith('.json')) return [readReached(path)];
  return (JSON.parse(readFileSync(path, 'utf8')) as AccuracySession).runs;
}

function readReached(out: string): Reached {
  if (!isFinished(out)) throw new Error(`Expected the folder of a finished run, got ${out}`);
  const config = readRunConfig(out);
  const metrics = JSON.parse(readFileSync(metricsPath(out), 'utf8')) as Metrics;
  const { kind, depth } = config.head;
  const evaluations = readEvaluations(out);
  return {
    model: config.modelName,
    schedule: config.schedule,
    stages: config.schedule === 'bp' ? 1 : config.stages,
    head: isLocal(config.schedule) ? `${kind}${kind === 'auglocal' ? ` ${depth ?? 1}` : ''}` : '-',
    epochs: config.epochs ?? 0,
    seed: config.seed,
    cut: config.cut ?? [],
    accuracy: metrics.metrics!.accuracy!,
    loss: metrics.metrics!.loss!,
    count: evaluations.at(-1)?.count ?? null,
    samplesPerSecond: metrics.samplesPerSecond,
    perEpoch: evaluations.map((event) => event.metrics.accuracy!),
    folder: out,
  };
}

/** The evaluations of all sessions of a run; of an epoch tested twice, the later. */
function readEvaluations(out: string): EvalEvent[] {
  const byEpoch = new Map<number, EvalEvent>();
  for (const event of readRun(out)) if (event.type === 'eval') byEpoch.set(event.epoch, event);
  return [...byEpoch.values()].sort((a, b) => a.epoch - b.epoch);
}

export interface AccuracySession {
  readonly date: string;
  readonly host: Host;
  readonly runs: readonly Reached[];
}

function report(host: Host, runs: readonly Reached[], quick: boolean): void {
  const models = [...new Set(runs.map(({ model }) => model))].join('-');
  const folder = folderFor(quick);
  const path = join(folder, `${today()}-accuracy-${models}`);
  const table = accuracyTable(runs);
  mkdirSync(folder, { recursive: true });
  const session: AccuracySession = { date: today(), host, runs: runs.map(withoutFolder) };
  writeFileSync(`${path}.json`, `${JSON.stringify(session, null, 2)}\n`);
  writeFileSync(`${path}.md`, `# Accuracy, ${today()}\n\n${hostLine(host)}.\n\n${table}\n`);
  process.stdout.write(`\n${table}\n`);
  say(`written to ${path}`);
}

/** Folders are of one machine; their last part tells enough. */
function withoutFolder(run: Reached): Reached {
  return { ...run, folder: basename(run.folder) };
}

/** A row for each way of training, its median over the seeds, and how far it is from bp with as many epochs. */
export function accuracyTable(runs: readonly Reached[]): string {
  const ways = new Map<string, Reached[]>();
  for (const run of runs) {
    const { model, schedule, stages, head, epochs } = run;
    const key = JSON.stringify([model, schedule, stages, head, epochs]);
    ways.set(key, [...(ways.get(key) ?? []), run]);
  }
  const percent = (of: readonly Reached[]): number => 100 * median(of.map((run) => run.accuracy));
  const lines = [...ways.values()].map((of) => {
    const { model, schedule, stages, head, epochs } = of[0]!;
    const bp = runs.filter((run) => run.schedule === 'bp' && run.model === model && run.epochs === epochs);
    const difference = schedule === 'bp' || bp.length === 0 ? '-' : signed(percent(of) - percent(bp));
    const seeds = of.map(({ seed }) => seed).join(', ');
    return [model, schedule, `${stages}`, head, `${epochs}`, seeds, `${percent(of).toFixed(2)} %`, difference];
  });
  const header = ['model', 'schedule', 'stages', 'head', 'epochs', 'seeds', 'held-out accuracy', 'points from bp'];
  return markdownTable(header, lines);
}

function signed(value: number): string {
  return `${value < 0 ? '-' : '+'}${Math.abs(value).toFixed(2)}`;
}
