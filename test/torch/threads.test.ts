import assert from 'node:assert/strict';
import { test } from 'node:test';
import { getNumThreads, liveTensors, setNumThreads } from 'headrace/torch';
import { withPeers } from './peer.js';

test('setNumThreads() of one thread leaves the others alone', async () => {
  await withPeers(2, async (first, second) => {
    setNumThreads(1);
    const before = await second!.tell({ do: 'threads' });
    assert.equal(await first!.tell({ do: 'threads', set: 3 }), 3);
    assert.equal(getNumThreads(), 1);
    assert.equal(await second!.tell({ do: 'threads' }), before);
    assert.equal(await second!.tell({ do: 'threads', set: 2 }), 2);
    assert.equal(await first!.tell({ do: 'threads' }), 3);
  });
});

test('a number of threads is a whole number from 1', () => {
  for (const count of [0, -1, 1.5, Number.NaN]) {
    assert.throws(() => setNumThreads(count), { name: 'ConfigError', message: new RegExp(`>= 1, got ${count}`) });
  }
});

test('the tensors of a thread are counted apart, and freed with it', async () => {
  const before = liveTensors();
  await withPeers(1, async (peer) => {
    assert.equal(await peer!.tell({ do: 'hold', count: 10 }), 20);
    assert.equal(liveTensors(), before + 10);
    assert.equal(liveTensors('thread'), before);
  });
  assert.equal(liveTensors(), before);
});
