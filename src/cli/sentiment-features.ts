import { saveNpz } from '../io/index.js';
import {
  audioExtractors,
  type FeatureSpecs,
  readClip,
  SentimentBatches,
  SentimentData,
  utterance,
  visionSpec,
} from '../sentiment/index.js';
import { arange, ConfigError, scope, type Tensor, tensor } from '../torch/index.js';
import { print, say } from './report.js';
import type { SentimentFeaturesFlags } from './sentiment-program.js';

/** `headrace sentiment features`: the arrays of a clip's utterances, padded, as MMSA's files name them. */
export async function extractFeatures(clip: string, flags: SentimentFeaturesFlags): Promise<void> {
  const { transcript, srt: subtitles, output, fps } = flags;
  const extractor = audioExtractors.find(({ spec }) => spec.name === flags.audio);
  if (!extractor) {
    const known = audioExtractors.map(({ spec }) => spec.name).join(', ');
    throw new ConfigError(`Expected --audio among ${known}, got '${flags.audio}'`);
  }
  const wanted: FeatureSpecs = { audio: extractor.spec, vision: visionSpec(fps) };
  const { utterances, features, notes } = await readClip(clip, wanted, { transcript, subtitles });
  for (const note of notes) say(`note: ${note}`);
  const items = utterances.map(({ id, text, start = null, end = null }) =>
    utterance({ id, video: clip, split: 'test', text, start, end }),
  );
  const data = new SentimentData({ name: clip, utterances: items, features });
  const shapes = scope(() => {
    const batches = new SentimentBatches(
      data,
      items.map((_, i) => i),
    );
    const batch = batches.batch(arange(0, items.length, 1, { dtype: 'int64' }));
    const arrays: [string, Tensor | string[]][] = data.modalities.flatMap((name): [string, Tensor][] => [
      [name, batch[name]!],
      [`${name}_lengths`, tensor(BigInt64Array.from(data.features[name]!.lengths, BigInt))],
    ]);
    arrays.push(['raw_text', items.map(({ text }) => text ?? '')], ['id', items.map(({ id }) => id)]);
    arrays.push(['start', tensor(Float64Array.from(items, ({ start }) => start ?? 0))]);
    arrays.push(['end', tensor(Float64Array.from(items, ({ end }) => end ?? 0))]);
    saveNpz(output, arrays);
    return Object.fromEntries(data.modalities.map((name) => [name, batch[name]!.shape]));
  });
  const result = { clip, out: output, utterances: items.length, shapes, features: data.specs, notes };
  const lines = Object.entries(shapes).map(([name, shape]) => `${name} [${shape.join(', ')}]`);
  print(flags.json, result, `${items.length} utterance(s): ${lines.join(', ')}\nwritten to ${output}`);
}
