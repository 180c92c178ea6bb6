/** Training Self-MM with the small text encoder, against the same network and procedure in PyTorch. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { saveNpz } from 'headrace/io';
import {
  PackedSequences,
  prepareData,
  SeedTrainer,
  type SentimentConfig,
  SentimentData,
  sentimentRecipe,
  utterance,
} from 'headrace/sentiment';
import { arange, deriveSeed, scope, setNumThreads, type Tensor } from 'headrace/torch';
import { describeHost } from './host.js';
import { Turns } from './progress.js';
import { findPython, NO_PYTHON, PythonPeer } from './python.js';
import { median, type PartOptions, type PartResult, type Row, ratio, row } from './results.js';

/** As many utterances as MOSI trains on, with features as wide as its own and shorter than its longest. */
const COUNT = 1284;
const VOCABULARY = 3000;
const rows = { audio: { dims: 5, longest: 60 }, vision: { dims: 20, longest: 80 } } as const;
const text = { kind: 'words', vectors: null, width: 64, heads: 4, dropout: 0.3, wordDropout: 0.1 } as const;

/** A number in [0, 1) of any names. */
const draw = (...names: (string | number)[]): number => (deriveSeed(0, ...names) % 2 ** 32) / 2 ** 32;

/** Utterances of random words and features; a tenth more for validation, and as many for the test. */
function randomData(): SentimentData {
  const splits = { train: COUNT, valid: 128, test: 128 } as const;
  const utterances = Object.entries(splits).flatMap(([split, count]) =>
    Array.from({ length: count }, (_, i) => {
      const id = `${split}${i}`;
      const words = Array.from(
        { length: 3 + Math.floor(30 * draw(id)) },
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

export async function sentimentPart({ rounds, quick }: PartOptions): Promise<PartResult> {
  setNumThreads(1);
  const config: SentimentConfig = {
    ...sentimentRecipe('self-mm', { modalities: ['text', 'audio', 'vision'], text: { ...text, tuneVectors: false } }),
    maxEpochs: 1000,
    patience: 1000,
  };
  const prepared = prepareData(config, randomData());
  const trainer = new SeedTrainer(config, prepared, 1);
  const python = findPython();
  const peer = python ? await PythonPeer.start(python, 1, describeHost()) : null;
  const folder = mkdtempSync(join(tmpdir(), 'headrace-bench-'));
  const epochs = quick ? 1 : 3;
  const sides = new Map<string, () => Promise<number>>([['Headrace', async () => headraceEpochs(trainer, epochs)]]);
  try {
    if (peer) {
      const path = join(folder, 'data.npz');
      writeArrays(path, prepared);
      const vocabulary = prepared.reader!.tokenizer!.size;
      const shape = { ...text, vocabulary, dims: 100, audio: rows.audio.dims, vision: rows.vision.dims };
      await peer.ask({ do: 'buildSentiment', path, shape, batch: config.batchSize, foreach: true });
      sides.set(
        'PyTorch',
        async () => (await peer.ask<{ speed: number }>({ do: 'sentimentEpochs', count: epochs })).speed,
      );
    }
    const found = await interleave(sides, rounds);
    return result(found, peer?.torch ?? null, epochs);
  } finally {
    peer?.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Median utterances per second of some epochs. */
function headraceEpochs(trainer: SeedTrainer, count: number): number {
  const speeds: number[] = [];
  for (let i = 0; i < count; i++) {
    trainer.run({ onEpoch: (record) => speeds.push(record.utterancesPerSecond), shouldStop: () => true });
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

async function interleave(
  sides: ReadonlyMap<string, () => Promise<number>>,
  rounds: number,
): Promise<Map<string, number[]>> {
  const found = new Map([...sides.keys()].map((label) => [label, [] as number[]]));
  for (const run of sides.values()) await run(); // not counted: heaps grow
  const turns = new Turns('sentiment', rounds * sides.size);
  for (let round = 0; round < rounds; round++) {
    for (const [label, run] of sides) {
      const speed = await run();
      found.get(label)!.push(speed);
      turns.done(`${label} ${speed.toFixed(0)} utterances/s`);
    }
  }
  return found;
}

function result(found: ReadonlyMap<string, number[]>, torch: string | null, epochs: number): PartResult {
  const rowsOf: Row[] = [...found].map(([label, speeds]) => row(`self-mm, ${label}`, 'utterances/s', speeds));
  const [ours, theirs] = [found.get('Headrace')!, found.get('PyTorch')];
  if (theirs) rowsOf.push(ratio('self-mm, speed of Headrace / PyTorch', ours, theirs, { least: 1 }));
  const notes = [
    `${COUNT} utterances of random words and features, batches of 32, one thread, ${epochs} epoch(s) a turn: forward, losses, backward, label generator, Adam.`,
  ];
  if (!theirs) notes.push(NO_PYTHON);
  return {
    title: 'Sentiment: the reference training of Self-MM',
    settings: { text, rows, torch },
    rows: rowsOf,
    notes,
  };
}
