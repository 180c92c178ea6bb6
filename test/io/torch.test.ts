import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { deflateRawSync } from 'node:zlib';
import { loadSafetensors, loadTorch, PickleFile, saveTorch, TorchFile, type TorchValue, ZipFile } from 'headrace/io';
import * as nn from 'headrace/nn';
import { ConfigError, DataError, type DType, Tensor, tensor } from 'headrace/torch';
import { mutate, randomSource, temporaryFolder } from './helpers.js';
import { type Member, zip } from './zipfile.js';

const folder = temporaryFolder();
const path = join(folder, 'x.pt');

interface Case {
  readonly name: string;
  readonly file: string;
  readonly value?: unknown;
}

/** Written and read by PyTorch 1.13: see torch-files/make_torch_files.py. The tests run from build/. */
const cases = readFileSync(
  fileURLToPath(new URL('../../../test/io/torch-files/torch-files.jsonl', import.meta.url)),
  'utf8',
)
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as Case);

function write(name: string): string {
  const found = cases.find((item) => item.name === name);
  assert.ok(found, name);
  writeFileSync(path, Buffer.from(found.file, 'base64'));
  return path;
}

/** Spells a value as the script does. */
function spell(value: TorchValue): unknown {
  if (value instanceof Tensor) return { tensor: [value.dtype, value.shape, numbers(value), value.requiresGrad] };
  if (value instanceof Map) return { dict: [...value].map(([key, item]) => [spell(key), spell(item)]) };
  if (Array.isArray(value)) return [...value].map((item: TorchValue) => spell(item));
  assert.ok(value === null || typeof value !== 'object', String(value));
  return value;
}

function numbers(tensor: Tensor): unknown {
  const { dtype } = tensor;
  if (dtype === 'bool') return [...tensor.bytes()].map((byte) => byte !== 0);
  if (dtype.startsWith('complex')) {
    const flat =
      dtype === 'complex64' ? new Float32Array(tensor.bytes().buffer) : new Float64Array(tensor.bytes().buffer);
    return [...flat];
  }
  return tensor
    .reshape([-1])
    .to({ dtype: dtype.startsWith('int') ? dtype : 'float64' })
    .tolist();
}

for (const { name, file, value } of cases.filter((item) => item.value !== undefined)) {
  test(`reads what PyTorch reads: ${name}`, () => {
    writeFileSync(path, Buffer.from(file, 'base64'));
    assert.deepEqual(spell(loadTorch<TorchValue>(path)), value);
  });
}

test('a state dict loads into a model with its keys, and part of a checkpoint too', () => {
  for (const layout of ['zip', 'legacy']) {
    const model = new nn.Sequential(new nn.Linear(3, 2), new nn.BatchNorm1d(2));
    const plain = loadTorch(write(`state dict, ${layout}`));
    assert.deepEqual(model.loadStateDict(plain), { missing: [], unexpected: [] });
    assert.deepEqual(model.stateDict().get('0.weight')?.tolist(), plain.get('0.weight')?.tolist());
    const part = loadTorch(write(`checkpoint, ${layout}`), { part: 'model' });
    assert.deepEqual([...part.keys()], [...model.stateDict().keys()]);
    assert.equal(part.get('1.num_batches_tracked')?.dtype, 'int64');
    assert.throws(() => model.loadStateDict(loadTorch(path)), /unexpected keys/);
    assert.throws(
      () => loadTorch(path, { part: 'modle' }),
      (error: Error) =>
        error instanceof ConfigError && /Expected a part 'modle'.*got: model, optimizer, epoch/.test(error.message),
    );
  }
});

test('weights from before batch normalisation counted its batches load, as in PyTorch', () => {
  const model = new nn.Sequential(new nn.Linear(3, 2), new nn.BatchNorm1d(2));
  const old = loadTorch(write('state dict, legacy'));
  old.delete('1.num_batches_tracked');
  assert.deepEqual(model.loadStateDict(old), { missing: [], unexpected: [] });
  assert.equal(model.stateDict().get('1.num_batches_tracked')?.item(), 0);
  old.delete('1.running_var');
  assert.throws(() => model.loadStateDict(old), /missing keys \(2\).*1\.running_var.*1\.num_batches_tracked/s);
});

