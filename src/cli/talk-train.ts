import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { writeFileAtomic } from '../io/index.js';
import { formatColumns } from '../pipeline/index.js';
import {
  crossValidateEmotion,
  EmotionModel,
  emotionSettings,
  readEmoDb,
  readVoiceConfig,
  trainEmotion,
  trainVoice,
  type VoiceRunOptions,
  type VoiceScores,
} from '../talkinghead/index.js';
import { ConfigError } from '../torch/index.js';
import { exitCodes, onInterrupt, print, say } from './report.js';
import type { TalkTrainFlags } from './talk-program.js';

/** `headrace talk train voice`. */
export async function trainTalk(name: string, flags: TalkTrainFlags): Promise<void> {
  const { seed, threads, out } = flags;
  const given = Object.entries({ seed, threads }).filter(([, value]) => value !== undefined);
  const config = readVoiceConfig(name, { ...flags.set, ...Object.fromEntries(given) });
  const line = new Line();
  let stopped = false;
  const release = onInterrupt(() => {
    say(`\nheadrace: stopping after this step, with all of it kept in ${out}; Ctrl-C again ends at once`);
    stopped = true;
  });
  try {
    const result = await trainVoice(config, {
      out,
      clips: flags.clips ?? null,
      data: flags.data,
      resume: flags.resume,
      onProgress: (what, done, all) => line.show(what, done, all),
      onRecord: ({ step, loss }) => line.keep(`step ${step} of ${config.steps}: ${parts(loss)}`),
      note: (text) => line.keep(`note: ${text}`),
      shouldStop: () => stopped,
    });
    line.end();
    if (result === null) {
      say('headrace: stopped. To go on, add --resume');
      process.exitCode = exitCodes.interrupted;
      return;
    }
    print(flags.json, { ...result, out }, `${voiceTable(result.scores)}\nkept in ${result.model}`);
  } finally {
    line.end();
    release();
  }
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

function parts(loss: Readonly<Record<string, number>>): string {
  return Object.entries(loss)
    .map(([name, value]) => `${name} ${value.toFixed(3)}`)
    .join(', ');
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

/** One line, rewritten on a terminal; elsewhere only what is kept. */
class Line {
  #open = false;
  #last = 0;

  show(what: Parameters<NonNullable<VoiceRunOptions['onProgress']>>[0], done: number, all: number): void {
    if (!process.stderr.isTTY || (performance.now() - this.#last < 100 && done < all)) return;
    this.#last = performance.now();
    process.stderr.write(`\r${what} ${done} of ${all}\x1b[K`);
    this.#open = true;
  }

  keep(text: string): void {
    this.end();
    say(text);
  }

  end(): void {
    if (this.#open) process.stderr.write('\n');
    this.#open = false;
  }
}
