/**
 * What files of `torch.save` may name, beside plain values and NumPy arrays: the makers of tensors, storages and dtypes, and a few
 * containers. Nothing is looked up, imported or run.
 * Forms: PyTorch's torch/_utils.py, torch/serialization.py and the list of torch/_weights_only_unpickler.py.
 */
import type { DType } from '../torch/dtype.js';
import { arrayPolicy, keyIn, quote } from './pickle-globals.js';
import { PickleGlobal, type PickleHost, type PicklePolicy, PickleTuple } from './pickle-values.js';
import { TorchStorage, TorchTensor } from './torch-tensor.js';

/** PyTorch's storages, by the name of their type. */
export const storageTypes: Readonly<Record<string, DType>> = {
  DoubleStorage: 'float64',
  FloatStorage: 'float32',
  HalfStorage: 'float16',
  BFloat16Storage: 'bfloat16',
  LongStorage: 'int64',
  IntStorage: 'int32',
  ShortStorage: 'int16',
  CharStorage: 'int8',
  ByteStorage: 'uint8',
  BoolStorage: 'bool',
  ComplexFloatStorage: 'complex64',
  ComplexDoubleStorage: 'complex128',
};
/** Others, known so that the reason of their refusal can be told. */
const otherStorages: Readonly<Record<string, string>> = {
  QInt8Storage: 'quantised tensors are not read: dequantize() them',
  QUInt8Storage: 'quantised tensors are not read: dequantize() them',
  QInt32Storage: 'quantised tensors are not read: dequantize() them',
  QUInt4x2Storage: 'quantised tensors are not read: dequantize() them',
  QUInt2x4Storage: 'quantised tensors are not read: dequantize() them',
  UntypedStorage: 'tensors of this dtype are not read: convert them, to float32 for example,',
};
/** Element types as values: `torch.float16` is read as its name. */
const dtypeNames =
  'float64 float32 float16 bfloat16 int64 int32 int16 int8 uint8 bool complex64 complex128 uint16 uint32 uint64 ' +
  'float8_e4m3fn float8_e5m2 qint8 quint8 qint32';
/** libtorch's own limit. */
const maxRank = 64;

const globals = new Map<string, PickleGlobal>();

function allow(name: string, call: PickleGlobal['call'], value?: string): void {
  globals.set(name, new PickleGlobal(name, call, value));
}

for (const type of [...Object.keys(storageTypes), ...Object.keys(otherStorages)]) {
  allow(`torch.${type}`, null);
  allow(`torch.cuda.${type}`, null);
  allow(`torch.storage.${type}`, null);
}
for (const name of dtypeNames.split(' ')) allow(`torch.${name}`, null, name);
allow('torch.Size', (host, [sizes]) =>
  sizes instanceof PickleTuple ? sizes : host.fail('expected torch.Size(tuple)'),
);
allow('torch.device', (_, parts) => parts.map(String).join(':'), undefined);
allow('collections.OrderedDict', makeDict);
allow('collections.Counter', makeDict);
allow('torch._utils._rebuild_tensor', (host, args) => rebuildTensor(host, args.slice(0, 4)));
allow('torch._utils._rebuild_tensor_v2', rebuildTensor);
allow('torch._utils._rebuild_parameter', rebuildParameter);
allow('torch._utils._rebuild_parameter_with_state', rebuildParameter);
for (const [name, kind] of Object.entries({
  _rebuild_qtensor: 'quantised tensors are not read: dequantize() them',
  _rebuild_sparse_tensor: 'sparse tensors are not read: save to_dense()',
  _rebuild_sparse_csr_tensor: 'sparse tensors are not read: save to_dense()',
  _rebuild_nested_tensor: 'nested tensors are not read: save to_padded_tensor(0)',
  _rebuild_meta_tensor_no_storage: 'tensors on the meta device have no values to read',
  _rebuild_tensor_v3: 'tensors of this dtype are not read: convert them, to float32 for example,',
  _rebuild_device_tensor_from_numpy: 'tensors of this device are not read: move them with cpu()',
})) {
  allow(`torch._utils.${name}`, (host) => host.fail(inPython(kind)));
}

function inPython(advice: string): string {
  return `${advice} in Python before you save them`;
}

const advice =
  "only tensors, numbers, text, lists, tuples, dicts, sets and NumPy arrays are read, and nothing is ever imported or run. Save the model's " +
  'state_dict() in Python instead of the model, and other objects as plain values';

