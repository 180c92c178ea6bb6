/** Pre-training that goes on from another encoder, or makes a deeper one of it. */
import { saveSafetensors } from '../../io/index.js';
import { buildModel, type ModelSpec } from '../../pipeline/index.js';
import { readBertConfig } from '../../text/bert-config.js';
import { BertEncoder } from '../../text/bert-encoder.js';
import { openWeights } from '../../text/bert-weights.js';
import { ConfigError, scope, type Tensor } from '../../torch/index.js';
import type { PretrainConfig } from './pretrain-config.js';

const HEAD = 'cls.predictions';
const PIECES = 'embeddings.word_embeddings.weight';

/** @throws ConfigError where no encoder of the configuration can be made of that of the folder */
export function checkBeginning({ model, places }: PretrainConfig, folder: string): void {
  const found = readBertConfig(folder);
  const differ = [
    ['width', model.width, found.hiddenSize],
    ['heads', model.heads, found.numAttentionHeads],
    ['inner', model.inner, found.intermediateSize],
    ['places', places, found.maxPositionEmbeddings],
  ].filter(([, wanted, has]) => wanted !== has);
  if (differ.length > 0) {
    const differences = differ.map(([name, wanted, has]) => `${name} ${has}, not ${wanted}`).join(', ');
    throw new ConfigError(
      `Expected a configuration as wide as the encoder in ${folder}, got one that differs: ${differences}`,
    );
  }
  if (model.layers % found.numHiddenLayers !== 0) {
    throw new ConfigError(
      `Expected as many layers as the encoder in ${folder} has (${found.numHiddenLayers}), or a multiple, got ${model.layers}`,
    );
  }
}

/**
 * Writes the weights to begin with, under the keys of the whole model. Layers beyond those of the folder begin as its own, from the
 * first one on (stacking: Gong et al. 2019, Efficient Training of BERT by Progressively Stacking). The head that guesses is the folder's,
 * if it has one; else it compares with the vectors of the pieces.
 */
export function writeBeginning(path: string, spec: ModelSpec, folder: string, seed: number): void {
  scope(() => {
    const from = BertEncoder.fromFolder(folder).bert.stateDict();
    const layers = readBertConfig(folder).numHiddenLayers;
    const sourceOf = (key: string): string =>
      key.slice('bert.'.length).replace(/^encoder\.layer\.(\d+)/, (_, n) => `encoder.layer.${Number(n) % layers}`);
    const head = headOf(folder);
    const made = [...buildModel(spec, { seed }).stateDict()].map(([key, drawn]): [string, Tensor] => {
      if (key.startsWith('bert.')) return [key, from.get(sourceOf(key))!];
      return [key, head.get(key) ?? (key === `${HEAD}.decoder.weight` ? from.get(PIECES)! : drawn)];
    });
    saveSafetensors(path, new Map(made), { format: 'pt' });
  });
}

/** Weights of the head that guesses hidden pieces, if a folder has them. */
function headOf(folder: string): ReadonlyMap<string, Tensor> {
  const file = openWeights(folder);
  try {
    const keys = file.keys().filter((key) => key.startsWith(`${HEAD}.`));
    return new Map(keys.map((key) => [key, file.get(key)]));
  } finally {
    file.close();
  }
}
