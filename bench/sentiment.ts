/** Training Self-MM with the small text encoder, against the same network and procedure in PyTorch. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { saveNpz } from 'headrace/io';
import { prepareData, SeedTrainer, type SentimentConfig, sentimentRecipe } from 'headrace/sentiment';
import { arange, scope, setNumThreads, type Tensor } from 'headrace/torch';
import { describeHost } from './host.js';
import { interleave, type Side } from './interleave.js';
import { findPython, NO_PYTHON, PythonPeer } from './python.js';
import { median, type PartOptions, type PartResult, type Row, ratio, row } from './results.js';
import { COUNT, randomUtterances } from './utterances.js';

/** Features as wide as MOSI's and shorter than its longest. */
const sizes = { words: [3, 32], audio: { dims: 5, longest: 60 }, vision: { dims: 20, longest: 80 } } as const;
const encoder = { width: 64, heads: 4, dropout: 0.3, wordDropout: 0.1 } as const;
const text = { kind: 'words', vectors: null, reader: 'transformer', lexicon: null, ...encoder } as const;

export async function sentimentPart({ rounds, quick, turn }: PartOptions): Promise<PartResult> {
  setNumThreads(1);
  const config: SentimentConfig = {
    ...sentimentRecipe('self-mm', { modalities: ['text', 'audio', 'vision'], text }),
    maxEpochs: 1000,
    patience: 1000,
  };
  const prepared = prepareData(config, randomUtterances(sizes));
  const trainer = new SeedTrainer(config, prepared, 1);
  const trained = [...trainer.network.parameters()]
    .filter(({ requiresGrad }) => requiresGrad)
    .reduce((sum, { numel }) => sum + numel, 0);
  const python = findPython();
  const peer = python ? await PythonPeer.start(python, 1, describeHost()) : null;
  const folder = mkdtempSync(join(tmpdir(), 'headrace-bench-'));
  const epochs = quick ? 1 : 3;
  const sides = new Map<string, Side>([['Headrace', () => headraceEpochs(trainer, epochs)]]);
  try {
    if (peer) {
      const path = join(folder, 'data.npz');
      writeArrays(path, prepared);
      const vocabulary = prepared.reader!.tokenizer!.size;
      const shape = { ...encoder, vocabulary, dims: 100, audio: sizes.audio.dims, vision: sizes.vision.dims };
      const { groups: rates, batchSize: batch } = config;
      const request = { do: 'buildSentiment', path, shape, rates, batch, foreach: true };
      expectSame(trained, (await peer.ask<{ trained: number }>(request)).trained);
      sides.set(
        'PyTorch',
        async () => (await peer.ask<{ speed: number }>({ do: 'sentimentEpochs', count: epochs })).speed,
      );
    }
    // Turns of a few seconds feel a neighbour's work most: they are more.
    const found = await interleave('sentiment', 'utterances/s', sides, quick ? rounds : 3 * rounds, turn);
    return result(found, peer?.torch ?? null, epochs, trained);
  } finally {
    peer?.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Both sides must do the same work. */
function expectSame(ours: number, theirs: number): void {
  if (ours !== theirs) throw new Error(`Expected PyTorch to train ${ours} numbers as Headrace does, got ${theirs}`);
}

/** Median utterances per second of some epochs. */
async function headraceEpochs(trainer: SeedTrainer, count: number): Promise<number> {
  const speeds: number[] = [];
  for (let i = 0; i < count; i++) {
    await trainer.run({ onEpoch: (record) => speeds.push(record.utterancesPerSecond), shouldStop: () => true });
  }
  return median(speeds);
}

/** All training utterances as padded arrays. */
function writeArrays(path: string, { splits }: ReturnType<typeof prepareData>): void {
  scope(() => {
    const { tokens, label, audio, audioLengths, vision, visionLengths } = splits.train.batch(
      arange(0, splits.train.length, 1, { dtype: 'int64' }),
    );
    saveNpz(path, { tokens: tokens!, label, audio, audioLengths, vision, visionLengths } as Record<string, Tensor>);
  });
}

function result(
  found: ReadonlyMap<string, number[]>,
  torch: string | null,
  epochs: number,
  trained: number,
): PartResult {
  const rowsOf: Row[] = [...found].map(([label, speeds]) => row(`self-mm, ${label}`, 'utterances/s', speeds));
  const [ours, theirs] = [found.get('Headrace')!, found.get('PyTorch')];
  if (theirs) rowsOf.push(ratio('self-mm, speed of Headrace / PyTorch', ours, theirs, { least: 1 }));
  const notes = [
    `${COUNT} utterances of random words and features, batches of 32, one thread, ${epochs} epoch(s) a turn: forward, ` +
      `losses, backward, label generator, Adam. ${trained} numbers are trained on each side, word vectors among them.`,
  ];
  if (!theirs) notes.push(NO_PYTHON);
  return {
    title: 'Sentiment: the reference training of Self-MM',
    settings: { text, sizes, trained, torch },
    rows: rowsOf,
    notes,
  };
}
