/** Pretrained weights of a BERT, from Hugging Face's safetensors files. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { SafetensorsModel } from '../../io/index.js';
import { DataError, noGrad, scope, type Tensor } from '../../torch/index.js';
import type { BertModel } from './bert.js';

/** What stands beside the encoder in files of models for some task. */
const heads = /^(cls|classifier|qa_outputs)\./;
/** Counting numbers, which older files store. */
const counted = /^embeddings\.(position_ids|token_type_ids)$/;
const pooler = /^pooler\./;
const floating: ReadonlySet<string> = new Set(['float32', 'float64', 'float16', 'bfloat16']);

/**
 * Reads a model's weights: `model.safetensors`, or its shards, of the folder. Keys may have the prefix `bert.`; heads of
 * tasks (`cls.*`, `classifier.*`, `qa_outputs.*`) are left out, as is a pooler that the model lacks; norms may have the
 * old names `gamma` and `beta`.
 *
 * @throws DataError naming every key that is missing, unknown or of another shape at once; nothing is read then
 */
export function loadBertWeights(model: BertModel, folder: string): void {
  refuseUnsafe(folder);
  const file = new SafetensorsModel(folder);
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
  file: SafetensorsModel,
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

/** PyTorch's own files are pickles, which can run any program. */
function refuseUnsafe(folder: string): void {
  const safe = ['model.safetensors', 'model.safetensors.index.json'].some((name) => existsSync(join(folder, name)));
  const unsafe = ['pytorch_model.bin', 'pytorch_model.bin.index.json'].find((name) => existsSync(join(folder, name)));
  if (safe || !unsafe) return;
  throw new DataError(
    `Expected model.safetensors in ${folder}, got ${unsafe}, whose format can run any program when it is read. Convert ` +
      'it once, in Python with torch and transformers, if you trust where it came from:\n' +
      `  from transformers import BertModel\n  BertModel.from_pretrained('${folder}').save_pretrained('${folder}')`,
  );
}
