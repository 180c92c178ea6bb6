/**
 * What a constructor or function takes: arguments in order, and options with their defaults. From one declaration come the
 * check of names and values, the defaults, and the comparison with PyTorch's own signature (FEATURES.md).
 */
import { ConfigError, checkOptions, Tensor } from '../torch/index.js';
import { camelCase } from '../torch/spelling.js';

/** What one argument may be. */
export interface Rule<T> {
  /** What stands where it is left out; undefined where it must be given. */
  readonly fallback: T | undefined;
  /** For messages: `a number >= 0`. */
  readonly expected: string;
  fits(value: unknown): boolean;
}

type Rules = Readonly<Record<string, Rule<unknown>>>;
type Values<R extends Rules> = { [K in keyof R]: R[K] extends Rule<infer T> ? T : never };

/** The rules of an options interface: one for each of its names. */
export type RulesOf<O> = { readonly [K in keyof O]-?: Rule<Exclude<O[K], undefined>> };

/** Every signature by the names that have it. */
export const signatures = new Map<string, Signature<Rules, Rules>>();

/** One declaration, shared by all that take the same. */
export class Signature<A extends Rules, O extends Rules> {
  readonly #args: readonly (readonly [name: string, rule: Rule<unknown>])[];
  /** What may be named in the options. A Map, since options may be called as members of every object are. */
  readonly #known: ReadonlyMap<string, Rule<unknown>>;
  /** Options without a default. */
  readonly #required: readonly string[];
  readonly #defaults: Readonly<Record<string, unknown>>;

  /**
   * @param names - of what has this signature, with spaces between
   * @param args - in order; those with a default may be left out, or be given among the options
   * @param unsupported - PyTorch's options, in camelCase, that do not exist here
   */
  constructor(
    names: string,
    readonly args: A,
    readonly options: O,
    readonly unsupported: readonly string[] = [],
  ) {
    this.#args = Object.entries(args);
    const named = this.#args.filter(([, rule]) => rule.fallback !== undefined);
    this.#known = new Map([...named, ...Object.entries(options)]);
    this.#required = Object.keys(options).filter((name) => options[name]?.fallback === undefined);
    const rules = Object.entries<Rule<unknown>>({ ...args, ...options });
    this.#defaults = Object.freeze(Object.fromEntries(rules.map(([name, rule]) => [name, rule.fallback])));
    for (const name of names.split(' ')) signatures.set(name, this as unknown as Signature<Rules, Rules>);
  }

  /**
   * The values of all arguments and options, checked, with defaults for those that are left out.
   * @param where - what was called, for messages
   * @throws ConfigError
   */
  read(where: string, given: readonly unknown[], options?: unknown): Values<A> & Values<O> {
    if (given.length === 0 && options === undefined && this.#required.length === 0) {
      return this.#defaults as Values<A> & Values<O>;
    }
    const values: Record<string, unknown> = { ...this.#defaults };
    for (let i = 0; i < given.length; i += 1) {
      const [name, rule] = this.#args[i] as readonly [string, Rule<unknown>];
      const value = given[i];
      if (rule.fallback !== undefined && options === undefined && isRecord(value) && !rule.fits(value)) {
        // ELU({ alpha: 2 }) for ELU(2): all that may be left out may be named.
        this.#take(where, values, value);
        break;
      }
      if (value === undefined && rule.fallback !== undefined) continue;
      if (!rule.fits(value)) throw misfit(where, name, rule, value);
      values[name] = value;
    }
    if (options !== undefined) this.#take(where, values, options);
    for (const name of this.#required) {
      if (values[name] === undefined) throw misfit(where, name, this.options[name] as Rule<unknown>, undefined);
    }
    return values as Values<A> & Values<O>;
  }

  #take(where: string, values: Record<string, unknown>, options: unknown): void {
    if (!isRecord(options)) {
      if (!(options instanceof Tensor)) checkOptions(where, options, this.#names());
      const known = this.#names().join(', ');
      throw new ConfigError(`Expected the options of ${where} in an object, { ${known} }, got ${describe(options)}.`);
    }
    for (const name of Object.keys(options)) {
      const value = options[name];
      const rule = this.#known.get(name);
      if (rule === undefined) this.#refuse(where, options, name);
      if (value === undefined) continue;
      if (!rule.fits(value)) throw misfit(where, name, rule, value);
      values[name] = value;
    }
  }

  #names(): string[] {
    return [...this.#known.keys()];
  }

  #refuse(where: string, options: Record<string, unknown>, name: string): never {
    if (this.unsupported.includes(camelCase(name))) {
      throw new ConfigError(
        `${where} does not support ${name}, which PyTorch has: leave it out. Options here: ${this.#names().join(', ')}.`,
      );
    }
    checkOptions(where, options, this.#names());
    throw new ConfigError(`Expected ${name} of ${where} in its place among the arguments, got it among the options.`);
  }
}

/** Refuses what stands after the last argument of what takes no options: `new Sigmoid({ inplace: true })`. */
export function expectNoMore(where: string, surplus: readonly unknown[]): void {
  if (surplus.length === 0) return;
  const got = surplus.flatMap((each) => (isRecord(each) ? Object.keys(each) : [describe(each)]));
  throw new ConfigError(`Expected no options of ${where}, which has none, got ${got.join(', ')}.`);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Tensor);
}

