/** The packed voice model: one file of numbers, read without tensors. */
import { fileURLToPath } from 'node:url';
import { isList, isObject, isWhole, SafetensorsFile, saveSafetensors } from '../../io/index.js';
import { viewNumbers } from '../../io/raw.js';
import { DataError, scope, type Tensor, tensor } from '../../torch/index.js';
import type { NetworkShape } from './network.js';

/** Where the voice model lies that comes with Headrace. */
export const shippedVoice: string = fileURLToPath(new URL('../../../models/voice/voice.safetensors', import.meta.url));

/** What a voice model is made of. */
export interface VoiceNumbers {
  readonly shape: NetworkShape;
  /** The network's, by their keys. */
  readonly network: ReadonlyMap<string, Float32Array>;
  /** The mean spectrum of speech. */
  readonly usual: Float32Array;
}

const FORMAT = 'headrace-voice-1';
const isShape = isObject({ width: isWhole(1), dilations: isList(isWhole(1)) });

export function saveVoice(
  path: string,
  shape: NetworkShape,
  network: Iterable<readonly [string, Tensor]>,
  usual: Float32Array,
): void {
  scope(() => {
    const tensors: [string, Tensor][] = [['usual', tensor(usual)]];
    for (const [key, value] of network) tensors.push([`network.${key}`, value]);
    const { width, dilations } = shape;
    saveSafetensors(path, tensors, { format: FORMAT, shape: JSON.stringify({ width, dilations }) });
  });
}

/** @throws DataError for a file that is absent, damaged, or no voice model */
export function loadVoice(path: string): VoiceNumbers {
  const file = SafetensorsFile.open(path);
  try {
    const { format, shape } = file.metadata;
    const parsed = format === FORMAT ? (JSON.parse(shape ?? 'null') as NetworkShape) : null;
    if (parsed === null || isShape(parsed, 'shape').length > 0) {
      throw new DataError(
        `Expected ${path} to be a voice model that headrace talk train voice has made (format ${FORMAT}), got format ${format ?? 'none'}`,
      );
    }
    const numbers = (key: string): Float32Array => Float32Array.from(viewNumbers(file.raw(key)) as Float32Array);
    const keys = [...file.entries.keys()].filter((key) => key.startsWith('network.'));
    const network = new Map(keys.map((key) => [key.slice('network.'.length), numbers(key)]));
    return { shape: parsed, network, usual: numbers('usual') };
  } finally {
    file.close();
  }
}