test('tensors that shared memory share it again; others do not', () => {
  for (const layout of ['zip', 'legacy']) {
    const views = loadTorch(write(`views of one storage, ${layout}`));
    views.get('whole')?.fill_(9);
    assert.deepEqual(views.get('transposed')?.index(5, 3).item(), 9);
    assert.deepEqual(views.get('expanded')?.tolist(), [
      [9, 9, 9],
      [9, 9, 9],
    ]);
    assert.equal(views.get('channels')?.index(0, 0, 0, 1).item(), 1);
  }
});

test('an open file tells types and shapes, and reads only the tensor that is asked for', () => {
  for (const layout of ['zip', 'legacy']) {
    using file = TorchFile.open(write(`state dict, ${layout}`));
    const weight = file.stateDict().get('0.weight');
    assert.deepEqual(
      [weight?.dtype, weight?.shape, String(weight)],
      ['float32', [2, 3], 'TorchTensor(float32 [2, 3])'],
    );
    assert.deepEqual(weight?.tensor().shape, [2, 3]);
    file.close();
    assert.throws(() => weight?.tensor(), /the reader is closed/);
  }
  using checkpoint = TorchFile.open(write('checkpoint, zip'));
  assert.throws(
    () => checkpoint.stateDict(),
    /expected a state dict, tensors by name, got other values under model, optimizer, epoch/,
  );
});

test('what is no tensor and no plain value is refused by name, with what to do in Python', () => {
  const refusals: [string, RegExp][] = [
    ['quantised', /quantised tensors are not read: dequantize\(\) them in Python/],
    ['sparse', /sparse tensors are not read: save to_dense\(\)|refused "torch\.\S+"/],
    [
      'module',
      /refused "torch\.nn\.modules\.container\.Sequential": only tensors.*nothing is ever imported or run.*state_dict\(\)/,
    ],
    ['generator', /refused "(builtins|__builtin__)\.print"/],
    ['script', /is a TorchScript program, which is not read/],
  ];
  for (const [name, message] of refusals) {
    assert.throws(
      () => loadTorch(write(name)),
      (error: Error) => error instanceof DataError && message.test(error.message),
      name,
    );
  }
});

/** A pickle of { 'w': tensor of `length` float32 in storage '0' } in PyTorch 2's form, with a part of it by choice. */
function pickle(
  shape: readonly number[],
  options: { length?: number; stride?: readonly number[]; type?: string; call?: string } = {},
): Buffer {
  const whole = (n: number): string =>
    n < 256 ? `K${String.fromCharCode(n)}` : `J${Buffer.from(Int32Array.of(n).buffer).toString('latin1')}`;
  const tuple = (sizes: readonly number[]): string => `(${sizes.map(whole).join('')}t`;
  const stride = options.stride ?? shape.map((_, d) => shape.slice(d + 1).reduce((a, b) => a * b, 1));
  const length = options.length ?? shape.reduce((a, b) => a * b, 1);
  const storage = `(X\x07\0\0\0storagectorch\n${options.type ?? 'FloatStorage'}\nX\x01\0\0\0${'0'}X\x03\0\0\0cpu${whole(length)}tQ`;
  const tensor = `ctorch._utils\n${options.call ?? '_rebuild_tensor_v2'}\n(${storage}K\0${tuple(shape)}${tuple(stride)}\x89ccollections\nOrderedDict\n)RtR`;
  return Buffer.from(`\x80\x02}X\x01\0\0\0w${tensor}s.`, 'latin1');
}

/** An archive as PyTorch 2.6 lays it out. */
function archive(parts: { pickle?: Buffer; data?: Buffer; byteorder?: string; more?: Member[] } = {}): Buffer {
  const text = (name: string, content: string): Member => ({ name: `resnet/${name}`, data: Buffer.from(content) });
  return zip([
    { name: 'resnet/data.pkl', data: parts.pickle ?? pickle([2, 3]) },
    text('.format_version', '1'),
    text('.storage_alignment', '64'),
    text('byteorder', parts.byteorder ?? 'little'),
    { name: 'resnet/data/0', data: parts.data ?? Buffer.from(Float32Array.of(1, 2, 3, 4, 5, 6).buffer) },
    text('version', '3\n'),
    text('.data/serialization_id', '0000000000000000000000000000000000000000'),
    ...(parts.more ?? []),
  ]);
}

