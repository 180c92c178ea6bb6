/** Functions of autograd with a forward and a backward of one's own: PyTorch's `torch.autograd.Function`. */
import { noGrad } from './autograd.js';
import { asynchronous, ConfigError, TorchError, translating } from './errors.js';
import { readTensors, writeTensors } from './frame.js';
import { native } from './native.js';
import { checkFlag, checkOptions } from './options.js';
import { scope } from './scope.js';
import { Tensor } from './tensor.js';

/** What an application keeps between its forward and its backward. */
export interface FunctionContext {
  /** Keeps tensors for backward: inputs, outputs or others. They live as long as the graph, whatever scope ends. */
  saveForBackward(...tensors: readonly Tensor[]): void;
  /** In backward: the tensors that were saved. @throws TorchError where the graph was freed by an earlier backward */
  readonly savedTensors: readonly Tensor[];
  /** For each argument of forward, whether its gradient is wanted; false for what is no tensor. */
  readonly needsInputGrad: readonly boolean[];
  /** Outputs through which no gradient flows, such as indices. Those of whole numbers are so by themselves. */
  markNonDifferentiable(...outputs: readonly Tensor[]): void;
  /** For anything else that backward needs, such as numbers. Tensors are refused here: they are to be saved. */
  readonly values: Record<string, unknown>;
}

type Gradient = Tensor | null | undefined;

/** The two halves of a function. */
export interface FunctionDefinition<A extends readonly unknown[], R extends Tensor | readonly Tensor[]> {
  /** For errors; `'customFunction'` by default. */
  readonly name?: string;
  /** From the arguments, tensors and others, to a tensor or several. Nothing in it is recorded. It must not write to its inputs. */
  readonly forward: (context: FunctionContext, ...args: A) => R;
  /**
   * From the gradients of the outputs (zeros for one that nothing used) to those of forward's arguments: a list with one for
   * each, null where there is none; a single gradient for a single argument. More nulls may follow, for arguments that the
   * call left out. Where the graph of the gradient is wanted (`createGraph`) it is recorded, so a backward of differentiable
   * operations can be differentiated again. What it makes and is given is freed at its end, save what it returns or keeps.
   */
  readonly backward: (context: FunctionContext, ...grads: Tensor[]) => Gradient | readonly Gradient[];
  /** For a backward of other operations: it is never recorded, and to differentiate it again is an error. */
  readonly onceDifferentiable?: boolean;
}

/**
 * A function with a gradient of its own.
 *
 * @example
 * const square = customFunction({
 *   forward(context, x: Tensor) {
 *     context.saveForBackward(x);
 *     return x.mul(x);
 *   },
 *   backward(context, grad) {
 *     const [x] = context.savedTensors;
 *     return grad.mul(x!).mul(2);
 *   },
 * });
 * square(x).sum().backward();
 * @throws TorchError (code `FUNCTION`) when it is called, or in backward, where a half does not give what it must
 */
export function customFunction<A extends readonly unknown[], R extends Tensor | readonly Tensor[]>(
  definition: FunctionDefinition<A, R>,
): (...args: A) => R {
  checkOptions('customFunction', definition ?? null, ['name', 'forward', 'backward', 'onceDifferentiable']);
  checkFlag('customFunction', 'onceDifferentiable', definition.onceDifferentiable);
  for (const half of ['forward', 'backward'] as const) {
    if (typeof definition[half] !== 'function') {
      throw new ConfigError(`Expected ${half} of customFunction to be a function, got ${typeof definition[half]}`);
    }
  }
  return (...args) => scope(() => new Application(definition, args).apply());
}

/** One call of a function, and what its backward needs. */
class Application<A extends readonly unknown[], R extends Tensor | readonly Tensor[]> implements FunctionContext {
  readonly needsInputGrad: readonly boolean[];
  readonly values: Record<string, unknown> = {};
  readonly #name: string;
  readonly #backward: FunctionDefinition<A, R>['backward'];
  readonly #once: boolean;
  /** Of each argument: its shape, null for what is no tensor. */
  readonly #shapes: readonly (readonly number[] | null)[];
  #forward: (() => R) | null;
  #inputs: readonly Tensor[];
  #saved: readonly Tensor[] = [];
  #constant: readonly Tensor[] = [];
  #outputs = 1;

  constructor(definition: FunctionDefinition<A, R>, args: A) {
    this.#name = definition.name ?? 'customFunction';
    this.#backward = definition.backward;
    this.#once = definition.onceDifferentiable ?? false;
    this.#forward = () => definition.forward(this, ...args);
    this.#inputs = args.filter((arg) => arg instanceof Tensor);
    this.#shapes = args.map((arg) => (arg instanceof Tensor ? arg.shape : null));
    this.needsInputGrad = args.map((arg) => arg instanceof Tensor && arg.requiresGrad && native.gradEnabled());
  }

  get savedTensors(): readonly Tensor[] {
    return this.#saved;
  }

  saveForBackward(...tensors: readonly Tensor[]): void {
    this.#saved = this.#checkTensors('saveForBackward', tensors);
  }

  markNonDifferentiable(...outputs: readonly Tensor[]): void {
    this.#constant = this.#checkTensors('markNonDifferentiable', outputs);
  }

