/** What each opcode does. Format: CPython's Lib/pickletools.py. */
import { constants } from 'node:buffer';
import { ByteRange, MemoryBytes } from './bytes.js';
import { keyIn, plainInteger, quote } from './pickle-globals.js';
import type { PickleMachine } from './pickle-machine.js';
import { floatLine, integerLine, unescapeBytes, unescapeText } from './pickle-text.js';
import { LongText, type PickleHost, PickleTuple, Python2String } from './pickle-values.js';

/** An opcode's name, as pickletools spells it, and its effect. */
export interface Operation {
  readonly name: string;
  readonly run: (m: PickleMachine) => void;
}

/** Operations by opcode. */
export const opcodes: (Operation | undefined)[] = new Array(256).fill(undefined);

function define(code: string | number, name: string, run: (m: PickleMachine) => void): void {
  opcodes[typeof code === 'number' ? code : code.charCodeAt(0)] = { name, run };
}

/** Text and bytes up to here are read at once; longer ones stay in the file until they are needed. */
const inlineLimit = 1 << 14;
/** Integers longer than this are no data: 4,096 bytes hold 9,864 digits. */
const maxLongBytes = 4096;
const highestProtocol = 5;
const emptyTuple = new PickleTuple();
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

// Structure
define(0x80, 'PROTO', (m) => {
  const version = m.cursor.byte();
  if (version > highestProtocol) m.fail(`expected protocol 0 to ${highestProtocol}, got ${version}`);
});
define(0x95, 'FRAME', (m) => m.beginFrame(m.cursor.unsigned(8)));
define('.', 'STOP', () => {});
define('(', 'MARK', (m) => m.mark());
define('0', 'POP', (m) => (m.holdsValue ? m.pop() : m.popMark()));
define('1', 'POP_MARK', (m) => m.popMark());
define('2', 'DUP', (m) => m.push(m.top()));

// Memo
define('p', 'PUT', (m) => m.remember(memoLine(m)));
define('q', 'BINPUT', (m) => m.remember(m.cursor.byte()));
define('r', 'LONG_BINPUT', (m) => m.remember(m.cursor.unsigned(4)));
define(0x94, 'MEMOIZE', (m) => m.rememberNext());
define('g', 'GET', (m) => m.recall(memoLine(m)));
define('h', 'BINGET', (m) => m.recall(m.cursor.byte()));
define('j', 'LONG_BINGET', (m) => m.recall(m.cursor.unsigned(4)));

function memoLine(m: PickleMachine): number {
  const text = latin1(m.cursor.line());
  if (!/^\d{1,10}$/.test(text)) return m.fail(`expected the number of a memo, got ${quote(text)}`);
  return Number(text);
}

// Numbers, None and booleans
define('N', 'NONE', (m) => m.push(null));
define(0x88, 'NEWTRUE', (m) => m.push(true));
define(0x89, 'NEWFALSE', (m) => m.push(false));
define('I', 'INT', (m) => {
  const text = latin1(m.cursor.line());
  m.push(text === '00' ? false : text === '01' ? true : integerLine(m, text));
});
define('L', 'LONG', (m) => m.push(integerLine(m, latin1(m.cursor.line()).replace(/L$/, '')), 32));
define('J', 'BININT', (m) => m.push(m.cursor.int32()));
define('K', 'BININT1', (m) => m.push(m.cursor.byte()));
define('M', 'BININT2', (m) => m.push(m.cursor.unsigned(2)));
define(0x8a, 'LONG1', (m) => long(m, m.cursor.byte()));
define(0x8b, 'LONG4', (m) => long(m, m.cursor.int32()));
define('F', 'FLOAT', (m) => m.push(floatLine(m, latin1(m.cursor.line())), 16));
define('G', 'BINFLOAT', (m) => m.push(Buffer.from(m.cursor.take(8)).readDoubleBE(0), 16));

/** Two's complement, little endian. */
function long(m: PickleMachine, length: number): void {
  if (length < 0 || length > maxLongBytes) m.fail(`an integer of ${length} bytes; expected at most ${maxLongBytes}`);
  const hex = Buffer.from(m.cursor.take(length)).reverse().toString('hex') || '0';
  m.push(plainInteger(BigInt.asIntN(8 * length, BigInt(`0x${hex}`))), 32 + length);
}

