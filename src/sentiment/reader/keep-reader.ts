/** What a training of a reader comes to: a small folder, its probabilities fitted to texts that it was not trained on. */
import { copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { loadSafetensors, saveSafetensors, writeFileAtomic } from '../../io/index.js';
import { Checkpoint, hasCheckpoint } from '../../pipeline/checkpoint.js';
import { packWeights } from '../../text/packed-weights.js';
import { pieceTokenizer } from '../../text/pieces.js';
import { ops, scope, tensor } from '../../torch/index.js';
import { describeMachine } from '../bundle.js';
import { fitTemperature, fitThreshold } from './calibrate.js';
import { Familiarity, MUTE, UNKNOWN } from './familiarity.js';
import { bundlesFile, type FinetunePlaces } from './finetune.js';
import type { FinetuneConfig } from './finetune-config.js';
import { copyLicences, readerFile } from './folder.js';
import { classNames, emotionNames, outputAt } from './labels.js';
import { READER_FORMAT, type ReaderManifest, SentimentReader, sigmoid } from './reader.js';
import { type Example, examplesOf } from './sets.js';

/** Of the texts that choose, so many are less familiar than what counts as English. */
const UNFAMILIAR = 0.02;
/** An emotion that is less likely is never named, however rare it is. */
const LEAST = 0.05;
/** Shorter ones say too little of that. */
const LETTERS = 12;

export const readerFolder = (out: string): string => join(out, 'reader');

/** Writes the folder of the reader: the weights of the epoch that reads the validation parts best, as small as the configuration wants them. @returns the folder */
export async function keepReader(config: FinetuneConfig, { data, out }: FinetunePlaces): Promise<string> {
  const folder = readerFolder(out);
  mkdirSync(folder, { recursive: true });
  for (const name of ['config.json', 'tokenizer.json']) copyFileSync(join(out, 'text', name), join(folder, name));
  copyLicences(join(out, 'text'), folder);
  const { length, heads, sets, weights } = config;
  writeWeights(out, folder, weights);
  const first: ReaderManifest = {
    format: READER_FORMAT,
    length,
    heads,
    temperature: 1,
    thresholds: emotionNames.map(() => 0.5),
    familiar: Number.MIN_SAFE_INTEGER,
    sets,
    machine: describeMachine(),
  };
  const write = (manifest: ReaderManifest): void =>
    writeFileAtomic(readerFile(folder), `${JSON.stringify(manifest, null, 2)}\n`);
  write(first);
  const parts = await Promise.all(Object.values(sets).map((set) => examplesOf(set, data, 'valid')));
  write({ ...first, ...fitted(SentimentReader.load(folder), parts.flat()) });
  return folder;
}

function writeWeights(out: string, folder: string, weights: FinetuneConfig['weights']): void {
  scope(() => {
    const checkpoint = Checkpoint.open(out, hasCheckpoint(out, true) ? 'best' : 'current');
    try {
      const read = [...checkpoint.readModel()];
      const small =
        weights === 'int8'
          ? packWeights(read)
          : read.map(([key, value]) => [key, value.to({ dtype: 'float16' })] as const);
      const ids = loadSafetensors(bundlesFile(out, 'train')).tensors.get('ids')!;
      const { tokens, unknown } = pieceTokenizer(folder);
      const counts = ops.bincount(ids, { minlength: tokens.length }).tolist() as number[];
      const told = tokens.map((token, id) => {
        if (id === unknown) return UNKNOWN;
        return /^\[.*\]$|^[^\p{L}]*$/u.test(token) ? MUTE : counts[id]!;
      });
      const kept = tensor(Int32Array.from(told));
      saveSafetensors(join(folder, 'model.safetensors'), [...small, [Familiarity.key, kept]], { format: 'pt' });
    } finally {
      checkpoint.close();
    }
  });
}

type Fitted = Pick<ReaderManifest, 'temperature' | 'thresholds' | 'familiar'>;

function fitted(reader: SentimentReader, examples: readonly Example[]): Fitted {
  const given = reader.outputs(examples.map(({ text }) => text));
  const all = examples.map((example, i) => ({ ...example, output: given[i]! }));
  const classed = all.filter(({ labels }) => labels.classes !== undefined);
  const at = outputAt('classes');
  const temperature = fitTemperature(
    classed.map(({ output }) => [...output.subarray(at, at + classNames.length)]),
    classed.map(({ labels }) => labels.classes!),
  );
  const marked = all.filter(({ labels }) => labels.emotions !== undefined);
  const thresholds = emotionNames.map((_, i) => {
    const given = marked.map(({ output }) => sigmoid(output[outputAt('emotions') + i]!));
    const truth = marked.map(({ labels }) => labels.emotions!.includes(i));
    return Math.max(LEAST, fitThreshold(given, truth));
  });
  const familiarity = examples
    .filter(({ text }) => (text.match(/\p{L}/gu)?.length ?? 0) >= LETTERS)
    .map(({ text }) => reader.familiarityOf(text))
    .sort((a, b) => a - b);
  return { temperature, thresholds, familiar: familiarity[Math.floor(familiarity.length * UNFAMILIAR)] ?? -1e3 };
}
