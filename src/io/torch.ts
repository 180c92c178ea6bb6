/**
 * Files of PyTorch's `torch.save`: state dicts and checkpoints, `.pt`, `.pth` or `.bin`, in the zip layout of PyTorch 1.6 and later and in the
 * older one. They are pickles, read by a policy of our own (`torch-policy.ts`): tensors and plain values only, and nothing is ever run.
 */
import { ConfigError, DataError } from '../torch/errors.js';
import type { Tensor } from '../torch/index.js';
import { ByteRange } from './bytes.js';
import { FileReader } from './file.js';
import { LazyArray, ObjectArray } from './lazy-array.js';
import { checkLimits, checkUnpacked, type ReadLimits } from './limits.js';
import type { NumpyType } from './numpy-types.js';
import { type PickleKey, PickleTuple, type PickleValue } from './pickle-values.js';
import { isLegacy, readArchive, readLegacy } from './torch-layout.js';
import { type TorchStorage, TorchTensor } from './torch-tensor.js';
import { ZipFile } from './zip.js';

/**
 * What a file holds, by `loadTorch`: dicts are `Map`s, lists arrays, tuples `PickleTuple`s, arrays of NumPy tensors too, bytes
 * `Uint8Array`s, a dtype or a device its name.
 */
export type TorchValue =
  | PickleKey
  | Tensor
  | Uint8Array
  | NumpyType
  | readonly TorchValue[]
  | ReadonlyMap<PickleKey, TorchValue>
  | ReadonlySet<PickleKey>
  | ObjectArray<TorchValue>;

/** The same before the tensors are read. */
type Unread = PickleValue | TorchTensor;

/** How to read a file of `torch.save`. */
export interface TorchOptions extends ReadLimits {
  /** Only what lies under this key of the file's dict: `model` of a checkpoint. Other tensors are not read. */
  readonly part?: string;
}

/**
 * Reads a file of `torch.save`: `model.loadStateDict(loadTorch('resnet18.pth'))`. Tensors come to the CPU, one after the other, so that
 * little more memory is taken than they fill; those that shared memory when they were saved do so again. Values need not be tensors.
 *
 * @typeParam T what the file is known to hold; it is not checked. A state dict, where nothing is said
 * @throws DataError for damaged files, and for everything that is not a tensor or a plain value, by name and place
 * @example
 * const checkpoint = loadTorch<Map<string, TorchValue>>('checkpoint.pt');   // torch.save({'model': .., 'epoch': 7}, ..)
 * const weights = loadTorch('checkpoint.pt', { part: 'model' });            // Map<string, Tensor>
 */
export function loadTorch<T = Map<string, Tensor>>(path: string, options: TorchOptions = {}): T {
  checkLimits('loadTorch', options, ['part']);
  const { part, ...limits } = options;
  const file = TorchFile.open(path, limits);
  try {
    return new Reader(file, limits).read(part === undefined ? file.value : file.part(part)) as T;
  } finally {
    file.close();
  }
}

/** An open file of `torch.save`: its structure is in memory, its tensors are read when asked for. */
export class TorchFile {
  private constructor(
    private readonly file: FileReader | ZipFile,
    /** What the file holds; its tensors are `TorchTensor`s. */
    readonly value: Unread,
  ) {}

  /** @throws DataError as `loadTorch` */
  static open(path: string, limits: ReadLimits = {}): TorchFile {
    checkLimits('TorchFile.open', limits);
    const file = openLayout(path, limits);
    try {
      return new TorchFile(file, file instanceof ZipFile ? readArchive(file, limits) : readLegacy(file, limits));
    } catch (error) {
      file.close();
      throw error;
    }
  }

  get path(): string {
    return this.file.path;
  }

  /** Bytes of the file. */
  get size(): number {
    return this.file.size;
  }

