/** Small files that announce, or swell to, very much. */
import { deflateRawSync, deflateSync, gzipSync, constants as zlib } from 'node:zlib';
import { type Member, zip } from './zipfile.js';

export interface HostileFile {
  /** Its ending says which reader it is for. */
  readonly name: string;
  readonly make: () => Buffer;
  readonly refusal: RegExp;
}

const MiB = 2 ** 20;

/** 16 MiB of zeros as a block that may be repeated. */
const block = deflateRawSync(Buffer.alloc(16 * MiB), { finishFlush: zlib.Z_FULL_FLUSH, level: 1 });

/** A deflate stream of that many zeros. */
function swollen(zeros: number): Buffer {
  const times = zeros / (16 * MiB);
  return Buffer.concat([...new Array<Buffer>(times).fill(block), deflateRawSync(Buffer.alloc(0))]);
}

/** The same after some bytes of its own. */
function swollenAfter(head: Uint8Array, zeros: number): Buffer {
  return Buffer.concat([deflateRawSync(head, { finishFlush: zlib.Z_FULL_FLUSH }), swollen(zeros)]);
}

const gzipHead = gzipSync(Buffer.alloc(0)).subarray(0, 10);
const zlibHead = deflateSync(Buffer.alloc(0)).subarray(0, 2);

function safetensors(header: string): Buffer {
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  return Buffer.concat([length, Buffer.from(header)]);
}

export function npyHead(descr: string, shape: string): Buffer {
  const text = `{'descr': '${descr}', 'fortran_order': False, 'shape': ${shape}, }\n`;
  const head = Buffer.from('\x93NUMPY\x01\x00\x00\x00', 'latin1');
  head.writeUInt16LE(text.length, 8);
  return Buffer.concat([head, Buffer.from(text)]);
}

function packedNpy(name: string, head: Buffer, zeros: number, size = head.length + zeros): Member {
  return { name, data: swollenAfter(head, zeros), method: 8, size, crc: 0 };
}

function idx(...shape: readonly number[]): Buffer {
  const head = Buffer.alloc(4 + 4 * shape.length);
  head[2] = 8;
  head[3] = shape.length;
  shape.forEach((size, d) => {
    head.writeUInt32BE(size, 4 + 4 * d);
  });
  return head;
}

function element(type: number, data: Uint8Array, length = data.length): Buffer {
  const tag = Buffer.from(Uint32Array.of(type, length).buffer);
  return Buffer.concat([tag, data, Buffer.alloc((8 - (data.length % 8)) % 8)]);
}

/** A compressed double variable X of `count` bytes, which says that it takes `says`. */
function mat(count: number, says = count): Buffer {
  const int32 = (...values: number[]) => Buffer.from(Int32Array.from(values).buffer);
  const head = Buffer.concat([
    element(6, int32(6, 0)),
    element(5, int32(says, 1)),
    element(1, Buffer.from('X')),
    Buffer.from(Uint32Array.of(2, says).buffer),
  ]);
  const tag = Buffer.from(Uint32Array.of(14, head.length + says).buffer);
  const packed = Buffer.concat([zlibHead, swollenAfter(Buffer.concat([tag, head]), count)]);
  const preamble = Buffer.alloc(128, ' ');
  preamble.fill(0, 116, 124);
  preamble.writeUInt16LE(0x0100, 124);
  preamble.write('IM', 126, 'latin1');
  return Buffer.concat([preamble, element(15, packed)]);
}

const listOf = (item: string, times: number): Buffer =>
  Buffer.concat([
    Buffer.from('\x80\x04(', 'latin1'),
    Buffer.alloc(item.length * times, item, 'latin1'),
    Buffer.from('l.'),
  ]);

const structure = /take (more than|about) \d+ bytes.*allow more with maxMemory/;
const unpacks = /unpacks to \d+ bytes, more than \d+, from \d+.*allow more with maxMemory/;
const nested = /nested deeper than 64/;

