/**
 * The tensor: a small JavaScript object that names a native `at::Tensor`.
 * Operators are added to it by methods.ts; what stands here needs no operator.
 */
import { backward } from './autograd.js';
import { DTYPES, type DType, type TypedArray } from './dtype.js';
import { TorchError, translating } from './errors.js';
import { expectTensor } from './expect.js';
import { readIntegers, readTensors, writeEach, writeTensors } from './frame.js';
import type { TensorMethods } from './generated/operators.js';
import { type GradHook, type RemovableHandle, registerHook } from './hooks.js';
import { adopt, free, outlive } from './lifetime.js';
import { native } from './native.js';

/** Nested lists of numbers, as deep as a tensor has dimensions. */
export type NestedNumbers = number | NestedNumbers[];

// Every aten operator whose first argument is `self` is a method too; see methods.ts.
export interface Tensor extends TensorMethods {}

/**
 * A multi-dimensional array on a device, with autograd (`torch.Tensor`).
 *
 * Freed at the end of the {@link scope} it was made in, by {@link Tensor.dispose}, or else by the garbage collector.
 */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: the operators are installed by methods.ts
export class Tensor {
  /** The addon's handle; for this package's use. */
  readonly handle: number;

  /** For this package's use: make tensors with {@link tensor}, {@link zeros} and the like. */
  constructor(handle: number) {
    this.handle = handle;
    adopt(this);
  }

  /** Size of each dimension. */
  get shape(): number[] {
    return translating(() => readIntegers(native.sizes(this.handle)));
  }

  get dtype(): DType {
    return translating(() => native.dtype(this.handle)) as DType;
  }

  /** `'cpu'`, `'cuda:0'`, `'mps:0'`, `'meta'`. */
  get device(): string {
    return translating(() => native.device(this.handle));
  }

  /** Number of dimensions. */
  get ndim(): number {
    return translating(() => native.sizes(this.handle));
  }

  /** Number of elements. */
  get numel(): number {
    return this.shape.reduce((product, size) => product * size, 1);
  }

  get requiresGrad(): boolean {
    return translating(() => native.requiresGrad(this.handle));
  }

  set requiresGrad(value: boolean) {
    if (typeof value !== 'boolean') throw new TorchError(`requiresGrad: expected true or false, got ${String(value)}`);
    translating(() => native.setRequiresGrad(this.handle, value));
  }

  get isLeaf(): boolean {
    return translating(() => native.isLeaf(this.handle));
  }

  /** The name of the function that made this tensor in its graph, such as `AddBackward0`; null for a leaf. */
  get gradFn(): string | null {
    return translating(() => native.gradFn(this.handle)) || null;
  }

  /** The gradient that backward has accumulated here, or null. */
  get grad(): Tensor | null {
    writeTensors([this]);
    translating(() => native.gradsOf());
    return readTensors()[0] ?? null;
  }

  set grad(gradient: Tensor | null) {
    if (gradient !== null && !(gradient instanceof Tensor)) {
      throw new TorchError(`grad: expected a tensor or null, got ${String(gradient)}`);
    }
    writeEach(this, gradient);
    translating(() => native.setGrad());
  }

  /** Makes a tensor that is no leaf keep its gradient. */
  retainGrad(): this {
    translating(() => native.retainGrad(this.handle));
    return this;
  }

  /**
   * Has `hook` see this tensor's gradient in every backward, once it is complete, and return another in its place or
   * nothing. Hooks run in the order of their registration.
   * @throws TorchError unless the tensor requires grad
   */
  registerHook(hook: GradHook): RemovableHandle {
    return registerHook(this, hook);
  }

  /** Takes over the storage, dtype and device of `other`, in place (`tensor.data = other`). */
  setData(other: Tensor): this {
    expectTensor('setData', other);
    translating(() => native.setData(this.handle, other.handle));
    return this;
  }

  /**
   * Gradients of this tensor with respect to the leaves of its graph, accumulated in their `grad`.
   * @param gradient - same shape as this tensor; may be left out for a single element
   */
  backward(gradient: Tensor | null = null, options: { retainGraph?: boolean; createGraph?: boolean } = {}): void {
    backward([this], [gradient], options);
  }

  /** The value of a tensor of one element. int64 beyond 2^53 is rounded. */
  item(): number {
    return translating(() => native.item(this.handle));
  }

  /** A copy of the elements' bytes, row by row, whatever the dtype. */
  bytes(): Uint8Array {
    return translating(() => {
      const bytes = new Uint8Array(native.byteLength(this.handle));
      native.copyOut(this.handle, bytes);
      return bytes;
    });
  }

  /**
   * A copy of the elements, row by row, in the typed array of the dtype; 16-bit floats come as Float32Array,
   * bool as Uint8Array, int64 as BigInt64Array.
   */
  data(): TypedArray {
    const { dtype } = this;
    const info = DTYPES[dtype] as (typeof DTYPES)[DType] | undefined;
    if (!info) throw new TorchError('no typed array holds the elements of this tensor: its dtype is none of DType');
    if (!info.array) {
      if (dtype.startsWith('complex')) throw new TorchError('complex tensors have no typed array: viewAsReal() first');
      return this.#widened();
    }
    const bytes = this.bytes();
    return new info.array(bytes.buffer, bytes.byteOffset, bytes.length / info.bytes);
  }

  // The temporaries are freed here: outside scopes they would wait for the collector.
  #widened(): TypedArray {
    const plain = this.detach();
    const wide = plain.to({ dtype: 'float32' });
    try {
      return wide.data();
    } finally {
      wide.dispose();
      plain.dispose();
    }
  }

  /** The elements as nested lists; a plain number for a tensor without dimensions. */
  tolist(): NestedNumbers {
    const flat = this.data();
    const shape = this.shape;
    let next = 0;
    const build = (dim: number): NestedNumbers =>
      dim === shape.length ? Number(flat[next++]) : Array.from({ length: shape[dim]! }, () => build(dim + 1));
    return build(0);
  }

  /** Frees the native tensor now; using it afterwards is an error. */
  dispose(): void {
    free(this);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** Moves this tensor out of all scopes; see {@link keep}. */
  keep(): this {
    translating(() => outlive(this));
    return this;
  }
}
