/**
 * The policy: the global names that a pickle may use, and what each gives. They are matched as text; no module is ever looked up.
 * NumPy's forms: numpy/_core/src/multiarray/methods.c (array_reduce_ex, array_setstate), descriptor.c (arraydescr_reduce).
 */
import { ByteRange, Latin1Text, MemoryBytes } from './bytes.js';
import { LazyArray, ObjectArray } from './lazy-array.js';
import { decodeNumbers, decodeText, NumpyType } from './numpy-types.js';
import {
  ArrayDraft,
  LongText,
  PickleGlobal,
  type PickleHost,
  type PickleKey,
  type PicklePolicy,
  PickleTuple,
  type PickleValue,
  Python2String,
  TypeDraft,
} from './pickle-values.js';
import { countElements, viewNumbers } from './raw.js';

const globals = new Map<string, PickleGlobal>();

function allow(modules: readonly string[], name: string, call: PickleGlobal['call']): void {
  for (const module of modules) globals.set(`${module}.${name}`, new PickleGlobal(`${module}.${name}`, call));
}

const multiarray = ['numpy.core.multiarray', 'numpy._core.multiarray'];
const builtins = ['builtins', '__builtin__'];
allow(['numpy'], 'ndarray', null);
allow(['numpy'], 'dtype', makeType);
allow(multiarray, '_reconstruct', reconstruct);
allow(multiarray, 'scalar', makeScalar);
allow(['numpy.core.numeric', 'numpy._core.numeric'], '_frombuffer', fromBuffer);
allow(['_codecs'], 'encode', encode);
allow(builtins, 'set', makeSet);
allow(builtins, 'frozenset', makeSet);
allow(builtins, 'bytearray', makeBytes);
allow(builtins, 'bytes', makeBytes);

/** Plain values and NumPy arrays. */
export const arrayPolicy: PicklePolicy = {
  find: (module, name) => globals.get(`${module}.${name}`),
  setState,
  persistent: null,
  reads:
    'only numbers, text, lists, tuples, dicts, sets and NumPy arrays are read, and nothing is ever imported or run. Convert the ' +
    'file in Python, to .npz for example, if you trust it',
};

/** What `BUILD` does to an array or a dtype. */
function setState(host: PickleHost, target: unknown, state: unknown): void {
  if (target instanceof ArrayDraft) setArrayState(host, target, state);
  else if (target instanceof TypeDraft) setTypeState(host, target, state);
  else host.fail('expected an array or a dtype to give a state to; objects are not built');
}

function makeType(host: PickleHost, args: readonly unknown[]): TypeDraft {
  const [descr] = args;
  if (typeof descr !== 'string' || args.length > 3) return host.fail('expected numpy.dtype(text, align, copy)');
  const type = NumpyType.parse(descr);
  if (type === null) return host.fail(`arrays of NumPy type ${quote(descr)} are not read`);
  host.charge(64);
  return new TypeDraft(type);
}

/** State of a dtype: (version, order, subarray, names, fields, width, alignment, flags[, metadata]). */
function setTypeState(host: PickleHost, target: TypeDraft, state: unknown): void {
  const parts = state instanceof PickleTuple ? (state as readonly unknown[]) : [];
  const [version, order, subarray, names, fields, width, alignment, flags] = parts;
  if (!(version === 3 && parts.length === 8) && !(version === 4 && parts.length === 9)) {
    host.fail('expected a dtype state of version 3 (8 parts) or 4 (9 parts)');
  }
  if (subarray !== null || names !== null || fields !== null || (version === 4 && parts[8] !== null)) {
    host.fail('structured NumPy types are not read');
  }
  if (typeof order !== 'string' || !['<', '>', '|', '='].includes(order)) host.fail('expected a byte order < > | =');
  if (width !== -1 && width !== target.value.width && target.value.kind !== 'object') {
    host.fail(`the NumPy type ${target.value} takes ${target.value.width} bytes, its state says ${String(width)}`);
  }
  // What NumPy says of each kind: items are references, need care when created, or are plain.
  const usual = { object: 63, text: 8, bytes: 0, number: 0 }[target.value.kind];
  if (flags !== usual || typeof alignment !== 'number')
    host.fail(`expected dtype flags ${usual}, got ${String(flags)}`);
  target.value = target.value.withOrder(order === '>');
}

