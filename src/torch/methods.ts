/**
 * Gives Tensor its operators: the ones written here because their arguments differ from the schema's, and behind
 * them every aten operator.
 */
import { inspect } from 'node:util';
import { checkDtype, type DType, type MemoryFormat } from './dtype.js';
import { TorchError } from './errors.js';
import { type Index, indexTensor } from './indexing.js';
import { operatorMethods, ops } from './ops.js';
import { checkOptions } from './options.js';
import { formatTensor } from './print.js';
import { Tensor } from './tensor.js';
import { unique } from './unique.js';

/** Where and as what a tensor shall be; what is left out stays. */
export interface ToOptions {
  device?: string | undefined;
  dtype?: DType | undefined;
  memoryFormat?: MemoryFormat | undefined;
  nonBlocking?: boolean | undefined;
  copy?: boolean | undefined;
}

declare module './tensor.js' {
  interface Tensor {
    /** Converts dtype, device and memory format (`tensor.to`); returns this tensor itself where nothing changes. */
    to(options: ToOptions): Tensor;
    /** Python's `x[...]`; see {@link Index}. Views where Python gives views. */
    index(...indices: Index[]): Tensor;
    /** The different values, ascending; see {@link unique}. */
    unique: OmitThisParameter<typeof uniqueOf>;
    /** Copies to the host. */
    cpu(): Tensor;
    /** Converts to float32. */
    float(): Tensor;
    /** Converts to float64. */
    double(): Tensor;
    /** Converts to int64. */
    long(): Tensor;
  }
}

function uniqueOf<O extends Parameters<typeof unique>[1]>(this: Tensor, options?: O) {
  return unique<NonNullable<O>>(this, options);
}

const own = {
  to(this: Tensor, options: ToOptions): Tensor {
    checkOptions('to', options ?? null, ['device', 'dtype', 'memoryFormat', 'nonBlocking', 'copy']);
    if (options.dtype !== undefined) checkDtype('to', options.dtype);
    const dtype = options.dtype ?? this.dtype;
    const device = options.device ?? this.device;
    const { memoryFormat, nonBlocking = false, copy = false } = options;
    return ops.to(this, device, dtype, nonBlocking, copy, memoryFormat) as Tensor;
  },
  index(this: Tensor, ...indices: Index[]): Tensor {
    return indexTensor(this, indices);
  },
  unique: uniqueOf,
  cpu(this: Tensor): Tensor {
    return this.to({ device: 'cpu' });
  },
  float(this: Tensor): Tensor {
    return this.to({ dtype: 'float32' });
  },
  double(this: Tensor): Tensor {
    return this.to({ dtype: 'float64' });
  },
  long(this: Tensor): Tensor {
    return this.to({ dtype: 'int64' });
  },
  toString(this: Tensor): string {
    return formatTensor(this);
  },
  [inspect.custom](this: Tensor): string {
    try {
      return formatTensor(this);
    } catch (error) {
      // console.log and the messages of assertions show it rather than fail on it.
      if (error instanceof TorchError && error.code === 'FREED') return 'tensor(<freed>)';
      throw error;
    }
  },
};

for (const name of Reflect.ownKeys(own)) {
  Object.defineProperty(Tensor.prototype, name, {
    value: own[name as keyof typeof own],
    writable: true,
    configurable: true,
  });
}
Object.setPrototypeOf(Tensor.prototype, operatorMethods(Tensor.prototype));