test('the archive of PyTorch 2 reads, packed anew by another program too', () => {
  const expected = [
    [1, 2, 3],
    [4, 5, 6],
  ];
  writeFileSync(path, archive());
  assert.deepEqual(loadTorch(path).get('w')?.tolist(), expected);
  const data = Buffer.from(Float32Array.of(1, 2, 3, 4, 5, 6).buffer);
  const packed = [pickle([2, 3]), data].map((of, i) => ({
    name: i === 0 ? 'x/data.pkl' : 'x/data/0',
    data: deflateRawSync(of),
    method: 8,
    size: of.length,
    of,
  }));
  writeFileSync(path, zip(packed));
  assert.deepEqual(loadTorch(path).get('w')?.tolist(), expected);
});

test('storages and tensors that do not fit, other byte orders and damaged archives say so', () => {
  const faults: [Buffer, RegExp][] = [
    [archive({ byteorder: 'big' }), /big-endian machine/],
    [archive({ data: Buffer.alloc(20) }), /storage '0' of 6 float32 takes 24 bytes, 20 are there/],
    [archive({ pickle: pickle([2, 3], { length: 100_000 }) }), /takes 400000 bytes, 24 are there/],
    [
      archive({ pickle: pickle([2, 4], { length: 6 }) }),
      /a tensor \[2, 4\] takes the elements 0 to 8 of its storage '0', which has 6/,
    ],
    [archive({ pickle: pickle([2, 3], { stride: [1000, 1] }) }), /takes the elements 0 to 1003/],
    [archive({ pickle: pickle([2, 3], { stride: [1] }) }), /expected a stride for each/],
    [
      archive({ pickle: pickle(new Array(10).fill(2 ** 30), { length: 6, stride: new Array(10).fill(0) }) }),
      /impossibly large/,
    ],
    [archive({ pickle: pickle([2, 3], { type: 'QInt8Storage' }) }), /quantised tensors are not read/],
    [archive({ pickle: pickle([2, 3], { call: '_rebuild_tensor_v3' }) }), /tensors of this dtype are not read/],
    [archive({ pickle: Buffer.from('\x80\x02X\x01\0\0\0aQ.', 'latin1') }), /expected the id of a storage/],
    [archive({ more: [{ name: 'other/data.pkl', data: Buffer.from('N.') }] }), /holds NAME\/data\.pkl; found 2/],
    [archive().subarray(0, -30), /not a zip archive, or is cut short/],
    [Buffer.from('\x80\x02}q\x00.', 'latin1'), /no file of torch\.save.*torch\.save\(\.\.\) of PyTorch 1\.6/],
    [Buffer.alloc(0), /no file of torch\.save/],
  ];
  for (const [bytes, message] of faults) {
    writeFileSync(path, bytes);
    assert.throws(
      () => loadTorch(path),
      (error: Error) => error instanceof DataError && message.test(error.message),
      String(message),
    );
  }
});

test('older files that are cut, longer, or of a big-endian machine say so', () => {
  const good = readFileSync(write('one tensor, legacy'));
  const big = Buffer.from(good);
  const at = big.indexOf('little_endian') + 'little_endian'.length;
  big[big.indexOf(0x88, at)] = 0x89; // True becomes False
  for (const [bytes, message] of [
    [good.subarray(0, -3), /is cut short: the 8 bytes of storage '\d+' are not there/],
    [Buffer.concat([good, Buffer.alloc(5)]), /5 bytes follow its last storage/],
    [big, /big-endian machine/],
  ] as const) {
    writeFileSync(path, bytes);
    assert.throws(() => loadTorch(path), { name: 'DataError', message });
  }
});

test("readers of other formats name this one's", () => {
  writeFileSync(path, archive());
  assert.throws(() => loadSafetensors(path), /is a zip archive, not a safetensors file: loadTorch reads/);
  assert.throws(() => PickleFile.open(path), /got a zip archive .*loadTorch/);
});

test('nothing runs, whatever the pickle names', () => {
  const trace = join(folder, 'ran');
  for (const program of [
    `\x80\x02cos\nsystem\nX\x05\0\0\0touch\x85R.`,
    `\x80\x02ctorch._utils\n_rebuild_parameter\n(ctorch\nload\nX\x01\0\0\0x\x85R\x88NtR.`,
    `\x80\x02ctorch\nload\nX\x01\0\0\0x\x85R.`,
    `\x80\x02ctorch._utils\n_rebuild_from_type_v2\n)R.`,
  ]) {
    writeFileSync(path, archive({ pickle: Buffer.from(program, 'latin1') }));
    assert.throws(() => loadTorch(path), /refused "(os|torch|torch\._utils)\.\w+"/);
  }
  assert.equal(existsSync(trace), false);
});

