// What the verbs share: the options with their checks, and what they parse to. Light: nothing here touches libtorch.

import { type Command, InvalidArgumentError, Option } from 'commander';
import type { ComputeType } from '../pipeline/index.js';
import { type ScheduleName, scheduleNames } from '../pipeline/schedule.js';
import type { AugmentSpec } from '../vision/index.js';

export const headKinds = ['linear', 'dgl', 'auglocal'] as const;
export type HeadKind = (typeof headKinds)[number];

export const optimizerNames = ['sgd', 'adam', 'adamw'] as const;
export type OptimizerName = (typeof optimizerNames)[number];

/** A whole number of at least `least`, and at most `most`. */
export function whole(least: number, most = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === '' || !Number.isSafeInteger(value) || value < least || value > most) {
      throw new InvalidArgumentError(`Expected a whole number ${rangeText(least, most)}.`);
    }
    return value;
  };
}

const rangeText = (least: number, most: number): string =>
  most === Number.MAX_SAFE_INTEGER ? `>= ${least}` : `from ${least} to ${most}`;

/** A number from `least` to `most`. */
export function within(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === '' || !(value >= least && value <= most)) {
      throw new InvalidArgumentError(`Expected a number ${rangeText(least, most)}.`);
    }
    return value;
  };
}

/** `1/2`: the first of two machines. */
export function nodeOf(text: string): { number: number; of: number } {
  const [, number, of] = /^(\d+)\/(\d+)$/.exec(text.trim())?.map(Number) ?? [];
  if (number !== undefined && of !== undefined && number >= 1 && number <= of) return { number, of };
  throw new InvalidArgumentError('Expected K/N, such as 1/2 for the first of two machines.');
}

/** `node1:29500`, or `[::1]:29500`. */
export function hostAndPort(text: string): { host: string; port: number } {
  const found = /^(?:\[([^\]]+)\]|([^:\s]+)):(\d+)$/.exec(text.trim());
  const port = Number(found?.[3]);
  if (found !== null && port >= 1 && port < 65_536) return { host: (found[1] ?? found[2])!, port };
  throw new InvalidArgumentError('Expected HOST:PORT, such as node1:29500.');
}

/** A finite number of at least 0. */
export function positive(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value) || value < 0) {
    throw new InvalidArgumentError('Expected a number >= 0.');
  }
  return value;
}

/** `a,b,c`, none of them empty. */
export function list(text: string): string[] {
  const items = text.split(',').map((item) => item.trim());
  if (items.some((item) => item === '')) throw new InvalidArgumentError('Expected names with commas between.');
  return items;
}

export function scheduleList(text: string): ScheduleName[] {
  return list(text).map((name) => {
    if ((scheduleNames as readonly string[]).includes(name)) return name as ScheduleName;
    throw new InvalidArgumentError(`Allowed schedules are ${scheduleNames.join(', ')}; got ${name}.`);
  });
}

/** Borders: `3,7`, or an empty text for none. */
export function borders(text: string): number[] {
  return text.trim() === '' ? [] : list(text).map(whole(0));
}

/** `2` for all stages, or `2,1`: a number for each. */
export function counts(text: string): number | number[] {
  const [first, ...others] = list(text).map(whole(1)) as [number, ...number[]];
  return others.length === 0 ? first : [first, ...others];
}

/** Collects `--model-option depth=6 --model-option width=192`; values that read as JSON are JSON, the rest text. */
export function keyValue(text: string, before: Record<string, unknown>): Record<string, unknown> {
  const at = text.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('Expected key=value.');
  const value = text.slice(at + 1);
  let parsed: unknown = value;
  try {
    parsed = JSON.parse(value);
  } catch {
    // Not JSON: a word.
  }
  return { ...before, [text.slice(0, at)]: parsed };
}

/** Names of transforms, or a JSON list of them with their parameters. What is unknown is told by whoever uses it. */
export function transforms(text: string): AugmentSpec[] {
  if (!text.trim().startsWith('[')) return list(text).map((kind) => ({ kind }) as AugmentSpec);
  try {
    return JSON.parse(text) as AugmentSpec[];
  } catch (error) {
    throw new InvalidArgumentError(
      `Expected names, or a JSON list such as [{"kind":"mixup"}]: ${(error as Error).message}.`,
    );
  }
}

/** The options that say what to train and how, for `train`, `compare` and `plan`. */
export interface ModelFlags {
  data?: string;
  stages: number;
  replicas: number | number[];
  syncBatchNorm: boolean;
  head: HeadKind;
  headDepth?: number;
  cut?: number[];
  microbatches: number;
  batch: number;
  seed: number;
  threads: number;
  devices: string[];
  queue: number;
  compute: ComputeType;
  limit?: number;
  imageSize?: number;
  skipBad?: boolean;
  lazy?: boolean;
  transforms?: readonly AugmentSpec[];
  modelOption: Record<string, unknown>;
  dataOption: Record<string, unknown>;
}

export interface TrainFlags extends ModelFlags {
  out: string;
  schedule: ScheduleName;
  epochs?: number;
  steps?: number;
  lr?: number;
  optimizer?: OptimizerName;
  weightDecay?: number;
  init?: string;
  freeze?: string[];
  augment: boolean;
  evalEvery: number;
  patience?: number;
  checkpointEvery: number;
  wire: 'exact' | 'bfloat16';
  allowNan: boolean;
  resume: boolean;
  autoResume: boolean;
  json: boolean;
}

