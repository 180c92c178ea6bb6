/** Data sets for multimodal sentiment, in one form. */
export { type BatchOptions, type SentimentBatch, SentimentBatches, sentimentBatchesFromShared } from './batches.js';
export { type CsdFolderOptions, type CsdRole, type Folds, loadCsdFolder } from './csd.js';
export { toCsv } from './csv.js';
export {
  type FeaturesByModality,
  SentimentData,
  type SentimentParts,
  type SentimentSummary,
  type TokenTable,
} from './data.js';
export { conditionCalled, conditions, type Degradation, degradeData } from './degrade.js';
export { type LabelFolderOptions, loadLabelFolder } from './labelcsv.js';
export { loadSentiment, type SentimentFormat, type SentimentSource, sentimentFormat } from './load.js';
export { loadMeldFolder, type MeldOptions } from './meld.js';
export { loadMmsaNpz, loadMmsaPickle, type MmsaOptions } from './mmsa.js';
export { saveMmsaNpz } from './mmsa-save.js';
export { loadMosiFolder, type MosiFolderOptions } from './mosi.js';
export { factorsOf, makeSynthetic, type SyntheticOptions } from './synthetic.js';
export { loadTable, type TableOptions } from './table.js';
export { type SplitName, splitNames, type Utterance, utterance } from './types.js';
