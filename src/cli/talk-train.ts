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
  readTrunkConfig,
  readVoiceConfig,
  trainEmotion,
  trainIrfd,
  trainSync,
  trainTalking,
  trainTrunk,
  trainVoice,
} from '../talkinghead/index.js';
import { ConfigError } from '../torch/index.js';
import { print } from './report.js';
import type { TalkTrainFlags } from './talk-models-program.js';
import { syncTable, voiceTable } from './talk-tables.js';
import { type Watching, watched } from './watched.js';

/** Trains, and tells of what it came to. Ctrl-C ends it after a step, with all of it kept. */
async function training<Result extends object>(
  { out, json }: TalkTrainFlags,
  steps: number,
  train: (watching: Watching) => Promise<Result | null>,
  tell: (result: Result) => string,
): Promise<void> {
  const stopping = `stopping after this step, with all of it kept in ${out}`;
  const result = await watched({ steps, stopping, stopped: 'stopped. To go on, add --resume' }, train);
  if (result !== null) print(json, { ...result, out }, tell(result));
}

/** What flags change of any recipe. */
export function recipeChanges({
  seed,
  threads,
  set,
}: Pick<TalkTrainFlags, 'seed' | 'threads' | 'set'>): Record<string, unknown> {
  const given = Object.entries({ seed, threads }).filter(([, value]) => value !== undefined);
  return { ...set, ...Object.fromEntries(given) };
}

/** `headrace talk train voice`. */
export async function trainTalk(name: string, flags: TalkTrainFlags): Promise<void> {
  const config = readVoiceConfig(name, recipeChanges(flags));
  const { out, clips = null, data, resume } = flags;
  await training(
    flags,
    config.steps,
    (watching) => trainVoice(config, { out, clips, data, resume, ...watching }),
    ({ scores, model }) => `${voiceTable(scores)}\nkept in ${model}`,
  );
}

/** `headrace talk train irfd`. */
export async function trainFactors(name: string, flags: TalkTrainFlags): Promise<void> {
  const config = readIrfdConfig(name, recipeChanges(flags));
  const { out, data, resume } = flags;
  await training(
    flags,
    config.steps,
    (watching) => trainIrfd(config, { out, data: data!, resume, ...watching }),
    ({ model, sheet }) => `kept in ${model}; exchanges between people it has not seen in ${sheet}`,
  );
}

/** `headrace talk train trunk`. */
export async function trainEncoderTrunk(name: string, flags: TalkTrainFlags): Promise<void> {
  const config = readTrunkConfig(name, recipeChanges(flags));
  const { out, data, resume } = flags;
  await training(
    flags,
    config.steps,
    ({ onProgress, onRecord, shouldStop }) =>
      trainTrunk(config, { out, data: data!, resume, onProgress, onRecord, shouldStop }),
    ({ metrics, picturesPerSecond }) => {
      const told = Object.entries(metrics ?? {}).map(([part, value]) => `${part} ${value?.toFixed(3) ?? '-'}`);
      const speed = picturesPerSecond === null ? [] : [`${picturesPerSecond.toFixed(0)} pictures/s`];
      return `${[...told, ...speed].join(', ')}\nkept in ${out}; talk train irfd begins with it by --set trunk=${out}`;
    },
  );
}

/** `headrace talk train syncnet`. */
export async function trainSyncNet(name: string, flags: TalkTrainFlags): Promise<void> {
  const config = readSyncConfig(name, recipeChanges(flags));
  const { out, data, resume } = flags;
  await training(
    flags,
    config.steps,
    (watching) => trainSync(config, { out, data: data!, resume, ...watching }),
    ({ model, scores }) => `${scores === null ? '' : `${syncTable(scores)}\n`}kept in ${model}`,
  );
}

/** `headrace talk train speak`. */
export async function trainSpeak(name: string, flags: TalkTrainFlags): Promise<void> {
  const config = readTalkingConfig(name, recipeChanges(flags));
  const { out, data, resume } = flags;
  await training(
    flags,
    config.steps,
    (watching) => trainTalking(config, { out, data: data!, resume, ...watching }),
    ({ model, sheet }) => `kept in ${model}; true frames and made ones in ${sheet}`,
  );
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