  apply(): R {
    const result = this.#runForward();
    const outputs = this.#checkOutputs(result);
    if (!this.needsInputGrad.includes(true)) return result;
    this.#outputs = outputs.length;
    writeTensors(this.#inputs, outputs, this.#saved, this.#constant);
    // The graph keeps this object, and the tensors by itself: kept here, they would be freed with a scope.
    this.#forward = null;
    this.#inputs = this.#saved = this.#constant = [];
    translating(() => native.applyFunction(() => this.#passBack()));
    const recorded = readTensors() as Tensor[];
    return (Array.isArray(result) ? recorded : recorded[0]) as R;
  }

  #runForward(): R {
    const versions = this.#inputs.map((input) => versionOf(input));
    const result = noGrad(() => this.#synchronous('forward', this.#forward!()));
    if (this.#inputs.some((input, i) => versionOf(input) !== versions[i])) {
      throw this.#error('Expected forward to leave its inputs as they are, and it wrote to one: write to a clone');
    }
    return result;
  }

  #checkOutputs(result: R): readonly Tensor[] {
    const outputs: readonly unknown[] = Array.isArray(result) ? result : [result];
    if (outputs.length === 0 || !outputs.every((output) => output instanceof Tensor)) {
      throw this.#error('Expected forward to return a tensor, or a list of tensors');
    }
    // libtorch would give all gradients to the last of them.
    if (new Set(outputs).size < outputs.length) {
      throw this.#error('Expected forward to return different tensors, and one stands twice: return a clone of it');
    }
    if (!this.#constant.every((tensor) => outputs.includes(tensor))) {
      throw this.#error('Expected markNonDifferentiable to be given what forward returns, got another tensor');
    }
    if (
      Object.values(this.values)
        .flat()
        .some((value) => value instanceof Tensor)
    ) {
      throw this.#error('Expected context.values without tensors, which end with forward: saveForBackward keeps them');
    }
    return outputs;
  }

  /** Called by libtorch: the frame holds the gradients and what was saved, and then the gradients of the input tensors. */
  #passBack(): void {
    const given = readTensors();
    const outer = this.#saved;
    this.#saved = given.slice(this.#outputs) as Tensor[];
    const differentiate = () => {
      const returned = this.#backward(this, ...(given.slice(0, this.#outputs) as Tensor[]));
      return this.#checkGradients(this.#synchronous('backward', returned));
    };
    try {
      writeTensors(
        scope(() => (this.#once && native.gradEnabled() ? this.#sealed(given, differentiate) : differentiate())),
      );
    } finally {
      this.#saved = outer;
    }
  }

  /** The gradients as results of a function of all that they come from, which refuses to go back. */
  #sealed(given: readonly (Tensor | null)[], differentiate: () => (Tensor | null)[]): (Tensor | null)[] {
    const gradients = noGrad(differentiate);
    const present = [...new Set(gradients.filter((gradient) => gradient !== null))];
    if (present.length === 0) return gradients;
    const seal = customFunction({
      forward: (_, ..._sources: (Tensor | null)[]): readonly Tensor[] => present,
      backward: () => {
        throw this.#error('Its backward is onceDifferentiable, and was to be differentiated again');
      },
    });
    const sealed = seal(...given);
    return gradients.map((gradient) => gradient && sealed[present.indexOf(gradient)]!);
  }

  #checkGradients(returned: Gradient | readonly Gradient[]): (Tensor | null)[] {
    const gradients = Array.isArray(returned) ? (returned as readonly Gradient[]) : [returned as Gradient];
    const count = this.#shapes.length;
    const surplus = gradients.slice(count).some((gradient) => gradient !== null && gradient !== undefined);
    if (gradients.length < count || surplus) {
      throw this.#error(
        `Expected backward to return ${count} gradients, one for each argument of forward, got ${gradients.length}`,
      );
    }
    return this.#shapes.flatMap((shape, i) => {
      const gradient = gradients[i] ?? null;
      if (shape === null && gradient === null) return [];
      if (shape === null) throw this.#error(`Expected backward to return null for argument ${i}, which is no tensor`);
      if (gradient !== null && !(gradient instanceof Tensor && canSumTo(gradient.shape, shape))) {
        const got = gradient instanceof Tensor ? `[${gradient.shape}]` : typeof gradient;
        throw this.#error(`Expected backward to return a gradient of shape [${shape}] for argument ${i}, got ${got}`);
      }
      return [gradient];
    });
  }

  #checkTensors(where: string, tensors: readonly Tensor[]): readonly Tensor[] {
    const odd = (tensors as readonly unknown[]).filter((tensor) => !(tensor instanceof Tensor));
    if (odd.length === 0) return tensors;
    throw this.#error(`Expected tensors in ${where}(...), got ${Array.isArray(odd[0]) ? 'a list' : String(odd[0])}`);
  }

  #synchronous<T>(half: string, returned: T): T {
    if (returned instanceof Promise) throw asynchronous(`${this.#name}: Expected ${half} to be`, returned);
    return returned;
  }

  #error(message: string): TorchError {
    return new TorchError(`${this.#name}: ${message}`, { code: 'FUNCTION' });
  }
}

/** libtorch's count of the writes to a tensor. */
function versionOf(tensor: Tensor): number {
  return tensor._version() as number;
}

/** Whether libtorch can sum a gradient down to a shape that was broadcast. */
function canSumTo(from: readonly number[], to: readonly number[]): boolean {
  const skipped = from.length - to.length;
  return skipped >= 0 && to.every((size, i) => size === 1 || size === from[skipped + i]);
}