function reconstruct(host: PickleHost, args: readonly unknown[]): ArrayDraft {
  const [type, shape, code] = args;
  // NumPy always writes the shape (0,) and the code b'b' here; the true ones come with the state.
  const empty = shape instanceof PickleTuple && shape.length === 1 && shape[0] === 0;
  const usual = code === 'b' || (code instanceof ByteRange && code.length === 1 && code.read()[0] === 0x62);
  if (!(type instanceof PickleGlobal) || type.name !== 'numpy.ndarray' || args.length !== 3 || !empty || !usual) {
    return host.fail("expected _reconstruct(numpy.ndarray, (0,), b'b'): subclasses of arrays are not read");
  }
  host.charge(128);
  return new ArrayDraft();
}

/** State of an array: ([version,] shape, dtype, Fortran order, bytes or list). */
function setArrayState(host: PickleHost, target: ArrayDraft, state: unknown): void {
  const parts = state instanceof PickleTuple ? (state as readonly unknown[]) : [];
  const [shape, type, fortran, data] = parts.slice(-4);
  const known = parts.length === 4 || (parts.length === 5 && (parts[0] === 0 || parts[0] === 1));
  if (!known || !(type instanceof TypeDraft) || (typeof fortran !== 'boolean' && fortran !== 0 && fortran !== 1)) {
    host.fail('expected an array state (version 1, shape, dtype, order, data)');
  }
  target.value = makeArray(host, data, type.value, shape, fortran === true || fortran === 1);
}

/** Protocol 5: _frombuffer(buffer, dtype, shape, 'C' or 'F'). */
function fromBuffer(host: PickleHost, args: readonly unknown[]): ArrayDraft {
  const [data, type, shape, order] = args;
  if (args.length !== 4 || !(type instanceof TypeDraft) || (order !== 'C' && order !== 'F')) {
    return host.fail("expected _frombuffer(bytes, dtype, shape, 'C' or 'F')");
  }
  host.charge(128);
  const draft = new ArrayDraft();
  draft.value = makeArray(host, data, type.value, shape, order === 'F');
  return draft;
}

function makeArray(
  host: PickleHost,
  data: unknown,
  type: NumpyType,
  shape: unknown,
  fortran: boolean,
): LazyArray | ObjectArray<PickleValue> {
  if (!(shape instanceof PickleTuple) || shape.length > 32 || !shape.every((size) => typeof size === 'number')) {
    return host.fail('expected an array shape: a tuple of at most 32 sizes');
  }
  const sizes = [...shape] as number[];
  const count = countElements(sizes, 'array');
  host.charge(16 * sizes.length);
  if (type.kind === 'number') return new LazyArray(bytesOf(host, data), type, sizes, fortran);
  if (fortran && sizes.length > 1) return host.fail('arrays of text or objects in Fortran order are not read');
  const values = type.kind === 'object' ? data : textValues(host, bytesOf(host, data), type, count);
  if (!Array.isArray(values) || values instanceof PickleTuple || values.length !== count) {
    const got = Array.isArray(values) ? `${values.length}` : 'none';
    return host.fail(`an array ${type} [${sizes.join(', ')}] holds ${count} values, ${got} are there`);
  }
  host.charge(8 * count);
  return new ObjectArray([...values] as PickleValue[], sizes); // a copy: the list may grow
}

/** Text is read at once: it is small, and its width in the file (4 bytes a character) bounds it. */
function textValues(host: PickleHost, range: ByteRange, type: NumpyType, count: number): PickleValue[] {
  if (range.length !== count * type.width || (type.width === 0 && count > 0)) {
    return host.fail(
      `${count} values of NumPy type ${type} take ${count * type.width} bytes, ${range.length} are there`,
    );
  }
  host.charge(64 * count + 2 * range.length);
  const bytes = range.read();
  if (type.kind === 'text') return decodeText(bytes, type, 'array');
  return Array.from({ length: count }, (_, i) => trimmed(bytes.slice(i * type.width, (i + 1) * type.width)));
}

/** NumPy's fixed-width bytes end before their padding. */
function trimmed(bytes: Uint8Array): ByteRange {
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end--;
  return inMemory(bytes.subarray(0, end));
}

function makeScalar(host: PickleHost, args: readonly unknown[]): unknown {
  const [type, data] = args;
  if (args.length !== 2 || !(type instanceof TypeDraft)) return host.fail('expected scalar(dtype, bytes)');
  const { value } = type;
  if (value.kind === 'object') return host.fail('object scalars are not read');
  const range = bytesOf(host, data);
  if (range.length !== value.width) {
    return host.fail(`a NumPy scalar ${value} takes ${value.width} bytes, ${range.length} are there`);
  }
  host.charge(32 + range.length);
  if (value.kind === 'bytes') return trimmed(range.read());
  if (value.kind === 'text') return value.width === 0 ? '' : decodeText(range.read(), value, 'scalar')[0];
  const raw = decodeNumbers(range.read(), value, [], false);
  if (raw.dtype === 'float16') return halfToNumber(new DataView(raw.bytes.buffer).getUint16(0, true));
  if (raw.dtype === 'bool') return raw.bytes[0] !== 0;
  if (raw.dtype !== 'int64') return viewNumbers(raw)[0];
  return plainInteger(new DataView(raw.bytes.buffer).getBigInt64(0, true));
}

