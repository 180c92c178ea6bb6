/** Tracks as JSON: our own, Audio2Face's, or any object with names and rows. */
import {
  isAnything,
  isList,
  isNumber,
  isObject,
  isText,
  leaf,
  optional,
  readJsonFile,
  type Shape,
} from '../../io/index.js';
import { DataError } from '../../torch/index.js';
import { arkitCount, arkitIndex, arkitNames } from '../face/arkit.js';
import { noteMissing, unknownNames, weightsOf } from './named.js';
import { shortest } from './numbers.js';
import type { MotionTrack, TrackReadOptions, TrackValues } from './track.js';

/** @internal */
export function jsonText(track: MotionTrack): string {
  const table = (values: Float32Array, width: number): string => {
    const rows: string[] = [];
    for (let at = 0; at < values.length; at += width)
      rows.push(`    [${Array.from(values.subarray(at, at + width), shortest).join(', ')}]`);
    return `[\n${rows.join(',\n')}\n  ]`;
  };
  const fields = [
    `"fps": ${track.fps}`,
    `"names": ${JSON.stringify(arkitNames)}`,
    `"weights": ${table(track.weights, arkitCount)}`,
    `"pose": ${table(track.pose, 3)}`,
    ...(track.position ? [`"position": ${table(track.position, 3)}`] : []),
    ...(track.gaze ? [`"gaze": ${table(track.gaze, 2)}`] : []),
  ];
  return `{\n  ${fields.join(',\n  ')}\n}\n`;
}

/** Rows of numbers; a long track with a fault in each row is told by the first few. */
const isRows: Shape = (value, at) => isList(isList(isNumber))(value, at).slice(0, 20);
const isRate = leaf('a number above 0', (value) => Number.isFinite(value) && (value as number) > 0);
/** The names that others give to the three: Audio2Face's last. */
const spellings = {
  fps: ['fps', 'exportFps'],
  names: ['names', 'facsNames'],
  weights: ['weights', 'rows', 'weightMat'],
} as const;

type Rows = readonly (readonly number[])[];

/** @internal */
export function readJsonTrack(path: string, { fps, note = () => {} }: TrackReadOptions): TrackValues {
  const object = readJsonFile<Record<string, unknown>>(path, 'a track', isObject({}));
  const name = (field: keyof typeof spellings): string =>
    spellings[field].find((each) => object[each] !== undefined) ?? spellings[field][0];
  const rated = fps === undefined ? isRate : isAnything;
  const fields = {
    [name('fps')]: rated,
    [name('names')]: isList(isText),
    [name('weights')]: isRows,
    pose: optional(isRows),
    position: optional(isRows),
    gaze: optional(isRows),
  };
  const faults = isObject(fields)(object, '');
  if (faults.length > 0) throw new DataError(`Expected ${path} to hold a track: expected ${faults.join('; ')}`);
  const names = object[name('names')] as readonly string[];
  const rows = object[name('weights')] as Rows;
  const places = placesOf(path, names, note);
  const given = flat(path, name('weights'), rows, names.length, rows.length);
  const more = (field: 'pose' | 'position' | 'gaze', width: number): Partial<TrackValues> =>
    object[field] === undefined ? {} : { [field]: flat(path, field, object[field] as Rows, width, rows.length) };
  return {
    fps: fps ?? (object[name('fps')] as number),
    weights: weightsOf(given, places, rows.length),
    ...more('pose', 3),
    ...more('position', 3),
    ...more('gaze', 2),
  };
}

/** Where each name stands among the 52; -1 for MediaPipe's `_neutral`, which says nothing. */
function placesOf(path: string, names: readonly string[], note: (remark: string) => void): number[] {
  const places = names.map(arkitIndex);
  const unknown = names.filter((name, i) => places[i]! < 0 && name !== '_neutral');
  if (unknown.length > 0) throw unknownNames(path, "names of ARKit's expressions", unknown, arkitNames);
  const twice = names.filter((_, i) => places[i]! >= 0 && places.indexOf(places[i]!) !== i);
  if (twice.length > 0) throw new DataError(`${path}: more than one column is called ${twice.join(', ')}`);
  if (places.every((place) => place < 0))
    throw new DataError(`${path}: expected names of ARKit's expressions, got none`);
  noteMissing(path, (place) => places.includes(place), note);
  return places;
}

/** @throws DataError for rows of another width, or not as many as there are frames */
function flat(path: string, field: string, rows: Rows, width: number, frames: number): number[] {
  if (frames === 0) throw new DataError(`${path}: expected a row for each frame in ${field}, got none`);
  if (rows.length !== frames)
    throw new DataError(`${path}: expected ${field} to have ${frames} rows, as many as weights, got ${rows.length}`);
  const ragged = rows.findIndex((row) => row.length !== width);
  if (ragged >= 0)
    throw new DataError(`${path}: expected ${width} numbers in ${field}[${ragged}], got ${rows[ragged]!.length}`);
  return rows.flat();
}
