/** Tracks as CSV: the columns of Live Link Face, in any order and in any spelling that names ARKit's expressions. */
import { readFileSync } from 'node:fs';
import { parse } from 'csv-parse/sync';
import { firstLines } from '../../io/fault-list.js';
import { reason } from '../../io/file.js';
import { DataError } from '../../torch/index.js';
import { arkitCount, arkitIndex, arkitNames } from '../face/arkit.js';
import { evenly } from './even.js';
import { noteMissing, unknownNames, weightsOf } from './named.js';
import { degrees, numberIn, shortest } from './numbers.js';
import { parseTimecode, rateOf, timecode } from './timecode.js';
import type { MotionTrack, TrackReadOptions, TrackValues } from './track.js';

/**
 * Head and eyes are in radians there, about the head's own axes: yaw > 0 to the subject's left, which is the viewer's right,
 * pitch > 0 up, roll > 0 anticlockwise for the viewer; the last alone is the other way round in a track.
 */
const angleColumns = ['HeadYaw', 'HeadPitch', 'HeadRoll'] as const;
const angleSigns = [1, 1, -1] as const;
const eyeColumns = ['LeftEyeYaw', 'LeftEyePitch', 'RightEyeYaw', 'RightEyePitch'] as const;
/** Ours, in cm; other tools pass over them, as over the rate. */
const positionColumns = ['HeadX', 'HeadY', 'HeadZ'] as const;
const rateColumn = 'FramesPerSecond';
/** What may stand in a file and is not read. */
const ignored = ['BlendShapeCount', 'LeftEyeRoll', 'RightEyeRoll', '_neutral'];
const known = ['Timecode', rateColumn, ...angleColumns, ...eyeColumns, ...positionColumns, ...ignored];

/** @internal */
export function csvText(track: MotionTrack): string {
  const rate = Math.ceil(track.fps);
  const named = [
    ...arkitNames.map((name) => name[0]!.toUpperCase() + name.slice(1)),
    ...angleColumns,
    ...(track.gaze ? eyeColumns : []),
    ...(track.position ? positionColumns : []),
  ];
  const lines = [['Timecode', 'BlendShapeCount', ...named, rateColumn].join(',')];
  for (let frame = 0; frame < track.frames; frame++) {
    const row = (values: Float32Array, width: number): Float32Array =>
      values.subarray(frame * width, (frame + 1) * width);
    const gaze = track.gaze ? [...row(track.gaze, 2)].map(radians) : [];
    lines.push(
      [
        timecode(frame, rate),
        named.length,
        ...Array.from(row(track.weights, arkitCount), shortest),
        ...Array.from(row(track.pose, 3), (value, i) => radians(angleSigns[i]! * value)),
        ...gaze,
        ...gaze,
        ...(track.position ? Array.from(row(track.position, 3), shortest) : []),
        track.fps,
      ].join(','),
    );
  }
  return `${lines.join('\n')}\n`;
}

/** In full, so that the degrees come back to the last bit. */
function radians(value: number): string {
  const turned = value / degrees;
  return Object.is(turned, -0) ? '-0' : String(turned);
}

interface Row {
  readonly line: number;
  readonly cells: readonly string[];
}

/** @internal */
export function readCsvTrack(path: string, { fps, note = () => {} }: TrackReadOptions): TrackValues {
  const { header, rows } = readRows(path, note);
  const place = new Map(header.map((name, i) => [columnKey(name), i]));
  const faults: string[] = [];
  const numbers = (columns: readonly string[]): Float64Array | undefined => {
    const places = columns.map((name) => place.get(columnKey(name)));
    const absent = columns.filter((_, i) => places[i] === undefined);
    if (absent.length === columns.length) return undefined;
    if (absent.length > 0)
      throw new DataError(
        `${path}: expected the columns ${columns.join(', ')} together; missing: ${absent.join(', ')}`,
      );
    return read(rows, places as number[], header, faults);
  };
  const given = arkitNames.filter((name) => place.has(columnKey(name)));
  const some = numbers(given)!;
  const [pose, eyes, position] = [numbers(angleColumns), numbers(eyeColumns), numbers(positionColumns)];
  const rates = numbers([rateColumn]);
  if (faults.length > 0) throw new DataError(told(path, faults));
  noteMissing(path, (at) => place.has(columnKey(arkitNames[at]!)), note);
  const track = {
    weights: weightsOf(some, given.map(arkitIndex), rows.length),
    ...(pose ? { pose: pose.map((value, i) => angleSigns[i % 3]! * value * degrees) } : {}),
    ...(position ? { position } : {}),
    ...(eyes ? { gaze: gazeOf(eyes) } : {}),
  };
  if (rates) return { ...track, fps: fps ?? oneRate(path, rates) };
  return timed(path, rows, place.get('timecode'), track, fps, note);
}

