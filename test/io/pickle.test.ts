import assert from 'node:assert/strict';
import { existsSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type ByteSource, type LazyArray, PickleFile, PickleTuple, parsePickle } from 'headrace/io';
import { DataError } from 'headrace/torch';
import { temporaryFolder } from './helpers.js';
import { plain, readCases, spell } from './pickles.js';

const folder = temporaryFolder();
const path = join(folder, 'x.pkl');

const parse = (text: string): unknown => parsePickle(Buffer.from(text, 'latin1'), 'x.pkl');
const refusal = (text: string, message: RegExp): void => {
  assert.throws(
    () => parse(text),
    (error: Error) => error instanceof DataError && message.test(error.message),
  );
};

for (const file of ['numpy1.jsonl', 'numpy2.jsonl']) {
  test(`every kind of value in protocols 0 to 5 reads as Python reads it (${file})`, () => {
    const cases = readCases(file);
    assert.ok(cases.length > 150);
    for (const { name, pickle, value } of cases) {
      assert.deepEqual(spell(parsePickle(pickle, name)), plain(value), name);
    }
  });
}

test('a file gives the same values as its bytes', () => {
  for (const { name, pickle, value } of readCases('numpy1.jsonl').filter((item) => /MMSA|fortran/.test(item.name))) {
    writeFileSync(path, pickle);
    const file = PickleFile.open(path);
    assert.deepEqual(spell(file.value), plain(value), name);
    file.close();
  }
});

test('500 damaged pickles: each an error, or the value that Python reads', () => {
  const cases = readCases('mutated.jsonl');
  assert.equal(cases.length, 500);
  let read = 0;
  for (const { name, pickle, value } of cases) {
    let ours: unknown;
    try {
      ours = spell(parsePickle(pickle, name));
    } catch (error) {
      assert.ok(error instanceof DataError, `${name}: ${String(error)}`);
      assert.match(error.message, /mutated \d+/);
      continue;
    }
    assert.deepEqual(ours, plain(value), `${name}: ${pickle.toString('latin1')}`);
    read++;
  }
  assert.ok(read >= 50, `${read} read`); // the faults are not all fatal, or the test would show little
});

test('a class, a function and a private registry are refused by name and place, and nothing runs', () => {
  const trace = join(folder, 'ran');
  refusal(`cos\nsystem\n(S'touch ${trace}'\ntR.`, /^x\.pkl, at byte 0 \(opcode GLOBAL\): refused "os\.system"/);
  refusal(
    `\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x02ls\x85R.`,
    /at byte 17 \(opcode STACK_GLOBAL\): refused "posix.system"/,
  );
  refusal(`(S'ls'\nios\nsystem\n.`, /at byte 7 \(opcode INST\): refused "os\.system"/);
  refusal('c__builtin__\neval\n(S"1"\ntR.', /refused "__builtin__\.eval"/);
  refusal('\x80\x02cnumpy\nmatrix\n)\x81.', /refused "numpy\.matrix"/);
  refusal('\x80\x02ccollections\nOrderedDict\n)R.', /refused "collections\.OrderedDict".*Convert the file in Python/);
  refusal('\x80\x02cnumpy\ndtype\n)\x81.', /opcode NEWOBJ\): makes an object of a class/);
  refusal('\x80\x02\x82\x01.', /opcode EXT1\): names a class of a private registry/);
  refusal('P1\n.', /opcode PERSID\): refers to something outside/);
  refusal('\x80\x05\x97.', /opcode NEXT_BUFFER\): .*buffer_callback/);
  refusal('cnumpy\nndarray\n.', /expected a value, got numpy\.ndarray itself/);
  refusal('cnumpy\nndarray\n)R.', /numpy\.ndarray is not called by itself/);
  refusal('c_codecs\nencode\n(V\x41\nVrot13\ntR.', /expected _codecs\.encode\(text, 'latin1'\)/);
  refusal(']c_codecs\nencode\nb.', /expected an array or a dtype to give a state to/);
  refusal(`c${'n'.repeat(5000)}\nx\n.`, /refused "n{80}\.\.\."/);
  refusal('c__proto__\ntoString\n.', /refused "__proto__\.toString"/);
  assert.equal(existsSync(trace), false);
});

