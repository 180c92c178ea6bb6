/** Deep copies of modules. */
import { ConfigError, Generator, HeadraceError, keep, noGrad, scope, Tensor } from '../torch/index.js';
import { carryMarks } from './initial.js';
import type { Module } from './module.js';
import { Parameter } from './parameter.js';

/** Copies a value as {@link Module.clone} does; what was copied before in the same clone is not copied twice. */
export type Copy = <T>(value: T) => T;

/** What a clone asks of a module beyond its public members. */
interface Cloneable {
  newLike(copy: Copy): Module;
  readonly ownForward: unknown;
}

/** What computes a module's parameters at every forward: set up again on its copies. */
const setups = new WeakMap<Module, ((copy: Module) => void)[]>();

/** Has `setUp` run on every copy of the module, after its properties were copied. */
export function onClone(module: Module, setUp: (copy: Module) => void): void {
  setups.set(module, [...(setups.get(module) ?? []), setUp]);
}

/** @param copyBuffers - copies the names of buffers, which only a Module can */
export function cloneModule(root: Module, copyBuffers: (from: Module, to: Module) => void): Module {
  const copies = new Map<object, unknown>();

  function copy<T>(value: T): T {
    if (typeof value !== 'object' || value === null) return value;
    let made = copies.get(value);
    if (made === undefined) {
      made = isModule(value) ? copyOfModule(value) : copyOfObject(value, copy, (like) => copies.set(value, like));
      copies.set(value, made);
    }
    return made as T;
  }

  function copyOfModule(module: Module): Module {
    expectCloneable(module);
    const like = (module as unknown as Cloneable).newLike(copy);
    Object.setPrototypeOf(like, Object.getPrototypeOf(module));
    copies.set(module, like);
    for (const key of Object.keys(like)) delete (like as unknown as Record<string, unknown>)[key];
    for (const [key, property] of propertiesOf(module)) {
      try {
        Object.defineProperty(like, key, { ...property, ...('value' in property && { value: copy(property.value) }) });
      } catch (error) {
        if (!(error instanceof HeadraceError) || error instanceof ConfigError) throw error;
        throw new ConfigError(
          `Expected all of ${module.typeName} to be there for its clone, got as '${String(key)}': ${error.message}`,
          { cause: error },
        );
      }
    }
    copyBuffers(module, like);
    for (const setUp of setups.get(module) ?? []) setUp(like);
    return like;
  }

  const clone = copy(root);
  for (const [from, to] of copies) if (isModule(from)) carryMarks(from, to as Module, copies);
  return clone;
}

function isModule(value: object): value is Module {
  return 'namedChildren' in value && 'newLike' in value;
}

/** Own properties that loops see: the others are what hooks and reparametrisations have put in. */
function propertiesOf(module: Module): [string | symbol, PropertyDescriptor][] {
  return Reflect.ownKeys(module)
    .map((key): [string | symbol, PropertyDescriptor] => [
      key,
      Object.getOwnPropertyDescriptor(module, key) as PropertyDescriptor,
    ])
    .filter(([, property]) => property.enumerable);
}

/** Tensors, generators and plain containers are copied; functions and objects of other classes are shared. */
function copyOfObject(value: object, copy: Copy, remember: (like: object) => void): object {
  if (value instanceof Parameter) return new Parameter(copyOfTensor(value), value.requiresGrad);
  if (value instanceof Tensor) return copyOfLooseTensor(value);
  if (value instanceof Generator) return copyOfGenerator(value);
  if (ArrayBuffer.isView(value) && !(value instanceof DataView)) return (value as Uint8Array).slice();
  if (Array.isArray(value)) return filled<unknown[]>([], remember, (like) => like.push(...value.map(copy)));
  if (value instanceof Set)
    return filled(new Set(), remember, (like) => {
      for (const each of value) like.add(copy(each));
    });
  if (value instanceof Map)
    return filled(new Map(), remember, (like) => {
      for (const [key, each] of value) like.set(copy(key), copy(each));
    });
  if (Object.getPrototypeOf(value) !== Object.prototype) return value;
  return filled<Record<string, unknown>>({}, remember, (like) => {
    for (const [key, each] of Object.entries(value)) like[key] = copy(each);
  });
}

/** Remembered before it is filled, since what is inside may lead back to it. */
function filled<T extends object>(like: T, remember: (like: object) => void, fill: (like: T) => void): T {
  remember(like);
  fill(like);
  return like;
}

function copyOfTensor(value: Tensor): Tensor {
  return noGrad(() => scope(() => value.detach().clone()));
}

function copyOfLooseTensor(value: Tensor): Tensor {
  const like = keep(copyOfTensor(value));
  if (value.isLeaf && value.requiresGrad) like.requiresGrad = true;
  return like;
}

function copyOfGenerator(value: Generator): Generator {
  const like = new Generator(value.initialSeed, value.device);
  scope(() => like.setState(value.getState()));
  return like;
}

/** @throws ConfigError where a copy would share state with the module or lack some */
function expectCloneable(module: Module): void {
  const { ownForward } = module as unknown as Cloneable;
  if (ownForward !== undefined && !setups.has(module)) {
    throw new ConfigError(
      `Expected ${module.typeName} to have its forward from its class, got one of its own, which would go on using ` +
        'the original in a clone: write forward as a method',
    );
  }
  const members = privateMembers(module);
  if (members.length === 0) return;
  throw new ConfigError(
    `Expected ${module.typeName} to say how it is cloned, since only its constructor can make its private members ` +
      `(${members.join(', ')}): declare them as 'private' without '#', or override ` +
      '`protected newLike(copy)` to return a new object with them set',
  );
}

/** The `#members` of the module's classes from its own up to the first that knows how to make them. */
function privateMembers(module: Module): string[] {
  const members: string[] = [];
  for (
    let proto = Object.getPrototypeOf(module);
    !Object.hasOwn(proto, 'newLike');
    proto = Object.getPrototypeOf(proto)
  )
    members.push(...declaredIn(proto.constructor));
  return members;
}

const declared = new WeakMap<object, string[]>();

/** The `#members` that a class's text declares: nothing else tells of them. */
function declaredIn(type: object): string[] {
  let names = declared.get(type);
  if (names === undefined) {
    const code = Function.prototype.toString
      .call(type)
      .replace(/\/\/.*|\/\*[\s\S]*?\*\/|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\[\s\S]|[^`\\])*`/g, '');
    names = [...new Set([...code.matchAll(/(?<![\w$.])#[\p{L}_$][\w$]*/gu)].map(([name]) => name))];
    declared.set(type, names);
  }
  return names;
}
