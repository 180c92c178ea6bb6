/**
 * Scopes own tensors: what is made inside is freed at the end, natively, at once.
 */
import { asynchronous, TorchError } from './errors.js';
import { expectFunction, expectTensor } from './expect.js';
import { readIntegers, writeEach } from './frame.js';
import { adopt, enterScope, inAsyncScope, leaveScope, scopeDepth } from './lifetime.js';
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

const ADVICE = '; a body that awaits is declared async: scope(async () => await ...)';
const AsyncFunction = (async () => {}).constructor;

/** The tensors in a result, as {@link scope} finds them. For this package's use. */
export function tensorsOf(value: unknown): Tensor[] {
  const found: Tensor[] = [];
  collect(value, found);
  return found;
}

/** As {@link scope} of a synchronous body; tells which tensors of the result were made in it. For this package's use. */
export function scopeMaking<T>(body: () => T): { result: T; made: Tensor[] } {
  enterScope();
  let survivors: Tensor[];
  let result: T;
  try {
    result = body();
    if (result instanceof Promise) throw asynchronous('scope() takes', result, ADVICE);
    survivors = tensorsOf(result);
    writeEach(...survivors);
  } catch (error) {
    leaveScope(0);
    throw error;
  }
  leaveScope(survivors.length);
  const owned = readIntegers(survivors.length);
  const made = survivors.filter((_, i) => owned[i] !== 0);
  for (const tensor of made) adopt(tensor);
  return { result, made };
}

/**
 * Runs `body` and frees every tensor made in it, save those that it returns (a Tensor, or arrays, Maps and plain
 * objects of them) and those that were kept. Returned tensors belong to the scope around, if there is one.
 *
 * With an `async` function the scope stays open across its awaits and returns a promise: it owns what this function, and
 * whatever it calls and awaits, makes outside of synchronous scopes. Several may be open at once.
 *
 * @example
 * const loss = scope(() => model.forward(x).pow(2).mean());
 * const answer = await scope(async () => model.forward(await request()).tolist());
 * @throws TorchError if `body` returns a Promise but is not declared `async`, or is asynchronous within a synchronous scope
 */
export function scope<T>(body: () => T): T {
  expectFunction('scope', body);
  if (!(body instanceof AsyncFunction)) return scopeMaking(body).result;
  if (scopeDepth() > 0) {
    throw new TorchError(
      'an asynchronous scope cannot begin inside a synchronous one, which ends first: make the outer body async, too',
      { code: 'ASYNC' },
    );
  }
  return inAsyncScope(body as () => Promise<unknown>, tensorsOf) as T;
}

/** Lets a tensor outlive all scopes: it lives until it is unreachable or disposed. */
export function keep<T extends Tensor>(value: T): T {
  expectTensor('keep', value);
  return value.keep();
}

/** Number of native tensors that JavaScript holds: in the whole process, all threads together, or on this thread. */
export function liveTensors(where: 'process' | 'thread' = 'process'): number {
  return where === 'process' ? native.liveTensors() : native.threadTensors();
}

/** Bytes of memory behind the tensors that JavaScript holds on this thread; views of one memory count once. */
export function liveBytes(): number {
  return native.threadBytes();
}
