/** Pre-training of a text encoder: its vocabulary, its rows of tokens, the run of the pipeline, and the folder of the result. */
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { loadSafetensors, readJsonFile, saveSafetensors, writeFileAtomic } from '../../io/index.js';
import { Checkpoint } from '../../pipeline/checkpoint.js';
import { buildModel, type RunSettings, resolveModel } from '../../pipeline/index.js';
import { describeDifferences, differencesOf } from '../../run/index.js';
import { trainWordPieces } from '../../text/train-wordpiece.js';
import { WordPieceTokenizer } from '../../text/wordpiece.js';
import { ConfigError, DataError, scope, type Tensor, tensorFromBytes } from '../../torch/index.js';
import { checkBeginning, writeBeginning } from './begin-encoder.js';
import { textsOf } from './corpora.js';
import { maskedModel } from './masked-model.js';
import type { PretrainConfig } from './pretrain-config.js';
import { learningOf } from './training.js';

/** BERT's special tokens, with which a vocabulary of ours begins. */
const special = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'];
const START = special.indexOf('[CLS]');

/** What a preparation is asked for, and tells. */
export interface PretrainPlaces {
  /** The folder of the texts. */
  readonly data: string;
  readonly out: string;
  /** Of word vectors to begin with. */
  readonly vectors?: string | undefined;
  /** Of an encoder to begin with: its vocabulary is taken, and where the model has more layers its own repeat. */
  readonly bert?: string | undefined;
  readonly onProgress?: (message: string) => void;
}

/** Where a run keeps its vocabulary and its rows of tokens, and what it comes to. */
const vocabularyFile = (out: string): string => join(out, 'text', 'tokenizer.json');
const rowsFile = (out: string): string => join(out, 'text', 'rows.safetensors');
const beginningFile = (out: string): string => join(out, 'text', 'beginning.safetensors');
export const encoderFolder = (out: string): string => join(out, 'encoder');

/**
 * Learns the vocabulary and cuts the texts into rows, where the folder of the run has them not yet.
 * @returns what the pipeline's `Trainer` takes
 */
export function preparePretraining(config: PretrainConfig, places: PretrainPlaces): RunSettings {
  const { data, out, vectors, bert, onProgress = () => {} } = places;
  if (bert !== undefined) {
    checkBeginning(config, bert);
    checkVocabulary(bert);
  }
  if (bert !== undefined && vectors !== undefined) {
    throw new ConfigError('Expected an encoder or word vectors to begin with, got both');
  }
  mkdirSync(join(out, 'text'), { recursive: true });
  const from = bert === undefined ? { vocabulary: config.vocabulary } : { bert: resolve(bert) };
  const own = { texts: config.texts, ...from, length: config.length };
  expectSame(join(out, 'text', 'made-of.json'), own, [vocabularyFile(out), rowsFile(out)]);
  let texts: string[] | null = null;
  const read = (): string[] => (texts ??= config.texts.flatMap((file) => textsOf(data, file)));
  if (!existsSync(vocabularyFile(out)) && bert !== undefined) {
    writeFileAtomic(vocabularyFile(out), readFileSync(join(bert, 'tokenizer.json')));
  }
  if (!existsSync(vocabularyFile(out))) {
    onProgress(`reading texts and learning ${config.vocabulary} word pieces`);
    const made = trainWordPieces(read(), { size: config.vocabulary });
    writeFileAtomic(vocabularyFile(out), `${JSON.stringify(made)}\n`);
  }
  const tokens = readTokens(vocabularyFile(out));
  if (!existsSync(rowsFile(out))) {
    const tokenizer = WordPieceTokenizer.fromFolder(join(out, 'text'));
    const all = read();
    writeRows(rowsFile(out), rowsOf(all, tokenizer, config.length, onProgress), config.length);
  }
  const corpus = { corpus: rowsFile(out), vocabulary: tokens.length, special: special.length };
  const model = bertOf(config, tokens.length);
  const begin = vectors === undefined ? null : { folder: vectors, tokens };
  const here = (file: string): string => new URL(file, import.meta.url).href;
  const { length, compute, seed } = config;
  const options = { config: model, compute, length, vectors: begin };
  if (bert !== undefined && !existsSync(beginningFile(out))) {
    writeBeginning(beginningFile(out), maskedModel(options), bert, seed);
  }
  return {
    model: { module: here('./masked-model.js'), export: 'maskedModel', options },
    modelName: 'masked-bert',
    data: { module: here('./masked-tokens.js'), export: 'maskedData', options: corpus },
    schedule: config.schedule,
    stages: config.schedule === 'bp' ? 1 : config.stages,
    batchSize: config.batchSize,
    ...learningOf(config),
    init: bert === undefined ? undefined : beginningFile(out),
    out,
  };
}

/** @throws DataError where a folder has no tokenizer.json of word pieces, ConfigError where its special tokens are not those of ours */
function checkVocabulary(folder: string): void {
  const { tokens } = WordPieceTokenizer.fromFolder(folder);
  if (special.every((token, id) => tokens[id] === token)) return;
  throw new ConfigError(
    `Expected a vocabulary that begins with ${special.join(', ')}, as pretrain makes it; that of ${folder} begins with ${tokens.slice(0, special.length).join(', ')}`,
  );
}

