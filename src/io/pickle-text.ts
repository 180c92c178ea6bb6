/** Protocol 0's lines: numbers and escaped text. */
import { plainInteger, quote } from './pickle-globals.js';
import type { PickleHost } from './pickle-values.js';

/** Digits at most: Python's own limit for text. */
const maxDigits = 4300;
/** So many are a safe integer in any case. */
const safeDigits = 15;

/** A decimal integer. Leading zeros are refused: Python's two unpicklers differ about them. */
export function integerLine(host: PickleHost, text: string): number | bigint {
  if (!/^[+-]?(0|[1-9]\d*)$/.test(text) || text.length > maxDigits)
    return host.fail(`expected an integer, got ${quote(text)}`);
  if (text.length <= safeDigits) return Number(text) || 0; // -0 is 0
  return plainInteger(BigInt(text.replace(/^\+/, '')));
}

/** What Python's repr writes of a float. */
export function floatLine(host: PickleHost, text: string): number {
  const special: Readonly<Record<string, number>> = {
    inf: Infinity,
    '-inf': -Infinity,
    nan: Number.NaN,
    '-nan': Number.NaN,
  };
  if (Object.hasOwn(special, text)) return special[text] as number;
  const form = /^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i;
  if (text.length > maxDigits || !form.test(text)) return host.fail(`expected a float, got ${quote(text)}`);
  return Number(text);
}

/** Python's raw-unicode-escape: Latin-1 with \uXXXX and \UXXXXXXXX. */
export function unescapeText(host: PickleHost, line: Uint8Array): string {
  host.charge(2 * line.length);
  const source = Buffer.from(line.buffer, line.byteOffset, line.length).toString('latin1');
  // A backslash takes the next character with it, so that an escaped backslash begins no escape.
  return source.replace(
    /\\(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([\s\S]?))/g,
    (whole, short?: string, long?: string, other?: string) => {
      if (other !== undefined && !['u', 'U', ''].includes(other)) return whole;
      const point = Number.parseInt(short ?? long ?? '', 16);
      if (!(point <= 0x10ffff)) return host.fail('expected four digits after \\u, or eight after \\U');
      return String.fromCodePoint(point);
    },
  );
}

const simpleEscapes: Readonly<Record<string, number>> = {
  '\\': 92,
  "'": 39,
  '"': 34,
  a: 7,
  b: 8,
  f: 12,
  n: 10,
  r: 13,
  t: 9,
  v: 11,
};

/** A quoted string of Python 2: 'it\'s' or "it's". */
export function unescapeBytes(host: PickleHost, line: Uint8Array): Uint8Array {
  host.charge(line.length);
  const text = Buffer.from(line.buffer, line.byteOffset, line.length).toString('latin1');
  const quoted = /^(['"])([\s\S]*)\1$/.exec(text);
  if (quoted === null) return host.fail('expected a quoted string');
  const body = quoted[2] as string;
  const plain = body.replace(/\\(x[0-9a-f]{2}|[0-7]{1,3}|[\s\S])/gi, (whole, code: string) => {
    if (/^x/.test(code) && code.length === 3) return String.fromCharCode(Number.parseInt(code.slice(1), 16));
    if (/^[0-7]/.test(code)) return String.fromCharCode(Number.parseInt(code, 8) & 0xff);
    if (code === 'x') return host.fail('expected two digits after \\x');
    return Object.hasOwn(simpleEscapes, code) ? String.fromCharCode(simpleEscapes[code] as number) : whole;
  });
  return Buffer.from(plain, 'latin1');
}
