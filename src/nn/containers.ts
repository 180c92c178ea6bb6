import { expectItems, expectObject, misfit } from '../torch/expect.js';
import { ConfigError, type Tensor } from '../torch/index.js';
import { Module, slots, type UnaryModule } from './module.js';
import { Parameter } from './parameter.js';
import { indentTail } from './repr.js';

/** Modules applied one after another. Keys begin with the position (`0.weight`) or with the given names. */
export class Sequential extends Module {
  /** In order; kept so that a forward pass does not search the registry. */
  readonly #names: string[] = [];

  constructor(...layers: UnaryModule[]) {
    super();
    for (const layer of layers) this.append(layer);
  }

  /** A sequence with names: `Sequential.named({ conv1: ..., bn1: ... })`. */
  static named(layers: Readonly<Record<string, UnaryModule>>): Sequential {
    expectObject('Sequential.named', layers, 'layers by name in an object');
    const sequence = new Sequential();
    for (const [name, layer] of Object.entries(layers)) sequence.#add(name, layer);
    return sequence;
  }

  get length(): number {
    return this.#names.length;
  }

  /** The layer at a position; a negative one counts from the end. */
  at(index: number): UnaryModule {
    return slots(this)[nameAt(this, this.#names, index)] as UnaryModule;
  }

  append(layer: UnaryModule): this {
    this.#add(String(this.#names.length), layer);
    return this;
  }

  [Symbol.iterator](): IterableIterator<UnaryModule> {
    return this.#names.map((name) => slots(this)[name] as UnaryModule)[Symbol.iterator]();
  }

  forward(x: Tensor): Tensor {
    let y = x;
    for (const name of this.#names) y = (slots(this)[name] as UnaryModule).forward(y);
    return y;
  }

  protected override newLike(): Module {
    const like = new Sequential();
    like.#names.push(...this.#names);
    return like;
  }

  #add(name: string, layer: UnaryModule): void {
    place(this, name, layer);
    this.#names.push(name);
  }
}

/** A list of modules without a forward of its own. */
export class ModuleList<T extends Module = Module> extends Module {
  #length = 0;

  constructor(modules: Iterable<T> = []) {
    super();
    expectItems('ModuleList', modules, 'modules in a list');
    for (const module of modules) this.append(module);
  }

  get length(): number {
    return this.#length;
  }

  at(index: number): T {
    const names = Array.from({ length: this.#length }, (_, i) => String(i));
    return slots(this)[nameAt(this, names, index)] as T;
  }

  append(module: T): this {
    place(this, String(this.#length), module);
    this.#length += 1;
    return this;
  }

  *[Symbol.iterator](): IterableIterator<T> {
    for (let i = 0; i < this.#length; i += 1) yield slots(this)[String(i)] as T;
  }

  protected override newLike(): Module {
    const like = new ModuleList();
    like.#length = this.#length;
    return like;
  }

  forward(): never {
    throw new ConfigError('Expected a module to call, got a ModuleList: loop over its modules');
  }
}

/** Modules by name, without a forward of its own. */
export class ModuleDict<T extends Module = Module> extends Module {
  constructor(modules: Readonly<Record<string, T>> = {}) {
    super();
    expectObject('ModuleDict', modules, 'modules by name in an object');
    for (const [name, module] of Object.entries(modules)) this.set(name, module);
  }

  get(name: string): T {
    const module = slots(this)[name];
    if (!(module instanceof Module)) {
      throw new ConfigError(
        `Expected one of ${[...this.keys()].join(', ') || 'no names'} in ModuleDict, got '${name}'`,
      );
    }
    return module as T;
  }

  set(name: string, module: T): this {
    place(this, name, module);
    return this;
  }

  has(name: string): boolean {
    return slots(this)[name] instanceof Module;
  }

  *keys(): IterableIterator<string> {
    for (const [name] of this.namedChildren()) yield name;
  }

  *[Symbol.iterator](): IterableIterator<[string, T]> {
    for (const [name, child] of this.namedChildren()) yield [name, child as T];
  }

  forward(): never {
    throw new ConfigError('Expected a module to call, got a ModuleDict: get one by name');
  }
}

/** A list of parameters, keyed by position. */
export class ParameterList extends Module {
  #length = 0;

  constructor(parameters: Iterable<Parameter> = []) {
    super();
    expectItems('ParameterList', parameters, 'parameters in a list');
    for (const parameter of parameters) this.append(parameter);
  }

  get length(): number {
    return this.#length;
  }

  at(index: number): Parameter {
    const names = Array.from({ length: this.#length }, (_, i) => String(i));
    return slots(this)[nameAt(this, names, index)] as Parameter;
  }

  append(parameter: Parameter): this {
    if (!(parameter instanceof Parameter)) throw misfit('ParameterList', 'a Parameter', parameter);
    slots(this)[String(this.#length)] = parameter;
    this.#length += 1;
    return this;
  }

  *[Symbol.iterator](): IterableIterator<Parameter> {
    for (let i = 0; i < this.#length; i += 1) yield slots(this)[String(i)] as Parameter;
  }

  protected override newLike(): Module {
    const like = new ParameterList();
    like.#length = this.#length;
    return like;
  }

  forward(): never {
    throw new ConfigError('Expected a module to call, got a ParameterList: loop over its parameters');
  }

  override toString(): string {
    const lines = [...this].map(
      (p, i) => `(${i}): ${indentTail(`Parameter containing: [${p.dtype} of size ${p.shape.join('x')}]`)}`,
    );
    return `ParameterList(\n  ${lines.join('\n  ')}\n)`;
  }
}

/** Puts a child under a name that neither hides a member of Module nor breaks the dotted keys. */
function place(parent: Module, name: string, child: Module): void {
  if (!(child instanceof Module)) {
    throw new ConfigError(
      `Expected a Module as '${name}' of ${parent.typeName}, got ${child === null ? 'null' : typeof child}`,
    );
  }
  const taken = slots(parent)[name];
  if (name === '' || name.includes('.') || (name in parent && !(taken instanceof Module))) {
    throw new ConfigError(`Expected a child's name without '.' that is no member of ${parent.typeName}, got '${name}'`);
  }
  slots(parent)[name] = child;
}

function nameAt(parent: Module, names: readonly string[], index: number): string {
  const name = names.at(index);
  if (name === undefined) {
    throw new ConfigError(`Expected an index within the ${names.length} entries of ${parent.typeName}, got ${index}`);
  }
  return name;
}
