import { expectObject } from '../torch/expect.js';
import { ConfigError } from '../torch/index.js';
import { Module, slots } from './module.js';
import { Parameter } from './parameter.js';

/** Parameters by name, in the order in which they were set. Keys of the state dict are the names. */
export class ParameterDict extends Module {
  constructor(parameters: Readonly<Record<string, Parameter>> = {}) {
    super();
    expectObject('ParameterDict', parameters, 'parameters by name in an object');
    for (const [name, parameter] of Object.entries(parameters)) this.set(name, parameter);
  }

  /** @throws ConfigError naming what there is instead */
  get(name: string): Parameter {
    const parameter = slots(this)[name];
    if (parameter instanceof Parameter) return parameter;
    const names = [...this.keys()].join(', ') || 'no names';
    throw new ConfigError(`Expected one of ${names} in ParameterDict, got '${name}'`);
  }

  set(name: string, parameter: Parameter): this {
    if (!(parameter instanceof Parameter)) {
      const got = parameter === null ? 'null' : typeof parameter;
      throw new ConfigError(`Expected a Parameter as '${name}' of ParameterDict, got ${got}`);
    }
    if (name === '' || name.includes('.') || (name in this && !this.has(name))) {
      throw new ConfigError(
        `Expected a parameter's name without '.' that is no member of ParameterDict, got '${name}'`,
      );
    }
    slots(this)[name] = parameter;
    return this;
  }

  has(name: string): boolean {
    return slots(this)[name] instanceof Parameter;
  }

  /** Takes a parameter out. @returns whether it was there */
  delete(name: string): boolean {
    return this.has(name) && delete slots(this)[name];
  }

  get length(): number {
    return [...this.keys()].length;
  }

  *keys(): IterableIterator<string> {
    for (const [name] of this) yield name;
  }

  *[Symbol.iterator](): IterableIterator<[string, Parameter]> {
    for (const [name, value] of Object.entries(this)) if (value instanceof Parameter) yield [name, value];
  }

  forward(): never {
    throw new ConfigError('Expected a module to call, got a ParameterDict: get a parameter by name');
  }

  override toString(): string {
    const lines = [...this].map(
      ([name, p]) => `(${name}): Parameter containing: [${p.dtype} of size ${p.shape.join('x')}]`,
    );
    return `ParameterDict(\n  ${lines.join('\n  ')}\n)`;
  }
}
