import { statSync } from 'node:fs';
import { saveNpz } from '../io/index.js';
import {
  audioExtractors,
  type Clip,
  extractDataset,
  type FeatureSpec,
  type FeatureSpecs,
  gatherFeatures,
  importExtractor,
  loadLabelFolder,
  loadTable,
  SentimentBatches,
  SentimentData,
  saveMmsaNpz,
  splitNames,
  utterance,
  visionSpec,
} from '../sentiment/index.js';
import { arange, ConfigError, DataError, scope, type Tensor, tensor } from '../torch/index.js';
import { fileExport, locatedExport } from '../torch/user-modules.js';
import { readClips } from './clips.js';
import { exitCodes, print, say } from './report.js';
import type { SentimentFeaturesFlags } from './sentiment-program.js';

/** `headrace sentiment features`: the arrays of clips' utterances, padded, as MMSA's files name them. */
export async function extractFeatures(paths: readonly string[], flags: SentimentFeaturesFlags): Promise<void> {
  const own = flags.vision && (await importExtractor(locatedExport(flags.vision, 'an extractor'), 'vision'));
  const wanted: FeatureSpecs = { audio: await audioSpec(flags.audio), vision: own ? own.spec : visionSpec(flags.fps) };
  const [first] = paths;
  const stat = statSync(first!, { throwIfNoEntry: false });
  const labelled = paths.length === 1 && (stat?.isDirectory() || (stat !== undefined && /\.(csv|jsonl)$/.test(first!)));
  await (labelled ? featuresOfFolder(first!, flags, wanted) : featuresOfClips(paths, flags, wanted));
}

/** Of features by their name, or by a file of one's own. */
async function audioSpec(name: string): Promise<FeatureSpec> {
  if (fileExport(name)) return (await importExtractor(locatedExport(name, 'an extractor'), 'audio')).spec;
  const extractor = audioExtractors.find(({ spec }) => spec.name === name);
  if (extractor) return extractor.spec;
  const known = audioExtractors.map(({ spec }) => spec.name).join(', ');
  throw new ConfigError(`Expected --audio among ${known} or ./mine.js:name, got '${name}'`);
}

/** A folder with a `label.csv`, or a table: a file to train on. */
async function featuresOfFolder(folder: string, flags: SentimentFeaturesFlags, wanted: FeatureSpecs): Promise<void> {
  if (flags.transcript !== undefined || flags.srt !== undefined || flags.asr !== undefined)
    throw new ConfigError(`Expected none of --transcript, --srt and --asr: the words of ${folder} are in its table`);
  const given = statSync(folder).isDirectory() ? loadLabelFolder(folder) : loadTable(folder);
  for (const note of given.notes) say(`note: ${note}`);
  const { data, failed } = await extractDataset(given, wanted, (i, remarks) => {
    for (const remark of remarks) say(`note: ${given.utterances[i]!.id}: ${remark}`);
    if ((i + 1) % 100 === 0) say(`${i + 1} of ${given.length} clips`);
  });
  if (data.length === 0) throw new DataError(`None of the ${given.length} clips of ${folder} could be read`);
  saveMmsaNpz(data, flags.output);
  if (failed.length > 0) process.exitCode = exitCodes.failed;
  const splits = Object.fromEntries(splitNames.map((split) => [split, data.indices(split).length]));
  const result = { folder, out: flags.output, utterances: data.length, splits, features: data.specs, failed };
  const counts = Object.entries(splits).map(([split, count]) => `${split} ${count}`);
  const lacking = failed.length > 0 ? `; ${failed.length} left out` : '';
  const written = `written to ${flags.output}: train with --data mmsa:${flags.output}`;
  print(flags.json, result, `${data.length} clips (${counts.join(', ')})${lacking}\n${written}`);
}

async function featuresOfClips(
  clips: readonly string[],
  flags: SentimentFeaturesFlags,
  wanted: FeatureSpecs,
): Promise<void> {
  const outcomes = await readClips(clips, flags, wanted, (clip) => clip);
  const read = outcomes.flatMap((outcome) => ('value' in outcome ? [outcome] : []));
  if (read.length === 0) throw new DataError(`None of the ${clips.length} clips could be read: nothing is written`);
  const data = gather(read, wanted);
  const shapes = save(data, flags.output);
  const notes = read.flatMap(({ clip, value }) =>
    value.notes.map((note) => (clips.length > 1 ? `${clip}: ${note}` : note)),
  );
  const failed = outcomes.flatMap((outcome) => ('error' in outcome ? [outcome] : []));
  const named = clips.length > 1 ? { clips, failed } : { clip: clips[0] };
  const result = { ...named, out: flags.output, utterances: data.length, shapes, features: data.specs, notes };
  const lines = Object.entries(shapes).map(([name, shape]) => `${name} [${shape.join(', ')}]`);
  print(flags.json, result, `${data.length} utterance(s): ${lines.join(', ')}\nwritten to ${flags.output}`);
}

/** All utterances one after another. */
function gather(read: readonly { clip: string; value: Clip }[], wanted: FeatureSpecs): SentimentData {
  const utterances = read.flatMap(({ clip, value }) =>
    value.utterances.map(({ text, start = null, end = null }, i) =>
      utterance({ id: `${clip}$_$${i + 1}`, video: clip, split: 'test', text, start, end }),
    ),
  );
  const places = read.flatMap(({ value }) => value.utterances.map((_, index) => ({ features: value.features, index })));
  return new SentimentData({ name: 'clips', utterances, features: gatherFeatures(wanted, places) });
}

/** Writes the arrays; returns their shapes. */
function save(data: SentimentData, output: string): Record<string, readonly number[]> {
  const { utterances } = data;
  return scope(() => {
    const batches = new SentimentBatches(
      data,
      utterances.map((_, i) => i),
    );
    const batch = batches.batch(arange(0, utterances.length, 1, { dtype: 'int64' }));
    const arrays: [string, Tensor | string[]][] = data.modalities.flatMap((name): [string, Tensor][] => [
      [name, batch[name]!],
      [`${name}_lengths`, tensor(BigInt64Array.from(data.features[name]!.lengths, BigInt))],
    ]);
    arrays.push(['raw_text', utterances.map(({ text }) => text ?? '')], ['id', utterances.map(({ id }) => id)]);
    arrays.push(['start', tensor(Float64Array.from(utterances, ({ start }) => start ?? 0))]);
    arrays.push(['end', tensor(Float64Array.from(utterances, ({ end }) => end ?? 0))]);
    arrays.push(['specs', [JSON.stringify(data.specs)]]);
    saveNpz(output, arrays);
    return Object.fromEntries(data.modalities.map((name) => [name, batch[name]!.shape]));
  });
}
