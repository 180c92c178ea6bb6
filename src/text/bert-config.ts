/** What a BERT is: Hugging Face's `config.json`, read and checked. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DataError } from '../torch/index.js';

const activations = ['gelu', 'gelu_new', 'relu'] as const;

/** Shape and dropout of a BERT; the names are those of `config.json`. */
export interface BertConfig {
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly numHiddenLayers: number;
  readonly numAttentionHeads: number;
  readonly intermediateSize: number;
  /** `gelu`: exact; `gelu_new`: its approximation by tanh. */
  readonly hiddenAct: (typeof activations)[number];
  readonly hiddenDropoutProb: number;
  readonly attentionProbsDropoutProb: number;
  /** The longest text, in word pieces. */
  readonly maxPositionEmbeddings: number;
  readonly typeVocabSize: number;
  readonly layerNormEps: number;
  readonly padTokenId: number;
}

/** @throws DataError where the folder has no config.json, or one that is not of a BERT */
export function readBertConfig(folder: string): BertConfig {
  const path = join(folder, 'config.json');
  if (!existsSync(path)) {
    throw new DataError(`Expected the folder of a BERT, with config.json in it (Hugging Face's form), got ${folder}`);
  }
  try {
    return parseBertConfig(JSON.parse(readFileSync(path, 'utf8')), path);
  } catch (cause) {
    if (cause instanceof DataError) throw cause;
    throw new DataError(`${path}: ${(cause as Error).message}`, { cause });
  }
}

/**
 * Reads what `config.json` says. What older files leave out has the value that Hugging Face's library gives it.
 * @param where - names the source in errors
 * @throws DataError for another kind of model, and for values that no BERT has
 */
export function parseBertConfig(json: unknown, where: string): BertConfig {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw new DataError(`${where}: expected the configuration of a BERT, an object, got ${JSON.stringify(json)}`);
  }
  const fields = new Fields(json as Readonly<Record<string, unknown>>, where);
  fields.only('model_type', ['bert'], undefined);
  fields.only('position_embedding_type', ['absolute'], 'absolute');
  fields.only('is_decoder', [false], false);
  const config: BertConfig = {
    vocabSize: fields.whole('vocab_size', 1),
    hiddenSize: fields.whole('hidden_size', 1),
    numHiddenLayers: fields.whole('num_hidden_layers', 1),
    numAttentionHeads: fields.whole('num_attention_heads', 1),
    intermediateSize: fields.whole('intermediate_size', 1),
    hiddenAct: fields.only('hidden_act', activations, 'gelu'),
    hiddenDropoutProb: fields.share('hidden_dropout_prob', 0.1),
    attentionProbsDropoutProb: fields.share('attention_probs_dropout_prob', 0.1),
    maxPositionEmbeddings: fields.whole('max_position_embeddings', 2, 512),
    typeVocabSize: fields.whole('type_vocab_size', 1, 2),
    layerNormEps: fields.share('layer_norm_eps', 1e-12),
    padTokenId: fields.whole('pad_token_id', 0, 0),
  };
  if (config.hiddenSize % config.numAttentionHeads !== 0) {
    throw new DataError(
      `${where}: expected num_attention_heads that divides hidden_size, got ${config.numAttentionHeads} and ${config.hiddenSize}`,
    );
  }
  if (config.padTokenId >= config.vocabSize) {
    throw new DataError(
      `${where}: expected pad_token_id below vocab_size ${config.vocabSize}, got ${config.padTokenId}`,
    );
  }
  return config;
}

/** Named values of a file, each checked as it is taken. */
class Fields {
  constructor(
    private readonly values: Readonly<Record<string, unknown>>,
    private readonly where: string,
  ) {}

  /** One of some values; without a default it must be there. */
  only<T extends string | boolean>(name: string, allowed: readonly T[], absent: T | undefined): T {
    const value = this.values[name] ?? absent;
    if (allowed.includes(value as T)) return value as T;
    return this.wrong(name, allowed.map((item) => JSON.stringify(item)).join(' or '));
  }

  whole(name: string, least: number, absent?: number): number {
    const value = this.values[name] ?? absent;
    if (Number.isSafeInteger(value) && (value as number) >= least) return value as number;
    return this.wrong(name, `a whole number from ${least}`);
  }

  share(name: string, absent: number): number {
    const value = this.values[name] ?? absent;
    if (typeof value === 'number' && value >= 0 && value < 1) return value;
    return this.wrong(name, 'a number from 0 to below 1');
  }

  private wrong(name: string, expected: string): never {
    throw new DataError(`${this.where}: expected ${name} to be ${expected}, got ${JSON.stringify(this.values[name])}`);
  }
}
