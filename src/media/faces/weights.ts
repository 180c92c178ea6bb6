/** Reads the weights that the package `@vladmandic/face-api` ships: TensorFlow.js manifests with quantised shards. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Module } from '../../nn/index.js';
import { DataError, type Tensor, tensor } from '../../torch/index.js';
import { optionalFolder } from '../../torch/optional.js';
import { mapInto } from '../map-into.js';

/** The networks of the package that are used here, by the names of their files. */
export type FaceNetwork =
  | 'tiny_face_detector'
  | 'ssd_mobilenetv1'
  | 'face_landmark_68'
  | 'face_expression'
  | 'face_recognition';

/** An array of a manifest: its values as they are stored, and what turns them into numbers. */
interface Entry {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: 'float32' | 'int32';
  readonly quantization?: { readonly dtype: string; readonly scale: number; readonly min: number };
}

/** The folder of the package's weights. @throws ConfigError where it is not installed */
export function faceWeightsFolder(): string {
  return join(optionalFolder('@vladmandic/face-api', 'Finding faces'), 'model');
}

/**
 * All arrays of one network, float32, by their names in the manifest, the kernels in PyTorch's layouts.
 * @param folder holds `<network>_model-weights_manifest.json` and the shards it names
 * @throws DataError naming the file that is absent, of another form or too short
 */
export async function readFaceWeights(network: FaceNetwork, folder: string): Promise<Map<string, Tensor>> {
  const path = join(folder, `${network}_model-weights_manifest.json`);
  const groups = parseManifest(await read(path), path);
  const weights = new Map<string, Tensor>();
  for (const { paths, weights: entries } of groups) {
    const shards = await Promise.all(paths.map((shard) => read(join(folder, shard))));
    const bytes = Buffer.concat(shards);
    let offset = 0;
    for (const entry of entries) {
      const count = entry.shape.reduce((product, size) => product * size, 1);
      const size = count * (entry.quantization ? 1 : 4);
      if (offset + size > bytes.length) {
        throw new DataError(
          `${paths.join(' + ')} in ${folder}: expected ${size} bytes at ${offset} for ${entry.name}, got ${bytes.length} in all; install the package again`,
        );
      }
      const values = decode(bytes.subarray(offset, offset + size), entry, path);
      weights.set(entry.name, toPyTorchLayout(entry.name, tensor(values, { shape: [...entry.shape] })));
      offset += size;
    }
  }
  return weights;
}

async function read(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw new DataError(`Expected weights of the face networks at ${path}, which cannot be read`, { cause });
  }
}

function parseManifest(text: Buffer, path: string): { paths: string[]; weights: Entry[] }[] {
  const isGroup = (group: { paths?: unknown; weights?: unknown } | null): boolean =>
    Array.isArray(group?.paths) && Array.isArray(group.weights);
  try {
    const groups: unknown = JSON.parse(text.toString('utf8'));
    if (Array.isArray(groups) && groups.every(isGroup)) return groups;
  } catch (cause) {
    throw new DataError(`Expected a TensorFlow.js weights manifest at ${path}, got text that is no JSON`, { cause });
  }
  throw new DataError(`Expected a TensorFlow.js weights manifest (groups of paths and weights) at ${path}`);
}

function decode(bytes: Uint8Array, { name, dtype, quantization }: Entry, path: string): Float32Array {
  if (!quantization) {
    const copy = Uint8Array.from(bytes).buffer; // aligned, which a view on the shard need not be
    return dtype === 'int32' ? Float32Array.from(new Int32Array(copy)) : new Float32Array(copy);
  }
  const { dtype: stored, scale, min } = quantization;
  if (stored !== 'uint8') throw new DataError(`${path}: expected ${name} as uint8, got ${stored}`);
  return mapInto(new Float32Array(bytes.length), bytes, (value) => Math.fround(value * scale + min));
}

/** A convolution's or a linear layer's kernel from TensorFlow's layout to PyTorch's. */
const kernels: Readonly<Record<string, (kernel: Tensor) => Tensor>> = {
  depthwise_filter: (k) => k.permute([2, 3, 0, 1]), // [h, w, in, 1]
  depthwise_weights: (k) => k.permute([2, 3, 0, 1]),
  pointwise_filter: (k) => k.permute([3, 2, 0, 1]), // [h, w, in, out]
  filters: (k) => k.permute([3, 2, 0, 1]),
  // [in, out] of a linear layer; one factor for each channel stays as it is
  weights: (k) => (k.ndim === 1 ? k : k.ndim === 2 ? k.t() : k.permute([3, 2, 0, 1])),
  fc: (k) => k.t(),
};

/** The last part of a kernel's name tells its layout; what is no kernel stays. */
function toPyTorchLayout(name: string, values: Tensor): Tensor {
  const layout = kernels[name.slice(name.lastIndexOf('/') + 1)];
  return layout ? layout(values) : values;
}

/**
 * Loads arrays in PyTorch's layouts into a module for inference; every one must have its place, and every parameter its array.
 * @param rename gives the key of an array of the manifest
 */
export function loadRenamed(
  module: Module,
  weights: ReadonlyMap<string, Tensor>,
  rename: (name: string) => string,
): void {
  module.loadStateDict(new Map([...weights].map(([name, values]) => [rename(name), values])));
  module.requiresGrad_(false).eval();
}
