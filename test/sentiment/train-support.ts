/** A small data set in memory, with something to learn in every modality. */
import {
  PackedSequences,
  type SentimentConfig,
  SentimentData,
  type SplitName,
  sentimentRecipe,
  utterance,
} from 'headrace/sentiment';

const good = ['good', 'great', 'fine', 'lovely'];
const bad = ['bad', 'poor', 'awful', 'boring'];
const plain = ['the', 'film', 'was', 'it', 'and', 'story'];

/** A sequence of numbers in [0, 1) that is the same everywhere. */
function draws(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** `counts` utterances a split; labels in [-3, 3] that words, audio and vision all tell, with noise. */
export function smallData(
  counts: Readonly<Record<SplitName, number>> = { train: 24, valid: 8, test: 8 },
): SentimentData {
  const next = draws(7);
  const utterances = Object.entries(counts).flatMap(([split, count]) =>
    Array.from({ length: count }, (_, i) => {
      const label = Math.round((next() * 6 - 3) * 10) / 10;
      const words = Array.from({ length: 3 + Math.floor(next() * 4) }, () => pick(next, plain));
      words.splice(1, 0, pick(next, label > 0 ? good : bad));
      const text = words.join(' ');
      return utterance({ id: `${split}${i}`, video: `${split}${i >> 1}`, split: split as SplitName, text, label });
    }),
  );
  const rows = (dims: number, name: string): PackedSequences => {
    const lengths = Int32Array.from(utterances, () => 1 + Math.floor(next() * 5));
    const blocks = utterances.map(({ label }, u) =>
      Float32Array.from({ length: lengths[u]! * dims }, (_, i) => (i % dims === 0 ? label! : 5 + 2 * next())),
    );
    const spec = { name, dims, unit: 'frame', rate: 10, version: '1' } as const;
    return PackedSequences.from({ spec, lengths, read: (i) => blocks[i]! });
  };
  const features = { audio: rows(5, 'sound'), vision: rows(4, 'sight') };
  return new SentimentData({ name: 'small', utterances, features, range: [-3, 3] });
}

function pick(next: () => number, words: readonly string[]): string {
  return words[Math.floor(next() * words.length)]!;
}

/** The recipe with narrow layers and few epochs. */
export function smallConfig(recipe: string, change: Partial<SentimentConfig> = {}): SentimentConfig {
  const text = { kind: 'words', vectors: null, width: 16, heads: 2, dropout: 0.1 } as const;
  const config = sentimentRecipe(recipe, { modalities: ['text', 'audio', 'vision'], text });
  return { ...config, batchSize: 6, maxEpochs: 4, ...change };
}
