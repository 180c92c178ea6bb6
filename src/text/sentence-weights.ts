/** The folder of a sentence encoder: config.json, tokenizer.json, model.safetensors with keys that begin with `encoder.`. */
import { join } from 'node:path';
import { loadSafetensors, readJsonFile } from '../io/index.js';
import { skipInit } from '../nn/index.js';
import { DataError, scope } from '../torch/index.js';
import { unpackWeights } from './packed-weights.js';
import { parseSentenceConfig } from './sentence-config.js';
import { SentenceEncoder } from './sentence-encoder.js';

const PREFIX = 'encoder.';

/** @throws DataError where a weight is missing or of another shape */
export function loadSentenceWeights(model: SentenceEncoder, folder: string): void {
  const path = join(folder, 'model.safetensors');
  scope(() => {
    const tensors = unpackWeights(loadSafetensors(path).tensors);
    const own = [...model.stateDict()].map(([key, { shape }]) => {
      const found = tensors.get(`${PREFIX}${key}`);
      if (found && `${found.shape}` === `${shape}`) return [key, found.to({ dtype: 'float32' })] as const;
      const got = found ? `[${found.shape}]` : 'none';
      throw new DataError(`Expected weights in ${path} that fit config.json: ${PREFIX}${key} [${shape}], got ${got}`);
    });
    model.loadStateDict(new Map(own));
  });
}

/** A sentence encoder with its weights. @throws DataError where the folder holds none */
export function readSentenceEncoder(folder: string): SentenceEncoder {
  const path = join(folder, 'config.json');
  const config = parseSentenceConfig(readJsonFile<unknown>(path, 'the configuration of a sentence encoder'), path);
  const model = skipInit(() => new SentenceEncoder(config));
  loadSentenceWeights(model, folder);
  return model;
}