test('huge lengths, cut files and bad counts are errors before memory is taken', () => {
  const huge = '\xff\xff\xff\xff\xff\xff\xff\x00';
  refusal(
    'B\xff\xff\xff\xff.',
    /at byte 0 \(opcode BINBYTES\): the file is cut short: expected 4294967295 more bytes, 1 are left/,
  );
  refusal(`\x8e${huge}.`, /opcode BINBYTES8\): the length .* is impossibly large/);
  refusal('\x8d\x00\x00\x00\x00\x00\x01\x00\x00.', /opcode BINUNICODE8\): the file is cut short/);
  refusal('T\xff\xff\xff\xffabc.', /opcode BINSTRING\): expected a length >= 0, got -1/);
  refusal('\x8b\x00\x00\x10\x00.', /opcode LONG4\): an integer of 1048576 bytes/);
  refusal('\x80\x04\x95\x00\x10\x00\x00\x00\x00\x00\x00.', /a frame of 4096 bytes, 1 are left/);
  refusal(`I${'9'.repeat(5000)}\n.`, /expected an integer/);
  refusal('N', /the file is cut short: a pickle ends with STOP/);
  refusal('V no end', /cut short inside a line/);
  refusal('N.N.', /2 bytes follow the end/);
  refusal('(.', /expected a value on the stack/);
  refusal('NN.', /values are left over/);
  refusal(
    '\x80\x04\x95\x02\x00\x00\x00\x00\x00\x00\x00M\x01\x00.',
    /opcode BININT2\): it goes beyond the end of its frame/,
  );
  refusal('\x80\x06N.', /expected protocol 0 to 5, got 6/);
  refusal('\xfeN.', /unknown opcode 0xfe; is this a pickle\?/);
});

const array = (state: string): string =>
  `cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR(I1\n${state}tb.`;
const f8 = `cnumpy\ndtype\n(S'f8'\nI0\nI1\ntR`;

test('arrays whose bytes, shapes and types do not fit are refused', () => {
  const type = `${f8}(I3\nS'<'\nNNNI-1\nI-1\nI0\ntb`;
  refusal(array(`(I1000000000\nI1000000\nt${type}I00\nS'abc'\n`), /takes 8000000000000000 bytes, 3 are there/);
  refusal(array(`(I9007199254740991\nI9\nt${type}I00\nS'abc'\n`), /impossibly large/);
  refusal(array(`(I-1\nt${type}I00\nS''\n`), /a shape of integers >= 0/);
  refusal(array(`(I1\nt${type}I00\nI8\n`), /expected the bytes of an array/);
  refusal(
    array(`(I2\nt${type.replace('f8', 'O8').replace('I0\ntb', 'I63\ntb')}I00\n(lI1\na`),
    /holds 2 values, 1 are there/,
  );
  refusal(
    array(`(I9000000\nt${type.replace('f8', 'U0').replace('I0\ntb', 'I8\ntb')}I00\nS''\n`),
    /values of NumPy type <U0/,
  );
  refusal(array(`(I1\nt${type.replace('f8', 'V8')}I00\nS'12345678'\n`), /NumPy type "V8" are not read/);
  refusal(array(`(I1\nt${type.replace('NNNI-1', 'N(S"a"\ntNI-1')}I00\nS'12345678'\n`), /structured NumPy types/);
  refusal(`cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR.`, /begun and never filled/);
  refusal(`cnumpy.core.multiarray\nscalar\n(${f8}S'abc'\ntR.`, /a NumPy scalar <f8 takes 8 bytes, 3 are there/);
});