test('a large tensor is read in pieces, not held twice', () => {
  const length = 10_000_000;
  const values = Float32Array.from({ length }, (_, i) => i % 1000);
  writeFileSync(path, archive({ pickle: pickle([10, 1_000_000]), data: Buffer.from(values.buffer) }));
  using file = TorchFile.open(path);
  const source = (file as unknown as { file: { file: { read(offset: number, length: number): Uint8Array } } }).file
    .file;
  const original = source.read.bind(source);
  let largest = 0;
  source.read = (offset, count) => {
    largest = Math.max(largest, count);
    return original(offset, count);
  };
  const tensor = file.stateDict().get('w')?.tensor();
  assert.ok(largest <= 2 ** 24, `${largest} bytes at once`);
  assert.equal(tensor?.sum([], { dtype: 'float64' }).item(), 4_995_000_000);
  assert.deepEqual(tensor?.index(9, 999_999).item(), 999);
});

test('what is written reads back, here and in PyTorch, with weights_only too where it has it', (t) => {
  const dtypes: DType[] = [
    'float64',
    'float32',
    'float16',
    'bfloat16',
    'int64',
    'int32',
    'int16',
    'int8',
    'uint8',
    'bool',
  ];
  const tensors = new Map(dtypes.map((dtype) => [dtype as string, tensor([[0, 1, 3]]).to({ dtype })]));
  tensors.set('größe.t', tensor([[1, 2, 3], [4, 5, 6]]).t()); // biome-ignore format: short
  tensors.set('scalar', tensor(2.5));
  tensors.set('none', tensor([]).view([0, 3]));
  saveTorch(path, tensors);
  const back = loadTorch(path);
  assert.deepEqual([...back.keys()], [...tensors.keys()]);
  for (const [key, value] of tensors) assert.deepEqual(spell(back.get(key) as Tensor), spell(value), key);
  const program = `
import sys, inspect
try:
    import torch
except ImportError:
    sys.exit(77)
safe = {"weights_only": True} if "weights_only" in inspect.signature(torch.load).parameters else {}
d = torch.load(${JSON.stringify(path)}, **safe)
print({k: (str(v.dtype), list(v.shape), v.double().reshape(-1).tolist()) for k, v in d.items()})`;
  const { status, stdout, stderr } = spawnSync('/usr/bin/python3', ['-'], { encoding: 'utf8', input: program });
  if (status === null || status === 77) return t.skip('no Python with torch here');
  assert.equal(status, 0, stderr);
  assert.match(stdout, /'bfloat16': \('torch.bfloat16', \[1, 3\], \[0.0, 1.0, 3.0\]\)/);
  assert.match(stdout, /'größe.t': \('torch.float32', \[3, 2\], \[1.0, 4.0, 2.0, 5.0, 3.0, 6.0\]\)/);
  assert.match(stdout, /'scalar': \('torch.float32', \[\], \[2.5\]\), 'none': \('torch.float32', \[0, 3\], \[\]\)/);
});

test('600 damaged files give a value or a DataError', () => {
  const random = randomSource(8);
  const sources = cases.filter(({ value }) => value !== undefined).map(({ file }) => Buffer.from(file, 'base64'));
  let read = 0;
  for (let i = 0; i < 600; i++) {
    writeFileSync(path, mutate(sources[i % sources.length] as Buffer, random));
    try {
      loadTorch(path);
      read++;
    } catch (error) {
      assert.ok(error instanceof DataError, `${i}: ${(error as Error).stack}`);
    }
  }
  assert.ok(read > 20, `${read} read`);
});

test('an archive whose members share bytes or swell is refused before anything is unpacked', () => {
  const data = deflateRawSync(Buffer.alloc(2 ** 27));
  const bomb = { name: 'x/data/0', data, method: 8, size: 2 ** 27, crc: 0 };
  writeFileSync(path, zip([{ name: 'x/data.pkl', data: pickle([2 ** 25]) }, bomb]));
  assert.throws(() => loadTorch(path), /unpacks to 134217728 bytes, more than 67108864.*allow more with maxMemory/);
  using archiveFile = ZipFile.open(path);
  assert.equal(archiveFile.entries.size, 2);
});