// Text
define('V', 'UNICODE', (m) => {
  const line = m.cursor.line();
  m.push(unescapeText(m, line), 32 + 2 * line.length);
});
define('X', 'BINUNICODE', (m) => text(m, m.cursor.unsigned(4)));
define(0x8c, 'SHORT_BINUNICODE', (m) => text(m, m.cursor.byte()));
define(0x8d, 'BINUNICODE8', (m) => text(m, m.cursor.unsigned(8)));

function text(m: PickleMachine, length: number): void {
  if (length > inlineLimit) m.push(new LongText(m.bytes(length)), 64);
  else m.push(decodeUtf8(m, m.cursor.take(length)), 32 + 2 * length);
}

/** @throws DataError for bytes that are not UTF-8 and for text longer than a JavaScript string */
export function decodeUtf8(host: { fail(message: string): never }, bytes: Uint8Array): string {
  if (bytes.length > constants.MAX_STRING_LENGTH) host.fail(`text of ${bytes.length} bytes is too long`);
  try {
    return utf8.decode(bytes);
  } catch {
    return host.fail('expected text in UTF-8');
  }
}

// Bytes, and the strings of Python 2
define('C', 'SHORT_BINBYTES', (m) => bytes(m, m.cursor.byte()));
define('B', 'BINBYTES', (m) => bytes(m, m.cursor.unsigned(4)));
define(0x8e, 'BINBYTES8', (m) => bytes(m, m.cursor.unsigned(8)));
define(0x96, 'BYTEARRAY8', (m) => bytes(m, m.cursor.unsigned(8)));
define('S', 'STRING', (m) => {
  const line = m.cursor.line();
  oldString(m, inMemory(m, unescapeBytes(m, line)));
});
define('U', 'SHORT_BINSTRING', (m) => oldString(m, inline(m, m.cursor.byte())));
define('T', 'BINSTRING', (m) => oldString(m, inline(m, m.cursor.int32())));

function bytes(m: PickleMachine, length: number): void {
  m.push(inline(m, length));
}

function inline(m: PickleMachine, length: number): ByteRange {
  if (length < 0) m.fail(`expected a length >= 0, got ${length}`);
  m.charge(64);
  return length > inlineLimit ? m.bytes(length) : inMemory(m, m.cursor.take(length).slice());
}

function inMemory(m: PickleMachine, data: Uint8Array): ByteRange {
  m.charge(192 + data.length);
  return new ByteRange(new MemoryBytes(data, m.cursor.source.path), 0, data.length);
}

function oldString(m: PickleMachine, range: ByteRange): void {
  const data = range.length > inlineLimit ? null : range.read();
  const plain = data?.every((byte) => byte < 0x80) === true;
  m.push(plain ? latin1(data as Uint8Array) : new Python2String(range), 32 + (data?.length ?? 0));
}

// Lists and tuples
define(']', 'EMPTY_LIST', (m) => m.push([], 64));
define('l', 'LIST', (m) => m.push(m.popMark(), 64));
define('a', 'APPEND', (m) => append(m, [m.pop()]));
define('e', 'APPENDS', (m) => append(m, m.popMark()));
define(')', 'EMPTY_TUPLE', (m) => m.push(emptyTuple));
define('t', 'TUPLE', (m) => tuple(m, m.popMark()));
define(0x85, 'TUPLE1', (m) => tuple(m, [m.pop()]));
define(0x86, 'TUPLE2', (m) => tuple(m, [m.pop(), m.pop()].reverse()));
define(0x87, 'TUPLE3', (m) => tuple(m, [m.pop(), m.pop(), m.pop()].reverse()));

function append(m: PickleMachine, items: readonly unknown[]): void {
  const list = m.top();
  if (!Array.isArray(list) || list instanceof PickleTuple) m.fail('expected a list to append to');
  m.charge(8 * items.length);
  for (const item of items) list.push(item);
}

function tuple(m: PickleMachine, items: readonly unknown[]): void {
  m.push(items.length === 0 ? emptyTuple : PickleTuple.fromItems(items), 96 + 8 * items.length);
}