/** Frames at their timecodes, or one after another where there are none. */
function timed(
  path: string,
  rows: readonly Row[],
  column: number | undefined,
  track: Omit<TrackValues, 'fps'>,
  fps: number | undefined,
  note: (remark: string) => void,
): TrackValues {
  const advice = 'say how many frames a second there are, with fps';
  if (column === undefined) {
    if (fps !== undefined) return { ...track, fps };
    throw new DataError(`${path} has neither a column Timecode nor ${rateColumn}: ${advice}`);
  }
  const codes = rows.map(({ line, cells }) => {
    const code = parseTimecode(cells[column]!);
    if (code !== null) return code;
    throw new DataError(`${path}, line ${line}: expected a timecode such as 17:06:20:27.831, got '${cells[column]}'`);
  });
  const rate = rateOf(codes) ?? (fps === undefined ? null : Math.ceil(fps));
  if (rate === null) throw new DataError(`${path} is too short for its timecodes to tell the frame rate: ${advice}`);
  return evenly(path, rows, codes, rate, { ...track, fps: fps ?? rate }, note);
}

/** A column's name without the differences of spelling. */
function columnKey(name: string): string {
  const at = arkitIndex(name);
  return at >= 0 ? arkitNames[at]! : name.trim().toLowerCase();
}

function readRows(path: string, note: (remark: string) => void): { header: string[]; rows: Row[] } {
  let records: { info: { lines: number }; record: string[] }[];
  try {
    records = parse(readFileSync(path, 'utf8'), {
      bom: true,
      info: true,
      relax_column_count: true, // judged below, with all lines at once
      skip_empty_lines: true,
      skip_records_with_empty_values: true,
    }) as unknown as typeof records;
  } catch (cause) {
    throw new DataError(`Cannot read ${path} as CSV: ${reason(cause)}`, { cause });
  }
  const header = records[0]?.record ?? [];
  checkHeader(path, header);
  const all = records.slice(1).map(({ info, record }) => ({ line: info.lines, cells: record }));
  const count = header.findIndex((name) => columnKey(name) === 'blendshapecount');
  // Live Link Face writes such rows, cut short, while it sees no face.
  const rows = all.filter(({ cells }) => count < 0 || cells[count]?.trim() !== '0');
  if (rows.length < all.length) note(`${path}: ${all.length - rows.length} rows without a face were passed over`);
  const ragged = rows.filter(({ cells }) => cells.length !== header.length);
  if (ragged.length > 0)
    throw new DataError(
      told(
        path,
        ragged.map(({ line, cells }) => `line ${line}: expected ${header.length} cells, got ${cells.length}`),
      ),
    );
  if (rows.length === 0) throw new DataError(`${path}: expected a row for each frame, got none`);
  return { header, rows };
}

function checkHeader(path: string, header: readonly string[]): void {
  const keys = header.map(columnKey);
  const twice = header.filter((_, i) => keys.indexOf(keys[i]!) !== i);
  if (twice.length > 0) throw new DataError(`${path}: more than one column is called ${twice.join(', ')}`);
  const names = known.map((name) => name.toLowerCase());
  const unknown = header.filter((name, i) => arkitIndex(name) < 0 && !names.includes(keys[i]!));
  if (!header.some((name) => arkitIndex(name) >= 0))
    throw new DataError(
      `${path}: expected a first line of columns with ARKit's expressions, EyeBlinkLeft, JawOpen and so on, got ${header.slice(0, 8).join(', ') || 'nothing'}`,
    );
  if (unknown.length === 0) return;
  const expected = `columns of ARKit's expressions and ${known.join(', ')}`;
  throw unknownNames(path, expected, unknown, [...arkitNames, ...known]);
}

function read(
  rows: readonly Row[],
  places: readonly number[],
  header: readonly string[],
  faults: string[],
): Float64Array {
  const values = new Float64Array(rows.length * places.length);
  for (const [r, { line, cells }] of rows.entries()) {
    for (const [i, at] of places.entries()) {
      const value = numberIn(cells[at]!);
      if (value === null) faults.push(`line ${line}: expected ${header[at]} to be a finite number, got '${cells[at]}'`);
      else values[r * places.length + i] = value;
    }
  }
  return values;
}

/** The mean of both eyes, in degrees. */
function gazeOf(eyes: Float64Array): Float64Array {
  return Float64Array.from({ length: eyes.length / 2 }, (_, i) => {
    const at = 4 * Math.floor(i / 2) + (i % 2);
    const [left, right] = [eyes[at]!, eyes[at + 2]!];
    return (Object.is(left, right) ? left : (left + right) / 2) * degrees;
  });
}

function oneRate(path: string, rates: Float64Array): number {
  const other = rates.find((rate) => rate !== rates[0]);
  if (other === undefined) return rates[0]!;
  throw new DataError(`${path}: expected one ${rateColumn} in all rows, got ${rates[0]} and ${other}`);
}

function told(path: string, faults: readonly string[]): string {
  return `${path}: ${faults.length} faults:\n${firstLines(faults, 20)}`;
}