function misfit(where: string, name: string, rule: Rule<unknown>, value: unknown): ConfigError {
  const shown =
    typeof value === 'string' ? `'${value}'` : Array.isArray(value) ? `[${value.join(', ')}]` : describe(value);
  return new ConfigError(`Expected ${name} of ${where} to be ${rule.expected}, got ${shown}.`);
}

function describe(value: unknown): string {
  if (value instanceof Tensor) return `Tensor(${value.dtype}[${value.shape}])`;
  return typeof value === 'object' && value !== null ? 'an object' : String(value);
}

export function rule<T>(fallback: T | undefined, expected: string, fits: (value: unknown) => boolean): Rule<T> {
  return { fallback, expected, fits };
}

export const flag = (fallback: boolean): Rule<boolean> =>
  rule(fallback, 'true or false', (value) => typeof value === 'boolean');

/** A number that is not NaN, within bounds that are included; `above` is not. */
export function number(
  fallback?: number,
  { min = -Infinity, max = Infinity, above = -Infinity }: { min?: number; max?: number; above?: number } = {},
): Rule<number> {
  const bounds = [
    ...(min > -Infinity ? [`>= ${min}`] : []),
    ...(above > -Infinity ? [`> ${above}`] : []),
    ...(max < Infinity ? [`<= ${max}`] : []),
  ].join(' and ');
  return rule(
    fallback,
    `a number${bounds && ` ${bounds}`}`,
    (value) => typeof value === 'number' && value >= min && value <= max && (value > above || above === -Infinity),
  );
}

/** A whole number from `min` on. */
export const whole = (fallback?: number, min = -Infinity): Rule<number> =>
  rule(fallback, `a whole number${min > -Infinity ? ` >= ${min}` : ''}`, (value) => isWhole(value, min));

const isWhole = (value: unknown, min: number): value is number =>
  typeof value === 'number' && Number.isInteger(value) && value >= min;

type Size = number | readonly number[];

/** A whole number from `min` on, or a list of them. */
export const sizes = (fallback?: Size, min = 0): Rule<Size> =>
  rule(fallback, `a whole number >= ${min} or a list of them`, (value) => isSize(value, min));

export const isSize = (value: unknown, min: number): value is Size =>
  isWhole(value, min) || (Array.isArray(value) && value.length > 0 && value.every((each) => isWhole(each, min)));

export const choice = <T extends string>(fallback: T | undefined, ...choices: readonly T[]): Rule<T> =>
  rule(fallback, choices.map((each) => `'${each}'`).join(' or '), (value) => choices.includes(value as T));

export const tensor: Rule<Tensor> = rule<Tensor>(undefined, 'a tensor', (value) => value instanceof Tensor);

/** As `inner`, or null; null where nothing else is said. */
export const orNull = <T>(inner: Rule<T>, fallback: T | null = null): Rule<T | null> =>
  rule<T | null>(fallback, `${inner.expected} or null`, (value) => value === null || inner.fits(value));

/** Options that say where parameters are made. */
export const factoryRules = {
  device: rule<string>('cpu', "a device, as 'cpu' or 'cuda:0'", (value) => typeof value === 'string'),
  dtype: rule<import('../torch/index.js').DType>(
    'float32',
    'the name of a dtype',
    (value) => typeof value === 'string',
  ),
} as const;
