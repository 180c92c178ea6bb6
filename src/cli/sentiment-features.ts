import { saveNpz } from '../io/index.js';
import {
  audioExtractors,
  type Clip,
  type FeatureSpecs,
  type Modality,
  PackedSequences,
  SentimentBatches,
  SentimentData,
  utterance,
  visionSpec,
} from '../sentiment/index.js';
import { arange, ConfigError, DataError, scope, type Tensor, tensor } from '../torch/index.js';
import { readClips } from './clips.js';
import { print } from './report.js';
import type { SentimentFeaturesFlags } from './sentiment-program.js';

/** `headrace sentiment features`: the arrays of clips' utterances, padded, as MMSA's files name them. */
export async function extractFeatures(clips: readonly string[], flags: SentimentFeaturesFlags): Promise<void> {
  const { output, fps } = flags;
  const extractor = audioExtractors.find(({ spec }) => spec.name === flags.audio);
  if (!extractor) {
    const known = audioExtractors.map(({ spec }) => spec.name).join(', ');
    throw new ConfigError(`Expected --audio among ${known}, got '${flags.audio}'`);
  }
  const wanted: FeatureSpecs = { audio: extractor.spec, vision: visionSpec(fps) };
  const outcomes = await readClips(clips, flags, wanted, (clip) => clip);
  const read = outcomes.flatMap((outcome) => ('value' in outcome ? [outcome] : []));
  if (read.length === 0) throw new DataError(`None of the ${clips.length} clips could be read: nothing is written`);
  const data = gather(read, wanted);
  const shapes = save(data, output);
  const notes = read.flatMap(({ clip, value }) =>
    value.notes.map((note) => (clips.length > 1 ? `${clip}: ${note}` : note)),
  );
  const failed = outcomes.flatMap((outcome) => ('error' in outcome ? [outcome] : []));
  const named = clips.length > 1 ? { clips, failed } : { clip: clips[0] };
  const result = { ...named, out: output, utterances: data.length, shapes, features: data.specs, notes };
  const lines = Object.entries(shapes).map(([name, shape]) => `${name} [${shape.join(', ')}]`);
  print(flags.json, result, `${data.length} utterance(s): ${lines.join(', ')}\nwritten to ${output}`);
}

/** All utterances one after another; where a clip lacks a modality that others have, its utterances have no rows of it. */
function gather(read: readonly { clip: string; value: Clip }[], wanted: FeatureSpecs): SentimentData {
  const utterances = read.flatMap(({ clip, value }) =>
    value.utterances.map(({ text, start = null, end = null }, i) =>
      utterance({ id: `${clip}$_$${i + 1}`, video: clip, split: 'test', text, start, end }),
    ),
  );
  const places = read.flatMap(({ value }) => value.utterances.map((_, i) => ({ features: value.features, i })));
  const gathered = (['audio', 'vision'] as const).flatMap((name): [Modality, PackedSequences][] => {
    if (places.every(({ features }) => features[name] === undefined)) return [];
    const lengths = Int32Array.from(places, ({ features, i }) => features[name]?.lengths[i] ?? 0);
    const rows = (at: number): Float32Array => places[at]!.features[name]!.rows(places[at]!.i);
    return [[name, PackedSequences.from({ spec: wanted[name]!, lengths, read: rows })]];
  });
  return new SentimentData({ name: 'clips', utterances, features: Object.fromEntries(gathered) });
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
    saveNpz(output, arrays);
    return Object.fromEntries(data.modalities.map((name) => [name, batch[name]!.shape]));
  });
}
