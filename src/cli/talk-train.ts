import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { writeFileAtomic } from '../io/index.js';
import { formatColumns } from '../report/index.js';
import {
  crossValidateEmotion,
  EmotionModel,
  emotionSettings,
  readEmoDb,
  readIrfdConfig,
  readSyncConfig,
  readTalkingConfig,
  readVoiceConfig,
  type StepRecord,
  type SyncScores,
  trainEmotion,
  trainIrfd,
  trainSync,
  trainTalking,
  trainVoice,
  type VoiceScores,
} from '../talkinghead/index.js';
import { ConfigError } from '../torch/index.js';
import { PartsProgress } from './reading.js';
import { exitCodes, onInterrupt, print, say } from './report.js';
import type { TalkTrainFlags } from './talk-models-program.js';

/** What a training is told by, and how it is asked to stop. */
interface Watching<What extends string> {
  readonly onProgress: (what: What, done: number, all: number) => void;
  readonly onRecord: (record: StepRecord) => void;
  readonly note: (text: string) => void;
  readonly shouldStop: () => boolean;
}

/** Runs a training that Ctrl-C ends after a step, with all of it kept. */
async function watched<What extends string, Result>(
  { out, json }: TalkTrainFlags,
  steps: number,
  train: (watching: Watching<What>) => Promise<Result | null>,
  tell: (result: Result) => string,
): Promise<void> {
  const progress = new PartsProgress();
  let stopped = false;
  const release = onInterrupt(() => {
    say(`\nheadrace: stopping after this step, with all of it kept in ${out}; Ctrl-C again ends at once`);
    stopped = true;
  });
  try {
    const result = await train({
      onProgress: (what, done, all) => progress.update(what, done, all),
      onRecord: ({ step, loss }) => progress.keep(`step ${step} of ${steps}: ${partsText(loss)}`),
      note: (text) => progress.keep(`note: ${text}`),
      shouldStop: () => stopped,
    });
    progress.finish();
    if (result === null) {
      say('headrace: stopped. To go on, add --resume');
      process.exitCode = exitCodes.interrupted;
      return;
    }
    print(json, { ...result, out }, tell(result));
  } finally {
    progress.finish();
    release();
  }
}

/** Parts of a loss in words. */
function partsText(loss: Readonly<Record<string, number>>): string {
  return Object.entries(loss)
    .map(([name, value]) => `${name} ${value.toFixed(3)}`)
    .join(', ');
}

/** What flags change of any recipe. */
function changes({ seed, threads, set }: TalkTrainFlags): Record<string, unknown> {
  const given = Object.entries({ seed, threads }).filter(([, value]) => value !== undefined);
  return { ...set, ...Object.fromEntries(given) };
}

/** `headrace talk train voice`. */
export async function trainTalk(name: string, flags: TalkTrainFlags): Promise<void> {
  const config = readVoiceConfig(name, changes(flags));
  const { out, clips = null, data, resume } = flags;
  await watched(
    flags,
    config.steps,
    (watching) => trainVoice(config, { out, clips, data, resume, ...watching }),
    ({ scores, model }) => `${voiceTable(scores)}\nkept in ${model}`,
  );
}

/** `headrace talk train irfd`. */
export async function trainFactors(name: string, flags: TalkTrainFlags): Promise<void> {
  const config = readIrfdConfig(name, changes(flags));
  const { out, data, resume } = flags;
  await watched(
    flags,
    config.steps,
    (watching) => trainIrfd(config, { out, data: data!, resume, ...watching }),
    ({ model, sheet }) => `kept in ${model}; exchanges between people it has not seen in ${sheet}`,
  );
}

/** `headrace talk train syncnet`. */
export async function trainSyncNet(name: string, flags: TalkTrainFlags): Promise<void> {
  const config = readSyncConfig(name, changes(flags));
  const { out, data, resume } = flags;
  await watched(
    flags,
    config.steps,
    (watching) => trainSync(config, { out, data: data!, resume, ...watching }),
    ({ model, scores }) => `${scores === null ? '' : `${syncTable(scores)}\n`}kept in ${model}`,
  );
}

/** `headrace talk train speak`. */
export async function trainSpeak(name: string, flags: TalkTrainFlags): Promise<void> {
  const config = readTalkingConfig(name, changes(flags));
  const { out, data, resume } = flags;
  await watched(
    flags,
    config.steps,
    (watching) => trainTalking(config, { out, data: data!, resume, ...watching }),
    ({ model, sheet }) => `kept in ${model}; true frames and made ones in ${sheet}`,
  );
}

/** The scores as a table. */
export function syncTable({ clips, accuracy, shuffled, ...own }: SyncScores): string {
  const row = (name: string, { found, confidence, distance }: SyncScores['shuffled']): string[] => [
    name,
    `${(100 * found).toFixed(1)} %`,
    confidence.toFixed(3),
    distance.toFixed(3),
  ];
  const head = [`${clips} clips of people left out`, 'found within a frame', 'LSE-C', 'LSE-D'];
  const table = formatColumns([head, row('own sound', own), row("another clip's sound", shuffled)]);
  return `${table}\nin sync nearer than 3 to 15 frames away: ${(100 * accuracy).toFixed(1)} % (50 % by guessing)`;
}

/** `headrace talk train emotion`: half a minute, so that nothing is kept before the end. */
export async function trainHeardEmotion(name: string, { clips, out, seed, json, set }: TalkTrainFlags): Promise<void> {
  if (name !== 'standard' || Object.keys(set).length > 0)
    throw new ConfigError(`The emotion model has one recipe, standard, without settings to change; got ${name}`);
  const path = join(out, 'emotion.safetensors');
  if (existsSync(path)) throw new ConfigError(`${out} holds an emotion model already: give another folder`);
  const examples = await readEmoDb(clips!);
  const settings = { ...emotionSettings, seed: seed ?? emotionSettings.seed };
  const scores = crossValidateEmotion(examples, settings);
  mkdirSync(out, { recursive: true });
  EmotionModel.of(trainEmotion(examples, settings)).save(path);
  writeFileAtomic(join(out, 'emotion.json'), `${JSON.stringify({ settings, scores }, null, 2)}\n`);
  const rows = Object.entries(scores.f1).map(([emotion, f1]) => [emotion, f1.toFixed(2)]);
  const all = [['speakers left out', 'F1'], ...rows, ['mean', scores.macroF1.toFixed(2)]];
  print(json, { ...scores, out }, `${formatColumns(all)}\nkept in ${path}`);
}

/** The scores as a table. */
export function voiceTable({ exact, seen }: VoiceScores): string {
  const two = (value: number): string => value.toFixed(2);
  const share = (value: number): string => `${(100 * value).toFixed(1)} %`;
  const rows = exact.map((row) => [
    row.voice,
    row.condition,
    two(row.r),
    two(row.loudness),
    share(row.closed),
    two(row.offset),
    `${two(row.silent)} / ${two(row.spoken)}`,
  ]);
  const table = formatColumns([
    ['voice, exact mouth', 'heard', 'r', 'loudness', 'lips closed', 'frames late', 'cm silent / spoken'],
    ...rows,
  ]);
  if (seen.length === 0) return table;
  const people = seen.map((row) => [
    `${row.clips} clips`,
    row.condition,
    two(row.r),
    two(row.loudness),
    two(row.partial),
    two(row.offset),
  ]);
  const head = ['people left out, seen mouth', 'heard', 'r', 'loudness', 'r beyond loudness', 'frames late'];
  return `${table}\n\n${formatColumns([head, ...people])}`;
}
