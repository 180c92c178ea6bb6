import { writeFileAtomic } from '../io/index.js';
import { formatColumns } from '../report/index.js';
import {
  checkFeatureSpecs,
  conditionCalled,
  constantName,
  constantScores,
  degradeData,
  holdsReader,
  importModel,
  likeConstant,
  loadModel,
  loadSentiment,
  metricsOf,
  mmsaScores,
  modelTitle,
  ownFeatures,
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
import { checkFolderOf, print, say } from './report.js';
import { factorTable } from './sentiment-conditions.js';
import type { SentimentEvalFlags } from './sentiment-program.js';
import { evaluateReader } from './sentiment-reader.js';
import { resultsCsv, writePredictions } from './sentiment-tables.js';
import type { ConstantRow } from './sentiment-train.js';

/** `headrace sentiment eval`: every seed of a run on one split. */
export async function evaluateSentiment(folder: string, flags: SentimentEvalFlags): Promise<void> {
  for (const [option, file] of Object.entries({ '--predictions': flags.predictions, '--csv': flags.csv })) {
    if (file !== undefined) checkFolderOf(option, file);
  }
  if (holdsReader(folder)) return evaluateReader(folder, flags);
  const manifest = readManifest(folder);
  const { config } = manifest;
  const title = modelTitle(config.model);
  await importModel(config.model);
  const given = await loadSentiment(parseSentimentSpec(flags.data));
  const data = flags.condition === undefined ? given : degradeData(given, conditionCalled(flags.condition));
  for (const note of data.notes) say(`note: ${note}`);
  const read = ownFeatures(config);
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
    return { seed, metrics, predicted };
  });
  const texts = split!.indices.map((index) => data.utterances[index]!.text);
  if (flags.predictions)
    writePredictions(
      flags.predictions,
      manifest,
      runs.map((run) => ({ ...run, texts })),
    );
  const constant = constantOf(manifest, data, split!);
  const summary = summariseRuns(runs.map(({ metrics }) => metrics));
  if (flags.csv)
    writeFileAtomic(
      flags.csv,
      resultsCsv(
        title,
        runs.map(({ seed, metrics }) => [seed, metrics]),
      ),
    );
  const factors = factorTable([{ name: title, folder, results: readResults(folder) }], data);
  const result = {
    model: title,
    data: flags.data,
    split: flags.split,
    seeds: runs.map(({ seed, metrics }) => ({ seed, ...metrics })),
    summary,
    condition: flags.condition ?? null,
    mmsa: mmsaScores(summary),
    factors,
    constant,
  };
  const shown = (score: number): string => (Number.isNaN(score) ? '-' : score.toFixed(4));
  const rows = Object.entries(summary).map(([name, { mean, std }]) => {
    const cell = `${shown(mean)}${Number.isNaN(std) ? '' : ` ± ${std.toFixed(4)}`}`;
    return constant ? [name, cell, shown(constant.test[name]!)] : [name, cell];
  });
  const header = constant ? [['', title, constant.name]] : [];
  print(
    flags.json,
    result,
    `${title} on ${flags.data} (${flags.split}), ${seeds.length} seed(s)\n${formatColumns([...header, ...rows])}${factors.length > 0 ? `\n\n${formatColumns(factors)}` : ''}`,
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
