/** Python's stored pickles and what Python reads from them: see pickles/make_pickles.py. */
import { readFileSync } from 'node:fs';
import { ByteRange, type LazyArray, NumpyType, ObjectArray, PickleTuple, type PickleValue } from 'headrace/io';

/** A value as make_pickles.py spells it. */
export type Spelled = null | boolean | string | readonly Spelled[] | { readonly [tag: string]: unknown };

export interface PickleCase {
  readonly name: string;
  readonly pickle: Buffer;
  readonly value: Spelled;
}

/** The tests run from build/. */
export function readCases(name: string): PickleCase[] {
  const lines = readFileSync(new URL(`../../../test/io/pickles/${name}`, import.meta.url), 'utf8')
    .trim()
    .split('\n');
  return lines.map((line) => {
    const { pickle, ...rest } = JSON.parse(line) as { name: string; pickle: string; value: Spelled };
    return { ...rest, pickle: Buffer.from(pickle, 'base64') };
  });
}

/** Spells a value as Python does, save that numbers are all `{ n }`: JavaScript has one kind. */
export function spell(value: PickleValue): unknown {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'bigint') return { n: Object.is(value, -0) ? '-0' : String(value) };
  if (value instanceof ByteRange) return { b: base64(value.read()) };
  if (value instanceof PickleTuple) return { t: value.map(spell) };
  if (Array.isArray(value)) return value.map(spell);
  if (value instanceof Map) return { d: [...value].map(([key, item]) => [spell(key), spell(item)]) };
  if (value instanceof Set) return { set: sorted([...value].map(spell)) };
  if (value instanceof NumpyType) return { dtype: value.toString() };
  if (value instanceof ObjectArray) return { o: [value.shape, value.values.map(spell)] };
  const { dtype, shape, bytes } = (value as LazyArray).read();
  return { a: [dtype, shape, base64(bytes)] };
}

/** Python's spelling with its ints and floats as `{ n }`. */
export function plain(spelled: unknown): unknown {
  if (Array.isArray(spelled)) return spelled.map(plain);
  if (typeof spelled !== 'object' || spelled === null) return spelled;
  const [[tag, content]] = Object.entries(spelled) as [[string, unknown]];
  if (tag === 'i') {
    const big = BigInt(content as string);
    return { n: String(Number.isSafeInteger(Number(big)) ? Number(big) : big) };
  }
  if (tag === 'f') return spell(fromHex(content as string)) as object;
  if (tag === 'b' || tag === 'dtype' || tag === 'a') return spelled;
  if (tag === 'set') return { set: sorted(plain(content) as unknown[]) };
  return { [tag]: tag === 'o' ? [(content as unknown[])[0], plain((content as unknown[])[1])] : plain(content) };
}

/** Python's float.hex: 0x1.8p+0. */
function fromHex(text: string): number {
  const match = /^(-?)0x([01])\.([0-9a-f]+)p([+-]\d+)$/.exec(text);
  if (match === null) return text === 'inf' ? Infinity : text === '-inf' ? -Infinity : Number.NaN;
  const [, sign, whole, fraction, exponent] = match as unknown as [string, string, string, string, string];
  const significand = Number(whole) + Number.parseInt(fraction, 16) / 16 ** fraction.length;
  // In two steps, since 2 ** -1074 alone is the smallest number there is.
  const half = Math.trunc(Number(exponent) / 2);
  return (sign === '-' ? -1 : 1) * significand * 2 ** half * 2 ** (Number(exponent) - half);
}

function sorted(items: unknown[]): unknown[] {
  return items.sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64');
}
