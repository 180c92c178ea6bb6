/** The voice model's network a step at a time, in plain arrays: no tensors, and the same bits however the sound comes. */
import { ShapeError } from '../../torch/index.js';
import { type NetworkShape, stepInputs, stepOutputs } from './network.js';

/** A network's numbers by their keys, each row after row. */
export type NetworkNumbers = ReadonlyMap<string, Float32Array>;

/** A causal convolution of three or one taps, with the inputs that it still needs. */
class Layer {
  readonly #past: Float32Array;
  readonly #weight: Float32Array;
  readonly #bias: Float32Array;
  #count = 0;

  constructor(
    numbers: NetworkNumbers,
    name: string,
    readonly inputs: number,
    readonly outputs: number,
    readonly taps: number,
    readonly dilation: number,
  ) {
    const weight = take(numbers, `${name}.weight`, outputs * inputs * taps);
    this.#bias = take(numbers, `${name}.bias`, outputs);
    // From [out, in, tap] to [tap, out, in]: each tap reads one run of inputs.
    this.#weight = new Float32Array(weight.length);
    for (let out = 0; out < outputs; out++)
      for (let i = 0; i < inputs; i++)
        for (let tap = 0; tap < taps; tap++)
          this.#weight[(tap * outputs + out) * inputs + i] = weight[(out * inputs + i) * taps + tap]!;
    this.#past = new Float32Array(((taps - 1) * dilation + 1) * inputs);
  }

  next(input: Float32Array, into: Float32Array): void {
    const { inputs, outputs, taps, dilation } = this;
    const length = (taps - 1) * dilation + 1;
    this.#past.set(input, (this.#count % length) * inputs);
    into.set(this.#bias);
    for (let tap = 0; tap < taps; tap++) {
      const back = (taps - 1 - tap) * dilation;
      const from = ((((this.#count - back) % length) + length) % length) * inputs;
      for (let out = 0; out < outputs; out++) {
        const row = (tap * outputs + out) * inputs;
        let sum = 0;
        for (let i = 0; i < inputs; i++) sum += this.#weight[row + i]! * this.#past[from + i]!;
        into[out]! += sum;
      }
    }
    this.#count++;
  }
}

function take(numbers: NetworkNumbers, key: string, size: number): Float32Array {
  const found = numbers.get(key);
  if (found?.length === size) return found;
  throw new ShapeError(`Expected ${size} numbers '${key}' of a voice network, got ${found?.length ?? 'none'}`);
}

/** Runs a network over steps that come one after another, from silence on. */
export class NetworkStepper {
  readonly #enter: Layer;
  readonly #blocks: readonly { readonly look: Layer; readonly mix: Layer }[];
  readonly #leave: Layer;
  readonly #state: Float32Array;
  readonly #seen: Float32Array;
  readonly #change: Float32Array;
  readonly #out = new Float32Array(stepOutputs);

  /** @throws ShapeError for numbers of another network */
  constructor(numbers: NetworkNumbers, { width, dilations }: NetworkShape) {
    this.#enter = new Layer(numbers, 'enter', stepInputs, width, 3, 1);
    this.#blocks = dilations.map((dilation, i) => ({
      look: new Layer(numbers, `blocks.${i}.look`, width, width, 3, dilation),
      mix: new Layer(numbers, `blocks.${i}.mix`, width, width, 1, 1),
    }));
    this.#leave = new Layer(numbers, 'leave', width, stepOutputs, 1, 1);
    [this.#state, this.#seen, this.#change] = [1, 2, 3].map(() => new Float32Array(width)) as [
      Float32Array,
      Float32Array,
      Float32Array,
    ];
  }

  /** @param input - a step of sound @returns logits, in an array that is used again */
  next(input: Float32Array): Float32Array {
    this.#enter.next(input, this.#state);
    rectify(this.#state);
    for (const { look, mix } of this.#blocks) {
      look.next(this.#state, this.#seen);
      rectify(this.#seen);
      mix.next(this.#seen, this.#change);
      for (let i = 0; i < this.#state.length; i++) this.#state[i]! += this.#change[i]!;
    }
    rectify(this.#state);
    this.#leave.next(this.#state, this.#out);
    return this.#out;
  }
}

function rectify(values: Float32Array): void {
  for (let i = 0; i < values.length; i++) if (values[i]! < 0) values[i] = 0;
}
