/** The packed face, `models/face-ict/face.safetensors`: read and checked. `scripts/face-model.mjs` writes it. */
import { fileURLToPath } from 'node:url';
import { isList, isObject, isText, isWhole, SafetensorsFile, type Shape } from '../../io/index.js';
import { type NumberArray, viewNumbers } from '../../io/raw.js';
import { DataError } from '../../torch/index.js';

/** Where the face lies that comes with Headrace. */
export const shippedFace: string = fileURLToPath(new URL('../../../models/face-ict/face.safetensors', import.meta.url));

/** The pieces of the face, in the order of their vertices. Left and right are the subject's own. */
export const facePieces = [
  'innerFace',
  'outerFace',
  'headNeck',
  'mouthSocket',
  'eyeSocketLeft',
  'eyeSocketRight',
  'gums',
  'tongue',
  'upperTeeth',
  'lowerTeeth',
  'scleraLeft',
  'irisLeft',
  'scleraRight',
  'irisRight',
] as const;

export type FacePiece = (typeof facePieces)[number];

/** A run of vertices and one of triangles: `[first, end)`. */
export interface FaceRange {
  readonly vertices: readonly [first: number, end: number];
  readonly triangles: readonly [first: number, end: number];
}

/** What the file holds, as plain arrays. */
export interface FaceFile {
  readonly ranges: Readonly<Record<FacePiece, FaceRange>>;
  readonly expressions: readonly string[];
  /** The numbers of a tensor. @throws DataError unless it has this shape */
  readonly numbers: (key: string, shape: readonly number[]) => NumberArray;
  /** The first number of a tensor's shape. */
  readonly size: (key: string) => number;
}

const isRange = isObject({ vertices: isList(isWhole(0)), triangles: isList(isWhole(0)) });
const isRanges = isObject(Object.fromEntries(facePieces.map((name) => [name, isRange])));

/** Opens the file, lets `use` read of it, closes it. @throws DataError when it is absent, damaged or another kind of file */
export function withFaceFile<T>(path: string, use: (file: FaceFile) => T): T {
  const file = SafetensorsFile.open(path);
  try {
    if (file.metadata.format !== 'headrace-face-1') {
      throw new DataError(
        `Expected ${path} to be a face made by scripts/face-model.mjs (format headrace-face-1), got format ${file.metadata.format ?? 'none'}`,
      );
    }
    return use({
      ranges: parse(file, 'parts', isRanges),
      expressions: parse(file, 'expressions', isList(isText)),
      numbers: (key, shape) => {
        const raw = file.raw(key);
        if (raw.shape.length !== shape.length || raw.shape.some((size, i) => size !== shape[i])) {
          throw new DataError(`${path}: expected ${key} of shape [${shape.join(', ')}], got [${raw.shape.join(', ')}]`);
        }
        return viewNumbers(raw);
      },
      size: (key) => file.entries.get(key)?.shape[0] ?? 0,
    });
  } finally {
    file.close();
  }
}

function parse<T>(file: SafetensorsFile, name: string, shape: Shape): T {
  let value: unknown;
  try {
    value = JSON.parse(file.metadata[name] ?? '');
  } catch (cause) {
    throw new DataError(`${file.path}: its metadata '${name}' is damaged`, { cause });
  }
  const faults = shape(value, name);
  if (faults.length > 0) throw new DataError(`${file.path}: expected ${faults.join('; ')}`);
  return value as T;
}

/** Vertex numbers. @throws DataError for one that is not below `count` */
export function indices(path: string, key: string, values: NumberArray, count: number): Uint32Array {
  const wrong = values.findIndex((value) => value < 0 || value >= count);
  if (wrong >= 0)
    throw new DataError(`${path}: expected ${key} to be numbers below ${count}, got ${values[wrong]} at ${wrong}`);
  return Uint32Array.from(values);
}
