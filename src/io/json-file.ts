/** JSON files that Headrace wrote and reads back: a damaged one is one clear error, which names the file and all its faults. */
import { readFileSync } from 'node:fs';
import { DataError } from '../torch/errors.js';
import { reason } from './file.js';

/**
 * What a value must look like: gives its faults in words that follow "expected", such as
 * `batchSize to be a whole number >= 1, got "many"`. None for a value that fits.
 * @param at - the value's name
 */
export type Shape = (value: unknown, at: string) => readonly string[];

/** A value in words, cut where it is long. */
function show(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (typeof value === 'number') return String(value); // JSON has no NaN
  const text = JSON.stringify(value) ?? typeof value;
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

/** A value that `fits`, described by `expected`: `a text`. */
export function leaf(expected: string, fits: (value: unknown) => boolean): Shape {
  return (value, at) => (fits(value) ? [] : [`${at} to be ${expected}, got ${show(value)}`]);
}

export const isText: Shape = leaf('a text', (value) => typeof value === 'string');
export const isFlag: Shape = leaf('true or false', (value) => typeof value === 'boolean');
export const isNumber: Shape = leaf('a number', Number.isFinite);
export const isAnything: Shape = () => [];

export function isWhole(least: number, most = Number.MAX_SAFE_INTEGER): Shape {
  const range = most === Number.MAX_SAFE_INTEGER ? `>= ${least}` : `from ${least} to ${most}`;
  const fits = (value: number): boolean => Number.isSafeInteger(value) && value >= least && value <= most;
  return leaf(`a whole number ${range}`, (value) => fits(value as number));
}

export function isAtLeast(least: number): Shape {
  return leaf(`a number >= ${least}`, (value) => Number.isFinite(value) && (value as number) >= least);
}

export function isOneOf(names: readonly string[]): Shape {
  return leaf(`one of ${names.join(', ')}`, (value) => names.includes(value as string));
}

/** May be absent. */
export function optional(shape: Shape): Shape {
  return (value, at) => (value === undefined ? [] : shape(value, at));
}

export function orNull(shape: Shape): Shape {
  return (value, at) => (value === null ? [] : shape(value, at));
}

export function isList(of: Shape): Shape {
  const list = leaf('a list', Array.isArray);
  return (value, at) => {
    const faults = list(value, at);
    return faults.length > 0 ? faults : (value as unknown[]).flatMap((each, i) => of(each, `${at}[${i}]`));
  };
}

/** An object with these fields, and perhaps others. */
export function isObject(fields: Readonly<Record<string, Shape>>): Shape {
  const object = leaf('an object', (value) => typeof value === 'object' && value !== null && !Array.isArray(value));
  return (value, at) => {
    const faults = object(value, at === '' ? 'it' : at);
    if (faults.length > 0) return faults;
    const prefix = at === '' ? '' : `${at}.`;
    return Object.entries(fields).flatMap(([name, shape]) =>
      shape((value as Record<string, unknown>)[name], `${prefix}${name}`),
    );
  };
}

/**
 * Reads a JSON file.
 * @param what - for the error: `the configuration of a run`
 * @throws DataError naming the file, and that it cannot be read, is no JSON, or which of its fields are wrong
 */
export function readJsonFile<T>(path: string, what: string, shape: Shape = isAnything): T {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw new DataError(`Cannot read ${path}: ${reason(cause)}`, { cause });
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    const fault = text.trim() === '' ? 'it is empty' : reason(cause).replaceAll(/\s+/g, ' ');
    throw new DataError(`Expected ${path} to hold ${what}, but it is damaged or cut short: ${fault}`, { cause });
  }
  const faults = shape(value, '');
  if (faults.length === 0) return value as T;
  throw new DataError(`Expected ${path} to hold ${what}, but it is damaged: expected ${faults.join('; ')}`);
}
