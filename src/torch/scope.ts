/**
 * Scopes own tensors: what is made inside is freed at the end, natively, at once.
 */
import { asynchronous } from './errors.js';
import { writeEach } from './frame.js';
import { adopt, enterScope, leaveScope } from './lifetime.js';
import { native } from './native.js';
import { Tensor } from './tensor.js';

function collect(value: unknown, found: Tensor[]): void {
  if (value instanceof Tensor) found.push(value);
  else if (Array.isArray(value)) for (const element of value) collect(element, found);
  else if (value instanceof Map) for (const element of value.values()) collect(element, found);
  else if (typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype) {
    for (const element of Object.values(value)) collect(element, found);
  }
}

/**
 * Runs `body` and frees every tensor made in it, save those that it returns (a Tensor, or arrays, Maps and plain
 * objects of them) and those that were kept. Returned tensors belong to the scope around, if there is one.
 *
 * @example
 * const loss = scope(() => model.forward(x).pow(2).mean());
 * @throws TorchError if `body` is asynchronous: a scope cannot stay open across an `await`
 */
export function scope<T>(body: () => T): T {
  enterScope();
  const survivors: Tensor[] = [];
  let result: T;
  try {
    result = body();
    if (result instanceof Promise) throw asynchronous('scope() takes', result);
    collect(result, survivors);
    writeEach(...survivors);
  } catch (error) {
    leaveScope(0);
    throw error;
  }
  leaveScope(survivors.length);
  for (const tensor of survivors) adopt(tensor);
  return result;
}

/** Lets a tensor outlive all scopes: it lives until it is unreachable or disposed. */
export function keep<T extends Tensor>(value: T): T {
  return value.keep();
}

/** Number of native tensors that JavaScript holds: in the whole process, all threads together, or on this thread. */
export function liveTensors(where: 'process' | 'thread' = 'process'): number {
  return where === 'process' ? native.liveTensors() : native.threadTensors();
}