/**
 * Notes what files are made of.
 * @throws ConfigError where they are made of something else; what was noted before a try that made none of them does not count
 */
export function expectSame(path: string, made: Readonly<Record<string, unknown>>, files: readonly string[]): void {
  if (existsSync(path) && files.some((file) => existsSync(file))) {
    const differences = differencesOf(readJsonFile<object>(path, 'what texts were made of'), made);
    if (differences.length === 0) return;
    throw new ConfigError(
      `${dirname(path)} holds texts of another configuration: its settings are ${describeDifferences(differences)}. ` +
        'Give those to go on, or another folder',
    );
  }
  writeFileAtomic(path, `${JSON.stringify(made, null, 2)}\n`);
}

/** Hugging Face's `config.json` of the encoder. */
function bertOf({ model, length, places }: PretrainConfig, vocabulary: number): object {
  if (length > places) throw new ConfigError(`Expected a length of rows up to the ${places} places, got ${length}`);
  return {
    model_type: 'bert',
    architectures: ['BertForMaskedLM'],
    vocab_size: vocabulary,
    hidden_size: model.width,
    num_hidden_layers: model.layers,
    num_attention_heads: model.heads,
    intermediate_size: model.inner,
    hidden_act: 'gelu',
    hidden_dropout_prob: model.dropout,
    attention_probs_dropout_prob: model.dropout,
    max_position_embeddings: places,
    type_vocab_size: 1,
    layer_norm_eps: 1e-12,
    pad_token_id: 0,
    tie_word_embeddings: false,
  };
}

/** The tokens of a vocabulary by their ids. */
export function readTokens(path: string): string[] {
  const { model } = JSON.parse(readFileSync(path, 'utf8')) as { model: { vocab: Record<string, number> } };
  const tokens: string[] = [];
  for (const [token, id] of Object.entries(model.vocab)) tokens[id] = token;
  return tokens;
}

/** Texts one after another, each ended by [SEP], in rows that begin with [CLS]; the rest that fills no row is left out. */
function rowsOf(
  texts: readonly string[],
  tokenizer: WordPieceTokenizer,
  length: number,
  onProgress: (message: string) => void,
): Int16Array {
  if (tokenizer.size > 2 ** 15) throw new ConfigError(`Expected at most ${2 ** 15} tokens, got ${tokenizer.size}`);
  let rows = new Int16Array(2 ** 20);
  let filled = 0;
  const put = (id: number): void => {
    if (filled === rows.length) {
      const larger = new Int16Array(2 * rows.length);
      larger.set(rows);
      rows = larger;
    }
    rows[filled++] = id;
  };
  for (const [i, text] of texts.entries()) {
    if (i % 30000 === 0) onProgress(`cutting texts into word pieces, ${i} of ${texts.length}`);
    // Without [CLS]; [SEP] is the last.
    for (const id of tokenizer.ids(text, Number.MAX_SAFE_INTEGER).slice(1)) {
      if (filled % length === 0) put(START);
      put(id);
    }
  }
  const whole = Math.floor(filled / length);
  if (whole < 2) throw new DataError(`Expected texts of at least ${2 * length} tokens, got ${filled}`);
  return rows.subarray(0, whole * length);
}

function writeRows(path: string, rows: Int16Array, length: number): void {
  scope(() => {
    const bytes = new Uint8Array(rows.buffer, rows.byteOffset, rows.byteLength);
    const made = tensorFromBytes(bytes, 'int16', [rows.length / length, length]);
    saveSafetensors(path, new Map([['rows', made]]));
  });
}

/**
 * Writes what a run came to as Hugging Face's folder of a BERT that guesses hidden pieces: config.json, tokenizer.json,
 * model.safetensors. Without an epoch that is the encoder as it begins, with the vectors of words that have one.
 * @param settings - of the run
 */
export async function keepEncoder(config: PretrainConfig, settings: RunSettings): Promise<string> {
  const out = settings.out!;
  const folder = encoderFolder(out);
  mkdirSync(folder, { recursive: true });
  const write = (tensors: ReadonlyMap<string, Tensor>): void => {
    saveSafetensors(join(folder, 'model.safetensors'), tensors, { format: 'pt' });
  };
  if (config.epochs === 0) {
    const spec = await resolveModel(settings.model);
    scope(() => {
      const { init } = settings;
      write(init ? loadSafetensors(init).tensors : buildModel(spec, { seed: config.seed }).stateDict());
    });
  } else {
    const checkpoint = Checkpoint.open(out);
    try {
      scope(() => write(checkpoint.readModel()));
    } finally {
      checkpoint.close();
    }
  }
  const tokenizer = readFileSync(vocabularyFile(out), 'utf8');
  const tokens = readTokens(vocabularyFile(out));
  writeFileAtomic(join(folder, 'tokenizer.json'), tokenizer);
  writeFileAtomic(join(folder, 'config.json'), `${JSON.stringify(bertOf(config, tokens.length), null, 2)}\n`);
  return folder;
}
