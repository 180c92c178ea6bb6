/** Prediction by a trained model: a score and what the heads of single modalities say, with what was missing. */

import type { SequenceFeatures } from '../features/sequences.js';
import { checkFeatureSpecs, type FeatureSpecs, type Modality } from '../features/specs.js';
import { ConfigError, noGrad, scope, tensor, zeros } from '../torch/index.js';
import type { LoadedModel } from './bundle.js';
import { SentimentBatches, SentimentData, utterance } from './datasets/index.js';
import type { SentimentOutput } from './models/model.js';
import { featureModalities } from './prepare.js';

/** An utterance to read: its words, and its features where there are any. */
export interface UtteranceInput {
  readonly id: string;
  readonly text: string | null;
  readonly start?: number | null;
  readonly end?: number | null;
}

/** Features of all utterances of a clip, by modality. */
export type ClipFeatures = Readonly<Partial<Record<Modality, SequenceFeatures>>>;

export interface SentimentPrediction {
  readonly id: string;
  readonly text: string | null;
  readonly start: number | null;
  readonly end: number | null;
  /** On the data set's range; for classes the most likely one's index. NaN where the utterance has nothing that the model reads. */
  readonly score: number;
  /** `unknown` where there is no score. */
  readonly label: string;
  /**
   * Of classes, the probability. Of a score, how far it lies from neutral as a share of the range: 0 to 1; it is no
   * probability.
   */
  readonly confidence: number;
  /** What single modalities say, on the same range; null of those that are missing; empty where the model has no such heads. */
  readonly unimodal: Readonly<Partial<Record<Modality, number | null>>>;
  /** Modalities that the model uses and this utterance lacks: they were read as silence, and the result is less sure. */
  readonly missing: readonly Modality[];
}

/** Scores nearer to zero than this share of the range are neutral. */
const NEUTRAL = 0.1;

/**
 * Reads utterances. One with nothing that the model reads has no score, and all modalities are `missing`.
 * @throws ConfigError when the features are not those that the model was trained on, or no utterance has anything to read
 */
export function predictUtterances(
  model: LoadedModel,
  inputs: readonly UtteranceInput[],
  own: ClipFeatures = {},
): SentimentPrediction[] {
  if (inputs.length === 0) return [];
  const { manifest, network, reader } = model;
  const texts = inputs.map(({ text }) => text ?? '');
  const features = reader?.rows ? { ...own, text: reader.rows(texts) } : own;
  const { config } = manifest;
  const rows = featureModalities(config);
  const given = rows.filter((name) => features[name] !== undefined);
  const specs = Object.fromEntries(given.map((name) => [name, features[name]!.spec])) as FeatureSpecs;
  checkFeatureSpecs(Object.fromEntries(given.map((name) => [name, manifest.features[name]])), specs, 'The model');
  const utterances = inputs.map(({ id, text, start, end }) =>
    utterance({ id, video: 'clip', split: 'test', text, start: start ?? null, end: end ?? null }),
  );
  const tokens = reader?.tokenizer ? reader.tokenizer.encode(texts) : null;
  const read = Object.fromEntries(given.map((name) => [name, features[name]!]));
  const data = new SentimentData({ name: 'the input', utterances, features: read, tokens });
  const batches = new SentimentBatches(
    data,
    utterances.map((_, i) => i),
    { modalities: given },
  );
  const lacking = inputs.map((input, i) => config.modalities.filter((name) => isMissing(name, input, features, i)));
  if (lacking.every((missing) => missing.length === config.modalities.length)) {
    throw new ConfigError(
      `'${inputs[0]!.id}' has nothing that the model reads: expected ${config.modalities.join(' or ')}`,
    );
  }
  return inputs.map((input, i) => {
    const missing = lacking[i]!;
    const about = { id: input.id, text: input.text, start: input.start ?? null, end: input.end ?? null, missing };
    if (missing.length === config.modalities.length) return { ...about, ...NOTHING };
    const read = scope(() =>
      noGrad(() => {
        const batch = batches.batch(tensor([i], { dtype: 'int64' }));
        const absent = rows.filter((name) => !given.includes(name));
        const silence = absent.map((name) => silent(name, manifest.shape.widths[name]!));
        const output = network.forward(Object.assign({}, batch, ...silence));
        return toResult(output, missing, manifest.classes, manifest.range);
      }),
    );
    return { ...about, ...read };
  });
}

function isMissing(name: Modality, input: UtteranceInput, features: ClipFeatures, index: number): boolean {
  if (name === 'text' && features.text === undefined) return (input.text ?? '').trim() === '';
  const found = features[name];
  return found === undefined || found.lengths[index] === 0;
}

/** One row of padding: what an utterance without that modality looks like in training, too. */
function silent(name: Modality, width: number): Record<string, unknown> {
  return {
    [name]: zeros([1, 1, width]),
    [`${name}Lengths`]: tensor([1], { dtype: 'int64' }),
    [`${name}Mask`]: zeros([1, 1], { dtype: 'bool' }),
  };
}

type Read = Pick<SentimentPrediction, 'score' | 'label' | 'confidence' | 'unimodal'>;

/** What is said of an utterance with nothing to read. */
const NOTHING: Read = { score: Number.NaN, label: 'unknown', confidence: 0, unimodal: {} };

function toResult(
  output: SentimentOutput,
  missing: readonly Modality[],
  classes: readonly string[],
  range: readonly [number, number] | null,
): Read {
  if (output.prediction.ndim === 2) {
    const probabilities = output.prediction.softmax(1).squeeze(0).tolist() as number[];
    const score = probabilities.indexOf(Math.max(...probabilities));
    return { score, label: classes[score] ?? String(score), confidence: probabilities[score]!, unimodal: {} };
  }
  const limit = Math.max(...(range ?? [-3, 3]).map(Math.abs));
  const score = clip(output.prediction.item(), limit);
  const alone = Object.entries(output.unimodal).map(([name, value]) => [
    name,
    missing.includes(name as Modality) ? null : clip(value.item(), limit),
  ]);
  return {
    score,
    label: labelOf(score, limit),
    confidence: Math.abs(score) / limit,
    unimodal: Object.fromEntries(alone),
  };
}

function labelOf(score: number, limit: number): string {
  if (Math.abs(score) <= NEUTRAL * limit) return 'neutral';
  return score > 0 ? 'positive' : 'negative';
}

function clip(value: number, limit: number): number {
  return Math.min(limit, Math.max(-limit, value));
}

/** The mean over the utterances of a clip that have a score, weighted by their length where it is known. Null without any. */
export function clipScore(all: readonly SentimentPrediction[]): number | null {
  const predictions = all.filter(({ score }) => !Number.isNaN(score));
  const weights = predictions.map(({ start, end }) =>
    start === null || end === null ? 1 : Math.max(0.1, end - start),
  );
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  if (total === 0) return null;
  return predictions.reduce((sum, { score }, i) => sum + score * weights[i]!, 0) / total;
}