// Dicts and sets
define('}', 'EMPTY_DICT', (m) => m.push(new Map(), 256));
define('d', 'DICT', (m) => {
  const pairs = m.popMark();
  m.push(new Map(), 256);
  setItems(m, pairs);
});
define('s', 'SETITEM', (m) => setItems(m, [m.pop(), m.pop()].reverse()));
define('u', 'SETITEMS', (m) => setItems(m, m.popMark()));
define(0x8f, 'EMPTY_SET', (m) => m.push(new Set(), 256));
define(0x90, 'ADDITEMS', (m) => addItems(m, m.popMark()));
define(0x91, 'FROZENSET', (m) => {
  const items = m.popMark();
  m.push(new Set(), 256);
  addItems(m, items);
});

function setItems(m: PickleMachine, pairs: readonly unknown[]): void {
  const dict = m.top();
  if (!(dict instanceof Map)) m.fail('expected a dict to put items in');
  if (pairs.length % 2 !== 0) m.fail('expected pairs of keys and values');
  m.charge(24 * pairs.length);
  for (let i = 0; i < pairs.length; i += 2) dict.set(keyIn(m, dict, shortKey(m, pairs[i])), pairs[i + 1]);
}

function addItems(m: PickleMachine, items: readonly unknown[]): void {
  const set = m.top();
  if (!(set instanceof Set)) m.fail('expected a set to put members in');
  m.charge(32 * items.length);
  for (const item of items) set.add(keyIn(m, set, shortKey(m, item)));
}

/** Keys are compared at once, so that text among them cannot wait in the file. */
function shortKey(m: PickleMachine, key: unknown): unknown {
  if (!(key instanceof LongText)) return key;
  return longText(m, key);
}

/** Reads a text once, however often it is referred to. */
export function longText(host: PickleHost, long: LongText): string {
  if (long.text === null) {
    host.charge(2 * long.range.length);
    long.text = decodeUtf8(host, long.range.read());
  }
  return long.text;
}

// Names and calls: the policy decides
define('c', 'GLOBAL', (m) => {
  const module = latin1(m.cursor.line());
  global(m, module, latin1(m.cursor.line()));
});
define(0x93, 'STACK_GLOBAL', (m: PickleMachine) => {
  const [name, module] = [m.pop(), m.pop()];
  if (typeof name !== 'string' || typeof module !== 'string') m.fail('expected the names of a module and a class');
  global(m, module, name);
});
define('R', 'REDUCE', (m) => {
  const args = m.pop();
  m.push(m.reduce(m.pop(), args));
});
define('b', 'BUILD', (m) => {
  const state = m.pop();
  m.policy.setState(m, m.top(), state);
});
define('i', 'INST', (m) => {
  const module = latin1(m.cursor.line());
  m.refuse(module, latin1(m.cursor.line()));
});

function global(m: PickleMachine, module: string, name: string): void {
  m.push(m.policy.find(module, name) ?? m.refuse(module, name));
}

const outside = 'refers to something outside the pickle (a persistent id), which is not read';
define('Q', 'BINPERSID', (m) => {
  const { persistent } = m.policy;
  m.push(persistent === null ? m.fail(outside) : persistent(m, m.pop()));
});

const objects = 'makes an object of a class; only plain values and NumPy arrays are read';
const refused: readonly (readonly [string | number, string, string])[] = [
  ['o', 'OBJ', objects],
  [0x81, 'NEWOBJ', objects],
  [0x92, 'NEWOBJ_EX', objects],
  ['P', 'PERSID', outside],
  [0x82, 'EXT1', 'names a class of a private registry, which is not read'],
  [0x83, 'EXT2', 'names a class of a private registry, which is not read'],
  [0x84, 'EXT4', 'names a class of a private registry, which is not read'],
  [0x97, 'NEXT_BUFFER', 'takes a buffer from outside the pickle; write it without buffer_callback'],
  [0x98, 'READONLY_BUFFER', 'takes a buffer from outside the pickle; write it without buffer_callback'],
];
for (const [code, name, why] of refused) define(code, name, (m) => m.fail(why));

function latin1(data: Uint8Array): string {
  return Buffer.from(data.buffer, data.byteOffset, data.length).toString('latin1');
}