/** The policy of one file: it knows the storages that its tensors have named so far. */
export class TorchPolicy implements PicklePolicy {
  readonly storages = new Map<string, TorchStorage>();
  readonly setState: PicklePolicy['setState'];
  readonly reads = advice;

  /** @param place called once for each storage, which it gives its place, or fails for the reader's own reason */
  constructor(private readonly place: (host: PickleHost, storage: TorchStorage) => void) {
    // A state dict carries the versions of its modules beside its items: nothing reads them.
    this.setState = (host, target, state) => {
      if (!(target instanceof Map)) arrayPolicy.setState(host, target, state);
    };
  }

  find(module: string, name: string): PickleGlobal | undefined {
    return globals.get(`${module}.${name}`) ?? arrayPolicy.find(module, name);
  }

  /** ('storage', type, key, device, elements[, view]): where tensors come from makes no difference here. */
  readonly persistent = (host: PickleHost, id: unknown): TorchStorage => {
    const [kind, type, key, , length, view] = id instanceof PickleTuple ? (id as readonly unknown[]) : [];
    if (kind !== 'storage' || !(type instanceof PickleGlobal) || typeof key !== 'string') {
      return host.fail("expected the id of a storage: ('storage', type, key, device, length)");
    }
    const typeName = type.name.slice(type.name.lastIndexOf('.') + 1);
    const dtype = storageTypes[typeName];
    if (dtype === undefined) {
      const other = otherStorages[typeName];
      return host.fail(other === undefined ? `expected the type of a storage, got ${type.name}` : inPython(other));
    }
    if (typeof length !== 'number' || !Number.isSafeInteger(length) || length < 0) {
      return host.fail(`expected the length of storage ${quote(key)}, got ${String(length)}`);
    }
    if (view !== undefined && view !== null) {
      return host.fail('storages that are parts of others are not read: load and save the file with a newer PyTorch');
    }
    const known = this.storages.get(key);
    if (known !== undefined) {
      if (known.dtype === dtype && known.length === length) return known;
      return host.fail(
        `storage ${quote(key)} is used as ${known.length} ${known.dtype} and as ${length} ${dtype}; clone() one before you save`,
      );
    }
    host.charge(512);
    const storage = new TorchStorage(key, dtype, length);
    this.place(host, storage);
    this.storages.set(key, storage);
    return storage;
  };
}

/** (storage, offset, size, stride, requires_grad, hooks[, metadata]). Hooks are programs: they are passed over. */
function rebuildTensor(host: PickleHost, args: readonly unknown[]): TorchTensor {
  const [storage, offset, shape, strides, requiresGrad = false] = args;
  if (!(storage instanceof TorchStorage) || !isIndex(offset) || !isIndices(shape) || !isIndices(strides)) {
    return host.fail('expected a tensor: (storage, offset, size, stride, requires_grad, hooks)');
  }
  if (shape.length !== strides.length || shape.length > maxRank) {
    return host.fail(
      `expected a stride for each of at most ${maxRank} sizes, got ${shape.length} and ${strides.length}`,
    );
  }
  host.charge(256 + 32 * shape.length);
  return new TorchTensor(storage, [...shape], offset, [...strides], requiresGrad === true);
}

/** (tensor, requires_grad, hooks[, state]). */
function rebuildParameter(host: PickleHost, args: readonly unknown[]): TorchTensor {
  const [tensor, requiresGrad] = args;
  if (!(tensor instanceof TorchTensor)) return host.fail('expected a parameter: (tensor, requires_grad, hooks)');
  host.charge(256);
  tensor.storage.viewers--; // the tensor gives way to the parameter
  return tensor.withGrad(requiresGrad === true);
}

/** OrderedDict(), OrderedDict([[key, value], ..]), Counter({..}). */
function makeDict(host: PickleHost, args: readonly unknown[]): Map<unknown, unknown> {
  const [items] = args;
  const pairs = items instanceof Map ? [...items] : (items ?? []);
  if (args.length > 1 || !Array.isArray(pairs)) return host.fail('expected a dict, or a list of its pairs');
  host.charge(256 + 64 * pairs.length);
  const dict = new Map<unknown, unknown>();
  for (const pair of pairs as readonly unknown[]) {
    if (!Array.isArray(pair) || pair.length !== 2) return host.fail('expected pairs of keys and values');
    dict.set(keyIn(host, dict, pair[0]), pair[1]);
  }
  return dict;
}

function isIndex(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function isIndices(value: unknown): value is PickleTuple<number> {
  return value instanceof PickleTuple && (value as readonly unknown[]).every(isIndex);
}