  /** What lies under a key of the file's dict. @throws ConfigError naming the keys that there are */
  part(key: string): Unread {
    if (this.value instanceof Map && this.value.has(key)) return this.value.get(key);
    const keys = this.value instanceof Map ? [...this.value.keys()].slice(0, 20).join(', ') : 'no dict';
    throw new ConfigError(`Expected a part '${key}' in ${this.path}, got: ${keys}`);
  }

  /** The file's state dict, unread. @throws DataError when it holds anything else than tensors by name */
  stateDict(): ReadonlyMap<string, TorchTensor> {
    const { value } = this;
    const isEntry = ([key, item]: readonly [unknown, unknown]) =>
      typeof key === 'string' && item instanceof TorchTensor;
    const others = value instanceof Map ? [...value].filter((entry) => !isEntry(entry)) : [];
    if (value instanceof Map && others.length === 0) return value as ReadonlyMap<string, TorchTensor>;
    const got =
      value instanceof Map
        ? `other values under ${others
            .slice(0, 10)
            .map(([key]) => key)
            .join(', ')}`
        : 'no dict';
    throw new DataError(`${this.path}: expected a state dict, tensors by name, got ${got}`);
  }

  /** Safe to call twice. */
  close(): void {
    this.file.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

function openLayout(path: string, limits: ReadLimits): FileReader | ZipFile {
  const file = FileReader.open(path);
  try {
    const start = Buffer.from(file.read(0, Math.min(4, file.size))).toString('latin1');
    if (start === 'PK\x03\x04') {
      file.close();
      return ZipFile.open(path, limits);
    }
    if (isLegacy(file)) return file;
    throw new DataError(
      `${path} is no file of torch.save: expected a zip archive or PyTorch's older format, got one that starts with ` +
        `${JSON.stringify(start)}. Save it anew in Python, with torch.save(..) of PyTorch 1.6 or later`,
    );
  } catch (error) {
    file.close();
    throw error;
  }
}

/** Reads the tensors of a value, each once, and each storage once where several look at it. */
class Reader {
  private readonly done = new Map<object, TorchValue>();
  private readonly storages = new Map<TorchStorage, Tensor>();
  /** Bytes of NumPy arrays so far: many may be made of the same bytes. */
  private arrays = 0;

  constructor(
    private readonly file: TorchFile,
    private readonly limits: ReadLimits,
  ) {}

  read(value: Unread): TorchValue {
    const result = this.convert(value);
    for (const whole of this.storages.values()) whole.dispose(); // its views hold the memory
    return result;
  }

  private convert(value: Unread): TorchValue {
    if (typeof value !== 'object' || value === null) return value;
    let made = this.done.get(value);
    if (made === undefined) {
      made = this.make(value);
      this.done.set(value, made);
    }
    return made;
  }

  private make(value: Exclude<Unread, PickleKey>): TorchValue {
    if (value instanceof TorchTensor) return this.tensor(value);
    if (value instanceof LazyArray) return this.array(value);
    if (value instanceof ByteRange) return value.read();
    if (value instanceof Map) return new Map([...value].map(([key, item]) => [key, this.convert(item)]));
    if (value instanceof ObjectArray)
      return new ObjectArray(
        value.values.map((item) => this.convert(item)),
        value.shape,
      );
    if (!Array.isArray(value)) return value as TorchValue;
    const items = value.map((item: Unread) => this.convert(item));
    return value instanceof PickleTuple ? PickleTuple.fromItems(items) : items;
  }

  private array(array: LazyArray): Tensor {
    this.arrays += array.shape.reduce((product, size) => product * size, array.type.width);
    checkUnpacked(`${this.file.path}: its NumPy arrays`, this.arrays, this.file.size, this.limits);
    return array.tensor();
  }

  private tensor(tensor: TorchTensor): Tensor {
    const { storage } = tensor;
    if (storage.viewers === 1) return tensor.tensor();
    const whole = this.storages.get(storage) ?? storage.read();
    this.storages.set(storage, whole);
    return tensor.tensor(whole);
  }
}