/** Each is refused before it takes much memory. */
export const hostileFiles: readonly HostileFile[] = [
  { name: 'nested lists.safetensors', make: () => safetensors(`{"a":${'['.repeat(2e7)}`), refusal: nested },
  { name: 'nested objects.safetensors', make: () => safetensors('{"a":'.repeat(4e6)), refusal: nested },
  {
    name: 'many lists.safetensors',
    make: () => safetensors(`{"a":[${'[],'.repeat(7e6)}[]]}`),
    refusal: /structure takes more/,
  },
  {
    name: 'many numbers.safetensors',
    make: () => safetensors(`{"a":[${'1,'.repeat(1e7)}1]}`),
    refusal: /structure takes more/,
  },
  { name: 'a long header.safetensors', make: () => safetensors(`{${' '.repeat(99_999_990)}}`), refusal: structure },
  {
    name: 'many empty tensors.safetensors',
    make: () => {
      const tensor = (_: unknown, i: number) => `"t${i}":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}`;
      return safetensors(`{${Array.from({ length: 3e5 }, tensor).join(',')}}`);
    },
    refusal: /structure takes more/,
  },
  {
    name: 'nested.safetensors.index.json',
    make: () => Buffer.from(`{"weight_map":${'['.repeat(2e7)}`),
    refusal: nested,
  },
  {
    name: 'a gigabyte.npz',
    make: () => zip([packedNpy('a.npy', npyHead('<f4', '(268435456,)'), 2 ** 30)]),
    refusal: unpacks,
  },
  {
    name: 'many of 60 MiB.npz',
    make: () =>
      zip(Array.from({ length: 20 }, (_, i) => packedNpy(`${i}.npy`, npyHead('|u1', `(${48 * MiB},)`), 48 * MiB))),
    refusal: unpacks,
  },
  {
    name: 'announces little.npz',
    make: () => zip([packedNpy('a.npy', npyHead('<f4', '(4,)'), 2 ** 30, npyHead('<f4', '(4,)').length + 16)]),
    refusal: /unpacks to more than it announces/,
  },
  {
    name: 'empty texts.npz',
    make: () => zip([{ name: 'a.npy', data: npyHead('<U0', '(2000000000,)') }]),
    refusal: structure,
  },
  {
    name: 'many members.npz',
    make: () =>
      zip(
        Array.from({ length: 150_000 }, (_, i) => ({ name: `${i}.npy`, data: Buffer.alloc(0) })),
        { wide: true },
      ),
    refusal: structure,
  },
  {
    name: 'a long header.npy',
    make: () =>
      Buffer.concat([Buffer.from('\x93NUMPY\x02\x00\x00\x00\x00\x03', 'latin1'), Buffer.alloc(3 * 2 ** 24, ' ')]),
    refusal: /a header of 50331648 bytes/,
  },
  {
    name: 'overflow.npy',
    make: () => npyHead('<f8', `(${new Array(20).fill('1000000000').join(', ')})`),
    refusal: /impossibly large/,
  },
  {
    name: '704 MiB.idx',
    make: () => Buffer.concat([gzipHead, swollenAfter(idx(704, 1024, 1024), 704 * MiB)]),
    refusal: unpacks,
  },
  {
    name: 'announces little.idx',
    make: () => Buffer.concat([gzipHead, swollenAfter(idx(1000), 704 * MiB)]),
    refusal: /unpacks to more than it announces/,
  },
  { name: 'no header.idx', make: () => Buffer.concat([gzipHead, swollen(704 * MiB)]), refusal: /not an IDX file/ },
  { name: '1.4 GiB.mat', make: () => mat(1408 * MiB), refusal: unpacks },
  { name: 'announces little.mat', make: () => mat(1408 * MiB, 1000), refusal: /unpacks to more than it announces/ },
  { name: 'empty dicts.pkl', make: () => listOf('}', 4e6), refusal: structure },
  { name: 'empty lists.pkl', make: () => listOf(']', 4e6), refusal: structure },
  { name: 'empty sets.pkl', make: () => listOf('\x8f', 4e6), refusal: structure },
  { name: 'remembered lists.pkl', make: () => listOf(']\x94', 4e6), refusal: structure },
  { name: 'small tuples.pkl', make: () => listOf('K\x01\x85', 3e6), refusal: structure },
  {
    name: 'nested tuples.pkl',
    make: () => Buffer.concat([Buffer.from(')'), Buffer.alloc(5e5, 0x85), Buffer.from('.')]),
    refusal: /nested deeper/,
  },
  {
    name: 'huge integers.pkl',
    make: () => listOf(`\x8b\0\0\0\x40${'\x7f'.repeat(100)}`, 1000),
    refusal: /an integer of \d+ bytes/,
  },
  {
    name: 'empty dicts.pt',
    make: () => zip([{ name: 'x/data.pkl', data: listOf('}', 4e6) }]),
    refusal: structure,
  },
  {
    name: 'one array many times.pt',
    // A text of 1 MB stands for bytes, which a hundred arrays take for their own.
    make: () => zip([{ name: 'x/data.pkl', data: arraysOfOneText(2 ** 20, 100) }]),
    refusal: unpacks,
  },
];

function arraysOfOneText(length: number, times: number): Buffer {
  const latin1 = (text: string) => Buffer.from(text, 'latin1');
  const size = Buffer.alloc(4);
  size.writeUInt32LE(length);
  const bytes = Buffer.concat([latin1('B'), size, Buffer.alloc(length), latin1('q\x00')]);
  const type =
    'cnumpy\ndtype\n(X\x02\0\0\0u1I0\nI1\ntR(K\x03X\x01\0\0\0|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tbq\x01';
  const array = `cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\0tC\x01btR(K\x01(J${size.toString('latin1')}th\x01\x89h\x00tb`;
  return Buffer.concat([latin1('\x80\x03('), bytes, latin1(type), latin1(array.repeat(times)), latin1('l.')]);
}
