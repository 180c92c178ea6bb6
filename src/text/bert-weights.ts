/** Pretrained weights of a BERT, from Hugging Face's safetensors files or PyTorch's. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { SafetensorsModel, TorchFile } from '../io/index.js';
import { DataError, type DType, noGrad, scope, type Tensor } from '../torch/index.js';
import type { BertModel } from './bert.js';
import { SCALES, unpackRows } from './packed-weights.js';

/** What stands beside the encoder in files of models for some task: Hugging Face's, and readers. */
const heads = /^(cls|classifier|qa_outputs|reader|familiarity)\./;
/** Counting numbers, which older files store. */
const counted = /^embeddings\.(position_ids|token_type_ids)$/;
const pooler = /^pooler\./;
const floating: ReadonlySet<string> = new Set(['float32', 'float64', 'float16', 'bfloat16']);

/**
 * Reads a model's weights: `model.safetensors`, or its shards, of the folder, else `pytorch_model.bin`. Keys may have the prefix `bert.`; heads of
 * tasks (`cls.*`, `classifier.*`, `qa_outputs.*`, and a reader's `reader.*`, `familiarity.*`) are left out, as is a pooler that the model lacks; norms may have the
 * old names `gamma` and `beta`.
 *
 * @throws DataError naming every key that is missing, unknown or of another shape at once; nothing is read then
 */
export function loadBertWeights(model: BertModel, folder: string): void {
  const file = unpacked(openWeights(folder));
  try {
    const own = model.stateDict();
    const places = placesOf(file, own, model.pooler !== null, folder);
    // One tensor at a time: a large model is never held twice.
    noGrad(() => {
      for (const [name, key] of places) scope(() => own.get(name)!.copy_(file.get(key)));
    });
  } finally {
    file.close();
  }
}

/** The file's key of each of the model's. */
function placesOf(
  file: WeightsFile,
  own: ReadonlyMap<string, Tensor>,
  pooled: boolean,
  folder: string,
): Map<string, string> {
  const prefixed = file.keys().some((key) => key.startsWith('bert.'));
  const places = new Map<string, string>();
  const wrong: string[] = [];
  for (const key of file.keys()) {
    const name = nameOf(key, prefixed);
    if (name === null || (!pooled && pooler.test(name))) continue;
    const tensor = own.get(name);
    if (!tensor || places.has(name)) {
      wrong.push(`${key}: ${tensor ? `the same as ${places.get(name)}` : 'unknown'}`);
      continue;
    }
    places.set(name, key);
    const { shape, dtype } = file.entry(key);
    if (`${shape}` !== `${tensor.shape}` || !floating.has(dtype)) {
      wrong.push(`${key}: expected floating-point [${tensor.shape}], got ${dtype} [${shape}]`);
    }
  }
  for (const [name, { shape }] of own) if (!places.has(name)) wrong.push(`${name}: missing, expected [${shape}]`);
  if (wrong.length === 0) return places;
  throw new DataError(
    `Expected weights in ${folder} that fit its config.json; these do not:\n  ${wrong.join('\n  ')}\n` +
      'Take both files from the same model',
  );
}

/** The model's key for a file's; null for what is not part of the encoder. */
function nameOf(key: string, prefixed: boolean): string | null {
  if (heads.test(key)) return null;
  const bare = prefixed && key.startsWith('bert.') ? key.slice('bert.'.length) : key;
  if (counted.test(bare)) return null;
  return bare.replace(/\.LayerNorm\.gamma$/, '.LayerNorm.weight').replace(/\.LayerNorm\.beta$/, '.LayerNorm.bias');
}

/** What is needed of either format. */
export interface WeightsFile {
  keys(): string[];
  entry(key: string): { readonly shape: readonly number[]; readonly dtype: DType };
  get(key: string): Tensor;
  close(): void;
}

/** The weights of a model in a folder of Hugging Face's form, to be closed. @throws DataError */
export function openWeights(folder: string): WeightsFile {
  const has = (name: string) => existsSync(join(folder, name));
  const safe = has('model.safetensors') || has('model.safetensors.index.json');
  if (!safe && has('pytorch_model.bin')) return openTorch(join(folder, 'pytorch_model.bin'));
  if (safe || !has('pytorch_model.bin.index.json')) return new SafetensorsModel(folder);
  throw new DataError(
    `Expected model.safetensors or pytorch_model.bin in ${folder}, got the parts of a larger pytorch_model.bin. Join them once, in ` +
      'Python with torch and transformers:\n' +
      `  from transformers import BertModel\n  BertModel.from_pretrained('${folder}').save_pretrained('${folder}')`,
  );
}

/** The same weights, those that lie packed (a reader's of a byte each) as float32. */
function unpacked(file: WeightsFile): WeightsFile {
  const keys = new Set(file.keys());
  const isPacked = (key: string): boolean => file.entry(key).dtype === 'int8' && keys.has(`${key}${SCALES}`);
  const scales = new Set([...keys].filter(isPacked).map((key) => `${key}${SCALES}`));
  return {
    keys: () => [...keys].filter((key) => !scales.has(key)),
    entry: (key) => (isPacked(key) ? { shape: file.entry(key).shape, dtype: 'float32' } : file.entry(key)),
    get: (key) => (isPacked(key) ? unpackRows(key, file.get(key), file.get(`${key}${SCALES}`)) : file.get(key)),
    close: () => file.close(),
  };
}

function openTorch(path: string): WeightsFile {
  const file = TorchFile.open(path);
  try {
    const tensors = file.stateDict();
    return {
      keys: () => [...tensors.keys()],
      entry: (key) => tensors.get(key)!,
      get: (key) => tensors.get(key)!.tensor(),
      close: () => file.close(),
    };
  } catch (error) {
    file.close();
    throw error;
  }
}
