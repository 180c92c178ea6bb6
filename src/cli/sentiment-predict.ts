import { loadModel, predictUtterances, type SentimentPrediction } from '../sentiment/index.js';
import { ConfigError } from '../torch/index.js';
import { print } from './report.js';
import type { SentimentPredictFlags } from './sentiment-program.js';

/** `headrace sentiment predict`. */
export async function predictSentiment(folder: string, flags: SentimentPredictFlags): Promise<void> {
  const texts = flags.text ?? [];
  if (texts.length === 0) throw new ConfigError('Expected something to read: --text "..."');
  const model = loadModel(folder, flags.seed);
  const utterances = predictUtterances(
    model,
    texts.map((text, i) => ({ id: `text ${i + 1}`, text })),
  );
  print(
    flags.json,
    { model: model.manifest.config.model, seed: model.seed, utterances },
    utterances.map(line).join('\n'),
  );
}

function line(result: SentimentPrediction): string {
  const alone = Object.entries(result.unimodal).map(([name, score]) => `${name} ${signed(score)}`);
  const parts = [`${signed(result.score)}  ${result.label}, confidence ${result.confidence.toFixed(2)}`];
  if (alone.length > 1) parts.push(`alone: ${alone.join(', ')}`);
  if (result.missing.length > 0) parts.push(`missing: ${result.missing.join(', ')}`);
  return `${parts.join('; ')}  "${result.text ?? ''}"`;
}

function signed(value: number): string {
  return `${value < 0 ? '-' : '+'}${Math.abs(value).toFixed(2)}`;
}
