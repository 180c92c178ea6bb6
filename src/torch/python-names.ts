/** PyTorch's spelling of what has a camelCase name here: silence, or "is not a function", would not tell. */
import { TorchError } from './errors.js';
import { camelCase } from './spelling.js';

const snake = /^_*[a-z][a-z0-9]*_[a-z0-9_]*[a-z0-9]_*$/;

/** @throws TorchError where `name` is missing in `target` and its camelCase spelling is there */
export function refuseSnakeCase(
  target: object,
  name: string | symbol,
  has: (name: string) => boolean = (here) => here in target,
): void {
  if (typeof name !== 'string' || !snake.test(name)) return;
  const here = camelCase(name);
  if (here === name || !has(here)) return;
  const what = target.constructor?.name ?? 'object';
  throw new TorchError(`${what} has no ${name}: in Headrace it is ${here}.`, { code: 'SPELLING' });
}

/**
 * What to put behind a class's prototype, `Object.setPrototypeOf(Base.prototype, behind(..))`: it is asked only for names
 * that an object, its class and all above it lack, so that nothing else gets slower.
 */
export function spellingGuard(above: object): object {
  return new Proxy(Object.create(above) as object, {
    get(target, name, receiver) {
      if (!(name in target)) refuseSnakeCase(receiver as object, name);
      return Reflect.get(target, name, receiver);
    },
    set(target, name, value, receiver) {
      if (!(name in target)) refuseSnakeCase(receiver as object, name);
      return Reflect.set(target, name, value, receiver);
    },
  });
}

/** Has a base class tell of PyTorch's spellings. */
export function guardSpelling(base: { readonly prototype: object }): void {
  Object.setPrototypeOf(base.prototype, spellingGuard(Object.getPrototypeOf(base.prototype) as object));
}
