/** What a caller in plain JavaScript may get wrong, in words: the compiler checks all others. */
import { ConfigError } from './errors.js';
import { Tensor } from './tensor.js';

/** A value as messages show it: `undefined`, `number 3`, `string 'q'`, `an array`, `a Linear`, `Tensor(float32[2, 3])`. */
export function describe(value: unknown): string {
  if (typeof value === 'string') return `string '${value.length > 60 ? `${value.slice(0, 60)}...` : value}'`;
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'function') return value.name === '' ? 'a function' : `the function ${value.name}`;
  if (typeof value === 'number' || typeof value === 'boolean') return `${typeof value} ${value}`;
  if (typeof value !== 'object' || value === null) return String(value);
  if (value instanceof Tensor) return `Tensor(${value.dtype}[${value.shape.join(', ')}])`;
  if (Array.isArray(value)) return 'an array';
  const name: unknown = value.constructor?.name;
  return typeof name !== 'string' || name === '' || name === 'Object' ? 'an object' : withArticle(name);
}

const withArticle = (name: string): string => `${/^[AEIOU]/i.test(name) ? 'an' : 'a'} ${name}`;

/** The error for a value of another kind than was expected. @param advice - what to do, a sentence */
export function misfit(where: string, expected: string, value: unknown, advice = ''): ConfigError {
  return new ConfigError(`${where}: expected ${expected}, got ${describe(value)}.${advice && ` ${advice}`}`);
}

/** @throws ConfigError unless `value` is a tensor */
export function expectTensor(where: string, value: unknown, name = 'a tensor'): asserts value is Tensor {
  if (value instanceof Tensor) return;
  throw misfit(where, name === 'a tensor' ? name : `a tensor for ${name}`, value, tensorAdvice(value));
}

/** @throws ConfigError unless all of them are tensors */
export function expectTensors(where: string, ...values: readonly unknown[]): void {
  for (const value of values) expectTensor(where, value);
}

/** How a value would become a tensor; nothing where it would not. */
export function tensorAdvice(value: unknown): string {
  if (value instanceof Promise) return 'Await it first.';
  if (typeof value === 'number' || Array.isArray(value) || ArrayBuffer.isView(value)) {
    return 'tensor(...) makes one of numbers, nested lists and typed arrays.';
  }
  return '';
}

/** @throws ConfigError unless `value` is a function */
export function expectFunction(where: string, value: unknown, name = 'a function'): void {
  if (typeof value !== 'function') throw misfit(where, name, value);
}

/** @throws ConfigError unless `value` is a text, such as a path or a name */
export function expectText(where: string, value: unknown, name: string): void {
  if (typeof value !== 'string') throw misfit(where, name, value);
}

/** @throws ConfigError unless `value` holds bytes */
export function expectBytes(where: string, value: unknown): void {
  if (!(value instanceof Uint8Array)) throw misfit(where, 'bytes in a Uint8Array', value);
}

/** @throws ConfigError unless `value` is a list */
export function expectList(where: string, value: unknown, name: string): void {
  if (!Array.isArray(value)) throw misfit(where, name, value);
}

/** @throws ConfigError unless `value` is an object that is neither a list nor a tensor */
export function expectObject(where: string, value: unknown, name: string, advice = ''): void {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || value instanceof Tensor) {
    throw misfit(where, name, value, advice);
  }
}

/** @throws ConfigError unless `value` can be looped over, item by item; a text cannot be meant */
export function expectItems(where: string, value: unknown, name: string, advice = ''): void {
  if (typeof value === 'object' && value !== null && Symbol.iterator in value) return;
  throw misfit(where, name, value, advice);
}

/**
 * What a state dict or a file of tensors is given as, by name: from a Map, from [name, tensor] pairs, or from an object.
 * @throws ConfigError for anything else, with what to do where it is known
 */
export function namedPairs(where: string, given: unknown): [name: string, value: unknown][] {
  const expected = 'tensors by name, in a Map or an object';
  if (typeof given !== 'object' || given === null || given instanceof Tensor) {
    throw misfit(where, expected, given, typeof given === 'string' ? 'The path comes first.' : '');
  }
  if (given instanceof Promise) throw misfit(where, expected, given, 'Await it first.');
  if ('stateDict' in given && typeof given.stateDict === 'function') {
    throw misfit(where, expected, given, 'Pass its stateDict().');
  }
  if ('tensors' in given && given.tensors instanceof Map) {
    const advice = 'It holds them beside metadata, as loadSafetensors gives them: pass its .tensors.';
    throw misfit(where, expected, given, advice);
  }
  const entries: unknown[] = Symbol.iterator in given ? [...(given as Iterable<unknown>)] : Object.entries(given);
  for (const entry of entries) {
    if (Array.isArray(entry) && typeof entry[0] === 'string') continue;
    throw misfit(where, `${expected}, or [name, tensor] pairs`, Array.isArray(entry) ? entry[0] : entry);
  }
  return entries as [string, unknown][];
}

/** {@link namedPairs} of tensors. @throws ConfigError naming what is none */
export function namedTensorsOf(where: string, given: unknown): [name: string, tensor: Tensor][] {
  const pairs = namedPairs(where, given);
  for (const [name, value] of pairs) expectTensor(where, value, `'${name}'`);
  return pairs as [string, Tensor][];
}