export interface CompareFlags extends ModelFlags {
  schedules: ScheduleName[];
  steps: number;
  rounds: number;
  warmUp: number;
  json: boolean;
}

export interface PlanFlags extends ModelFlags {
  schedule: ScheduleName;
  seconds: number;
  scale: boolean;
  faster: number;
  json: boolean;
}

export interface ExportFlags {
  output: string;
  best: boolean;
  json: boolean;
}

export interface EvalFlags {
  best: boolean;
  data?: string;
  stages?: number;
  batch: number;
  threads: number;
  devices?: string[];
  limit?: number;
  skipBad?: boolean;
  json: boolean;
}

export interface PredictFlags {
  best: boolean;
  top: number;
  batch: number;
  threads: number;
  devices?: string[];
  json: boolean;
}

export const dataOption = (more = ''): Option =>
  new Option('--data <spec>', `mnist | cifar10:DIR | svhn:DIR | stl10:DIR | folder:DIR ${more}`.trim());

export const scheduleOption = (): Option =>
  new Option('--schedule <name>', 'who works when').choices(scheduleNames).default('ppll');

export const bestOption = (): Option =>
  new Option('--best', 'by the weights that tested best, not the last ones').default(false);

export const jsonOption = (): Option =>
  new Option('--json', 'print one JSON object last on stdout; all else goes to stderr').default(false);

export const limitOption = (): Option =>
  new Option('--limit <n>', 'use the first n images only, of training and of test data').argParser(whole(1));

export const skipBadOption = (): Option =>
  new Option('--skip-bad', 'leave out images of folder: data that cannot be read');

export const batchOption = (): Option =>
  new Option('--batch <n>', 'images that one optimizer step sees').argParser(whole(1)).default(128);

export const threadsOption = (): Option =>
  new Option('--threads <n>', 'threads of each stage inside operators').argParser(whole(1)).default(1);

/** Where a trained model works. */
export const ownDevicesOption = (): Option =>
  new Option(
    '--devices <list>',
    "cpu | cuda:0 | ..., one for each stage, or one for all (default: the run's first)",
  ).argParser(list);

/** Adds the options of `ModelFlags`. */
export function addModelOptions(command: Command): Command {
  return command
    .addOption(dataOption())
    .addOption(new Option('--stages <n>', 'parts to cut the model into').argParser(whole(1)).default(2))
    .addOption(
      new Option('--replicas <n>', 'workers that share the batches of each stage, or a number for each: 2,1')
        .argParser(counts)
        .default(1),
    )
    .option('--sync-batch-norm', 'replicas normalise by the statistics of all their samples', false)
    .addOption(new Option('--head <kind>', 'local heads at stage borders').choices(headKinds).default('auglocal'))
    .addOption(new Option('--head-depth <n>', 'layers of an auglocal head').argParser(whole(0)))
    .addOption(new Option('--cut <borders>', 'where to cut: after which layers (default: measured)').argParser(borders))
    .addOption(new Option('--microbatches <n>', 'parts of a batch, for gpipe and 1f1b').argParser(whole(1)).default(4))
    .addOption(batchOption())
    .addOption(new Option('--seed <n>', 'start of every random number').argParser(whole(0)).default(0))
    .addOption(threadsOption())
    .addOption(
      new Option('--devices <list>', 'cpu | cuda:0,cuda:1 | ..., one for each stage, or one for all')
        .argParser(list)
        .default(['cpu'], 'cpu'),
    )
    .addOption(new Option('--queue <n>', 'batches that wait between two stages at most').argParser(whole(1)).default(2))
    .addOption(
      new Option(
        '--compute <dtype>',
        'what layers compute in; bfloat16 is faster on processors and GPUs that have it, weights stay float32',
      )
        .choices(['float32', 'bfloat16'])
        .default('float32'),
    )
    .addOption(limitOption())
    .addOption(new Option('--image-size <n>', 'resize the images of folder: data to this side').argParser(whole(1)))
    .addOption(skipBadOption())
    .addOption(new Option('--lazy', 'read the images of folder: data as they are needed (default: above 1 GiB)'))
    .addOption(new Option('--no-lazy', 'decode all images of folder: data into memory first'))
    .addOption(
      new Option(
        '--transforms <list>',
        'random changes to training images, in place of the usual ones: names, or a JSON list with parameters',
      )
        .argParser(transforms)
        .conflicts('augment'),
    )
    .addOption(
      new Option('--model-option <key=value>', 'an option of the model, such as depth=6; may be repeated')
        .argParser(keyValue)
        .default({}, 'none'),
    )
    .addOption(
      new Option('--data-option <key=value>', 'an option of data of your own; may be repeated')
        .argParser(keyValue)
        .default({}, 'none'),
    );
}

/** Whether the user gave an option, or it has its default. */
export const givenOf =
  (command: Command) =>
  (option: string): boolean =>
    command.getOptionValueSource(option) === 'cli';

/**
 * Refuses a command line without one of these options. Commander's own check comes before that for unknown options, and
 * would blame `--oot` on a missing `--out`.
 */
export function requireOptions(command: Command, ...names: string[]): void {
  for (const name of names) {
    if (command.getOptionValue(name) !== undefined) continue;
    const option = command.options.find((candidate) => candidate.attributeName() === name);
    command.error(`headrace: expected the option ${option?.flags}; ${verbOf(command)} --help shows an example`);
  }
}

/** As it is typed: `headrace sentiment train`. */
function verbOf(command: Command): string {
  return command.parent ? `${verbOf(command.parent)} ${command.name()}` : command.name();
}
