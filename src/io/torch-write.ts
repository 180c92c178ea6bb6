/** Writing what `torch.load` reads: a state dict in the zip layout of PyTorch 1.6 and later. */
import type { DType } from '../torch/dtype.js';
import type { Tensor } from '../torch/index.js';
import { countElements } from './raw.js';
import { type NamedTensors, namedTensors } from './safetensors.js';
import { storageTypes } from './torch-policy.js';
import { writeZip, type ZipMember } from './zip-write.js';

const typeOf = new Map(Object.entries(storageTypes).map(([name, dtype]) => [dtype, name]));

/**
 * Writes tensors (any device, any layout) as `torch.save(state_dict, path)` does, atomically, one in memory at a time:
 * `torch.load(path)` reads them, also with `weights_only=True`. Every tensor gets memory of its own.
 * @throws DataError when the file cannot be written; the previous file, if any, stays whole
 */
export function saveTorch(path: string, tensors: NamedTensors): void {
  writeZip(path, members(namedTensors('saveTorch', tensors)));
}

function* members(tensors: ReadonlyMap<string, Tensor>): Generator<ZipMember> {
  const text = (name: string, content: string): ZipMember => ({
    name: `archive/${name}`,
    pieces: [Buffer.from(content)],
  });
  yield { name: 'archive/data.pkl', pieces: [encodeStateDict(tensors)] };
  yield text('byteorder', 'little');
  let key = 0;
  for (const tensor of tensors.values()) yield { name: `archive/data/${key++}`, pieces: [tensor.bytes()] };
  yield text('version', '3\n');
}

/** A pickle of protocol 2, as PyTorch's. Opcodes: see pickle-opcodes.ts. */
function encodeStateDict(tensors: ReadonlyMap<string, Tensor>): Buffer {
  const parts = [ascii('\x80\x02ccollections\nOrderedDict\n)R(')];
  let key = 0;
  for (const [name, tensor] of tensors) {
    parts.push(text(name), encodeTensor(String(key++), tensor.dtype, tensor.shape));
  }
  return Buffer.concat([...parts, ascii('u.')]);
}

/** _rebuild_tensor_v2(storage, 0, size, stride, False, OrderedDict()). */
function encodeTensor(key: string, dtype: DType, shape: readonly number[]): Buffer {
  const strides = shape.map((_, d) => countElements(shape.slice(d + 1), key));
  return Buffer.concat([
    ascii('ctorch._utils\n_rebuild_tensor_v2\n(('),
    text('storage'),
    ascii(`ctorch\n${typeOf.get(dtype)}\n`),
    text(key),
    text('cpu'),
    integer(countElements(shape, key)),
    ascii('tQK\0('),
    ...shape.map(integer),
    ascii('t('),
    ...strides.map(integer),
    ascii('t\x89ccollections\nOrderedDict\n)RtR'),
  ]);
}

function ascii(opcodes: string): Buffer {
  return Buffer.from(opcodes, 'latin1');
}

/** BINUNICODE. */
function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  const head = Buffer.from('X\0\0\0\0');
  head.writeUInt32LE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}

/** LONG1 of eight bytes. */
function integer(value: number): Buffer {
  const bytes = Buffer.from('\x8a\x08\0\0\0\0\0\0\0\0', 'latin1');
  bytes.writeBigInt64LE(BigInt(value), 2);
  return bytes;
}
