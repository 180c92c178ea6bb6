/** Tensors in files of `torch.save`, whose values are read when asked for. */
import { DTYPES, type DType } from '../torch/dtype.js';
import { DataError } from '../torch/errors.js';
import { scope, type Tensor } from '../torch/index.js';
import type { ByteRange } from './bytes.js';
import { readTensor } from './convert.js';
import { countElements } from './raw.js';

/** Numbers in a row, which any number of tensors look at. */
export class TorchStorage {
  /** How many tensors look at it. */
  viewers = 0;
  private place: (() => ByteRange) | null = null;

  constructor(
    readonly key: string,
    readonly dtype: DType,
    /** Elements. */
    readonly length: number,
  ) {}

  get byteLength(): number {
    return this.length * DTYPES[this.dtype].bytes;
  }

  /** Says where the numbers lie; a packed file unpacks them at the first call. */
  lieAt(place: () => ByteRange): void {
    this.place = place;
  }

  /** A part of it as a tensor of one dimension. */
  read(start = 0, length = this.length): Tensor {
    if (this.place === null) throw new DataError(`the file holds no numbers of the storage '${this.key}'`);
    const { source, offset } = this.place();
    return readTensor(source, offset + start * DTYPES[this.dtype].bytes, this.dtype, [length]);
  }
}

/** A tensor in an open file: a view on a storage. */
export class TorchTensor {
  /**
   * @param offset of the first element, in elements
   * @param strides elements from one index to the next, for each dimension
   * @throws DataError when it would look beyond its storage
   */
  constructor(
    readonly storage: TorchStorage,
    readonly shape: readonly number[],
    private readonly offset: number,
    private readonly strides: readonly number[],
    readonly requiresGrad: boolean,
  ) {
    const count = countElements(shape, `a tensor of storage '${storage.key}'`);
    if (count > 0 && offset + this.span > storage.length) {
      throw new DataError(
        `a tensor [${shape.join(', ')}] takes the elements ${offset} to ${offset + this.span} of its storage ` +
          `'${storage.key}', which has ${storage.length}`,
      );
    }
    storage.viewers++;
  }

  get dtype(): DType {
    return this.storage.dtype;
  }

  /** Elements from the first to the last, both included; 0 where there are none. */
  private get span(): number {
    if (this.shape.includes(0)) return 0;
    return this.shape.reduce((last, size, d) => last + (size - 1) * (this.strides[d] as number), 1);
  }

  /** The same tensor with another flag. */
  withGrad(requiresGrad: boolean): TorchTensor {
    return new TorchTensor(this.storage, this.shape, this.offset, this.strides, requiresGrad);
  }

  /**
   * Reads it (CPU): its own elements only.
   * @param whole its storage, already read; then both are views on the same memory, as they were when they were saved
   */
  tensor(whole: Tensor | null = null): Tensor {
    const view = scope(() => {
      if (whole !== null) return whole.asStrided([...this.shape], [...this.strides], this.offset);
      const own = this.storage.read(this.span === 0 ? 0 : this.offset, this.span);
      return own.asStrided([...this.shape], [...this.strides], 0);
    });
    if (this.requiresGrad) view.requiresGrad = true;
    return view;
  }

  toString(): string {
    return `TorchTensor(${this.dtype} [${this.shape.join(', ')}])`;
  }
}