test('deep nesting, cycles and references that unfold without end are refused', () => {
  refusal('('.repeat(20_000), /nested deeper than 10000 levels/);
  refusal(`${']'.repeat(5000)}${'a'.repeat(4999)}.`, /nested deeper than 1000 levels/);
  refusal(`)${'\x85'.repeat(5000)}.`, /nested deeper than 1000 levels/);
  refusal(']q\x00h\x00a.', /a value contains itself/);
  refusal('}q\x00K\x01h\x00s.', /a value contains itself/);
  // Thirty lists, each twice in the next: 2^30 values in 150 bytes.
  const bomb = Array.from(
    { length: 30 },
    (_, i) => `]q${String.fromCharCode(i + 1)}h${String.fromCharCode(i)}ah${String.fromCharCode(i)}a`,
  );
  refusal(`]q\x00${bomb.join('')}.`, /values are left over/);
  const nested = bomb.map((step) => `0${step}`).join('');
  refusal(`]q\x00${nested}.`, /refer to each other so often that they unfold/);
});

test('memory is bounded: a budget for values, and no more than the file can pay for', () => {
  const million = Buffer.concat([Buffer.from('('), Buffer.alloc(1_000_000, '}'), Buffer.from('l.')]);
  assert.throws(
    () => parsePickle(million, 'x.pkl', { maxMemory: 2 ** 24 }),
    /take more than 16777216 bytes; allow more with maxMemory/,
  );
  const before = process.memoryUsage();
  for (const { name, pickle } of readCases('mutated.jsonl')) {
    try {
      parsePickle(pickle, name);
    } catch (error) {
      assert.ok(error instanceof DataError);
    }
  }
  const after = process.memoryUsage();
  assert.ok(after.arrayBuffers - before.arrayBuffers < 2 ** 26 && after.rss - before.rss < 2 ** 28);
  // Memo places far apart take a map, not an array of four thousand million.
  assert.equal(parse('Nr\xff\xff\xff\xff0j\xff\xff\xff\xff.'), null);
  refusal('h\x05.', /the memo holds no value 5/);
  refusal('g99999999999\n.', /expected the number of a memo/);
  // One long text encoded again and again is charged each time.
  const repeat = `X\x00\x20\x00\x00${'a'.repeat(8192)}q\x00c_codecs\nencode\nq\x01(${'h\x01h\x00X\x06\x00\x00\x00latin1\x86R'.repeat(5000)}l.`;
  assert.throws(
    () => parsePickle(Buffer.from(repeat, 'latin1'), 'x', { maxMemory: 2 ** 24 }),
    /allow more with maxMemory/,
  );
});

test('a text of many backslashes is read in linear time', () => {
  assert.equal((parse(`V${'\\'.repeat(400_000)}\n.`) as string).length, 400_000);
});

test('Python takes True, 1 and 1.0 for one key; unhashable and composite keys are refused', () => {
  assert.deepEqual(parse('}K\x01NsI01\nK\x02s.'), new Map([[1, 2]]));
  assert.deepEqual(parse('\x80\x04\x8f(\x89K\x00K\x03\x90.'), new Set([false, 3]));
  refusal('}]Ns.', /keys and members of sets are read as text, numbers, booleans and None only/);
  refusal('}K\x01\x85Ns.', /keys and members/);
  const own = parse('}V__proto__\nK\x01s.') as Map<string, unknown>;
  assert.equal(own.get('__proto__'), 1);
  assert.equal(({} as Record<string, unknown>).polluted, undefined);
});

