import assert from 'node:assert/strict';
import { test } from 'node:test';
import { needsGloo, runRanks } from './ranks.js';

test('every kind of tensor crosses a border as it is', needsGloo, async () => {
  const [, said] = await runRanks('everyKind', 2);
  const messages = said!.slice(0, -1) as { meta: unknown; wanted: object[]; got: object[] }[];
  assert.equal(messages.length, 6);
  for (const { meta, wanted, got } of messages) {
    assert.deepEqual(meta, { é: [1, null, 'x'] });
    // What has holes, or shares its elements, arrives side by side: its strides differ, nothing else.
    for (const [k, each] of wanted.entries()) {
      const dense = each && got[k] ? { ...each, strides: (got[k] as { strides: number[] }).strides } : each;
      assert.deepEqual(got[k], dense);
    }
  }
  const stridesOf = (message: number, k: number) => (messages[message]!.got[k] as { strides: number[] }).strides;
  assert.deepEqual(stridesOf(3, 0), [1, 12], 'a transposed matrix stays one');
  assert.deepEqual(stridesOf(4, 0), [24, 1, 12, 3], 'channels stay last');
  assert.deepEqual(said!.at(-1), { name: 'QueueError', code: 'QUEUE_CLOSED', message: 'no more' });
});

test('messages of any size follow each other, at any capacity, and leave nothing behind', needsGloo, async () => {
  const said = await runRanks('allSizes', 2);
  assert.deepEqual(said, [[{ left: 0 }], [{ left: 0 }]]);
});

test('a border holds as many messages as its capacity; the time-out names the other rank', needsGloo, async () => {
  const [putter, getter] = (await runRanks('bounded', 2)) as [
    { capacity: number; count: number; late: { code: string; message: string } }[],
    unknown[],
  ];
  for (const { capacity, count, late } of putter) {
    assert.equal(count, capacity);
    assert.equal(late.code, 'TIMEOUT');
    assert.match(late.message, /waited 0.4 s for rank 1 to take a message \(border \d, rank 0 -> rank 1\)/);
  }
  const late = getter.filter((each) => !Array.isArray(each)) as { code: string; message: string }[];
  for (const { message } of late.slice(1)) assert.match(message, /waited 0.4 s for rank 0 to send a message/);
  assert.deepEqual(getter[2], [1, 0, 1]);
  assert.deepEqual(getter[4], [2, 0, 1, 2]);
});

test('bfloat16 on the wire rounds float32 and leaves whole numbers alone', needsGloo, async () => {
  const [, said] = await runRanks('halved', 2);
  // By hand: 8 bits of mantissa; 65504 lies between 65280 and 65536, nearer to the latter.
  assert.deepEqual(said![0], ['float32', [1, 1.0078125, 3.140625, -65536], 16777217, 'float32', 0.333984375]);
});
