/** Utterances of random words and features, to train on for the time it takes. */
import { PackedSequences, SentimentData, utterance } from 'headrace/sentiment';
import { deriveSeed } from 'headrace/torch';

/** As many as MOSI trains on. */
export const COUNT = 1284;
const VOCABULARY = 3000;

export interface UtteranceSizes {
  /** Fewest and most words. */
  readonly words: readonly [number, number];
  /** Numbers in a row of features, and the most rows. */
  readonly audio: RowSizes;
  readonly vision: RowSizes;
}

interface RowSizes {
  readonly dims: number;
  readonly longest: number;
}

/** A number in [0, 1) of any names. */
const draw = (...names: (string | number)[]): number => (deriveSeed(0, ...names) % 2 ** 32) / 2 ** 32;

/** {@link COUNT} utterances to train on, a tenth more for validation, and as many for the test. Lengths are even draws. */
export function randomUtterances({ words: [fewest, most], ...rows }: UtteranceSizes): SentimentData {
  const splits = { train: COUNT, valid: 128, test: 128 } as const;
  const utterances = Object.entries(splits).flatMap(([split, count]) =>
    Array.from({ length: count }, (_, i) => {
      const id = `${split}${i}`;
      const words = Array.from(
        { length: fewest + Math.floor((most - fewest + 1) * draw(id)) },
        (_, w) => `w${Math.floor(VOCABULARY * draw(id, w) ** 2)}`,
      );
      const label = Math.round(60 * draw(id, 'label') - 30) / 10;
      return utterance({ id, video: id, split: split as 'train', text: words.join(' '), label });
    }),
  );
  const features = (['audio', 'vision'] as const).map((name) => {
    const { dims, longest } = rows[name];
    const lengths = Int32Array.from(utterances, ({ id }) => 1 + Math.floor(longest * draw(id, name)));
    const read = (i: number): Float32Array =>
      Float32Array.from({ length: lengths[i]! * dims }, (_, k) => Math.sin(i + k));
    const spec = { name, dims, unit: 'frame', rate: null, version: '1' } as const;
    return [name, PackedSequences.from({ spec, lengths, read })] as const;
  });
  return new SentimentData({ name: 'random', utterances, features: Object.fromEntries(features), range: [-3, 3] });
}
