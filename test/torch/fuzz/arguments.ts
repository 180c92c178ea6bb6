/** Random arguments for operators, from their schemas. The same seed gives the same arguments. */
import { type Argument, ops, type Tensor, zeros } from 'headrace/torch';

/** A stream of numbers in [0, 1) (mulberry32). */
export type Random = () => number;

export function randomFrom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

export interface Parameter {
  readonly name: string;
  readonly type: string;
  readonly keyword: boolean;
  readonly hasDefault: boolean;
}

export interface Signature {
  /** `add.Tensor`, by the name that it has here. */
  readonly name: string;
  readonly parameters: readonly Parameter[];
}

const camel = (name: string): string => name.replace(/(?<=[^_])_([^_])/g, (_, letter: string) => letter.toUpperCase());

/** `aten::add.Tensor(Tensor self, Tensor other, *, Scalar alpha=1) -> Tensor`, in parts. */
export function parseSchema(schema: string): Signature | null {
  const match = /^aten::(\w+)(?:\.(\w+))?\((.*)\) -> /.exec(schema);
  if (!match) return null;
  const [, name, overload, list] = match as unknown as [string, string, string | undefined, string];
  let keyword = false;
  const parameters: Parameter[] = [];
  for (const part of list.split(/, (?![^([]*[)\]])/).filter((text) => text !== '')) {
    if (part === '*') {
      keyword = true;
      continue;
    }
    const found = /^(\S+(?:\([^)]*\))?\S*) (\w+)(=.*)?$/.exec(part);
    if (!found) return null;
    const type = found[1]!.replace(/\([^)]*\)/g, '');
    parameters.push({ name: camel(found[2]!), type, keyword, hasDefault: found[3] !== undefined });
  }
  return { name: overload ? `${camel(name)}.${overload}` : camel(name), parameters };
}

const SHAPES = [[], [0], [1], [3], [4], [2, 3], [3, 3], [0, 3], [2, 3, 4], [1, 2, 4, 4], [2, 2, 3, 3], [1, 1, 2, 3, 3]];
const DTYPES = ['float32', 'float32', 'float32', 'float64', 'int64', 'bool', 'uint8', 'int32'] as const;
const INTS = [-1, 0, 0, 1, 1, 2, 2, 3, 4, 7];
const FLOATS = [0, 0.5, 1, -1, 2.5, Number.NaN, 1e30];
const STRINGS = ['mean', 'sum', 'none', 'reflect', 'ij,jk->ik', 'L', ''];

function pick<T>(from: readonly T[], random: Random): T {
  return from[Math.floor(random() * from.length)]!;
}

function tensorOf(random: Random): Tensor {
  const made = zeros(pick(SHAPES, random), { dtype: pick(DTYPES, random) });
  return random() < 0.5 ? made : ops.onesLike(made);
}

function one(type: string, random: Random): Argument | undefined {
  switch (type) {
    case 'Tensor':
      return tensorOf(random);
    case 'int':
    case 'SymInt':
      return pick(INTS, random);
    case 'float':
      return pick(FLOATS, random);
    case 'Scalar':
      return random() < 0.5 ? pick(INTS, random) : pick(FLOATS, random);
    case 'bool':
      return random() < 0.5;
    case 'str':
      return pick(STRINGS, random);
    case 'ScalarType':
      return pick(DTYPES, random);
    case 'Device':
      return 'cpu';
    case 'Layout':
      return pick(['strided', 'sparseCoo', 'sparseCsr'], random);
    case 'MemoryFormat':
      return pick(['contiguous', 'preserve', 'channelsLast'], random);
    default:
      return undefined; // generators, storages and the like: left out
  }
}

function drawn(parameter: Parameter, random: Random): Argument | undefined {
  let { type } = parameter;
  if (parameter.hasDefault && random() < 0.4) return undefined;
  if (type.endsWith('?')) {
    if (random() < 0.4) return undefined;
    type = type.slice(0, -1);
  }
  const list = /^(.*)\[(\d*)\]$/.exec(type);
  if (!list) return one(type, random);
  const element = list[1]!;
  const fixed = list[2] === '' ? null : Number(list[2]);
  const length = fixed !== null && random() < 0.4 ? fixed : pick([0, 0, 1, 2, 3, 4], random);
  return Array.from({ length }, () =>
    element.endsWith('?') && random() < 0.4 ? null : one(element.replace('?', ''), random),
  ) as Argument;
}

/** Arguments for one call: positional ones as far as they go, the others by name. */
export function argumentsFor(signature: Signature, random: Random): Argument[] {
  const positional: Argument[] = [];
  const named: Record<string, Argument> = {};
  for (const parameter of signature.parameters) {
    const value = drawn(parameter, random);
    if (!parameter.keyword) positional.push(value);
    else if (value !== undefined) named[parameter.name] = value;
  }
  return Object.keys(named).length > 0 ? [...positional, named] : positional;
}

/** The call as text, for a report. */
export function describeCall(name: string, args: readonly Argument[]): string {
  const text = (value: unknown): string => {
    if (Array.isArray(value)) return `[${value.map(text).join(', ')}]`;
    if (typeof value === 'object' && value !== null && 'shape' in value) {
      const { dtype, shape } = value as Tensor;
      return `${dtype}[${shape.join(', ')}]`;
    }
    if (typeof value === 'object' && value !== null) {
      return `{ ${Object.entries(value).map(([key, v]) => `${key}: ${text(v)}`)} }`;
    }
    return typeof value === 'string' ? `'${value}'` : String(value);
  };
  return `ops['${name}'](${args.map(text).join(', ')})`;
}