/** A number where it is exact, else a bigint. */
export function plainInteger(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

function halfToNumber(bits: number): number {
  const [sign, exponent, fraction] = [bits >> 15 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
  if (exponent === 31) return fraction === 0 ? sign * Infinity : Number.NaN;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1024 + fraction) * 2 ** (exponent - 25);
}

/** `_codecs.encode(text, 'latin1')`: how protocols 0 to 2 write bytes. */
function encode(host: PickleHost, args: readonly unknown[]): ByteRange {
  const [text, encoding] = args;
  if (args.length !== 2 || encoding !== 'latin1' || !(typeof text === 'string' || text instanceof LongText)) {
    return host.fail("expected _codecs.encode(text, 'latin1')");
  }
  return bytesOfText(host, text);
}

function bytesOfText(host: PickleHost, text: string | LongText): ByteRange {
  if (typeof text === 'string') {
    host.charge(64 + text.length);
    if (/[^\0-\xff]/.test(text)) return host.fail('expected text that stands for bytes (U+0000 to U+00FF)');
    return inMemory(Buffer.from(text, 'latin1'));
  }
  if (text.bytes === null) {
    const { source, offset, length } = text.range;
    host.charge(64 + length / 8192); // the marks
    const decoded = new Latin1Text(source, offset, length);
    text.bytes = new ByteRange(decoded, 0, decoded.size);
  }
  return text.bytes;
}

function makeSet(host: PickleHost, args: readonly unknown[]): Set<PickleKey> {
  const [items] = args;
  if (args.length > 1 || (items !== undefined && !Array.isArray(items))) return host.fail('expected set(list)');
  const members = (items ?? []) as unknown[];
  host.charge(256 + 32 * members.length);
  const set = new Set<PickleKey>();
  for (const member of members) set.add(keyIn(host, set, member));
  return set;
}

/**
 * The key under which `key` is kept: Python holds True, 1 and 1.0 for the same key, as it does equal floats and big integers.
 * @throws DataError, through the host, for what cannot be a key of a `Map` by value
 */
export function keyIn(host: PickleHost, collection: { has(key: unknown): boolean }, key: unknown): PickleKey {
  let twin: unknown;
  if (typeof key === 'boolean') twin = Number(key);
  else if (key === 0 || key === 1) twin = key === 1;
  else if (typeof key === 'bigint') twin = BigInt(Number(key)) === key ? Number(key) : undefined;
  else if (typeof key === 'number')
    twin = Number.isInteger(key) && !Number.isSafeInteger(key) ? BigInt(key) : undefined;
  else if (key !== null && typeof key !== 'string') {
    return host.fail('keys and members of sets are read as text, numbers, booleans and None only');
  }
  return (twin !== undefined && collection.has(twin) ? twin : key) as PickleKey;
}

/** bytes(), bytearray(), bytearray(bytes), bytearray(text, 'latin-1'). */
function makeBytes(host: PickleHost, args: readonly unknown[]): ByteRange {
  const [data, encoding] = args;
  if (args.length === 0) return inMemory(new Uint8Array(0));
  if (args.length === 1 && data instanceof ByteRange) return data;
  if (args.length === 2 && encoding === 'latin-1' && (typeof data === 'string' || data instanceof LongText)) {
    return bytesOfText(host, data);
  }
  return host.fail("expected bytes() or bytearray(), with bytes or (text, 'latin-1')");
}

/** The content of an array: bytes, or what Python 2 called a string. */
function bytesOf(host: PickleHost, data: unknown): ByteRange {
  if (data instanceof ByteRange) return data;
  if (data instanceof Python2String) return data.range;
  if (typeof data === 'string' || data instanceof LongText) return bytesOfText(host, data);
  return host.fail('expected the bytes of an array');
}

function inMemory(bytes: Uint8Array): ByteRange {
  return new ByteRange(new MemoryBytes(bytes, 'pickle'), 0, bytes.length);
}

/** A name from a file, for a message. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}...` : text);
}
