/**
 * Every aten operator, found by its camelCase name when it is first used.
 */
import { TorchError } from './errors.js';
import { expectText } from './expect.js';
import { type Argument, callOperator, type Result } from './frame.js';
import type { Operators } from './generated/operators.js';
import { native } from './native.js';
import { refuseSnakeCase } from './python-names.js';
import { camelCase } from './spelling.js';

/** An operator of any name, for those that the typings do not know (another libtorch version's, say). */
export type Operator = (...args: Argument[]) => Result;

const found = new Map<string, Operator | null>();

function find(name: string): Operator | null {
  expectText('op', name, "an operator's name");
  let operator = found.get(name);
  if (operator === undefined) {
    const id = native.resolve(name);
    operator = id < 0 ? null : (...args: Argument[]) => callOperator(id, args);
    found.set(name, operator);
  }
  return operator;
}

/** Whether the libtorch in use has an operator of this camelCase name, such as `'scaledDotProductAttention'`. */
export function hasOp(name: string): boolean {
  return find(name) !== null;
}

/**
 * The operator of this camelCase name, or of one overload (`'add.Scalar'`).
 * @throws TorchError where libtorch has none
 */
export function op(name: string): Operator {
  const operator = find(name);
  if (!operator) {
    const camel = camelCase(name);
    const advice = camel !== name && find(camel) ? `: in Headrace it is ${camel}` : '';
    throw new TorchError(`libtorch ${native.buildInfo().libtorch} has no operator '${name}'${advice}`, {
      code: 'NO_OPERATOR',
    });
  }
  return operator;
}

/** Operators by name; one overload by `'name.overload'`. */
export type OperatorTable = Operators & { readonly [name: `${string}.${string}`]: Operator };

/**
 * The operators as functions: `ops.conv2d(x, weight, bias)`, `ops['add.Scalar'](x, 2)`.
 *
 * Arguments stand in the order of the operator's schema; a trailing plain object gives arguments by their camelCase
 * names. null and undefined are Python's None, dtypes and memory formats are strings.
 */
export const ops: OperatorTable = new Proxy(
  {},
  {
    get: (_, name) => (typeof name === 'string' ? op(name) : undefined),
    has: (_, name) => typeof name === 'string' && hasOp(name),
  },
) as OperatorTable;

/**
 * What stands behind `Tensor.prototype`: a method that is missing there is looked up as an operator and installed,
 * so that each is found once.
 */
export function operatorMethods(prototype: object): object {
  const behind = Object.getPrototypeOf(prototype) as object;
  const has = (tensor: object) => (name: string) => name in tensor || hasOp(name);
  return new Proxy(Object.create(behind) as object, {
    get(target, name, receiver) {
      if (typeof name !== 'string' || name in target) return Reflect.get(target, name, receiver);
      const id = native.resolve(name);
      if (id < 0) refuseSnakeCase(receiver as object, name, has(receiver as object));
      const method = id < 0 ? undefined : methodOf(id);
      // `undefined` is installed too: `then` and `toJSON` are asked for again and again.
      Object.defineProperty(prototype, name, { value: method, writable: true, configurable: true });
      return method;
    },
    // `x.requires_grad = true` would be a property that nobody reads.
    set(target, name, value, receiver) {
      if (!(name in target)) refuseSnakeCase(receiver as object, name, has(receiver as object));
      return Reflect.set(target, name, value, receiver);
    },
  });
}

function methodOf(id: number) {
  return function (this: Argument, ...args: Argument[]): Result {
    args.unshift(this);
    return callOperator(id, args);
  };
}
