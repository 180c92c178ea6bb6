import {
  checkFeatureSpecs,
  loadModel,
  loadSentiment,
  metricsOf,
  parseSentimentSpec,
  predictSplit,
  prepareTrained,
  readManifest,
  readResults,
  type SentimentBatches,
  summariseRuns,
} from '../sentiment/index.js';
import { ConfigError } from '../torch/index.js';
import { print } from './report.js';
import type { SentimentEvalFlags } from './sentiment-program.js';

/** `headrace sentiment eval`: every seed of a run on one split. */
export async function evaluateSentiment(folder: string, flags: SentimentEvalFlags): Promise<void> {
  const manifest = readManifest(folder);
  const data = await loadSentiment(parseSentimentSpec(flags.data));
  checkFeatureSpecs(manifest.features, data.specs, folder);
  const seeds = readResults(folder).map(({ seed }) => seed);
  if (seeds.length === 0) throw new ConfigError(`${folder} holds no trained seed yet`);
  // The seeds share their tokenizer, and so the tokens.
  let split: SentimentBatches | null = null;
  const runs = seeds.map((seed) => {
    const { network, reader } = loadModel(folder, seed);
    split ??= prepareTrained(manifest.config, data, reader, flags.split);
    return {
      seed,
      ...metricsOf(manifest.config, predictSplit(network, manifest.config, split), manifest.shape.outputs),
    };
  });
  const scores = runs.map(({ seed: _, ...metrics }) => metrics);
  const summary = summariseRuns(scores);
  const result = { model: manifest.config.model, data: flags.data, split: flags.split, seeds: runs, summary };
  const lines = Object.entries(summary).map(([name, { mean, std }]) => {
    return `${name.padEnd(12)} ${mean.toFixed(4)}${Number.isNaN(std) ? '' : ` ± ${std.toFixed(4)}`}`;
  });
  print(
    flags.json,
    result,
    `${manifest.config.model} on ${flags.data} (${flags.split}), ${seeds.length} seed(s)\n${lines.join('\n')}`,
  );
}
