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
import { print, say } from './report.js';
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
    print(flags.json, { ...about, utterances }, utterances.map(line).join('\n'));
    return;
  }
  const outcomes = await readClips(clips, flags, featuresOf(model), ({ utterances: inputs, features, notes }) => {
    const utterances = predictUtterances(model, inputs, features);
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

/** Without a folder, when the first argument is a clip or there is none, the model is the one that comes with Headrace. */
function modelAndClips(first: string | undefined, others: readonly string[]): { folder: string; clips: string[] } {
  if (first === undefined) return { folder: shippedModel, clips: [] };
  const isClip = statSync(first, { throwIfNoEntry: false })?.isFile() ?? false;
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

function line(result: SentimentPrediction): string {
  const heads = Object.entries(result.unimodal);
  const alone = heads.flatMap(([name, score]) => (score === null ? [] : [`${name} ${signed(score)}`]));
  const parts = [`${signed(result.score)}  ${result.label}, confidence ${result.confidence.toFixed(2)}`];
  if (heads.length > 1 && alone.length > 0) parts.push(`alone: ${alone.join(', ')}`);
  if (result.missing.length > 0) parts.push(`missing: ${result.missing.join(', ')}`);
  const { start, end, text } = result;
  const when = start === null || end === null ? '' : `${start.toFixed(2)}-${end.toFixed(2)} s  `;
  return `${when}${parts.join('; ')}${text === null ? '' : `  "${text}"`}`;
}

function signed(value: number): string {
  return `${value < 0 ? '-' : '+'}${Math.abs(value).toFixed(2)}`;
}
