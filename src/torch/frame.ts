/**
 * The call frame: one array of (tag, value) pairs, shared with the addon, through which operators get their
 * arguments and give their results. One crossing of the border per call, and no conversion through Node-API.
 */
import { TorchError, translateNativeError } from './errors.js';
import { Generator } from './generator.js';
import { type Native, native } from './native.js';
import { Tensor } from './tensor.js';

/** What an operator may be given. A trailing plain object holds keyword arguments. */
export type Argument =
  | Tensor
  | Generator
  | number
  | bigint
  | boolean
  | string
  | null
  | undefined
  | readonly (Tensor | number | bigint | boolean | string | null | undefined)[]
  | { readonly [name: string]: Argument };

/** What an operator may return. */
export type Result = Tensor | number | boolean | string | null | Result[];

const NONE = 0;
const TENSOR = 1;
const INT = 2;
const DOUBLE = 3;
const BOOL = 4;
const STRING = 5;
const LIST = 6;
const GENERATOR = 7;

const PAIRS = 1 << 16;
/**
 * One for each thread's addon, however many copies of this package have loaded it: a dependency may bring its own, and a program may
 * import one and require another. A frame for each would leave all but the last with one that the addon does not look at.
 */
const cells = frameOf(native);

function frameOf(addon: Native): Float64Array {
  if (addon.frame === undefined) {
    addon.frame = new Float64Array(2 * PAIRS);
    addon.attachFrame(addon.frame);
  }
  return addon.frame;
}

const stringIds = new Map<string, number>();
const strings = new Map<number, string>();
let at = 0;

function internString(text: string): number {
  let id = stringIds.get(text);
  if (id === undefined) {
    id = native.intern(text);
    stringIds.set(text, id);
  }
  return id;
}

function put(tag: number, value: number): void {
  if (at >= cells.length) throw new TorchError(`an operator takes at most ${PAIRS} values in one call`);
  cells[at++] = tag;
  cells[at++] = value;
}

function encode(value: Argument): void {
  switch (typeof value) {
    case 'number':
      put(Number.isSafeInteger(value) ? INT : DOUBLE, value);
      return;
    case 'boolean':
      put(BOOL, value ? 1 : 0);
      return;
    case 'string':
      put(STRING, internString(value));
      return;
    case 'undefined':
      put(NONE, 0);
      return;
    case 'bigint':
      if (!Number.isSafeInteger(Number(value))) throw new TorchError(`expected an integer within ±2^53, got ${value}`);
      put(INT, Number(value));
      return;
    default:
      encodeObject(value);
  }
}

function encodeObject(value: object | null): void {
  if (value === null) put(NONE, 0);
  else if (value instanceof Tensor) put(TENSOR, value.handle);
  else if (Array.isArray(value)) {
    put(LIST, value.length);
    for (const element of value) {
      if (Array.isArray(element))
        throw new TorchError(
          'operators take tensors and flat lists, got a list inside a list: tensor(...) makes a tensor of it',
        );
      encode(element);
    }
  } else if (value instanceof Generator) put(GENERATOR, value.id);
  else {
    throw new TorchError(
      `expected a Tensor, number, boolean, string, list, Generator or null as an operator's argument, got ${nameOf(value)}`,
    );
  }
}

function nameOf(value: object): string {
  const name = value.constructor?.name ?? 'an object';
  if (name !== Tensor.name && name !== Generator.name) return name;
  return (
    `a ${name} of another copy of headrace: this thread has loaded it twice, from two folders (npm ls headrace), or once by import ` +
    'and once by require (give the package "type": "module", or its files names in .mts or .mjs)'
  );
}

function isKeywords(value: Argument): value is { readonly [name: string]: Argument } {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

/** Calls the operator with id `op` (from `native.resolve`). */
export function callOperator(op: number, args: readonly Argument[]): Result {
  let positional = args.length;
  const last = args[positional - 1];
  const keywords = isKeywords(last) ? last : null;
  if (keywords) positional--;
  while (positional > 0 && args[positional - 1] === undefined) positional--;
  at = 0;
  for (let i = 0; i < positional; i++) encode(args[i]);
  let named = 0;
  for (const name in keywords) {
    const value = keywords[name];
    if (value === undefined) continue;
    put(STRING, internString(name));
    encode(value);
    named++;
  }
  try {
    native.call(op, positional, named);
  } catch (error) {
    throw translateNativeError(error);
  }
  at = 0;
  return decode(args[0]);
}

function decode(self?: Argument): Result {
  const tag = cells[at++]!;
  const value = cells[at++]!;
  switch (tag) {
    case TENSOR:
      // In-place operators return their first argument itself.
      return self instanceof Tensor && self.handle === value ? self : new Tensor(value);
    case NONE:
      return null;
    case BOOL:
      return value !== 0;
    case STRING: {
      let text = strings.get(value);
      if (text === undefined) {
        text = native.stringOf(value);
        strings.set(value, text);
      }
      return text;
    }
    case LIST: {
      const list: Result[] = new Array(value);
      for (let i = 0; i < value; i++) list[i] = decode();
      return list;
    }
    default:
      return value;
  }
}

/** Writes lists of tensors where the addon's list functions read them. */
export function writeTensors(...lists: readonly (readonly (Tensor | null)[])[]): void {
  at = 0;
  for (const list of lists) encode(list);
}

/** Writes single tensors, or none. */
export function writeEach(...tensors: readonly (Tensor | null)[]): void {
  at = 0;
  for (const tensor of tensors) encode(tensor);
}

/** Reads the list of tensors that an addon function has left. */
export function readTensors(): (Tensor | null)[] {
  at = 0;
  return decode() as (Tensor | null)[];
}

/** Writes integers, such as a shape. */
export function writeIntegers(values: readonly number[]): void {
  at = 0;
  for (const value of values) put(INT, value);
}

/** Reads `count` integers. */
export function readIntegers(count: number): number[] {
  const result = new Array<number>(count);
  for (let i = 0; i < count; i++) result[i] = cells[2 * i + 1]!;
  return result;
}
