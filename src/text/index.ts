/// <reference lib="esnext.disposable" preserve="true" />
/** Texts: words and word pieces as numbers, word vectors, BERT and other encoders. */
export { type BertInput, BertModel, type BertOptions, type BertResult } from './bert.js';
export { type BertConfig, parseBertConfig, readBertConfig } from './bert-config.js';
export { BertEncoder, type BertEncoderOptions } from './bert-encoder.js';
export { loadBertWeights } from './bert-weights.js';
export { type EncodedText, TextEncoder } from './encoder.js';
export { type FeaturePool, FeatureText, type FeatureTextOptions } from './feature-text.js';
export { type Lexicon, lexiconScores } from './lexicon.js';
export { type TextTokenizer, WordTokenizer } from './tokenizer.js';
export { splitWords, WordVectors } from './word-vectors.js';
export { type WordPieceOptions, WordPieceTokenizer } from './wordpiece.js';
export { WordEncoder, type WordEncoderOptions } from './words.js';