test('the strings of Python 2 are ASCII unless the caller knows better; arrays need no hint', () => {
  const text = Buffer.from("(lS'caf\\xc3\\xa9'\na.", 'latin1');
  assert.throws(() => parsePickle(text, 'x'), /not ASCII: say what it is with \{ python2Strings/);
  assert.deepEqual(parsePickle(text, 'x', { python2Strings: 'utf8' }), ['café']);
  assert.deepEqual(parsePickle(text, 'x', { python2Strings: 'latin1' }), ['cafÃ©']);
  const old = parse(
    array(`(I1\nt${f8}(I3\nS'<'\nNNNI-1\nI-1\nI0\ntbI00\nS'\\x00\\x00\\x00\\x00\\x00\\x00\\xf8\\xbf'\n`),
  );
  assert.deepEqual((old as LazyArray).tensor().tolist(), [-1.5]);
});

test('tuples remember what they are', () => {
  const tuple = parse('(K\x05t.') as PickleTuple;
  assert.ok(tuple instanceof PickleTuple && tuple.length === 1 && tuple[0] === 5);
  assert.equal(tuple.map((x) => x) instanceof PickleTuple, false);
});

/** A pickle of a float64 array, protocol 3 or below 2 (its bytes then stand as UTF-8 text). */
function pickledArray(values: Float64Array, shape: readonly number[], asText: boolean): Buffer {
  const data = Buffer.from(values.buffer);
  const payload = asText ? Buffer.from(data.toString('latin1'), 'utf8') : data;
  const length = Buffer.alloc(4);
  length.writeUInt32LE(payload.length);
  const state = `(K\x01(${shape.map((n) => `J${Buffer.from(Int32Array.of(n).buffer).toString('latin1')}`).join('')}t${f8}(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89`;
  const head = `cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tU\x01btR${state}`;
  const [open, end] = asText ? ['c_codecs\nencode\n(X', 'X\x06\x00\x00\x00latin1tRtb.'] : ['B', 'tb.'];
  return Buffer.concat([Buffer.from(head + open, 'latin1'), length, payload, Buffer.from(end, 'latin1')]);
}

test('rows of a large array read only their own bytes, also where its bytes stand as text', () => {
  const values = Float64Array.from({ length: 60_000 }, (_, i) => Math.sin(i));
  for (const asText of [false, true]) {
    const bytes = pickledArray(values, [2000, 30], asText);
    let read = 0;
    let largest = 0;
    writeFileSync(path, bytes);
    const file = PickleFile.open(path);
    const array = file.value as LazyArray;
    const source = (file as unknown as { file: ByteSource }).file;
    const original = source.read.bind(source);
    source.read = (offset, length) => {
      read += length;
      largest = Math.max(largest, length);
      return original(offset, length);
    };
    assert.deepEqual([array.dtype, array.shape], ['float64', [2000, 30]]);
    for (const start of [0, 1, 273, 274, 1000, 1998]) {
      const rows = array.rows(start, start + 2);
      assert.deepEqual([...new Float64Array(rows.bytes.buffer)], [...values.subarray(start * 30, (start + 2) * 30)]);
    }
    assert.ok(read <= (asText ? 12 * 65536 : 6 * 480) && largest <= 65536, `${read} bytes read, ${largest} at once`);
    assert.deepEqual(array.read().bytes, new Uint8Array(values.buffer));
    assert.throws(() => array.rows(1999, 2001), /expected rows within an array \[2000, 30\], got 1999 to 2001/);
    file.close();
    assert.throws(() => array.rows(0, 1), /the reader is closed/);
  }
});

test('text that stands for bytes must be characters up to U+00FF', () => {
  const bytes = pickledArray(
    Float64Array.from({ length: 4000 }, (_, i) => Math.sqrt(i)),
    [4000],
    true,
  );
  const at = bytes.indexOf(0xc2);
  bytes[at] = 0xc5;
  assert.throws(() => parsePickle(bytes, 'x'), /does not stand for bytes \(0xc5\)/);
});

test('files of other kinds, folders, empty and absent files say so', () => {
  const cases: [string, RegExp][] = [
    ['PK\x03\x04....', /expected a pickle, got a zip archive/],
    ['\x1f\x8b......', /got gzip: unpack it first/],
    ['', /x\.pkl is empty/],
  ];
  for (const [content, message] of cases) {
    writeFileSync(path, content, 'latin1');
    assert.throws(() => PickleFile.open(path), message);
  }
  assert.throws(() => PickleFile.open(folder), /expected a file, got a folder/);
  assert.throws(() => PickleFile.open(join(folder, 'none.pkl')), /Cannot open/);
  assert.ok(statSync(path).size === 0);
});
