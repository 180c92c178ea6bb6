/** The kinds of encoders that a reader is built on, alike to what builds pipelines of them. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { readJsonFile } from '../../io/index.js';
import { type Embedding, Module } from '../../nn/index.js';
import { BertEmbeddings, BertLayer } from '../../text/bert.js';
import { type BertConfig, parseBertConfig } from '../../text/bert-config.js';
import { BertEncoder } from '../../text/bert-encoder.js';
import { type LstmConfig, LstmEmbeddings, LstmLayer, lstmType, parseLstmConfig } from '../../text/lstm-encoder.js';
import { parseSentenceConfig, type SentenceConfig, sentenceType } from '../../text/sentence-config.js';
import { SentenceEmbeddings, SentenceEncoder, SentenceLayer, SentenceVector } from '../../text/sentence-encoder.js';
import { loadSentenceWeights } from '../../text/sentence-weights.js';
import { DataError, ops, type Tensor } from '../../torch/index.js';

/** Vectors of pieces, in their places. */
export type PieceRows = Module & { readonly word_embeddings: Embedding };
/** Rows [B, L, from] and keys, bool [B, 1, 1, L] or null for all, to rows [B, L, width]. */
export interface EncoderLayer extends Module {
  forward(rows: Tensor, keys: Tensor | null): Tensor;
}
/** Rows [B, L, width] and mask, bool [B, L], to [B, width]. */
export interface Summary extends Module {
  forward(rows: Tensor, mask: Tensor): Tensor;
}

export interface EncoderNetwork {
  readonly vocabSize: number;
  readonly padTokenId: number;
  /** The most pieces of a text. */
  readonly places: number;
  /** Of the rows of the last layer. */
  readonly width: number;
  /** Of the rows of pieces. */
  readonly pieceWidth: number;
  readonly layers: number;
  /** What keys begin with: all, and those of layers, to which the layer's number is added. */
  readonly prefix: string;
  readonly layerPrefix: string;
  /** Whether of another encoder it begins with the vectors of the pieces, and with nothing else. */
  readonly piecesAlone: boolean;
  pieceRows(): PieceRows;
  /** @param ids - int64 [B, L] @returns [B, L, pieceWidth] */
  rowsOf(made: PieceRows, ids: Tensor): Tensor;
  layer(n: number): EncoderLayer;
  summary(): Summary;
  /** The weights of a folder by their keys, without the prefix of all. */
  read(folder: string): ReadonlyMap<string, Tensor>;
}

/** @param json - content of a config.json @param where - names it in errors */
export function encoderNetwork(json: object, where = 'the model of the configuration'): EncoderNetwork {
  const { model_type: type } = json as { readonly model_type?: unknown };
  if (type === sentenceType) return sentenceNetwork(parseSentenceConfig(json, where));
  if (type === lstmType) return lstmNetwork(parseLstmConfig(json, where));
  return bertNetwork(parseBertConfig(json, where));
}

/** That of a folder, by its config.json. @throws DataError where it has none */
export function readEncoderConfig(folder: string): object {
  const path = join(folder, 'config.json');
  if (existsSync(path)) return readJsonFile<object>(path, 'the configuration of an encoder');
  throw new DataError(
    `Expected the folder of a BERT, with config.json in it (Hugging Face's form), or of another encoder, got ${folder}`,
  );
}

/** What stands at `[CLS]`. It has no parameters. */
class FirstRow extends Module {
  override forward(rows: Tensor): Tensor {
    return rows.select(1, 0);
  }
}

function bertNetwork(config: BertConfig): EncoderNetwork {
  return {
    vocabSize: config.vocabSize,
    padTokenId: config.padTokenId,
    places: config.maxPositionEmbeddings,
    width: config.hiddenSize,
    pieceWidth: config.hiddenSize,
    layers: config.numHiddenLayers,
    prefix: 'bert',
    layerPrefix: 'encoder.layer.',
    piecesAlone: false,
    pieceRows: () => new BertEmbeddings(config),
    rowsOf: (made, ids) => (made as BertEmbeddings).forward(ids, ops.zerosLike(ids)),
    layer: () => new BertLayer(config),
    summary: () => new FirstRow(),
    read: (folder) => BertEncoder.fromFolder(folder).bert.stateDict(),
  };
}

function sentenceNetwork(config: SentenceConfig): EncoderNetwork {
  const { embeddingSize, hiddenSize } = config;
  return {
    vocabSize: config.vocabSize,
    padTokenId: config.padTokenId,
    places: config.maxPositionEmbeddings,
    width: hiddenSize,
    pieceWidth: embeddingSize,
    layers: config.numHiddenLayers,
    prefix: 'encoder',
    layerPrefix: 'layer.',
    piecesAlone: false,
    pieceRows: () => new SentenceEmbeddings(config),
    rowsOf: (made, ids) => (made as SentenceEmbeddings).forward(ids),
    layer: (n) => new SentenceLayer(config, n === 0 ? embeddingSize : hiddenSize),
    summary: () => new SentenceVector(hiddenSize),
    read: (folder) => {
      const made = new SentenceEncoder(config);
      loadSentenceWeights(made, folder);
      return made.stateDict();
    },
  };
}

const PIECES = 'embeddings.word_embeddings.weight';

function lstmNetwork(config: LstmConfig): EncoderNetwork {
  const { embedding_size: embeddingSize, hidden_size: width } = config;
  return {
    vocabSize: config.vocab_size,
    padTokenId: config.pad_token_id,
    places: config.max_position_embeddings,
    width,
    pieceWidth: embeddingSize,
    layers: config.num_hidden_layers,
    prefix: 'lstm',
    layerPrefix: 'layer.',
    piecesAlone: true,
    pieceRows: () => new LstmEmbeddings(config),
    rowsOf: (made, ids) => (made as LstmEmbeddings).forward(ids),
    layer: (n) => new LstmLayer(config, n === 0 ? embeddingSize : width),
    summary: () => new FirstRow(),
    read: (folder) => {
      const other = encoderNetwork(readEncoderConfig(folder), join(folder, 'config.json'));
      return new Map([[PIECES, other.read(folder).get(PIECES)!]]);
    },
  };
}
