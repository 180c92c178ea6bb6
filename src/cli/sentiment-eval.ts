import { formatColumns } from '../pipeline/index.js';
import {
  checkFeatureSpecs,
  constantName,
  constantScores,
  featureModalities,
  likeConstant,
  loadModel,
  loadSentiment,
  metricsOf,
  parseSentimentSpec,
  predictSplit,
  prepareTrained,
  readManifest,
  readResults,
  SentimentBatches,
  type SentimentData,
  type SentimentManifest,
  spreadOf,
  summariseRuns,
  trainingConstant,
} from '../sentiment/index.js';
import { ConfigError } from '../torch/index.js';
import { print, say } from './report.js';
import type { SentimentEvalFlags } from './sentiment-program.js';
import type { ConstantRow } from './sentiment-train.js';

/** `headrace sentiment eval`: every seed of a run on one split. */
export async function evaluateSentiment(folder: string, flags: SentimentEvalFlags): Promise<void> {
  const manifest = readManifest(folder);
  const { config } = manifest;
  const data = await loadSentiment(parseSentimentSpec(flags.data));
  for (const note of data.notes) say(`note: ${note}`);
  const read = featureModalities(config);
  // A set may have had features that the model does not read.
  const trained = Object.fromEntries(read.map((name) => [name, manifest.features[name]]));
  checkFeatureSpecs(trained, data.specs, folder);
  const seeds = readResults(folder).map(({ seed }) => seed);
  if (seeds.length === 0) throw new ConfigError(`${folder} holds no trained seed yet`);
  // The seeds share their tokenizer, and so the tokens.
  let split: SentimentBatches | null = null;
  const runs = seeds.map((seed) => {
    const { network, reader } = loadModel(folder, seed);
    split ??= prepareTrained(config, data, reader, flags.split);
    const predicted = predictSplit(network, config, split);
    const metrics = metricsOf(config, predicted, manifest.shape.outputs);
    const why = likeConstant(metrics, spreadOf(config, predicted.predictions, predicted.truth));
    if (why !== null) say(`warning: seed ${seed} is no better than a constant: ${why}`);
    return { seed, ...metrics };
  });
  const constant = constantOf(manifest, data, split!);
  const scores = runs.map(({ seed: _, ...metrics }) => metrics);
  const summary = summariseRuns(scores);
  const result = { model: config.model, data: flags.data, split: flags.split, seeds: runs, summary, constant };
  const shown = (score: number): string => (Number.isNaN(score) ? '-' : score.toFixed(4));
  const rows = Object.entries(summary).map(([name, { mean, std }]) => {
    const cell = `${shown(mean)}${Number.isNaN(std) ? '' : ` ± ${std.toFixed(4)}`}`;
    return constant ? [name, cell, shown(constant.test[name]!)] : [name, cell];
  });
  const header = constant ? [['', config.model, constant.name]] : [];
  print(
    flags.json,
    result,
    `${config.model} on ${flags.data} (${flags.split}), ${seeds.length} seed(s)\n${formatColumns([...header, ...rows])}`,
  );
}

/** What saying the same of every utterance comes to: what the training had most, or where an older folder does not say, this data's training part. */
function constantOf(
  { config, shape, classes, constant }: SentimentManifest,
  data: SentimentData,
  split: SentimentBatches,
): ConstantRow | null {
  const field = config.task === 'regression' ? 'label' : 'class';
  const labelled = data.indices('train').filter((index) => data.utterances[index]![field] !== null);
  if (constant === undefined && labelled.length === 0) return null;
  const value = constant ?? trainingConstant(config, new SentimentBatches(data, labelled, { modalities: [] }));
  return {
    name: constantName(config, value, classes),
    value,
    test: constantScores(config, split, value, shape.outputs),
  };
}
