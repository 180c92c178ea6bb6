/// <reference lib="esnext.disposable" preserve="true" />
/** Texts: words and pieces of words as numbers, word vectors, BERT and other encoders. */
export { type BertInput, BertModel, type BertOptions, type BertResult } from './bert.js';
export { type BertConfig, parseBertConfig, readBertConfig } from './bert-config.js';
export { BertEncoder, type BertEncoderOptions } from './bert-encoder.js';
export { loadBertWeights } from './bert-weights.js';
export { type EncodedText, type RowShift, TextEncoder } from './encoder.js';
export { type FeaturePool, FeatureText, type FeatureTextOptions } from './feature-text.js';
export { type Lexicon, lexiconScores } from './lexicon.js';
export { type LstmConfig, parseLstmConfig } from './lstm-encoder.js';
export { packWeights, unpackWeights } from './packed-weights.js';
export { type PieceTokenizer, pieceTokenizer } from './pieces.js';
export { parseSentenceConfig, type SentenceConfig } from './sentence-config.js';
export { SentenceEncoder } from './sentence-encoder.js';
export { readSentenceEncoder } from './sentence-weights.js';
export { type TextTokenizer, WordTokenizer } from './tokenizer.js';
export { trainWordPieces, type WordPieceDescription, type WordPieceTraining } from './train-wordpiece.js';
export { UnigramTokenizer } from './unigram.js';
export { splitWords, WordVectors } from './word-vectors.js';
export { type WordPieceOptions, WordPieceTokenizer } from './wordpiece.js';
export { WordEncoder, type WordEncoderOptions } from './words.js';
