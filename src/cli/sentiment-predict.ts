import { clipScore, loadModel, predictUtterances, readClip, type SentimentPrediction } from '../sentiment/index.js';
import { ConfigError } from '../torch/index.js';
import { print, say } from './report.js';
import type { SentimentPredictFlags } from './sentiment-program.js';

/** `headrace sentiment predict`. */
export async function predictSentiment(
  folder: string,
  clip: string | undefined,
  flags: SentimentPredictFlags,
): Promise<void> {
  const texts = flags.text ?? [];
  if ((clip === undefined) === (texts.length === 0)) {
    throw new ConfigError('Expected either a recording or video to read, or --text "..."');
  }
  const model = loadModel(folder, flags.seed);
  const { transcript, srt: subtitles } = flags;
  const input =
    clip === undefined
      ? { utterances: texts.map((text, i) => ({ id: `text ${i + 1}`, text })), features: {}, notes: [] }
      : await readClip(clip, model.manifest.features, { transcript, subtitles });
  for (const note of input.notes) say(`note: ${note}`);
  const utterances = predictUtterances(model, input.utterances, input.features);
  const whole = clip === undefined ? {} : { clip, score: clipScore(utterances), notes: input.notes };
  const result = { model: model.manifest.config.model, seed: model.seed, ...whole, utterances };
  const lines = utterances.map(line);
  if (clip !== undefined && utterances.length > 1) lines.push(`${signed(clipScore(utterances)!)}  the whole clip`);
  print(flags.json, result, lines.join('\n'));
}

function line(result: SentimentPrediction): string {
  const alone = Object.entries(result.unimodal).map(([name, score]) => `${name} ${signed(score)}`);
  const parts = [`${signed(result.score)}  ${result.label}, confidence ${result.confidence.toFixed(2)}`];
  if (alone.length > 1) parts.push(`alone: ${alone.join(', ')}`);
  if (result.missing.length > 0) parts.push(`missing: ${result.missing.join(', ')}`);
  const { start, end, text } = result;
  const when = start === null || end === null ? '' : `${start.toFixed(2)}-${end.toFixed(2)} s  `;
  return `${when}${parts.join('; ')}${text === null ? '' : `  "${text}"`}`;
}

function signed(value: number): string {
  return `${value < 0 ? '-' : '+'}${Math.abs(value).toFixed(2)}`;
}
