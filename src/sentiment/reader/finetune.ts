/** The training of a reader: its texts in bundles, the run of the pipeline, and the folder of the result. */
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { writeFileAtomic } from '../../io/index.js';
import type { RunSettings } from '../../pipeline/index.js';
import { openWeights } from '../../text/bert-weights.js';
import { type LstmConfig, lstmType } from '../../text/lstm-encoder.js';
import { type PieceTokenizer, pieceTokenizer } from '../../text/pieces.js';
import { ConfigError, DataError } from '../../torch/index.js';
import type { SplitName } from '../datasets/index.js';
import { type TokenRow, writeBundles } from './bundles.js';
import { careless } from './careless.js';
import { spread, TextCutter } from './cut-text.js';
import type { FinetuneConfig } from './finetune-config.js';
import { copyLicences } from './folder.js';
import { labelRow } from './labels.js';
import { encoderNetwork, readEncoderConfig } from './network.js';
import { drawer } from './phrases.js';
import { expectSame } from './pretrain.js';
import { examplesOf } from './sets.js';
import { learningOf } from './training.js';

export interface FinetunePlaces {
  /** The folder of the sets. */
  readonly data: string;
  readonly out: string;
  /** A folder of a BERT: config.json, tokenizer.json, and the weights to begin with. */
  readonly bert: string;
  /** Word vectors to begin with in place of the folder's weights, which it need not have. */
  readonly vectors?: string | undefined;
  readonly onProgress?: (message: string) => void;
}

export const bundlesFile = (out: string, part: SplitName): string => join(out, 'text', `${part}.safetensors`);

/** Reads the sets and makes bundles of them, where the run's folder has them not yet. @returns what `Trainer` takes */
export async function prepareFinetuning(config: FinetuneConfig, places: FinetunePlaces): Promise<RunSettings> {
  const { bert, out, vectors } = places;
  const { length, compute, heads } = config;
  const described = readEncoderConfig(bert);
  const { tokens } = checkFolder(bert, described, length, vectors === undefined);
  mkdirSync(join(out, 'text'), { recursive: true });
  const { sets, batchTokens, seed } = config;
  const parts: readonly SplitName[] = ['train', 'valid'];
  const made = parts.map((part) => bundlesFile(out, part));
  expectSame(join(out, 'text', 'made-of.json'), { bert: resolve(bert), sets, length, batchTokens, seed }, made);
  writeFileAtomic(join(out, 'text', 'tokenizer.json'), readFileSync(join(bert, 'tokenizer.json')));
  copyLicences(bert, join(out, 'text'));
  const model = networkOf(config, described);
  writeFileAtomic(join(out, 'text', 'config.json'), `${JSON.stringify(model, null, 2)}\n`);
  for (const part of parts) if (!existsSync(bundlesFile(out, part))) await bundle(config, places, part);
  const here = (file: string): string => new URL(file, import.meta.url).href;
  const from = vectors === undefined ? null : { folder: vectors, tokens };
  const weights = vectors === undefined ? bert : null;
  return {
    model: {
      module: here('./reader-model.js'),
      export: 'readerModel',
      options: { config: model, compute, heads, weights, vectors: from },
    },
    modelName: 'reader',
    data: {
      module: here('./bundles.js'),
      export: 'bundledData',
      options: { train: bundlesFile(out, 'train'), valid: bundlesFile(out, 'valid') },
    },
    schedule: 'bp',
    stages: 1,
    batchSize: 1,
    ...learningOf(config),
    ...(config.steps === null ? {} : { epochs: undefined, steps: config.steps, evalEvery: 0 }),
    lrFactors: config.lrFactors,
    out,
  };
}

/** Whether a training can begin with a folder, before anything is made of it. @param weighs - whether its weights are needed, too */
function checkFolder(folder: string, described: object, length: number, weighs: boolean): PieceTokenizer {
  const { places, vocabSize } = encoderNetwork(described, join(folder, 'config.json'));
  if (length > places)
    throw new ConfigError(`Expected a length up to the ${places} places of ${folder}, got ${length}`);
  const tokenizer = pieceTokenizer(folder);
  if (tokenizer.tokens.length > vocabSize) {
    throw new DataError(
      `Expected tokenizer.json and config.json of one model in ${folder}, got ${tokenizer.tokens.length} tokens and a vocab_size of ${vocabSize}`,
    );
  }
  if (!weighs) return tokenizer;
  if ('model_type' in described && described.model_type === lstmType) {
    throw new ConfigError(
      `Expected the folder of an encoder that a training begins with, got a reader of LSTMs, ${folder}: take the folder that it began with itself`,
    );
  }
  openWeights(folder).close();
  return tokenizer;
}

/** What is trained, as in config.json: the folder's encoder, or LSTMs over its pieces. */
function networkOf({ dropout, lstm }: FinetuneConfig, described: object): object {
  if (lstm === null) return { ...described, hidden_dropout_prob: dropout, attention_probs_dropout_prob: dropout };
  const { vocabSize, pieceWidth, places, padTokenId } = encoderNetwork(described);
  return {
    model_type: lstmType,
    vocab_size: vocabSize,
    embedding_size: pieceWidth,
    hidden_size: lstm.width,
    num_hidden_layers: lstm.layers,
    max_position_embeddings: places,
    hidden_dropout_prob: dropout,
    pad_token_id: padTokenId,
  } satisfies LstmConfig;
}

async function bundle(config: FinetuneConfig, places: FinetunePlaces, part: SplitName): Promise<void> {
  const { data, out, bert, onProgress = () => {} } = places;
  const cutter = new TextCutter(pieceTokenizer(bert), config.length);
  const rows: TokenRow[] = [];
  for (const [name, set] of Object.entries(config.sets)) {
    onProgress(`reading ${name}, ${part}`);
    const { weight = 1, pieces = 1, repeats = 1, careless: mistyped = false } = set;
    const draw = drawer(config.seed);
    const all = await examplesOf(set, data, part);
    const examples = part === 'train' ? spread(all, set.limit ?? all.length) : all;
    for (const { text, labels } of examples) {
      const row = labelRow(labels, weight);
      for (let i = 0; i < (part === 'train' ? repeats : 1); i++) {
        const typed = mistyped && i > 0 ? careless(text, draw) : text;
        rows.push(...spread(cutter.cut(typed), pieces).map((ids) => ({ ids, labels: row })));
      }
    }
  }
  if (rows.length === 0)
    throw new ConfigError(`Expected sets with a part to ${part === 'train' ? 'train on' : 'choose by'}`);
  writeBundles(bundlesFile(out, part), rows, { tokens: config.batchTokens, seed: config.seed });
}
