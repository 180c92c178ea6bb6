import { statSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import {
  clipScore,
  type FeatureSpecs,
  type LoadedModel,
  loadModel,
  predictUtterances,
  type SentimentPrediction,
  shippedModel,
} from '../sentiment/index.js';
import { ConfigError } from '../torch/index.js';
import { type ClipOutcome, readClips } from './clips.js';
import { exitCodes, print, say } from './report.js';
import type { SentimentPredictFlags } from './sentiment-program.js';

/** `headrace sentiment predict`. */
export async function predictSentiment(
  dir: string | undefined,
  others: readonly string[],
  flags: SentimentPredictFlags,
): Promise<void> {
  const texts = flags.text ?? [];
  const { folder, clips } = modelAndClips(dir, others);
  if ((clips.length === 0) === (texts.length === 0)) {
    throw new ConfigError('Expected either recordings or videos to read, or --text "..."');
  }
  const model = loadModel(folder, flags.seed);
  const name = basename(resolve(folder));
  if (folder === shippedModel) say(`note: read by ${name}, the model that comes with Headrace`);
  const about = { name, model: model.manifest.config.model, seed: model.seed };
  if (texts.length > 0) {
    const utterances = predictUtterances(
      model,
      texts.map((text, i) => ({ id: `text ${i + 1}`, text })),
    );
    for (const { id, missing } of utterances.filter(({ score }) => Number.isNaN(score))) {
      say(`headrace: ${id} has nothing that the model reads: expected ${missing.join(' or ')}`);
      process.exitCode = exitCodes.failed;
    }
    sayUnknown(model, utterances);
    print(flags.json, { ...about, utterances }, utterances.map(line).join('\n'));
    return;
  }
  const outcomes = await readClips(clips, flags, featuresOf(model), ({ utterances: inputs, features, notes }) => {
    const utterances = predictUtterances(model, inputs, features);
    sayUnknown(model, utterances);
    return { score: clipScore(utterances), notes, utterances };
  });
  const [first] = outcomes;
  const single = outcomes.length === 1 && first !== undefined && 'value' in first;
  const results = outcomes.map((outcome) =>
    'value' in outcome ? { clip: outcome.clip, ...outcome.value } : { clip: outcome.clip, error: outcome.error },
  );
  const result = { ...about, ...(single ? results[0] : { clips: results }) };
  print(flags.json, result, single ? clipLines(first.value).join('\n') : outcomes.map(block).join('\n'));
}

/** How clips are called: `a.mp4`. What is not there and called so was meant as one. */
const MEDIA_NAME = /\.(?=\w*[a-z])[a-z0-9]{2,5}$/i;

/** Without a folder, when the first argument is a clip or there is none, the model is the one that comes with Headrace. */
function modelAndClips(first: string | undefined, others: readonly string[]): { folder: string; clips: string[] } {
  if (first === undefined) return { folder: shippedModel, clips: [] };
  const stat = statSync(first, { throwIfNoEntry: false });
  if (stat === undefined && !MEDIA_NAME.test(first)) {
    throw new ConfigError(
      `There is no ${first} (looked from ${process.cwd()}): expected the folder of a model, or a clip`,
    );
  }
  const isClip = stat === undefined || stat.isFile();
  return isClip ? { folder: shippedModel, clips: [first, ...others] } : { folder: first, clips: [...others] };
}

/** The features of clips that a model uses; a data set may have had others beside. */
function featuresOf({ manifest: { config, features } }: LoadedModel): FeatureSpecs {
  return Object.fromEntries(
    config.modalities.filter((name) => features[name] !== undefined).map((name) => [name, features[name]]),
  ) as FeatureSpecs;
}

interface ClipResult {
  readonly score: number | null;
  readonly utterances: readonly SentimentPrediction[];
}

function clipLines({ score, utterances }: ClipResult): string[] {
  const lines = utterances.map(line);
  if (utterances.length > 1 && score !== null) lines.push(`${signed(score)}  the whole clip`);
  return lines;
}

/** One of several clips: its name, and below it what it gave. What failed has been told. */
function block(outcome: ClipOutcome<ClipResult>): string {
  const lines = 'value' in outcome ? clipLines(outcome.value) : ['could not be read'];
  return [outcome.clip, ...lines.map((text) => `  ${text}`)].join('\n');
}

/** A text of whose words the model knows none says nothing to it. */
function sayUnknown({ reader }: LoadedModel, utterances: readonly SentimentPrediction[]): void {
  const { tokenizer } = reader ?? { tokenizer: null };
  for (const { id, text } of utterances) {
    if (tokenizer === null || text === null || text.trim() === '' || tokenizer.coverage([text]) > 0) continue;
    say(`note: ${id}: the model knows none of its words`);
  }
}

function line(result: SentimentPrediction): string {
  const heads = Object.entries(result.unimodal);
  const alone = heads.flatMap(([name, score]) => (score === null ? [] : [`${name} ${signed(score)}`]));
  const unread = Number.isNaN(result.score);
  const parts = unread
    ? ['nothing to read']
    : [`${signed(result.score)}  ${result.label}, confidence ${result.confidence.toFixed(2)}`];
  if (heads.length > 1 && alone.length > 0) parts.push(`alone: ${alone.join(', ')}`);
  if (result.missing.length > 0) parts.push(`missing: ${result.missing.join(', ')}`);
  const { start, end, text } = result;
  const when = start === null || end === null ? '' : `${start.toFixed(2)}-${end.toFixed(2)} s  `;
  return `${when}${parts.join('; ')}${text === null ? '' : `  "${text}"`}`;
}

function signed(value: number): string {
  return `${value < 0 ? '-' : '+'}${Math.abs(value).toFixed(2)}`;
}
