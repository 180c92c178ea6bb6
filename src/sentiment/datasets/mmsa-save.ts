/** Writes a data set as arrays in MMSA's form, with what its features are. */
import type { SequenceFeatures } from '../../features/sequences.js';
import { saveNpz } from '../../io/index.js';
import { DataError } from '../../torch/errors.js';
import { type Tensor, tensor } from '../../torch/index.js';
import type { SentimentData } from './data.js';
import { splitNames, type Utterance } from './types.js';

type Arrays = Generator<[string, Tensor | readonly string[]]>;

/**
 * Writes an .npz archive that `loadMmsaNpz` reads, as `numpy.load` does: arrays `train/audio` [N, T, D], `train/audio_lengths`, `train/id`,
 * `train/raw_text`, `train/regression_labels`, ..., float32 and padded with zeros at the end; and `specs`, JSON that says what the features
 * are, so that a model that is trained on the file can read clips. One array is in memory at a time.
 * Classes of names of one's own stand in `classes`. @throws DataError for utterances without a label or class, and when the file cannot be written
 */
export function saveMmsaNpz(data: SentimentData, path: string): void {
  const scored = data.utterances.some(({ label }) => label !== null);
  const without = data.utterances.find(({ label, class: kind }) => (scored ? label : kind) === null);
  if (without !== undefined) throw new DataError(`expected a label for every utterance, '${without.id}' has none`);
  saveNpz(path, arrays(data));
}

function* arrays(data: SentimentData): Arrays {
  yield ['specs', [JSON.stringify(data.specs)]];
  if (data.classes.length > 0) yield ['classes', [...data.classes]];
  for (const split of splitNames) {
    const indices = data.indices(split);
    if (indices.length === 0) continue;
    for (const [name, array] of columns(data, indices)) {
      yield [`${split}/${name}`, array];
      if (!Array.isArray(array)) (array as Tensor).dispose();
    }
  }
}

function* columns(data: SentimentData, indices: readonly number[]): Arrays {
  const items = indices.map((i) => data.utterances[i]!);
  yield ['id', items.map(({ id }) => id)];
  if (items.some(({ text }) => text !== null)) yield ['raw_text', items.map(({ text }) => text ?? '')];
  if (data.utterances.some(({ label }) => label !== null))
    yield ['regression_labels', column(items, ({ label }) => label!)];
  if (items.every(({ class: kind }) => kind !== null))
    yield ['annotations', items.map(({ class: kind }) => data.classes[kind!]!)];
  if (items.every(({ unimodal }) => unimodal !== null)) {
    for (const name of ['text', 'audio', 'vision'] as const)
      yield [`regression_labels_${name[0]!.toUpperCase()}`, column(items, ({ unimodal }) => unimodal![name])];
  }
  for (const name of data.modalities) {
    const features = data.features[name]!;
    yield [name, padded(features, indices)];
    yield [`${name}_lengths`, tensor(BigInt64Array.from(indices, (i) => BigInt(features.lengths[i]!)))];
  }
  if (data.tokens !== null) yield ['text_bert', data.tokens.indexSelect(0, tensor([...indices], { dtype: 'int64' }))];
}

function column(items: readonly Utterance[], number: (item: Utterance) => number): Tensor {
  return tensor(Float64Array.from(items, number));
}

/** [N, T, D], T the longest; at least 1. */
function padded(features: SequenceFeatures, indices: readonly number[]): Tensor {
  const { dims } = features.spec;
  const longest = indices.reduce((most, i) => Math.max(most, features.lengths[i]!), 1);
  const values = new Float32Array(indices.length * longest * dims);
  indices.forEach((i, at) => {
    values.set(features.rows(i), at * longest * dims);
  });
  return tensor(values, { shape: [indices.length, longest, dims] });
}
