/** What a sentence encoder is: the `config.json` of its folder, with Hugging Face's names where they mean the same. */
import { isAtLeast, isObject, isOneOf, isWhole } from '../io/json-file.js';
import { DataError } from '../torch/index.js';

/** How its `config.json` calls it. */
export const sentenceType = 'universal-sentence-encoder';

export interface SentenceConfig {
  readonly vocabSize: number;
  /** Of the vectors of pieces; the first layer maps to the hidden size. */
  readonly embeddingSize: number;
  readonly hiddenSize: number;
  readonly numHiddenLayers: number;
  readonly numAttentionHeads: number;
  readonly intermediateSize: number;
  readonly maxPositionEmbeddings: number;
  readonly layerNormEps: number;
  readonly hiddenDropoutProb: number;
  readonly attentionProbsDropoutProb: number;
  readonly padTokenId: number;
}

const fields = {
  vocab_size: isWhole(1),
  embedding_size: isWhole(2),
  hidden_size: isWhole(1),
  num_hidden_layers: isWhole(1),
  num_attention_heads: isWhole(1),
  intermediate_size: isWhole(1),
  max_position_embeddings: isWhole(1),
  layer_norm_eps: isAtLeast(0),
  hidden_dropout_prob: isAtLeast(0),
  attention_probs_dropout_prob: isAtLeast(0),
  pad_token_id: isWhole(0),
};
const shape = isObject({ model_type: isOneOf([sentenceType]), ...fields });

/** @param where - names the source in errors. @throws DataError for another kind of model, and values that none has */
export function parseSentenceConfig(json: unknown, where: string): SentenceConfig {
  const faults = shape(json, '');
  if (faults.length > 0) throw new DataError(`${where}: expected ${faults.join('; ')}`);
  const read = json as Record<keyof typeof fields, number>;
  const { embedding_size: embeddingSize, hidden_size: hiddenSize, num_attention_heads: heads } = read;
  for (const size of [embeddingSize, hiddenSize]) {
    if (size % heads !== 0)
      throw new DataError(`${where}: expected sizes that ${heads} heads share evenly, got ${size}`);
  }
  return {
    vocabSize: read.vocab_size,
    embeddingSize,
    hiddenSize,
    numHiddenLayers: read.num_hidden_layers,
    numAttentionHeads: heads,
    intermediateSize: read.intermediate_size,
    maxPositionEmbeddings: read.max_position_embeddings,
    layerNormEps: read.layer_norm_eps,
    hiddenDropoutProb: read.hidden_dropout_prob,
    attentionProbsDropoutProb: read.attention_probs_dropout_prob,
    padTokenId: read.pad_token_id,
  };
}
